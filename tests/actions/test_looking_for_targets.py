"""What starts that wait ask TheEye, and what is said while it does not answer."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from actions.alerting import FREE, PLAN, World
from theeye_exporter.actions.alert_view import views_of
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.targets import Found
from theeye_exporter.theeye.errors import Reason, UpstreamError

Answer = Callable[[str], UpstreamError | None]
REVOKED = UpstreamError(Reason.UNAUTHORIZED, "HTTP status 401")
SILENCE = UpstreamError(Reason.TIMEOUT, "no answer")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, replace(PLAN, limits=replace(FREE, max_wait=300.0)), answers=[("late", 40.0)])
    made.model.wait(60.0)
    yield made
    made.close()


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each action asked for its target."""
    counted: Counter[str] = Counter()
    find = world.connection.find

    def count(plan: ActionPlan, hostname: str) -> Found:
        counted[plan.name] += 1
        return find(plan, hostname)

    monkeypatch.setattr(world.connection, "find", count)
    return counted


def fail(world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    find = world.connection.find

    def failing(plan: ActionPlan, hostname: str) -> Found:
        found = find(plan, hostname)
        if (error := answer(plan.name)) is not None:
            raise error
        return found

    monkeypatch.setattr(world.connection, "find", failing)


@pytest.mark.parametrize("other", ["restart", "another"])
def test_what_waits_behind_a_start_of_its_task_does_not_ask_each_second(
    world: World, asked: Counter[str], other: str
) -> None:
    world.configure(world.plan, replace(world.plan, name="another"))
    world.model.wait(60.0)
    world.fire("web-00", world.model.now)
    world.live(1.0, pause=1.0)
    for number in range(1, 30):
        world.fire(f"web-{number:02}", world.model.now, other)
    world.live(35.0, pause=1.0)
    assert world.model.created == []
    assert asked.total() <= 3
    world.live(120.0, pause=1.0)
    assert len(set(world.model.created)) == len(world.model.created) == 30


def test_a_silent_organisation_waits_for_one_answer_a_round_and_everyone_has_a_turn(
    world: World, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"action-{number}" for number in range(5)]
    world.configure(*(replace(world.plan, name=name) for name in names))
    world.model.wait(60.0)

    def silence(_: str) -> UpstreamError:
        world.model.wait(10.0)
        return SILENCE

    fail(world, monkeypatch, silence)
    for name in names:
        world.fire("web-00", world.model.now, name)
        world.fire("web-01", world.model.now, name)
    for rounds in range(1, 11):
        world.runs.work()
        world.model.wait(1.0)
        assert asked.total() == rounds
    assert dict(asked) == dict.fromkeys(names, 2)


def test_one_action_that_cannot_ask_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.plan, replace(world.plan, name="another"))
    world.model.wait(60.0)
    fail(world, monkeypatch, lambda name: SILENCE if name == "restart" else None)
    world.fire("web-00", world.model.now)
    world.fire("web-01", world.model.now, "another")
    world.live(5.0, pause=1.0)
    world.live(60.0)
    assert world.model.created == ["web-01"]


def test_a_token_that_is_revoked_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    revoked = [True]
    fail(world, monkeypatch, lambda _: REVOKED if revoked else None)
    with capture_logs() as logged:
        for number in range(3):
            world.fire(f"web-0{number}", world.model.now)
        world.live(100.0)
    warnings = [one for one in logged if one["log_level"] == "warning"]
    assert [(one["action"], one["error"]) for one in warnings] == [("restart", "HTTP status 401")]
    (line,) = views_of(world.runs, world.model.now)[0].lines
    assert line.state == "warn"
    assert "HTTP status 401" in line.note
    world.live(300.0)
    expired = [one for one in world.runs.records.said("restart") if one.decision == "expired"]
    assert [one.why for one in expired] == [
        "the start waited for 300 s; requests to TheEye failed: HTTP status 401"
    ] * 3
    revoked.clear()
    world.fire("web-09", world.model.now)
    world.live(60.0)
    (line,) = views_of(world.runs, world.model.now)[0].lines
    assert (line.state, line.note) == ("ok", "")
