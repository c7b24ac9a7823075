"""Tests the example configuration of Alertmanager: valid, with existing alerts, and routed by severity."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from alerts.rulebook import rules
from tools import require_tool

CONFIG: Final = Path(__file__).parents[2] / "grafana" / "alertmanager" / "alertmanager.yml"
ALERTS: Final = {rule.name for rule in rules() if rule.is_alert}


def amtool(*arguments: str) -> str:
    ran = subprocess.run([require_tool("amtool"), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


@pytest.mark.e2e
def test_amtool_finds_nothing_wrong() -> None:
    said = amtool("check-config", str(CONFIG))
    assert "SUCCESS" in said
    assert "4 receivers" in said


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "ticket"), ("info", "note"), ("none", "nobody"), ("strange", "ticket")],
)
def test_the_severity_decides_who_is_notified(severity: str, receiver: str) -> None:
    amtool(
        *("config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}"),
        *(f"severity={severity}", "alertname=TheEyeMonitorFailing", "organization=acme", "hostname=web-01"),
    )


def test_urgent_alerts_are_grouped_by_organisation_and_host() -> None:
    route = config()["route"]
    assert route["group_by"] == ["organization", "hostname"]
    urgent = [r for r in route["routes"] if r["receiver"] in {"page", "ticket"}]
    assert len(urgent) == 2
    assert all("group_by" not in r for r in urgent)


def test_each_severity_of_the_rules_has_a_route() -> None:
    severities = {rule.content["labels"]["severity"] for rule in rules() if rule.is_alert}
    routed = {re.fullmatch(r'severity="(\w+)"', m)[1] for r in config()["route"]["routes"] for m in r["matchers"]}  # type: ignore[index]
    assert severities == routed


@pytest.mark.parametrize("rule", config()["inhibit_rules"], ids=lambda rule: " ".join(rule["source_matchers"]))
def test_inhibition_uses_only_existing_alerts_and_labels(rule: dict[str, Any]) -> None:
    for side in ("source_matchers", "target_matchers"):
        named = [m for m in (re.fullmatch(r'alertname=(~?)"(.*)"', text) for text in rule[side]) if m]
        assert named, "an inhibition that is about any alert"
        for match in named:
            pattern = match[2] if match[1] else re.escape(match[2])
            assert [name for name in ALERTS if re.fullmatch(pattern, name)], f"no alert is called {match[2]}"
    assert set(rule.get("equal", ())) <= {"organization", "hostname", "workflow_id", "device", "job", "action"}


def test_only_exporters_mute_across_organisations() -> None:
    without = [rule for rule in config()["inhibit_rules"] if "organization" not in rule.get("equal", ())]
    assert [(rule["source_matchers"], rule["target_matchers"], rule.get("equal")) for rule in without] == [
        (['alertname="TheEyeExporterDown"'], ['alertname="TheEyeOrganizationMissing"'], ["job"]),
        (['alertname="TheEyeExporterAbsent"'], ['alertname="TheEyeOrganizationMissing"'], None),
    ]


def test_what_was_sent_is_repeated_before_alertmanager_forgets_it() -> None:
    route = config()["route"]
    repeats = [r.get("repeat_interval", "0h") for r in (route, *route["routes"])]
    hours = [int(text[:-1]) * {"h": 1, "d": 24}[text[-1]] for text in repeats]
    assert max(hours) < 120
