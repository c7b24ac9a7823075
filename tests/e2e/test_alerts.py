"""Tests that each problem notifies the right person once, and that a "resolved" notification follows."""

from pathlib import Path
from typing import Literal

import pytest
import requests

from alerts.rulebook import rules
from e2e_alerting import Stack, played, stack
from e2e_prometheus import query
from watching import shortened

pytestmark = pytest.mark.e2e

Alert = tuple[str, str, str]
PATIENCE = 4
"""Evaluations during which nothing else may come."""
STORM = tuple(
    f"monitor-failing=*/{name}"
    for name in ("Processes List", "service process", "* answers", "rows waiting", "configuration", "certificate check")
)
"""Every monitor without statistics of a host. One that fails because of a full disk would also cause the alert about the disk,
which would come in between on a slow machine."""


def test_only_durations_are_shortened() -> None:
    text = (
        "groups: [{name: g, rules: [{alert: A, expr: 'increase(x[15m]) - (y offset 1m) > 4 * 3600 and z{status=~\"500\"} > 20', for: 5m, "
        "keep_firing_for: 1h, labels: {severity: info}}]}]"
    )
    assert shortened(text) == (
        'groups:\n- name: g\n  rules:\n  - alert: A\n    expr: increase(x[15000ms]) - (y offset 1000ms) > 240 and z{status=~"500"} > 20\n'
        "    for: 5000ms\n    keep_firing_for: 60000ms\n    labels:\n      severity: info\n"
    )


def expect(running: Stack, status: Literal["firing", "resolved"], alerts: set[Alert], since: int) -> None:
    try:
        running.wait_for(lambda: running.alerts(status, since) >= alerts, status)
    except AssertionError:
        assert running.alerts(status, since) == alerts  # shows what came instead
        raise


def settle(running: Stack) -> None:
    until = running.evaluations() + PATIENCE
    running.wait_for(lambda: running.evaluations() >= until, f"{PATIENCE} more evaluations")


def check_every_expression(running: Stack) -> None:
    """Each expression, as it ships and as it runs, is evaluated without an error against real series."""
    for rule in rules():
        query(running.prometheus, rule.content["expr"])
    groups = requests.get(f"{running.prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    evaluated = {rule["name"]: (rule["health"], rule.get("lastError", "")) for g in groups for rule in g["rules"]}
    assert len(evaluated) > 30
    assert set(evaluated.values()) == {("ok", "")}


def test_each_fault_tells_the_right_person_and_nobody_else(tmp_path: Path) -> None:
    monitor: Alert = ("page", "TheEyeCriticalMonitorFailing", "web-01/Processes List")  # CRITICAL in TheEye
    minor: Alert = ("ticket", "TheEyeMonitorFailing", "web-01/configuration")  # HIGH
    host: Alert = ("page", "TheEyeCriticalHostSilent", "db-01")
    faults = ("monitor-failing=web-01/Processes List", "monitor-failing=web-01/configuration", "bot-silent=db-01")

    def play(running: Stack) -> None:
        settle(running)
        check_every_expression(running)
        assert running.told == []  # all is well, and nobody is told anything

        running.break_it(*faults)
        expect(running, "firing", {monitor, minor, host}, 0)
        settle(running)
        assert running.alerts("firing") == {monitor, minor, host}
        assert running.alerts("resolved") == set()

        # TheEye goes away. What was wrong before is out of sight: that is not the same as mended.
        before = len(running.told)
        down: Alert = ("page", "TheEyeUpstreamDown", "demo")
        running.break_it(*faults, "error=503")
        expect(running, "firing", {down}, before)
        running.wait_for(lambda: not running.firing("TheEyeCriticalMonitorFailing"), "the monitor's data are gone")
        running.wait_for(lambda: not running.firing("TheEyeCriticalHostSilent"), "the host's data are gone")

        # It is back, and takes the token no more.
        token: Alert = ("page", "TheEyeTokenRejected", "unauthorized")
        running.break_it(*faults, "token-expired")
        expect(running, "firing", {token}, before)
        expect(running, "resolved", {down}, before)
        settle(running)
        running.break_it(*faults)
        expect(running, "resolved", {token}, before)
        running.wait_for(lambda: running.firing("TheEyeCriticalMonitorFailing"), "the monitor is seen failing again")
        assert running.alerts("firing", before) - {monitor, minor, host} == {down, token}
        assert running.alerts("resolved", before) == {down, token}
        running.break_it()
        expect(running, "resolved", {monitor, minor, host}, before)

        before = len(running.told)
        exporter: Alert = ("page", "TheEyeExporterDown", "")
        running.stop_exporter()
        expect(running, "firing", {exporter}, before)
        running.start_exporter()
        expect(running, "resolved", {exporter}, before)
        assert running.alerts("firing", before) == {exporter}
        assert running.alerts("firing") == running.alerts("resolved") == {monitor, minor, host, down, token, exporter}

    played(play, stack(monitors=60, tasks=20), tmp_path)


def test_a_storm_is_a_handful_of_notifications(tmp_path: Path) -> None:
    many: Alert = ("page", "TheEyeManyMonitorsFailing", "demo")
    host: Alert = ("page", "TheEyeCriticalHostSilent", "web-01")

    def play(running: Stack) -> None:
        settle(running)  # only what was scraped before can be seen to rise
        assert running.told == []

        running.break_it(*STORM)
        expect(running, "firing", {many}, 0)
        running.wait_for(
            lambda: len(running.firing("TheEye(Critical|Minor)?MonitorFailing")) > 400, "hundreds of alerts, all muted"
        )
        settle(running)
        assert [n.firing for n in running.told] == [{many}]

        running.break_it(*STORM, "bot-silent=web-01")
        expect(running, "firing", {host}, 1)
        settle(running)
        assert [n.firing for n in running.told] == [{many}, {host}]

        hosts: Alert = ("page", "TheEyeManyHostsSilent", "demo")
        running.break_it("bot-silent=*")
        expect(running, "firing", {hosts}, 2)
        running.wait_for(
            lambda: len(running.firing("TheEye(Critical)?HostSilent")) == 100, "a hundred alerts, all muted"
        )
        settle(running)
        assert running.alerts("firing") == {many, host, hosts}
        # Three pages, and one message that the first of them is over.
        running.wait_for(
            lambda: running.alerts("resolved") == {many}, "the monitors do not fail any more, they are silent"
        )
        assert len(running.told) <= 4

    played(play, stack(monitors=1000, tasks=20), tmp_path)
