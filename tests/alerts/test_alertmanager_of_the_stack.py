"""Tests the alerts in a real Alertmanager: with kube-prometheus-stack's own configuration, and with what we ship for it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import yaml

from alerts.rulebook import ROOT, rules
from processes import eventually, free_port, running
from tools import require_tool

pytestmark = pytest.mark.e2e

FOLDER: Final = ROOT / "grafana" / "alertmanager"
DEFAULT: Final = Path(__file__).parent / "kube-prometheus-stack.yml"
ALERTS: Final = {rule.name: rule.content["labels"]["severity"] for rule in rules() if rule.is_alert}
WITHOUT_ORGANIZATION: Final = {
    name
    for name in ALERTS
    if name.startswith("TheEyeExporter") or name in {"TheEyeConfigReloadFailed", "TheEyeSeriesCut"}
}
OBJECT: Final = {"hostname": "web-01", "workflow_id": "w", "device": "sda", "job": "theeye", "collector": "jobs"}
"""The same for every organisation: names of hosts and devices repeat, and so may ids."""

Labels = dict[str, str]

CONTROL: Final = [{"alertname": "Control", "severity": severity} for severity in ("critical", "warning")]
"""Sent last: once the second is muted, Alertmanager has considered everything."""


def of_organization(organization: str, **more: str) -> list[Labels]:
    """Return one alert of each name."""
    return [
        {"alertname": name, "severity": severity, **OBJECT, **more}
        | ({} if name in WITHOUT_ORGANIZATION else {"organization": organization})
        for name, severity in ALERTS.items()
    ]


def stack_default() -> dict[str, Any]:
    default: dict[str, Any] = yaml.safe_load(DEFAULT.read_text())
    return default


def shipped() -> dict[str, Any]:
    """Return the stack's configuration with the values that we ship: Helm merges maps, and replaces lists."""
    values = yaml.safe_load((FOLDER / "kube-prometheus-stack.yml").read_text())["alertmanager"]["config"]
    config = stack_default()
    config["route"] |= values["route"]
    return config | {key: values[key] for key in ("receivers", "inhibit_rules")}


@contextmanager
def alertmanager(config: dict[str, Any], folder: Path) -> Iterator[str]:
    """Run Alertmanager with a configuration; return its address."""
    path, address = folder / "alertmanager.yml", f"127.0.0.1:{free_port()}"
    path.write_text(yaml.safe_dump(config))
    command = [
        *(require_tool("prometheus-alertmanager"), f"--config.file={path}", f"--storage.path={folder}/data"),
        *(f"--web.listen-address={address}", "--cluster.listen-address="),
    ]
    with ExitStack() as programs:
        programs.enter_context(running(command, folder / "alertmanager.log"))
        url = f"http://{address}"
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "Alertmanager is ready")
        yield url


def muted(config: dict[str, Any], alerts: list[Labels], folder: Path) -> dict[str, list[Labels]]:
    """Return what mutes each alert, by the alert's labels as JSON."""
    with alertmanager(config, folder) as url:
        now = datetime.now(UTC).isoformat()
        sent = [{"labels": labels, "startsAt": now} for labels in (*alerts, *CONTROL)]
        requests.post(f"{url}/api/v2/alerts", json=sent, timeout=10).raise_for_status()

        def known() -> list[dict[str, Any]]:
            answer: list[dict[str, Any]] = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
            control = [a for a in answer if a["labels"] == CONTROL[1] and a["status"]["inhibitedBy"]]
            return answer if control and len(answer) == len(sent) else []

        answer = eventually(known, "a warning is muted by a critical alert of its name")
    by_fingerprint = {alert["fingerprint"]: alert["labels"] for alert in answer}
    return {
        json.dumps(alert["labels"], sort_keys=True): [by_fingerprint[f] for f in alert["status"]["inhibitedBy"]]
        for alert in answer
        if alert["labels"]["alertname"] != "Control"
    }


@pytest.mark.parametrize("more", [{}, {"namespace": "monitoring"}], ids=["as it is", "with a namespace"])
def test_the_stack_as_it_is_mutes_no_alert_by_another(tmp_path: Path, more: Labels) -> None:
    alerts = [*of_organization("acme", **more), *of_organization("globex", **more)]
    alerts = [dict(labels) for labels in {tuple(sorted(labels.items())) for labels in alerts}]
    found = muted(stack_default(), alerts, tmp_path)
    assert len(found) == len(alerts) > 60
    assert {key: by for key, by in found.items() if by} == {}


def test_what_we_ship_mutes_only_within_an_organisation(tmp_path: Path) -> None:
    alerts = [labels for labels in of_organization("acme") if labels["alertname"] not in WITHOUT_ORGANIZATION]
    quiet = [
        labels | {"organization": "globex"}
        for labels in alerts
        if labels["alertname"] in {"TheEyeMonitorFailing", "TheEyeDiskFilling", "TheEyeMinorHostUsageHigh"}
    ]
    found = muted(shipped(), [*alerts, *quiet], tmp_path)
    muted_ones = {(json.loads(key)["organization"], json.loads(key)["alertname"]) for key, by in found.items() if by}
    assert {organization for organization, _ in muted_ones} == {"acme"}
    # What stays is what a person has to know.
    assert {labels["alertname"] for labels in alerts} - {name for _, name in muted_ones} == {
        *("TheEyeOrganizationMissing", "TheEyeOrganizationMuted"),
    }


def test_the_stacks_values_have_the_same_inhibitions_and_the_same_times() -> None:
    own = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    config = shipped()
    stack = stack_default()["inhibit_rules"]
    assert config["inhibit_rules"][len(stack) :] == own["inhibit_rules"]
    (route,) = [route for route in config["route"]["routes"] if route["receiver"] == "theeye-ticket"]
    receivers = {"page": "theeye-page", "ticket": "theeye-ticket", "note": "theeye-note", "nobody": "null"}
    assert route["routes"] == [sub | {"receiver": receivers[sub["receiver"]]} for sub in own["route"]["routes"]]
