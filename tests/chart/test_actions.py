"""Tests the second Deployment, which starts runs: apart from the exporter in everything."""

import argparse
import base64
import re
import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from chart.cases import ACME, BASIC, CASES, INSTALLED
from chart.releases import Helm
from theeye_exporter.actions.loading import load
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.config import add_flags
from theeye_exporter.web.security.live import LiveWebFile

CONFIG: Final = {
    "organizations": [{"name": "acme", "token_file": "/etc/theeye-exporter/secrets/acme"}],
    "canaries": [{"name": "script-on-web-01", "task": "canary@web-01"}],
}
ACTIONS: Final[dict[str, Any]] = {
    "organizations": [ACME],
    "networkPolicy": {"enabled": True},
    "actions": {
        "enabled": True,
        "config": CONFIG,
        "existingSecret": "theeye-actions",
        "persistence": {"enabled": True, "storageClass": "fast"},
    },
}


def named(helm: Helm, values: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [one for one in helm.template(values).of_kind(kind) if one["metadata"]["name"].endswith("-actions")]
    return found


def test_nothing_of_it_is_made_unless_asked_for(newest_helm: Helm) -> None:
    release = newest_helm.template({"organizations": [ACME]})
    assert len(release.of_kind("Deployment")) == 1
    assert release.of_kind("PersistentVolumeClaim") == []


def test_one_pod_at_most_runs_with_its_own_account_secret_and_volume(newest_helm: Helm) -> None:
    spec = named(newest_helm, ACTIONS, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][:2] == ["actions", "--config.file=/etc/theeye-exporter/actions/actions.yaml"]
    account = named(newest_helm, ACTIONS, "ServiceAccount")
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["secrets"]["secret"]["secretName"] == "theeye-actions"
    claim = named(newest_helm, ACTIONS, "PersistentVolumeClaim")
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_it_has_its_own_file_and_pods(newest_helm: Helm) -> None:
    assert yaml.safe_load(named(newest_helm, ACTIONS, "ConfigMap")["data"]["actions.yaml"]) == CONFIG
    selectors = [one["spec"]["selector"]["matchLabels"] for one in newest_helm.template(ACTIONS).of_kind("Deployment")]
    assert {selector["app.kubernetes.io/component"] for selector in selectors} == {"exporter", "actions"}


def test_its_network_is_closed_too(newest_helm: Helm) -> None:
    spec = named(newest_helm, ACTIONS, "NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "actions"
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"port": 9856, "protocol": "TCP"}]
    assert len(spec["egress"]) == 2


def test_alertmanager_may_post_only_if_alerts_start_runs(newest_helm: Helm) -> None:
    canaries, alerts = (named(newest_helm, values, "NetworkPolicy")["spec"] for values in (ACTIONS, CASES["actions"]))
    pods = [[one["podSelector"]["matchLabels"] for one in spec["ingress"][0]["from"]] for spec in (canaries, alerts)]
    assert pods == [
        [{"app.kubernetes.io/name": "prometheus"}],
        [{"app.kubernetes.io/name": "prometheus"}, {"app.kubernetes.io/name": "alertmanager"}],
    ]


def test_its_web_server_has_users_of_its_own_whom_probes_do_not_need(newest_helm: Helm) -> None:
    pod = named(newest_helm, CASES["actions"], "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "--web.config.file=/etc/theeye-exporter/web/web-config.yml" in container["args"]
    volumes = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert volumes["web"] == named_web(newest_helm)["metadata"]["name"]
    assert volumes["tls"] == "theeye-actions-tls"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (mounts["web"], mounts["tls"]) == ("/etc/theeye-exporter/web", "/etc/theeye-exporter/tls")
    assert container["readinessProbe"]["tcpSocket"] == {"port": "metrics"}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == ["python3", "-m", "theeye_exporter.healthcheck"]
    probes = named(newest_helm, ACTIONS, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert probes["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics", "scheme": "HTTP"}


def named_web(helm: Helm) -> dict[str, Any]:
    (secret,) = [
        one for one in helm.template(CASES["actions"]).of_kind("Secret") if "actions" in one["metadata"]["name"]
    ]
    return secret


def test_its_web_file_can_be_in_a_secret(newest_helm: Helm) -> None:
    web = {"existingSecret": {"name": "mine", "key": "web.yml", "auth": "basic", "tls": False}}
    actions = CASES["actions"]["actions"] | {"web": web}
    pod = named(newest_helm, CASES["actions"] | {"actions": actions}, "Deployment")["spec"]["template"]["spec"]
    assert "--web.config.file=/etc/theeye-exporter/web/web.yml" in pod["containers"][0]["args"]
    assert "mine" in {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_prometheus_scrapes_it_as_it_serves(newest_helm: Helm, kind: str) -> None:
    shared = {"enabled": True, "labels": {"release": "x"}, "interval": "30s", "params": {"exclude[]": ["webhooks"]}}
    values = CASES["actions"] | {"podMonitor": {"enabled": False}} | {kind: shared}
    monitor = named(newest_helm, values, kind[0].upper() + kind[1:])
    assert monitor["metadata"]["labels"]["release"] == "x"
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["scheme"], endpoint["path"], endpoint["interval"]) == ("https", "/metrics", "30s")
    assert (endpoint["basicAuth"], endpoint["tlsConfig"]) == (BASIC, {"insecureSkipVerify": True})
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "endpoint"}]
    assert "params" not in endpoint


def test_a_missing_secret_is_refused(newest_helm: Helm) -> None:
    values = ACTIONS | {"actions": ACTIONS["actions"] | {"existingSecret": ""}}
    with pytest.raises(Exception, match=r"actions\.existingSecret is missing"):
        newest_helm.template(values)


@pytest.mark.parametrize("way", [way for way, values in INSTALLED.items() if "actions" in values])
def test_the_process_takes_what_a_way_of_installing_gives_it(newest_helm: Helm, tmp_path: Path, way: str) -> None:
    """If alerts start runs, it would not start without users on the address that all can reach."""
    values = INSTALLED[way]
    (container,) = named(newest_helm, values, "Deployment")["spec"]["template"]["spec"]["containers"]
    folder, state = tmp_path / "etc/theeye-exporter", tmp_path / "var/lib/theeye-exporter"
    state.mkdir(parents=True)
    secrets = [one for one in newest_helm.template(values).of_kind("Secret") if "-actions" in one["metadata"]["name"]]
    files = {
        "actions": named(newest_helm, values, "ConfigMap")["data"],
        "secrets": {"acme": "a-token"},
        "web": {key: base64.b64decode(text).decode() for one in secrets for key, text in one["data"].items()},
    }
    for mount, texts in files.items():
        for name, text in texts.items():
            path = folder / mount / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_below(text, tmp_path))
    parser = argparse.ArgumentParser()
    add_flags(parser, ActionsSettings)
    _, *flags = (_below(argument, tmp_path) for argument in container["args"])

    settings = load(parser.parse_args(flags), {})

    assert settings.canaries or settings.actions
    if settings.actions:
        assert settings.state.file is not None
        assert settings.web.config_file is not None
        LiveWebFile(settings.web.config_file, time.time, demand_authentication=True)


def _below(text: str, root: Path) -> str:
    return re.sub("/(etc|var/lib)/theeye-exporter", rf"{root}\g<0>", text)


def test_both_kinds_of_work_have_a_way_of_installing() -> None:
    work = [values["actions"]["config"] for values in INSTALLED.values() if "actions" in values]
    assert {kind for config in work for kind in ("canaries", "actions") if kind in config} == {"canaries", "actions"}
