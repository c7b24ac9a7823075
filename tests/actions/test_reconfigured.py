"""What was started is followed to its end, and nothing runs twice, whatever the configuration names meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from actions.alerting import FREE, PLAN, World
from actions.model import US
from theeye_exporter.actions.alert_view import views_of
from theeye_exporter.actions.arguments import Relabelling
from theeye_exporter.actions.canary import Canary
from theeye_exporter.actions.canary_state import CanaryPlan
from theeye_exporter.actions.limits import Rate
from theeye_exporter.actions.matchers import parse_matchers
from theeye_exporter.actions.records import ActionTotals, Order, PastRun, Said
from theeye_exporter.actions.rows import ByArguments, Target, Timing
from theeye_exporter.actions.starter import Starter

DAY = 86_400.0
Change = Callable[[World], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.model.wait(60.0)  # after the state file was made
    yield world
    world.close()


def rename(world: World) -> None:
    world.change(name="renamed")


def remove(world: World) -> None:
    world.configure()


def stop(world: World) -> None:
    world.change(live=False)


def move(world: World) -> None:
    world.change(organization="other")


def lose_organization(world: World) -> None:
    world.organizations = {"other"}
    world.configure()


CHANGES = pytest.mark.parametrize("change", [rename, remove, stop, move])


def outcomes(world: World) -> list[str]:
    return [run.outcome for run in world.runs.records.all(PastRun).values()]


def last_said(world: World, action: str = "restart") -> Said:
    return world.runs.records.said(action)[0]


def totals(world: World, action: str = "restart") -> ActionTotals:
    return world.runs.records.totals(action)


# What was sent.


@CHANGES
def test_a_run_is_followed_to_its_end(world: World, change: Change) -> None:
    world.fire("web-01", world.model.now)
    world.live(10.0, bot=False)
    change(world)
    world.live(60.0)
    assert (outcomes(world), world.runs.records.all(Order)) == (["success"], {})
    assert totals(world).runs == {"success": 1}


@CHANGES
def test_a_run_is_cancelled_after_the_timeout_with_which_it_was_started(world: World, change: Change) -> None:
    world.fire("web-01", world.model.now)
    world.live(10.0, bot=False)
    change(world)
    world.live(580.0, bot=False)
    assert outcomes(world) == []
    world.live(60.0, bot=False)
    assert (outcomes(world), world.model.task("t").jobs[0].lifecycle) == (["timeout"], "canceled")


@CHANGES
@pytest.mark.parametrize(("lost", "ran"), [("lost", 1), ("late", 1), ("dropped", 0)])
def test_a_lost_answer_is_looked_for(world: World, change: Change, lost: str, ran: int) -> None:
    world.connection.upstream_._behaviours = iter([(lost, 60.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    change(world)
    world.live(1500.0)
    if change is not stop:
        assert world.runs.records.all(Order) == {}
    assert world.model.created.count("web-01") == ran
    assert outcomes(world) == ["success"] * ran


@CHANGES
def test_a_start_that_waits_is_dropped_and_does_not_run_later(world: World, change: Change) -> None:
    world.connection.upstream_._behaviours = iter([("nothing", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    world.runs.work()
    change(world)
    world.live(400.0)
    if change is not stop:
        assert world.runs.records.all(Order) == {}
        assert (last_said(world).decision, last_said(world).why) == (
            "expired",
            "the configuration of organisation acme no longer has this action",
        )
    assert world.model.created == []


@CHANGES
def test_what_was_left_does_not_keep_others_from_their_task(world: World, change: Change) -> None:
    world.connection.upstream_._behaviours = iter([("lost", 0.0), ("ok", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    change(world)
    world.live(60.0)
    world.configure(replace(PLAN, name="another"))
    world.model.wait(1.0)
    assert world.fire("web-02", world.model.now, action="another") == "waiting"
    world.live(60.0)
    assert world.model.created == ["web-01", "web-02"]


@CHANGES
def test_what_was_left_counts_for_the_rate_of_all_until_its_hour_is_over(world: World, change: Change) -> None:
    world.together = Rate(1, 3600.0)
    world.configure(replace(PLAN, limits=replace(FREE, max_wait=60.0)))
    world.fire("web-01", world.model.now)
    world.runs.work()
    change(world)
    world.configure(replace(PLAN, name="another", limits=replace(FREE, max_wait=60.0)))
    world.model.wait(1.0)
    assert world.fire("web-02", world.model.now, action="another") == "rate_limited"
    world.live(3600.0, pause=60.0)
    assert world.fire("web-02", world.model.now, action="another") == "waiting"


def test_a_lost_answer_of_an_organisation_that_is_gone_is_lost_after_a_day(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("lost", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    lose_organization(world)
    world.live(DAY - 600, pause=300.0)
    assert outcomes(world) == []
    with capture_logs() as logs:
        world.live(1200.0, pause=300.0)
    (warned,) = (line for line in logs if line["log_level"] == "warning")
    assert warned["event"] == "nobody knows whether a run was started"
    assert warned["advice"].startswith("look in TheEye for a job of task t created since 2027-01-15")
    assert (outcomes(world), world.runs.records.all(Order)) == (["lost"], {})
    (run,) = world.runs.records.all(PastRun).values()
    assert run.why == "the run could not be looked for: organisation acme is not in the configuration any more"


def test_a_run_of_an_organisation_that_is_gone_is_given_up_after_its_timeout(world: World) -> None:
    world.fire("web-01", world.model.now)
    world.live(10.0, bot=False)
    lose_organization(world)
    world.live(700.0, bot=False)
    assert outcomes(world) == []  # the organisation may come back, and the run would be followed
    world.live(3600.0, bot=False)
    assert (outcomes(world), world.runs.records.all(Order)) == (["timeout"], {})


def test_an_organisation_that_comes_back_is_asked_again(world: World) -> None:
    world.connection.upstream_._behaviours = iter([("lost", 0.0)])
    world.fire("web-01", world.model.now)
    world.runs.work()
    lose_organization(world)
    world.live(3600.0, pause=60.0)
    world.organizations = {"acme"}
    world.configure(PLAN)
    world.live(60.0)
    assert (outcomes(world), world.model.created) == (["success"], ["web-01"])


# Whose episodes these are.


def test_an_episode_that_had_its_run_in_one_organisation_has_none_in_another(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.live(60.0)
    move(world)
    assert world.fire("web-01", start) == "duplicate"
    world.change(organization="acme")
    assert world.fire("web-01", start) == "duplicate"
    world.live(60.0)
    assert world.model.created == ["web-01"]


@pytest.mark.parametrize("lost", ["ok", "lost", "late"])
def test_an_episode_whose_run_is_open_in_one_organisation_has_none_in_another(world: World, lost: str) -> None:
    world.connection.upstream_._behaviours = iter([(lost, 30.0), ("ok", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    world.runs.work()
    move(world)
    for _ in range(3):
        assert world.fire("web-01", start) == "duplicate"
        world.live(60.0)
    assert world.model.created == ["web-01"]
    assert outcomes(world) == ["success"]


# When an action began.


@pytest.mark.parametrize("change", [rename, move])
def test_what_fires_already_when_an_action_begins_does_not_run(world: World, change: Change) -> None:
    world.change(matchers=())
    start = world.model.now
    world.live(60.0)
    change(world)
    for _ in range(2):
        assert world.fire("web-01", start) == "already_firing"
        assert last_said(world, world.plan.name).why == "the alert was already firing when the action was added"
        world.live(60.0)
        world.restart()
    assert world.model.created == []
    assert totals(world, world.plan.name).decisions == {"already_firing": 2}
    world.resolve("web-01", start, world.model.now)
    world.live(600.0)
    assert world.fire("web-01", world.model.now) == "waiting"
    world.live(60.0)
    assert world.model.created == ["web-01"]


def test_an_action_that_comes_back_begins_again(world: World) -> None:
    remove(world)
    world.model.wait(60.0)
    start = world.model.now
    world.model.wait(60.0)
    world.configure(PLAN)
    assert world.fire("web-01", start) == "already_firing"


def test_an_action_of_a_new_state_file_says_that_old_alerts_are_stale(world: World) -> None:
    assert world.fire("web-01", world.runs.records.born) == "stale"


def test_without_an_action_the_page_has_no_table_of_actions(world: World) -> None:
    remove(world)
    assert views_of(world.runs, world.model.now) == []


def test_an_action_that_goes_takes_nothing_from_one_that_had_heard_of_the_alert(world: World) -> None:
    limited = replace(PLAN, limits=replace(FREE, rate=Rate(1), max_wait=60.0))
    world.configure(replace(PLAN, name="old"), limited)
    world.model.wait(60.0)
    start = world.model.now
    world.fire("web-00", start, "restart")
    world.live(30.0)
    assert world.fire("web-01", start, "old") == "waiting"
    assert world.fire("web-01", start, "restart") == "rate_limited"
    world.live(30.0)
    world.configure(limited)
    world.model.wait(3600.0)
    assert world.fire("web-01", start) == "waiting"


def test_what_the_old_name_had_heard_of_stays_already_firing(world: World) -> None:
    """The clocks may differ, so the alert begins later than the action; the old name may be forgotten meanwhile."""
    start = world.model.now + 120
    world.fire("web-01", start)
    world.live(30.0)
    rename(world)
    assert world.fire("web-01", start) == "already_firing"
    world.configure(replace(PLAN, name="restart"), world.plan)  # the old name is in the file again
    assert world.fire("web-01", start, "renamed") == "already_firing"
    world.live(60.0)
    assert world.model.created == ["web-01"]


# Matchers.


@pytest.mark.parametrize("attempted", [False, True])
@pytest.mark.parametrize("says", ["fires", "is resolved"])
def test_a_start_that_waits_is_dropped_if_the_alert_does_not_match_any_more(
    world: World, attempted: bool, says: str
) -> None:
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), ("ok", 0.0)])
    start = world.model.now
    world.fire("web-01", start)
    if attempted:
        world.runs.work()
    world.change(matchers=parse_matchers("alertname=Other"))
    if says == "fires":
        assert world.fire("web-01", start) == "not_matched"
    else:
        assert world.resolve("web-01", start, start + 1) == "resolved"
        assert totals(world).episodes == {"resolved_without_run": 1}
    assert world.runs.records.all(Order) == {}
    world.live(60.0)
    assert world.model.created == []
    world.change(matchers=PLAN.matchers)
    assert world.fire("web-01", start) == ("waiting" if says == "fires" else "stale")


def test_the_end_of_an_episode_is_heard_although_the_alert_does_not_match_any_more(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.live(60.0)
    world.change(matchers=parse_matchers("alertname=Other"))
    assert world.fire("web-01", start) == "not_matched"
    assert world.resolve("web-01", start, world.model.now) == "resolved"
    assert totals(world).episodes == {"resolved_after_run": 1}
    assert world.resolve("web-02", start, world.model.now) == "not_matched"  # nothing is known of it


# Hosts.


@pytest.mark.parametrize("attempted", [False, True])
def test_a_start_that_waits_without_a_host_is_dropped_if_the_alert_must_name_one(world: World, attempted: bool) -> None:
    world.connection.upstream_._behaviours = iter([("nothing", 0.0), ("ok", 0.0)])
    world.connection.hosts = {"", "web-01"}  # a task that belongs to no host, too
    start = world.model.now
    world.fire("web-01", start)
    if attempted:
        world.runs.work()
    world.change(hostname_from=Relabelling(("instance",)))
    world.live(30.0)
    assert (world.model.created, world.runs.records.all(Order)) == ([], {})
    assert last_said(world).decision == "no_target"
    assert world.fire("web-01", start) == "waiting"
    world.live(30.0)
    assert world.model.created == ["web-01"]


# Canaries beside actions.


def a_canary(world: World) -> Canary:
    upstream, store, model = world.connection.upstream_, world.stores.of("acme"), world.model
    return Canary(
        CanaryPlan(organization="acme", name="c", timeout=120.0),
        find=lambda: (Target("task", "t", "t"), ((0, "canary"),)),
        starter=Starter(upstream, store, lambda: model.now, Timing(), by_arguments=ByArguments.NEVER),
        store=store,
        upstream=upstream,
        clocks=world.clocks,
    )


@pytest.mark.parametrize("lost", ["lost", "late", "dropped"])
def test_a_start_of_a_canary_whose_fate_is_unknown_keeps_an_action_from_its_task(world: World, lost: str) -> None:
    upstream, model = world.connection.upstream_, world.model
    world.stores.of("acme").learn_user_id(upstream.token_mark(), US)
    upstream._behaviours = iter([(lost, 60.0), ("ok", 0.0)])
    canary = a_canary(world)
    canary.work()
    assert canary.phase == "sending"
    world.fire("web-01", model.now)
    while canary.phase == "sending":
        world.runs.work()
        assert "web-01" not in model.created
        model.wait(5.0)
        canary.work()
    world.live(60.0, bot=False)
    assert model.created.count("web-01") == 1
    assert canary.job_id not in {run.job_id for run in world.runs.records.all(PastRun).values()}


def test_a_start_of_an_action_whose_fate_is_unknown_keeps_a_canary_from_its_task(world: World) -> None:
    upstream, model = world.connection.upstream_, world.model
    upstream._behaviours = iter([("dropped", 0.0), ("ok", 0.0)])
    world.fire("web-01", model.now)
    world.runs.work()
    canary = a_canary(world)
    canary.work()
    assert (canary.phase, model.created) == ("decided", [])
