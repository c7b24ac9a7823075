"""Several organisations at the same moment, and a pass that has to end because the process ends or is reloaded."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.alerting import FREE, PLAN, World
from theeye_exporter.actions.limits import Rate
from theeye_exporter.actions.records import Order
from theeye_exporter.actions.rows import Before, Phase, Target

OTHER = replace(PLAN, name="another", organization="other")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[Rate], World]]:
    made = []

    def make(together: Rate) -> World:
        world = World(tmp_path, together=together)
        world.configure(PLAN, OTHER)
        world.model.wait(60.0)
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


def meanwhile(world: World, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen while TheEye is asked about the first task."""
    before, times = world.connection.upstream_.before, iter([happens])

    def asked(target: Target) -> Before | None:
        if happens := next(times, None):
            happens()
        return before(target)

    monkeypatch.setattr(world.connection.upstream_, "before", asked)


@pytest.mark.parametrize("together", [1, 2])
def test_two_organisations_do_not_share_the_last_place(
    make: Callable[[Rate], World], monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    world = make(Rate(together))
    world.fire("web-01", world.model.now)
    world.fire("web-02", world.model.now, "another")
    meanwhile(world, monkeypatch, world.runs.works["other"])
    world.connection.task_id = "first"
    world.runs.works["acme"]()
    assert len(world.model.created) == together
    waiting = [order for order in world.runs.records.all(Order).values() if world.runs.row_of(order) is not None]
    assert [world.runs.row_of(order).phase for order in waiting].count(Phase.DECIDED) == 2 - together  # type: ignore[union-attr]


def test_a_suspension_that_comes_just_before_the_request_holds(
    make: Callable[[Rate], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(Rate(1000))
    world.configure(replace(PLAN, limits=replace(FREE, suspend_after_failures=1)))
    world.fire("web-01", world.model.now)

    def suspend() -> None:
        with world.runs.records.draft() as draft:
            draft.totals("restart").suspended = True

    meanwhile(world, monkeypatch, suspend)
    world.live(30.0)
    assert world.model.created == []


@pytest.mark.parametrize("down", [False, True])
def test_a_pass_ends_after_the_request_that_is_running(
    make: Callable[[Rate], World], monkeypatch: pytest.MonkeyPatch, down: bool
) -> None:
    world = make(Rate(1000))
    for number in range(50):
        world.fire(f"web-{number}", world.model.now)
    asked: list[str] = []

    def find(plan: object, hostname: str) -> None:
        asked.append(hostname)
        world.runs.leaving.set()
        world.model.down = down
        return type(world.connection).find(world.connection, plan, hostname)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(world.connection, "find", find)
    world.runs.work()
    assert (len(asked), world.model.created) == (1, [])
    world.model.down = False
    monkeypatch.undo()
    world.reload()
    world.live(60.0)
    assert len(world.model.created) == 50


def test_following_ends_after_the_request_that_is_running(make: Callable[[Rate], World]) -> None:
    world = make(Rate(1000))
    for number in range(20):
        world.fire(f"web-{number}", world.model.now)
    world.live(1.0, pause=1.0, bot=False)
    upstream = world.connection.upstream_
    upstream.hidden = {job.id for task in world.model.tasks.values() for job in task.jobs}
    asked: list[str] = []
    run = upstream.run

    def read(job_id: str) -> object:
        asked.append(job_id)
        world.runs.leaving.set()
        return run(job_id)

    upstream.run = read  # type: ignore[method-assign, assignment]
    world.runs.work()
    assert len(asked) == 1


def test_cancelling_ends_after_the_request_that_is_running(make: Callable[[Rate], World]) -> None:
    world = make(Rate(1000))
    for number in range(20):
        world.fire(f"web-{number}", world.model.now)
    world.live(590.0, bot=False)
    asked: list[str] = []

    def cancel(job_id: str) -> None:
        asked.append(job_id)
        world.runs.leaving.set()

    world.connection.upstream_.cancel = cancel  # type: ignore[method-assign]
    world.model.wait(60.0)
    world.runs.work()
    assert len(asked) == 1
