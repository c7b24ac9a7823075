"""Clocks that are an hour apart: ours, and those of two Prometheus servers. A start may come late, but never twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actions.alerting import FREE, World
from theeye_exporter.actions.alerts import read_payload
from theeye_exporter.actions.records import ActionTotals

HOUR = 3600.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.model.wait(2 * HOUR)  # the state file is older than what fires
    yield world
    world.close()


def say(world: World, status: str, start: float, end: float = 0.0) -> str:
    """Receive what Alertmanager says, by its clock."""
    times = {"startsAt": datetime.fromtimestamp(start, UTC).isoformat(), "endsAt": "0001-01-01T00:00:00Z"}
    if end:
        times["endsAt"] = datetime.fromtimestamp(end, UTC).isoformat()
    labels = {"alertname": "Down", "instance": "web-01"}
    body = json.dumps({"version": "4", "alerts": [{"status": status, "labels": labels, **times}]}).encode()
    (said,) = world.runs.receive("restart", read_payload(body, world.model.now + world.ahead))
    return str(said.decision)


def counted(world: World) -> ActionTotals:
    return world.runs.records.totals("restart")


def test_what_begins_in_our_future_starts_when_our_clock_is_right_again(world: World) -> None:
    world.ahead = -HOUR
    start = world.model.now
    for _ in range(3):
        assert say(world, "firing", start) == "bad_alert"
        world.live(60.0)
    assert counted(world).alerts == {"bad": 3}
    world.ahead = 0.0
    assert say(world, "firing", start) == "waiting"
    world.live(60.0)
    world.ahead = -HOUR  # it is wrong again
    assert say(world, "firing", start) == "bad_alert"
    world.ahead = 0.0
    assert say(world, "firing", start) == "duplicate"
    assert world.model.created == ["web-01"]


@pytest.mark.parametrize("restarts", [True, False])
def test_one_run_a_period_while_our_clock_is_ahead(world: World, restarts: bool) -> None:
    world.ahead = HOUR
    for period in range(1, 4):
        start = world.model.now
        assert say(world, "firing", start) == "waiting"
        world.live(60.0)
        if restarts:
            world.restart()
        assert say(world, "firing", start) == "duplicate"
        assert say(world, "resolved", start, world.model.now) == "resolved"
        world.live(1200.0, pause=60.0)
        assert world.model.created == ["web-01"] * period
        world.ahead = HOUR - world.ahead  # and right in between


def test_a_state_file_made_while_our_clock_is_ahead_starts_nothing_for_as_long(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.close()
    (tmp_path / "state").unlink()
    world.ahead = HOUR
    world.restart()
    world.ahead = 0.0
    start = world.model.now + 1
    assert say(world, "firing", start) == "stale"
    world.live(60.0)
    assert say(world, "resolved", start, world.model.now) == "resolved"
    world.model.wait(HOUR)
    assert say(world, "firing", world.model.now) == "waiting"
    world.live(60.0)
    assert world.model.created == ["web-01"]
    world.close()


def test_two_servers_that_are_an_hour_apart_start_one_run_within_the_cooldown(world: World) -> None:
    world.change(limits=replace(FREE, cooldown=900.0, max_wait=300.0))
    late = world.model.now
    early = late - HOUR
    assert say(world, "firing", early) == "waiting"
    world.live(60.0)
    assert say(world, "firing", late) == "cooldown"  # another period, as far as anybody can tell
    assert say(world, "firing", early) == "stale"
    world.live(300.0)
    assert say(world, "firing", late) == "cooldown"
    assert world.model.created == ["web-01"]


def test_the_server_whose_clock_is_behind_starts_nothing_after_the_other(world: World) -> None:
    late = world.model.now
    assert say(world, "firing", late) == "waiting"
    world.live(60.0)
    for _ in range(3):
        assert say(world, "firing", late - HOUR) == "stale"
        assert say(world, "firing", late) == "duplicate"
        world.live(60.0)
    assert world.model.created == ["web-01"]
