"""Alert-driven runs: one run an episode, whatever is lost, repeated or killed; limits hold; what is counted is what happened."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.alerting import FREE, PLAN, World
from actions.model import Died
from theeye_exporter.actions import endings
from theeye_exporter.actions.alerts import BadAlert, Payload, identity
from theeye_exporter.actions.arguments import Relabelling
from theeye_exporter.actions.episodes import TOLERANCE, Message
from theeye_exporter.actions.limits import Limits, Rate
from theeye_exporter.actions.records import ActionTotals, Begun, KnownEpisode, Order, PastRun
from theeye_exporter.actions.rows import Row
from theeye_exporter.ledger.failures import LedgerError

DAY = 86_400.0


@contextmanager
def a_world(*arguments: Any, **keywords: Any) -> Iterator[World]:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108 - fast
        world = World(Path(folder), *arguments, **keywords)
        try:
            yield world
        finally:
            world.close()


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as world:
        world.model.wait(60.0)  # after the state file was made
        yield world


def totals(world: World) -> ActionTotals:
    return world.runs.records.totals("restart")


def outcomes(world: World) -> list[str]:
    past = world.runs.records.all(PastRun).values()
    return [run.outcome for run in sorted(past, key=lambda run: run.ended_at)]


# One alert.


def test_an_episode_from_its_start_to_its_end(world: World) -> None:
    start = world.model.now
    assert world.fire("web-01", start) == "waiting"
    assert world.fire("web-01", start) == "waiting"
    world.live(30.0)
    assert world.model.created == ["web-01"]
    assert world.fire("web-01", start + 20) == "duplicate"
    assert world.resolve("web-01", start, world.model.now) == "resolved"
    assert world.resolve("web-01", start, world.model.now) == "stale"
    assert world.fire("web-01", start) == "stale"
    world.live(600.0)
    again = world.model.now
    assert world.fire("web-01", again) == "waiting"
    world.live(30.0)
    assert world.model.created == ["web-01", "web-01"]
    assert outcomes(world) == ["success", "success"]
    counted = totals(world)
    assert counted.decisions == {"waiting": 3, "started": 2, "duplicate": 1, "resolved": 1, "stale": 2}
    assert counted.episodes == {"resolved_after_run": 1}
    assert counted.runs == {"success": 2}
    assert (sum(counted.to_start.counts), sum(counted.turnaround.counts)) == (2, 2)
    assert [said.decision for said in world.runs.records.said("restart")][:2] == ["started", "waiting"]


def test_what_fires_while_the_state_file_is_made_does_not_run(world: World) -> None:
    assert world.fire("web-01", world.runs.records.born) == "stale"
    world.live(30.0)
    assert world.model.created == []


def test_a_start_that_waits_is_dropped_when_its_alert_is_resolved(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.resolve("web-01", start, start + 1)
    world.live(30.0)
    assert world.model.created == []
    assert totals(world).episodes == {"resolved_without_run": 1}
    assert world.runs.records.all(Order) == {}


@pytest.mark.parametrize("attempted", [False, True])
@pytest.mark.parametrize("later", [0.0, 400.0])
def test_what_waits_is_gone_with_the_episode_that_it_was_for(world: World, attempted: bool, later: float) -> None:
    """All of it, at once and on the disk: the action may not work for long, or never again."""
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), ("ok", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    if attempted:
        world.runs.work()
    world.model.wait(later)
    if later:
        assert world.resolve("web-01", start + later, start + later + 1) == "resolved"
    else:
        assert world.resolve("web-01", start, start + 1) == "resolved"
    for _ in range(2):
        (episode,) = world.runs.records.all(KnownEpisode).values()
        assert episode.order == ""
        assert world.runs.records.all(Order) == {}
        assert world.file is not None
        assert world.file.load("start/acme", Row) == {}
        world.restart()
    world.live(60.0)
    assert world.model.created == []
    assert sum(totals(world).episodes.values()) == 1


def test_an_episode_that_ends_between_two_requests_of_its_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream, start = world.connection.upstream_, world.model.now
    monkeypatch.setattr(upstream, "before", lambda _: world.resolve("web-01", start, start + 1) and None)
    world.fire("web-01", start)
    world.runs.work()
    assert world.file is not None
    assert world.file.load("start/acme", Row) == {}
    assert world.runs.records.all(Order) == {}
    assert totals(world).runs == {}


def test_a_resolved_alert_whose_start_waited_is_forgotten(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.resolve("web-01", start, start + 1)
    world.model.wait(61 * DAY)
    world.runs.work()
    assert world.runs.records.all(KnownEpisode) == {}


def test_an_episode_that_ends_while_the_answer_is_lost(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("late", 60.0), ("ok", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    world.live(10.0)
    assert world.resolve("web-01", start, start + 5) == "resolved"
    assert totals(world).episodes == {}
    world.live(120.0)
    assert world.model.created == ["web-01"]
    assert totals(world).episodes == {"resolved_after_run": 1}
    assert totals(world).recovered == 1


def test_a_run_that_the_first_look_finds_was_recovered(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("lost", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(60.0)
    world.fire("web-02", world.model.now)
    world.live(60.0)
    assert totals(world).recovered == 1
    told = [said.why for said in world.runs.records.said("restart") if said.decision == "started"]
    assert ["found after a lost answer" in why for why in told] == [False, True]


def test_a_start_that_never_happened_is_not_repeated_for_an_episode_that_is_over(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("dropped", 0.0), ("ok", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    world.live(10.0)
    world.resolve("web-01", start, start + 5)
    world.live(900.0)
    assert world.model.created == []
    assert totals(world).episodes == {"resolved_without_run": 1}


def test_a_superseded_episode(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.live(400.0)
    assert world.fire("web-01", start + 400) == "waiting"
    assert totals(world).episodes == {"superseded": 1}
    world.live(60.0)
    assert world.model.created == ["web-01", "web-01"]


def test_a_start_that_waits_does_not_count_for_the_episode_that_takes_its_place(world: World) -> None:
    world.change(limits=replace(FREE, cooldown=900.0, max_wait=60.0))
    start = world.model.now
    world.fire("web-01", start)
    assert world.fire("web-01", start + 400) == "waiting"
    assert totals(world).episodes == {"superseded": 1}
    world.live(30.0)
    assert world.model.created == ["web-01"]


# What starts nothing.


def test_what_does_not_start_anything(world: World) -> None:
    now = world.model.now
    assert world.send("web-01", Message(firing=True, start=now), "Other").decision == "not_matched"
    assert world.send("web-01", Message(firing=True, start=now), "TheEyeActionFailing").decision == "loop"
    said = world.send("web-01; reboot", Message(firing=True, start=now))
    assert (said.decision, said.why) == ("bad_arguments", "argument 1: it has a character that is not allowed")
    world.runs.receive("restart", Payload((BadAlert({}, "the alert is not a JSON object"),), truncated=7))
    world.live(60.0)
    assert world.model.created == []
    assert totals(world).truncated == 7
    assert totals(world).alerts == {"firing": 3, "bad": 1}


def test_a_dry_run_uses_up_nothing(world: World) -> None:
    world.change(live=False)
    start = world.model.now
    assert world.fire("web-01", start) == "dry_run"
    world.live(60.0)
    assert world.model.created == []
    assert world.runs.records.said("restart")[0].why == "would start task restart nginx with 'web-01'"
    world.change(live=True)
    assert world.fire("web-01", start) == "waiting"
    world.live(60.0)
    assert world.model.created == ["web-01"]


def test_the_host_of_the_alert(world: World) -> None:
    world.change(hostname_from=Relabelling(("instance",)))
    world.connection.hosts = {"web-01"}
    start = world.model.now
    world.fire("web-01", start)
    world.fire("web-02", start)
    world.live(60.0)
    assert world.model.created == ["web-01"]
    said = {str(one.decision): one.why for one in world.runs.records.said("restart")}
    assert said["no_target"] == "no task on web-02"
    assert world.fire("web-02", start) == "waiting"  # it may have got its task meanwhile


def test_a_host_that_is_too_long_is_not_kept_or_looked_for(world: World) -> None:
    world.change(rules=(), hostname_from=Relabelling(("instance",)))
    said = world.send("w" * 10_000, Message(firing=True, start=world.model.now))
    assert (said.decision, said.why) == ("no_target", "hostname_from: the text has more than 256 characters")
    assert world.runs.records.all(Order) == {}


# The token of another user.


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("learnt", [True, False])
@pytest.mark.parametrize("lost", ["lost", "late"])
def test_a_run_of_the_next_user_whose_answer_is_lost(world: World, lost: str, learnt: bool, restarts: bool) -> None:
    upstream = world.connection.upstream_
    upstream._behaviours = iter([("ok", 0.0), *[("ok", 0.0)] * learnt, (lost, 60.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(60.0)
    upstream.user = "the next"
    if learnt:
        world.fire("web-02", world.model.now)
        world.live(60.0)
    if restarts:
        world.restart()
    world.fire("web-03", world.model.now)
    world.live(1500.0)
    assert world.model.created.count("web-03") == 1
    assert set(outcomes(world)) == {"success"}


def test_the_token_of_the_next_user_comes_while_the_answer_is_lost(world: World) -> None:
    upstream = world.connection.upstream_
    upstream._behaviours = iter([("ok", 0.0), ("late", 60.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(60.0)
    world.fire("web-02", world.model.now)
    world.live(10.0)
    upstream.user = "the next"
    world.restart()
    world.live(1500.0)
    assert world.model.created == ["web-01", "web-02"]


def test_the_token_of_the_next_user_comes_just_before_the_request(world: World) -> None:
    upstream = world.connection.upstream_
    upstream._behaviours = iter([("ok", 0.0), ("lost", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(60.0)
    upstream.replaced = iter(["the next"])
    world.fire("web-02", world.model.now)
    world.live(1500.0)
    assert upstream.user == "the next"
    assert world.model.created == ["web-01", "web-02"]


def test_a_run_of_the_next_user_that_nobody_can_tell_is_not_repeated(world: World) -> None:
    upstream = world.connection.upstream_
    upstream._behaviours = iter([("ok", 0.0), ("lost", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(60.0)
    upstream.user = "the next"
    start = world.model.now
    world.fire("web-02", start)
    world.runs.work()
    world.model.create("t", "web-02", by_secret=False, user="another")
    world.live(1500.0)
    assert outcomes(world)[-1] == "lost"
    assert world.fire("web-02", start) == "duplicate"
    assert world.model.created.count("web-02") == 2  # ours, and that of somebody else


def test_a_state_file_that_names_a_user_without_a_token(world: World) -> None:
    upstream = world.connection.upstream_
    upstream._behaviours = iter([("lost", 0.0), ("ok", 0.0)])
    upstream.user = "the next"
    world.fire("web-01", world.model.now)
    world.runs.work()
    assert world.model.created == ["web-01"]
    assert world.file is not None
    (row,) = world.file.load("start/acme", dict[str, object]).values()
    del row["token_mark"]
    world.file.write([("user/acme", "", "us"), ("start/acme", "restart/1", row)])
    world.restart()
    world.live(1500.0)
    assert world.model.created == ["web-01"]
    assert outcomes(world) == ["success"]


# A start that waits while the configuration changes.


def use_secret(world: World, by_secret: bool) -> None:
    world.connection.by_secret = world.connection.upstream_.by_secret = by_secret
    world.connection.upstream_.keyed = {"web-01": by_secret}
    world.restart()


@pytest.mark.parametrize("lost", ["lost", "late"])
@pytest.mark.parametrize("by_secret", [True, False])
def test_a_key_that_is_given_or_taken_away_before_a_start_is_sent(world: World, by_secret: bool, lost: str) -> None:
    use_secret(world, not by_secret)
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), (lost, 60.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    assert world.model.created == []
    use_secret(world, by_secret)
    world.live(1500.0)
    assert world.model.created == ["web-01"]


def test_a_start_that_waits_starts_what_the_configuration_names_now(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), ("lost", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    world.connection.task_id, world.connection.first = "corrected", 3
    world.restart()
    (order,) = world.runs.records.all(Order).values()
    world.live(5.0)
    row = world.runs.row_of(order)
    assert row is not None
    assert (row.target.id, row.arguments) == ("corrected", ((3, "web-01"),))
    world.live(1500.0)
    assert world.model.created == ["web-01"]
    assert [len(world.model.task(task).jobs) for task in ("t", "corrected")] == [0, 1]


def test_a_start_that_waits_is_dropped_if_the_configuration_names_another_number_of_arguments(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    world.change(rules=())
    world.live(30.0)
    assert world.model.created == []
    assert totals(world).decisions["bad_arguments"] == 1


# Limits.


def test_a_storm(world: World) -> None:
    world.change(limits=replace(FREE, rate=Rate(10), max_concurrent=2, max_wait=300.0))
    start = world.model.now
    decisions = [world.fire(f"web-{number}", start) for number in range(100)]
    assert (decisions.count("waiting"), decisions.count("rate_limited")) == (10, 90)
    world.live(3000.0)
    assert len(world.model.created) == 10
    assert all(world.fire(f"web-{number}", start) in {"rate_limited", "duplicate"} for number in range(100))
    world.live(600.0)
    assert [world.fire(f"web-{number}", start) for number in range(100)].count("waiting") == 10


@pytest.mark.parametrize(
    ("limits", "together"),
    [
        (replace(FREE, rate=Rate(2, DAY), max_wait=60.0), Rate(1000)),
        (replace(FREE, max_wait=60.0), Rate(2, DAY)),
        (replace(FREE, rate=Rate(2, DAY), max_wait=60.0), Rate(1000, 60.0)),
    ],
)
def test_a_rate_of_a_day_holds_for_each_day(limits: Limits, together: Rate) -> None:
    with a_world(replace(PLAN, limits=limits), together=together) as world:
        world.model.wait(60.0)
        for hour in range(72):
            world.fire(f"web-{hour}", world.model.now)
            world.live(3600.0, pause=300.0)
            if hour % 7 == 0:
                world.restart()
        sent = sorted(run.sent_at for run in world.runs.records.all(PastRun).values())
        assert len(sent) == len(world.model.created)
        assert len(sent) in {6, 7}  # each one is due as soon as the day of an earlier one is over
        assert all(third - first >= DAY - 1 for first, third in zip(sent, sent[2:], strict=False))


def test_runs_that_count_are_kept_however_many_there_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_PAST_KEPT", 3)
    world.change(limits=replace(FREE, rate=Rate(6, DAY), max_wait=60.0))
    for number in range(20):
        world.fire(f"web-{number}", world.model.now)
        world.live(600.0, pause=100.0)
    assert len(world.model.created) == len(world.runs.records.all(PastRun)) == 6
    world.live(2 * DAY, pause=3600.0)
    for number in range(3):
        world.fire(f"web-{number}", world.model.now)
        world.live(600.0, pause=100.0)
    assert len(world.model.created) == 9
    assert len(world.runs.records.all(PastRun)) <= 4  # those that are over do not count any more


def test_a_start_expires_that_waits_too_long(world: World) -> None:
    world.change(limits=replace(FREE, max_concurrent=1, max_wait=300.0))
    start = world.model.now
    world.fire("web-01", start)
    world.live(10.0, bot=False)
    assert world.fire("web-02", start) == "waiting"
    world.restart()
    world.live(290.0, bot=False)
    assert totals(world).decisions.get("expired") is None
    world.live(20.0, bot=False)
    assert totals(world).decisions["expired"] == 1
    world.live(400.0)
    assert world.model.created == ["web-01"]
    assert world.fire("web-02", start) == "waiting"
    world.live(10.0)
    assert world.model.created == ["web-01", "web-02"]


def test_a_crash_loop_gets_no_more_runs(world: World) -> None:
    world.change(limits=replace(FREE, rate=Rate(2), max_wait=5.0))
    for number in range(20):
        world.fire(f"web-{number}", world.model.now)
        world.live(10.0)
        world.restart()
    assert len(world.model.created) == 2


def test_the_cooldown_of_an_alert_outlives_its_episode_and_a_restart(world: World) -> None:
    world.change(limits=replace(FREE, cooldown=900.0, max_wait=60.0))
    start = world.model.now
    world.fire("web-01", start)
    world.live(30.0)
    world.resolve("web-01", start, start + 30)
    world.live(400.0)
    world.restart()
    again = world.model.now
    assert world.fire("web-01", again) == "cooldown"
    assert world.fire("web-02", again) == "waiting"
    world.live(500.0)
    assert world.fire("web-01", again) == "waiting"


def test_suspended_after_failures_until_resumed(world: World) -> None:
    world.change(limits=replace(FREE, suspend_after_failures=2))
    for number in range(3):
        world.fire(f"web-{number}", world.model.now)
        world.live(5.0, bot=False)
        for job in world.model.task("t").jobs:
            job.lifecycle, job.state = "finished", "failure"
        world.live(20.0, bot=False)
    assert outcomes(world) == ["failure", "failure"]
    assert totals(world).suspended
    world.restart()
    assert world.fire("web-9", world.model.now) == "suspended"
    assert world.runs.resume("restart")
    assert not world.runs.resume("restart")
    assert world.fire("web-9", world.model.now) == "waiting"


def test_a_run_that_takes_too_long_is_cancelled(world: World) -> None:
    world.fire("web-01", world.model.now)
    world.live(590.0, bot=False)
    assert outcomes(world) == []
    world.live(60.0, bot=False)
    assert outcomes(world) == ["timeout"]


def test_a_lost_start_is_never_repeated(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("dropped", 0.0)])
    world.fire("web-01", world.model.now)
    world.live(10.0)
    for number in range(6):  # others run the task so often that TheEye's counts prove nothing
        world.model.create("t", f"other-{number}", by_secret=False, user="another")
    start = world.model.now
    world.live(900.0)
    assert outcomes(world) == ["lost"]
    assert world.fire("web-01", start) == "duplicate"
    assert "web-01" not in world.model.created


# The clock of the day.


@pytest.mark.parametrize("days", [31, 400])
@pytest.mark.parametrize("restarts", [True, False])
def test_an_episode_stays_forgotten_when_the_clock_leaps_ahead_and_back(
    world: World, days: int, restarts: bool
) -> None:
    fires = world.model.now
    over = fires + 10
    world.fire("web-01", fires)
    world.fire("web-02", over)
    world.live(60.0)
    world.resolve("web-02", over, world.model.now)
    assert sorted(world.model.created) == ["web-01", "web-02"]
    for ahead in (days * DAY, 0.0):
        world.ahead = ahead
        if restarts:
            world.restart()
        world.live(3700.0, pause=60.0)
    assert world.runs.records.all(KnownEpisode) == {}
    for _ in range(2):
        assert [world.fire("web-01", fires + moved) for moved in (-30, 0, 30)] == ["stale"] * 3
        assert world.fire("web-02", over) == "stale"
        world.live(60.0)
        world.restart()
    assert sorted(world.model.created) == ["web-01", "web-02"]
    # What begins now still gets its run.
    assert world.fire("web-01", world.model.now) == "waiting"
    world.live(60.0)
    assert sorted(world.model.created) == ["web-01", "web-01", "web-02"]


# The disk.


def test_what_cannot_be_written_down_is_not_done(world: World) -> None:
    assert world.file is not None
    start = world.model.now
    world.fire("web-01", start)
    world.file._db.execute("PRAGMA query_only = 1")
    with pytest.raises(LedgerError):
        world.fire("web-02", start)
    with pytest.raises(LedgerError):
        world.live(30.0)
    assert world.model.created == []
    world.file._db.execute("PRAGMA query_only = 0")
    assert world.fire("web-02", start) == "waiting"
    world.live(60.0)
    assert sorted(world.model.created) == ["web-01", "web-02"]


# Any history.


@dataclass
class Truth:
    """What an alert really does."""

    periods: list[list[float]]

    @property
    def fires(self) -> bool:
        return bool(self.periods) and len(self.periods[-1]) == 1

    def message(self, which: int, moved: float, late: float) -> Message | None:
        """Return what an Alertmanager may say about one of the periods."""
        if not self.periods:
            return None
        period = self.periods[-1 - which % len(self.periods)]
        start = period[0] + moved
        return Message(len(period) == 1, start, period[-1] + late if len(period) > 1 else 0.0)


names = st.sampled_from(["web-01", "web-02"])
events = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), names),
        st.tuples(st.just("send"), names, st.integers(0, 2), st.floats(-30, 30), st.floats(0, 200)),
        st.tuples(st.just("send"), names, st.just(0), st.floats(-30, 30), st.floats(0, 200)),
        st.tuples(st.just("wait"), st.floats(1, 900)),
        st.just(("work",)),
        st.just(("work",)),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("user"), st.sampled_from(["us", "we"])),
        st.just(("finish",)),
        st.just(("restart",)),
        st.just(("reload",)),
        st.tuples(st.just("ahead"), st.floats(-7200, 7200)),
        st.tuples(st.just("configure"), st.sampled_from(["rename", "move", "mode", "remove"])),
    ),
    min_size=20,  # otherwise most histories have five events, in which nothing happens
    max_size=60,
)
answers = st.lists(
    st.tuples(st.sampled_from(["ok", "lost", "dropped", "late", "refused", "nothing", "broken"]), st.floats(1, 400)),
    max_size=8,
)


def configure(world: World, what: str) -> None:
    """Change one thing about the only action; whatever comes next brings it back if it is removed."""
    plan = world.plan if world.plans else PLAN
    if what == "rename":
        plan = replace(plan, name="renamed" if plan.name == "restart" else "restart")
    elif what == "move":
        plan = replace(plan, organization="other" if plan.organization == "acme" else "acme")
    elif what == "mode":
        plan = replace(plan, live=not plan.live)
    world.organizations = {plan.organization}  # the former one is gone
    world.configure(*([plan] if what != "remove" else []))


def happen(world: World, truths: dict[str, Truth], event: tuple[Any, ...]) -> None:  # noqa: C901, PLR0912 - one branch an event
    model = world.model
    match event:
        case ("turn", name):
            truth = truths[name]
            if truth.fires:
                truth.periods[-1].append(model.now)
            elif not truth.periods or model.now - truth.periods[-1][1] > 420:
                truth.periods.append([model.now])
        case ("send", name, which, moved, late):
            message = truths[name].message(which, moved, late)
            if message is not None and world.plans:
                world.send(name, message)
        case ("wait", seconds):
            model.wait(seconds)
        case ("down" | "user" as what, value):
            setattr(model if what == "down" else world.connection.upstream_, what, value)
        case ("configure", what):
            configure(world, what)
        case ("finish",):
            model.finish_all()
        case ("restart",):
            world.restart()
        case ("reload",):
            world.reload()
        case ("ahead", seconds):
            world.ahead = seconds
        case _:
            world.runs.work()


@settings(max_examples=150, deadline=None)
@given(chosen=answers, happening=events, deaths=st.sets(st.integers(1, 150), max_size=5))
def test_one_run_an_episode_in_any_history(
    chosen: list[tuple[str, float]], happening: list[tuple[Any, ...]], deaths: set[int]
) -> None:
    with a_world(answers=chosen, deaths=deaths) as world:
        world.model.wait(60.0)
        truths = {name: Truth([]) for name in ("web-01", "web-02")}
        for event in happening:
            try:
                happen(world, truths, event)
            except Died:
                world.restart()
        world.mortal._deaths.clear()
        world.model.down = False
        world.organizations = {"acme", "other"}
        world.configure(replace(world.plan, live=True) if world.plans else PLAN)
        for _ in range(20):  # Alertmanager says again what fires, and each lost answer takes ten minutes
            for name, truth in truths.items():
                if truth.fires:
                    world.fire(name, truth.periods[-1][0])
            world.live(300.0, pause=20.0)
        records = world.runs.records
        past = list(records.all(PastRun).values())
        begun = records.all(Begun)[world.plan.name].at
        for name, truth in truths.items():
            key = identity({"alertname": "Down", "instance": name})
            # TheEye makes a job, but runs nothing, if it cannot build it.
            built = [run for run in past if run.alert == key and run.outcome == "refused" and run.job_id]
            assert world.model.created.count(name) - len(built) <= len(truth.periods)
            if truth.fires:
                episode = records.get(KnownEpisode, f"{world.plan.name}/{key}")
                assert episode is not None
                if not episode.ran:
                    assert episode.start <= begun or any(
                        abs(other.start - episode.start) <= TOLERANCE
                        for name, other in records.all(KnownEpisode).items()
                        if name.endswith(f"/{key}") and not name.startswith(f"{world.plan.name}/")
                    )
        with_run = [(run.alert, run.episode) for run in past if run.outcome not in {"refused", "lost"}]
        assert len(with_run) == len(set(with_run))
        assert records.all(Order) == {}
        totals = [records.totals(name) for name in ("restart", "renamed")]
        decided = sum((Counter(one.decisions) for one in totals), Counter[str]())
        assert sum(sum(one.runs.values()) for one in totals) == len(past)
        assert decided["started"] == len(with_run) == sum(sum(one.turnaround.counts) for one in totals)
        received = sum(sum(one.alerts.values()) for one in totals)
        assert decided.total() == received + decided["started"] + decided["expired"] + decided["no_target"]
