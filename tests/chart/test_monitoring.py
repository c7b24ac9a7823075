"""Tests that Prometheus finds the exporter and the rules, and Grafana the dashboards."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.cases import ACME, BASIC, CASES
from chart.charts import RULES, copy_chart, dashboard
from chart.releases import CHART, Helm, Release
from tools import require_tool

ONE: dict[str, Any] = {"organizations": [ACME]}
ALL = ONE | {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}
DASHBOARDS = {"Übersicht": "overview.json", "Jobs": "job_details.json"}
LAST_APPLIED_BYTES = 256 * 1024
"""What kubectl may write into an annotation, where objects are applied and not installed."""


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with rules and dashboards that are hard to get right."""
    files = {f"alerts/{name}": text for name, text in RULES.items()}
    files |= {f"dashboards/{name}": dashboard(title) for title, name in DASHBOARDS.items()}
    return copy_chart(tmp_path_factory.mktemp("chart"), files)


def monitor_of(release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the spec of the monitor, and its endpoint."""
    (monitor,) = release.of_kind("ServiceMonitor") + release.of_kind("PodMonitor")
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    return monitor["spec"], endpoint


def test_a_service_monitor_selects_each_pod_once(newest_helm: Helm) -> None:
    for case in ("shards", "existing_secret", "everything"):
        values = CASES[case] | ({} if case == "everything" else {"serviceMonitor": {"enabled": True}})
        release = newest_helm.template(values)
        spec, endpoint = monitor_of(release)
        selected = [
            service
            for service in release.of_kind("Service")
            if spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        ]
        assert [service["metadata"]["name"] for service in selected] == ["acme-theeye-exporter"]
        assert endpoint["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}
        assert spec["namespaceSelector"] == {"matchNames": ["monitoring"]}


def test_a_pod_monitor_selects_the_pods(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["pod_monitor"])
    spec, endpoint = monitor_of(release)
    assert endpoint["port"] in {port["name"] for port in release.container["ports"]}
    assert spec["sampleLimit"] == 100000


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_the_job_is_called_the_same_whatever_the_names_are(newest_helm: Helm, kind: str) -> None:
    names = {"nameOverride": "other", "fullnameOverride": "another"}
    release = newest_helm.template(ONE | names | {kind: {"enabled": True}})
    spec, _ = monitor_of(release)
    for labels in (release.one("Service")["metadata"]["labels"], release.template["metadata"]["labels"]):
        assert labels[spec["jobLabel"]] == "theeye-exporter"


def test_the_label_endpoint_stays_theirs(newest_helm: Helm) -> None:
    _, endpoint = monitor_of(newest_helm.template(CASES["pod_monitor"]))
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "endpoint"}]


def test_series_of_shards_outlive_their_pods(newest_helm: Helm) -> None:
    _, endpoint = monitor_of(newest_helm.template(CASES["everything"]))
    assert endpoint["relabelings"][1:] == [
        {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"},
        {"targetLabel": "cluster", "replacement": "eu"},
    ]


def test_prometheus_asks_as_the_exporter_serves(newest_helm: Helm) -> None:
    _, endpoint = monitor_of(newest_helm.template(CASES["everything"]))
    assert (endpoint["scheme"], endpoint["path"]) == ("https", "/theeye")
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("30s", "20s")
    assert endpoint["tlsConfig"]["serverName"] == "exporter"
    assert endpoint["basicAuth"] == BASIC
    assert (endpoint["params"], endpoint["honorLabels"]) == ({"exclude[]": ["webhooks"]}, True)
    _, endpoint = monitor_of(newest_helm.template(CASES["pod_monitor"]))
    assert (endpoint["scheme"], endpoint["path"]) == ("http", "/metrics")
    assert not {"interval", "scrapeTimeout", "tlsConfig", "basicAuth", "params", "honorLabels"} & endpoint.keys()


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_something_else_can_end_tls(newest_helm: Helm, kind: str) -> None:
    in_front = {"enabled": True, "scheme": "https", "tlsConfig": {"insecureSkipVerify": True}}
    release = newest_helm.template(ONE | {kind: in_front})
    _, endpoint = monitor_of(release)
    assert endpoint["scheme"] == "https"
    assert release.container["readinessProbe"]["httpGet"]["scheme"] == "HTTP"
    _, endpoint = monitor_of(newest_helm.template(CASES["tls"] | {kind: {"enabled": True, "scheme": "http"}}))
    assert endpoint["scheme"] == "http"


def test_rules_can_be_in_another_namespace(newest_helm: Helm) -> None:
    release = newest_helm.template(ONE | {"prometheusRule": {"enabled": True, "namespace": "rules"}})
    assert release.one("PrometheusRule")["metadata"]["namespace"] == "rules"


def test_rules_arrive_as_they_are(helm: Helm, chart: Path) -> None:
    release = helm.template(ALL, chart=chart)
    expected = [yaml.safe_load(RULES[name])["groups"][0] for name in ("a.rules.yml", "b.rules.yml")]
    assert release.one("PrometheusRule")["spec"]["groups"] == expected


def test_committed_rules_arrive_as_they_are(newest_helm: Helm) -> None:
    files = sorted((CHART / "files/alerts").glob("*.yml"))
    assert files
    groups = [group for path in files for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    values = ONE | {"prometheusRule": {"enabled": True, "grafanaUrl": "http://localhost:3000"}}
    assert newest_helm.template(values).one("PrometheusRule")["spec"]["groups"] == groups


def alerts_of(helm: Helm, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the committed alerts by name, as the chart sets them up."""
    release = helm.template(ONE | {"prometheusRule": {"enabled": True} | values})
    groups = release.one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_alerts_lead_to_pages_of_your_own(newest_helm: Helm) -> None:
    own = {"grafanaUrl": "https://grafana.example.org/g/", "runbookUrl": "https://wiki.example.org/theeye"}
    annotations = alerts_of(newest_helm, own)["TheEyeUpstreamDown"]["annotations"]
    assert annotations["runbook_url"] == "https://wiki.example.org/theeye#theeyeupstreamdown"
    assert annotations["dashboard_url"].startswith("https://grafana.example.org/g/d/theeye-exporter?var-organization=")
    annotations = alerts_of(newest_helm, {})["TheEyeUpstreamDown"]["annotations"]
    assert annotations["runbook_url"].startswith("https://github.com/theeye-io/theeye-exporter/")
    assert "dashboard_url" not in annotations


def test_optional_alerts_have_to_be_named(newest_helm: Helm) -> None:
    assert "TheEyeJobOnHold" not in alerts_of(newest_helm, {})
    assert "TheEyeJobOnHold" in alerts_of(newest_helm, {"optionalAlerts": ["TheEyeJobOnHold"]})


def test_promtool_takes_the_rules(newest_helm: Helm, chart: Path, tmp_path: Path) -> None:
    values = {"prometheusRule": {"enabled": True, "alertLabels": {"team": "platform"}}} | ONE
    for number, source in enumerate((chart, CHART)):
        for item in newest_helm.template(values, chart=source).of_kind("PrometheusRule"):
            path = tmp_path / f"{number}.yml"
            path.write_text(yaml.safe_dump(item["spec"]), encoding="utf-8")
            command = [require_tool("promtool"), "check", "rules", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_can_be_left_out_and_labelled(newest_helm: Helm, chart: Path) -> None:
    extra = {"name": "own", "rules": [{"record": "one", "expr": "vector(1)"}]}
    wanted = {"disabledAlerts": ["TheEyeSlow"], "alertLabels": {"team": "platform"}, "extraGroups": [extra]}
    release = newest_helm.template(ONE | {"prometheusRule": {"enabled": True} | wanted}, chart=chart)
    recording, alerting, own = release.one("PrometheusRule")["spec"]["groups"]
    assert [rule["alert"] for rule in alerting["rules"]] == ["TheEyeDown"]
    assert alerting["rules"][0]["labels"] == {"severity": "critical", "team": "platform"}
    assert "labels" not in recording["rules"][0]
    assert own == extra


def test_a_group_without_rules_is_left_out(newest_helm: Helm, chart: Path) -> None:
    disabled = {"prometheusRule": {"enabled": True, "disabledAlerts": ["TheEyeSlow", "TheEyeDown"]}}
    groups = newest_helm.template(ONE | disabled, chart=chart).one("PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups] == ["a"]


def dashboards_of(release: Release) -> list[dict[str, Any]]:
    """Return the maps that hold a dashboard, whatever they are called."""
    return [item for item in release.of_kind("ConfigMap") if any(key.endswith(".json") for key in item["data"])]


def test_dashboards_arrive_as_they_are(helm: Helm, chart: Path) -> None:
    release = helm.template(ALL, chart=chart)
    maps = dashboards_of(release)
    assert {item["metadata"]["name"] for item in maps} == {
        "acme-theeye-exporter-dashboard-overview",
        "acme-theeye-exporter-dashboard-job-details",
    }
    assert {key: text for item in maps for key, text in item["data"].items()} == {
        name: dashboard(title) for title, name in DASHBOARDS.items()
    }
    for item in maps:
        assert item["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert item["metadata"]["annotations"] == {"grafana_folder": "TheEye"}


def test_committed_dashboards_arrive_as_they_are(newest_helm: Helm) -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "files/dashboards").glob("*.json")}
    assert files
    maps = dashboards_of(newest_helm.template(ALL))
    assert {key: json.loads(text) for item in maps for key, text in item["data"].items()} == {
        name: json.loads(text) for name, text in files.items()
    }
    for item in maps:
        assert len(json.dumps(item).encode()) < LAST_APPLIED_BYTES


def test_dashboards_go_where_the_sidecar_looks(newest_helm: Helm, chart: Path) -> None:
    wanted = {"namespace": "grafana", "label": "dash", "labelValue": "yes", "folder": "", "annotations": {"a": "b"}}
    release = newest_helm.template(ONE | {"dashboards": {"enabled": True} | wanted}, chart=chart)
    for item in dashboards_of(release):
        assert item["metadata"]["namespace"] == "grafana"
        assert item["metadata"]["labels"]["dash"] == "yes"
        assert item["metadata"]["annotations"] == {"a": "b"}


def test_long_names_of_dashboards_are_cut_and_stay_different(newest_helm: Helm, chart: Path) -> None:
    names = set()
    for release in ("a" * 52 + "x", "a" * 52 + "y"):
        maps = dashboards_of(newest_helm.template(ALL, chart=chart, release=release))
        names |= {item["metadata"]["name"] for item in maps}
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)
