"""The clock of the day is set, the process is restarted or reloaded: what waits and what runs has the same time as before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.alerting import FREE, World
from theeye_exporter.actions.records import Order, PastRun

DAY = 86_400.0
STEPS = [-DAY, -3600.0, 3600.0, DAY]
WAITS = replace(FREE, max_concurrent=1, max_wait=300.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.model.wait(60.0)
    yield world
    world.close()


def outcomes(world: World) -> list[str]:
    return [run.outcome for run in world.runs.records.all(PastRun).values()]


def expired(world: World) -> int:
    return world.runs.records.totals("restart").decisions.get("expired", 0)


# Within a process.


@pytest.mark.parametrize("reloads", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_has_its_time_whatever_the_clock_says(world: World, step: float, reloads: bool) -> None:
    world.fire("web-01", world.model.now)
    world.live(300.0, bot=False)
    world.ahead += step
    if reloads:
        world.reload()
    world.live(290.0, bot=False)
    assert outcomes(world) == []
    world.live(60.0, bot=False)
    assert outcomes(world) == ["timeout"]
    assert world.runs.records.totals("restart").turnaround.sum == pytest.approx(620, abs=30)


@pytest.mark.parametrize("reloads", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_start_waits_as_long_as_before_whatever_the_clock_says(world: World, step: float, reloads: bool) -> None:
    world.change(limits=WAITS)
    world.fire("web-01", world.model.now)
    world.live(10.0, bot=False)
    assert world.fire("web-02", world.model.now) == "waiting"
    world.live(100.0, bot=False)
    world.ahead += step
    if reloads:
        world.reload()
    world.live(190.0, bot=False)
    assert expired(world) == 0
    world.live(20.0, bot=False)
    assert expired(world) == 1


@pytest.mark.parametrize("what", ["lost", "nothing"])
def test_what_is_due_soon_is_not_put_off_by_a_clock_that_is_set_back(world: World, what: str) -> None:
    world.connection.upstream_._behaviours = iter([(what, 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    world.ahead -= DAY
    world.live(60.0)
    assert outcomes(world) == ["success"]


# Over a restart, where only the clock of the day tells the time.


@pytest.mark.parametrize("step", [-DAY, -3600.0])
def test_after_a_restart_a_run_has_its_whole_time_at_most(world: World, step: float) -> None:
    world.fire("web-01", world.model.now)
    world.live(300.0, bot=False)
    world.ahead += step
    world.restart()
    world.live(620.0, bot=False)
    assert outcomes(world) == ["timeout"]


def test_a_restart_does_not_begin_the_waiting_anew(world: World) -> None:
    world.change(limits=WAITS)
    world.connection.upstream_._behaviours = iter([("nothing", 0.0)] * 1000)
    world.fire("web-01", world.model.now)
    for _ in range(5):
        world.live(50.0)
        world.restart()
    assert expired(world) == 0
    world.live(60.0)
    assert expired(world) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_waiting_behind_an_unresolved_start_does_not_count_over_a_restart(world: World, restarts: bool) -> None:
    world.change(limits=replace(WAITS, max_concurrent=2))
    world.connection.upstream_._behaviours = iter([("dropped", 0.0), *[("nothing", 0.0)] * 1000])
    world.fire("web-01", world.model.now)
    world.live(1.0)
    assert world.fire("web-02", world.model.now) == "waiting"
    world.live(550.0)
    if restarts:
        world.restart()
    world.live(150.0)  # now TheEye is believed never to have had the first one
    assert expired(world) == 0
    if restarts:
        world.restart()
    world.live(150.0)
    assert expired(world) == 0
    assert len(world.runs.records.all(Order)) == 2
    world.live(150.0)
    assert expired(world) == 2
