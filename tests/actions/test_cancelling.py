"""A run that takes too long is cancelled, although TheEye does not take that at once, or the run goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.alerting import World
from theeye_exporter.actions.cancelling import Cancelling
from theeye_exporter.actions.records import PastRun
from theeye_exporter.theeye.errors import Reason, UpstreamError


class Bell:
    """TheEye, as far as it is asked to cancel; it takes the request after some attempts."""

    def __init__(self, attempts: int) -> None:
        self.now = 0.0
        self.asked: list[float] = []
        self._attempts = attempts

    def cancel(self) -> None:
        self.asked.append(self.now)
        if len(self.asked) < self._attempts:
            raise UpstreamError(Reason.TIMEOUT, f"no answer {len(self.asked)}")


def test_it_is_repeated_with_pauses_until_it_is_taken() -> None:
    bell = Bell(6)
    cancelling = Cancelling(bell.cancel, lambda: bell.now, 3600.0)
    while not cancelling.failed:
        cancelling.work()
        bell.now += 0.5
    assert bell.asked == [0.0, 1.0, 3.0, 8.0, 18.0, 28.0]
    assert (cancelling.failed, bell.now, cancelling.trouble) == (
        "the run continues although TheEye accepted the cancellation",
        88.0,
        "",
    )


def test_it_is_not_repeated_for_ever() -> None:
    bell = Bell(10**6)
    cancelling = Cancelling(bell.cancel, lambda: bell.now, 60.0)
    while not cancelling.failed:
        cancelling.work()
        bell.now += 0.5
    assert (len(bell.asked), bell.now) == (9, 60.0)
    assert cancelling.failed == "TheEye did not accept the cancellation: no answer 9"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.model.wait(60.0)
    world.fire("web-01", world.model.now)
    world.live(500.0, bot=False)
    yield world
    world.close()


def outcomes(world: World) -> list[tuple[str, str]]:
    return [(run.outcome, run.why) for run in world.runs.records.all(PastRun).values()]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_outage_when_the_time_is_up_does_not_let_a_run_go_on(world: World, restarts: bool) -> None:
    world.model.down = True
    world.live(400.0, bot=False)
    assert outcomes(world) == []
    if restarts:
        world.restart()
    world.model.down = False
    world.live(30.0, bot=False)
    assert [outcome for outcome, _ in outcomes(world)] == ["timeout"]
    assert {job.lifecycle for job in world.model.task("t").jobs} == {"canceled"}
    assert world.model.created == ["web-01"]


def test_a_run_that_ends_while_the_cancellation_is_not_taken_is_no_failure(world: World) -> None:
    world.model.down = True
    world.live(200.0, bot=False)
    world.model.finish_all()
    world.model.down = False
    world.connection.upstream_.stubborn = {job.id for job in world.model.task("t").jobs}
    world.live(30.0, bot=False)
    assert [outcome for outcome, _ in outcomes(world)] == ["success"]


def test_a_run_that_goes_on_gives_its_place_back(world: World) -> None:
    world.connection.upstream_.stubborn = {job.id for job in world.model.task("t").jobs}
    world.live(150.0, bot=False)
    assert outcomes(world) == []
    world.live(30.0, bot=False)
    assert outcomes(world) == [("timeout", "the run continues although TheEye accepted the cancellation")]


def test_an_outage_without_an_end_gives_the_place_back(world: World) -> None:
    world.model.down = True
    world.live(3600.0, bot=False)
    assert outcomes(world) == []
    world.live(200.0, bot=False)
    assert outcomes(world) == [("timeout", "TheEye did not accept the cancellation: down")]
    assert world.model.created == ["web-01"]
