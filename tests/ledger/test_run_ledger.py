"""Tests which runs are counted, with polls as input and totals as output."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.polling import BOUNDS, START, TASK, Poller, UnreliableStorage, iso, result
from theeye_exporter.ledger.records import Bounds, Failures, LastRun, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.ledger.update import LedgerUpdate, Poll
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.models import Job


@pytest.fixture
def poller() -> Poller:
    """A ledger that has begun to count, with TheEye's clock at 60 s."""
    poller = Poller()
    poller.put("before", 60, _type="DummyJob")
    poller.poll()
    return poller


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[UnreliableStorage]:
    storage = UnreliableStorage(tmp_path / "state")
    yield storage
    storage.close()


# What is a run


def test_a_new_run_is_counted_with_its_times(poller: Poller) -> None:
    poller.put("a", 190, result=result(2.5, 3), state="failure")
    poller.poll()
    assert poller.runs == {"failure": 1}
    assert poller.durations == (1, 2.5)
    assert poller.turnarounds == (1, 190.0)
    assert poller.totals().last == LastRun("a", "backup", START + 190, Outcome.FAILURE, 190.0, 2.5, 3)
    assert poller.totals().last_success == START + 60


@pytest.mark.parametrize(
    ("lifecycle", "state", "outcome"),
    [
        ("finished", "success", "success"),
        ("finished", "normal", "success"),
        ("finished", "failure", "failure"),
        ("terminated", "timeout", "timeout"),
        ("terminated", "canceled", "canceled"),
        ("canceled", "canceled", "canceled"),
        ("terminated", "error", "error"),
        ("finished", "melted", "unknown"),
        ("finished", None, "unknown"),
        ("finished", {"an": "object"}, "unknown"),
        ("expired", "in_progress", "unknown"),
        ("completed", "success", "unknown"),
        ("canceled", "success", "unknown"),
    ],
)
def test_every_end_is_counted(lifecycle: str, state: Any, outcome: str, poller: Poller) -> None:
    poller.put("a", 70, lifecycle=lifecycle, state=state)
    cycle = poller.poll()
    assert poller.runs == {outcome: 1}
    known = isinstance(state, str)
    assert cycle.unknown == ({(lifecycle, state if known else "")} if outcome == "unknown" else set())


def test_a_run_from_waiting_to_its_end_is_one(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="onhold", state="in_progress", creation_date="2026-11-22T13:01:10.000Z")
    poller.poll()
    poller.put("a", 71, lifecycle="ready")
    poller.poll()
    poller.put("a", 71, lifecycle="assigned")
    poller.poll()
    assert poller.runs == {}
    poller.put("a", 80, lifecycle="finished", state="success", result=result(1))
    poller.poll()
    assert poller.runs == {"success": 1}
    assert poller.turnarounds == (1, 10.0)


def test_a_restart_that_was_seen_open_is_a_run_whatever_its_result(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.put("a", 80, lifecycle="ready")
    poller.poll()
    poller.put("a", 90, lifecycle="finished")
    poller.poll()
    assert poller.runs == {"success": 2}
    assert poller.durations == (2, 2.0)
    assert poller.turnarounds == (1, 70.0)  # nobody recorded when it was started again
    last = poller.totals().last
    assert last is not None
    assert last.turnaround is None


def test_a_restart_between_two_polls_is_told_by_its_result(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.put("a", 80, result=result(1.25))
    poller.poll()
    assert poller.runs == {"success": 2}
    assert poller.durations == (2, 2.25)


def test_a_restart_between_two_polls_is_told_by_its_exit_code(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.put("a", 80, result=result(1, 3))
    poller.poll()
    assert poller.runs == {"success": 2}


def test_an_edit_is_told_by_its_result(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    before = copy.deepcopy(poller.totals())
    for updated in (80, 90):
        poller.put("a", updated)
        poller.poll()
        poller.poll()
    assert poller.totals() == before
    assert poller.asked == ["a", "a", "a"]


def test_an_edit_of_an_older_job_does_not_make_it_the_last(poller: Poller) -> None:
    poller.put("old", 70, result=result(1))
    poller.put("new", 80, result=result(2))
    poller.poll()
    before = copy.deepcopy(poller.totals())
    poller.put("old", 90)
    poller.poll()
    assert poller.totals() == before


def test_an_edit_before_the_result_was_read_is_not_a_run(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.unreadable.add("a")
    poller.poll()
    poller.put("a", 80)
    poller.unreadable.clear()
    poller.poll()
    assert poller.runs == {"success": 1}
    assert poller.durations == (1, 1.0)
    assert poller.totals().last == LastRun("a", "backup", START + 70, Outcome.SUCCESS, 70.0, 1.0, 0)


@pytest.mark.parametrize("kind", ["ScriptJob", "DummyJob"])
def test_another_outcome_is_another_run_without_any_result(kind: str, poller: Poller) -> None:
    poller.put("a", 70, _type=kind)
    poller.poll()
    poller.put("a", 80, state="failure")
    del poller.jobs["before"]
    poller.between = poller.jobs.clear
    poller.poll()
    assert poller.runs == {"success": 1, "failure": 1}


def test_a_canceled_job_that_is_restarted_and_ends_between_two_polls_is_a_run(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="canceled", state="canceled")
    poller.poll()
    poller.put("a", 90, lifecycle="finished", state="success", result=result(1))
    poller.poll()
    assert poller.runs == {"canceled": 1, "success": 1}
    assert poller.durations == (1, 1.0)


def test_another_outcome_is_another_run_though_the_first_result_was_never_read(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.unreadable.add("a")
    poller.poll()
    poller.put("a", 80, state="failure", result=result(2, 1))
    poller.unreadable.clear()
    cycle = poller.poll()
    assert poller.runs == {"success": 1, "failure": 1}
    assert poller.durations == (1, 2.0)
    assert cycle.without_result == 1


def test_a_restart_that_ends_between_list_and_result_is_two_runs_if_the_outcome_differs(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.between = lambda: poller.put("a", 72, state="failure", result=result(2, 1))
    cycle = poller.poll()
    assert cycle.without_result == 1
    for _ in range(3):
        assert poller.runs == {"success": 1, "failure": 1}
        assert poller.durations == (1, 2.0)
        poller.poll()


def test_a_change_is_judged_by_the_job_in_full_not_by_the_list_before(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.put("a", 80)  # an edit, and then
    poller.between = lambda: poller.put("a", 85, state="failure", result=result(2, 1))
    for _ in range(3):
        poller.poll()
        assert poller.runs == {"success": 1, "failure": 1}
        last = poller.totals().last
        assert last is not None
        assert (last.outcome, last.finished) == (Outcome.FAILURE, START + 85)


def test_a_restart_between_list_and_result_loses_the_result_only(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.between = lambda: poller.put("a", 75, lifecycle="ready", result=None)
    cycle = poller.poll()
    assert cycle.without_result == 1
    poller.between = lambda: None
    poller.put("a", 80, lifecycle="finished", result=result(1))
    poller.poll()
    assert poller.runs == {"success": 2}
    assert poller.durations == (1, 1.0)


def test_of_a_job_without_run_time_a_change_with_the_same_outcome_is_an_edit(poller: Poller) -> None:
    poller.put("a", 70, _type="DummyJob")
    poller.poll()
    poller.put("a", 80)
    poller.poll()
    assert poller.runs == {"success": 1}
    assert poller.asked == []


@pytest.mark.parametrize("kind", ["ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob"])
def test_results_without_run_times_are_not_fetched(kind: str, poller: Poller) -> None:
    poller.put("a", 70, _type=kind)
    poller.put("b", 70, lifecycle="canceled", state="canceled")
    poller.poll()
    assert poller.runs == {"success": 1, "canceled": 1}
    assert poller.asked == []


def test_listed_results_are_used_and_nothing_is_fetched(poller: Poller) -> None:
    poller.results_listed = True
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.put("a", 80)
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))
    poller.put("a", 90, result=result(2))
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 2}, (2, 3.0))
    assert poller.asked == []


def test_a_poll_that_brings_nothing_new_changes_nothing(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.put("b", 71, lifecycle="ready")
    poller.put("c", 72, lifecycle="canceled", state="canceled")
    poller.poll(complete=True)
    before = copy.deepcopy(poller.ledger._state)
    for complete in (False, True, False):
        poller.poll(complete=complete)
        assert poller.ledger._state == before
    assert poller.asked == ["a"]


# Whose run it is


@pytest.mark.parametrize(
    ("fields", "run_key"),
    [
        ({"task_id": "t1"}, TASK),
        ({"task_id": None, "task": {"id": "t1"}}, TASK),
        ({"task_id": None, "task": "t1"}, TASK),
        ({"task_id": None, "_type": "AgentUpdateJob"}, RunKey(RunKind.OTHER, "AgentUpdateJob")),
        ({"task_id": None}, RunKey(RunKind.OTHER, "ScriptJob")),
        ({"task_id": None, "_type": "Surprise"}, RunKey(RunKind.OTHER, "other")),
        ({"task_id": [], "task": 1.5, "_type": {}}, RunKey(RunKind.TASK, "1.5")),
        ({"task_id": None, "_type": None}, RunKey(RunKind.OTHER, "other")),
        ({"_type": "WorkflowJob", "workflow_id": "w1"}, RunKey(RunKind.WORKFLOW, "w1")),
        ({"_type": "WorkflowJob", "workflow": {"id": "w1"}}, RunKey(RunKind.WORKFLOW, "w1")),
        ({"_type": "WorkflowJob", "workflow": "w1"}, RunKey(RunKind.WORKFLOW, "w1")),
        ({"workflow_id": "w1"}, TASK),
    ],
)
def test_a_run_belongs_to_a_task_a_workflow_or_its_type(fields: dict[str, Any], run_key: RunKey) -> None:
    poller = Poller()
    poller.poll()
    poller.put("a", 70, **fields)
    poller.poll()
    assert {found: totals.runs for found, totals in poller.ledger.totals.items()} == {run_key: {Outcome.SUCCESS: 1}}
    totals = poller.totals(run_key)
    assert (totals.turnaround is None) == (run_key.kind is RunKind.OTHER)


def test_a_workflows_turnaround_has_its_own_buckets_and_no_run_time(poller: Poller) -> None:
    poller.put("w", 70, _type="WorkflowJob", workflow_id="w1", result=result(1))
    poller.results_listed = True
    poller.poll()
    totals = poller.totals(RunKey(RunKind.WORKFLOW, "w1"))
    assert totals.turnaround is not None
    assert (totals.turnaround.bounds, totals.turnaround.counts) == ((60.0,), [0, 1])
    assert totals.duration is None


# Jobs that are open no more, and jobs that are gone


def test_an_open_job_that_is_listed_no_more_but_has_ended_is_a_run(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.poll()
    poller.put("a", 75, lifecycle="finished", result=result(1))
    poller.poll(unlisted=["a"])
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))
    assert poller.asked == ["a"]


def test_an_open_job_that_ended_without_a_result_is_asked_for_once(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.poll()
    poller.put("a", 75, lifecycle="terminated", state="canceled")
    poller.poll(unlisted=["a"])
    poller.poll()
    assert poller.runs == {"canceled": 1}
    assert poller.asked == ["a"]


def test_an_open_job_that_was_deleted_is_not_a_run(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.poll()
    del poller.jobs["a"]
    poller.poll()
    poller.poll()
    assert poller.runs == {}
    assert (poller.ledger.known_jobs, poller.ledger.backlog) == (1, 0)
    assert poller.asked == ["a"]


def test_an_open_job_that_is_only_missing_from_the_lists_stays_open(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.poll()
    poller.poll(unlisted=["a"])
    poller.put("a", 80, lifecycle="finished", _type="DummyJob")
    poller.poll()
    assert poller.runs == {"success": 1}


def test_an_open_job_that_cannot_be_looked_at_is_asked_for_until_it_can(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.poll()
    poller.put("a", 75, lifecycle="finished", result=result(1))
    poller.unreadable.add("a")
    for _ in range(5):
        poller.poll(unlisted=["a"])
        assert (poller.runs, poller.ledger.backlog) == ({}, 1)
    poller.unreadable.clear()
    poller.poll(unlisted=["a"])
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))


def test_a_job_in_a_lifecycle_that_nobody_knows_is_not_asked_for_for_ever(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="thawing")
    poller.put("b", 70 + 2 * 60, _type="DummyJob")
    for _ in range(5):
        poller.poll()
    assert poller.asked == ["a"]
    poller.put("a", 300, lifecycle="finished", result=result(1))
    poller.poll()
    assert poller.runs == {"success": 2}
    assert poller.durations == (1, 1.0)


def test_a_deleted_jobs_run_is_counted_without_a_duration(poller: Poller) -> None:
    poller.put("a", 70)
    poller.between = poller.jobs.clear
    cycle = poller.poll()
    assert (poller.runs, poller.durations, poller.turnarounds) == ({"success": 1}, (0, 0.0), (1, 70.0))
    assert cycle.without_result == 1
    assert poller.poll().without_result == 0
    assert poller.asked == ["a"]


def test_a_result_is_given_up_after_three_failures(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.unreadable.add("a")
    assert [poller.poll().without_result for _ in range(5)] == [0, 0, 1, 0, 0]
    assert (poller.runs, poller.durations) == ({"success": 1}, (0, 0.0))
    assert poller.asked == ["a"] * 3
    # An edit gives its last run a duration that is shown, but it is too late for the histogram.
    poller.unreadable.clear()
    poller.put("a", 80)
    poller.poll()
    last = poller.totals().last
    assert last is not None
    assert (last.duration, poller.durations, poller.runs) == (1.0, (0, 0.0), {"success": 1})


def test_each_result_has_three_attempts_of_its_own(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.unreadable.add("a")
    poller.poll()
    poller.poll()
    poller.unreadable.clear()
    poller.poll()
    poller.put("a", 80, result=result(2))
    poller.unreadable.add("a")
    poller.poll()
    poller.poll()
    poller.unreadable.clear()
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 2}, (2, 3.0))


def test_a_change_whose_result_cannot_be_read_is_taken_for_an_edit(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    for updated in (80, 90):
        poller.put("a", updated, result=result(updated))
        poller.unreadable.add("a")
        asked = len(poller.asked)
        for _ in range(5):
            poller.poll()
        assert (poller.runs, poller.ledger.backlog, len(poller.asked) - asked) == ({"success": 1}, 0, 3)


def test_a_list_of_all_jobs_forgets_what_is_gone_and_says_what_got_no_result(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.put("b", 70, result=result(1))
    poller.unreadable.add("b")
    poller.poll()
    poller.put("c", 1000, _type="DummyJob")
    del poller.jobs["before"], poller.jobs["a"], poller.jobs["b"]
    poller.unreadable.clear()
    poller.poll()  # asks for b, which is gone
    assert poller.ledger.known_jobs == 4
    cycle = poller.poll(complete=True)
    assert (poller.ledger.known_jobs, cycle.without_result) == (1, 0)
    assert poller.runs == {"success": 3}


def test_a_list_of_all_jobs_gives_up_the_results_of_what_is_gone(poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.unreadable.add("a")
    poller.poll()
    del poller.jobs["a"]
    poller.put("b", 1000, _type="DummyJob")
    assert poller.poll(complete=True).without_result == 1
    assert poller.ledger.backlog == 0


@pytest.mark.parametrize("open_jobs", [(), (Job(id="b", lifecycle="ready", task_id="t1"),)])
def test_an_empty_list_of_all_jobs_is_not_accepted(open_jobs: tuple[Job, ...], poller: Poller) -> None:
    poller.put("a", 70, result=result(1))
    poller.poll()
    empty = Poll(changed=[], open_jobs=open_jobs, date=None, complete=True, room=UNBOUNDED)
    poller.ledger.commit(poller.ledger.prepare(empty))
    poller.poll(complete=True)
    assert poller.runs == {"success": 1}


# The beginning


def test_the_first_poll_is_a_baseline_of_which_only_last_runs_are_shown() -> None:
    poller = Poller()
    poller.put("old", 50, result=result(1))
    poller.put("last", 60, state="failure", result=result(2, 1))
    poller.put("other", 40, task_id="t2", result=result(3))
    poller.put("open", 55, lifecycle="ready")
    cycle = poller.poll()
    assert poller.ledger.totals == {
        TASK: RunTotals(
            last=LastRun("last", "backup", START + 60, Outcome.FAILURE, 60.0, 2.0, 1),
            last_success=START + 50,
            failures=Failures(1, [START + 60]),
        ),
        RunKey(RunKind.TASK, "t2"): RunTotals(
            last=LastRun("other", "backup", START + 40, Outcome.SUCCESS, 40.0, 3.0, 0), last_success=START + 40
        ),
    }
    assert sorted(poller.asked) == ["last", "other"]
    assert (cycle.without_result, poller.ledger.known_jobs) == (0, 4)


def test_what_was_open_at_the_beginning_is_counted_when_it_ends() -> None:
    poller = Poller()
    poller.put("a", 50, lifecycle="ready")
    poller.poll()
    poller.put("a", 70, lifecycle="finished", result=result(1))
    poller.poll()
    assert (poller.runs, poller.durations, poller.turnarounds) == ({"success": 1}, (1, 1.0), (1, 70.0))


def test_a_baselines_result_that_comes_late_is_shown_and_not_observed() -> None:
    poller = Poller()
    poller.put("a", 50, result=result(1))
    poller.unreadable.add("a")
    poller.poll()
    poller.unreadable.clear()
    cycle = poller.poll()
    last = poller.totals().last
    assert last is not None
    assert (last.duration, poller.durations, poller.runs, cycle.without_result) == (1.0, (0, 0.0), {}, 0)


def test_a_baselines_result_that_is_lost_is_not_worth_mentioning() -> None:
    poller = Poller()
    poller.put("a", 50, result=result(1))
    poller.put("b", 50, task_id="t2", result=result(1))
    poller.unreadable.update({"a", "b"})
    poller.poll()
    poller.put("a", 70, lifecycle="ready")
    assert poller.poll().without_result == 0
    assert poller.poll().without_result == 0
    assert poller.ledger.backlog == 0


def test_a_restart_of_a_job_from_before_is_a_run_once_its_first_result_was_read() -> None:
    poller = Poller()
    poller.put("a", 50, result=result(1))
    poller.put("b", 40, result=result(1))  # not the last one, so that its result is not read
    poller.poll()
    poller.put("a", 70, result=result(2))
    poller.put("b", 70, result=result(2))
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 2.0))


def test_an_empty_first_list_begins_too() -> None:
    poller = Poller()
    poller.poll()
    poller.put("a", 1, result=result(1))
    poller.poll()
    assert poller.runs == {"success": 1}


# What was hidden for a while


def test_what_ended_before_counting_began_is_not_counted_when_it_becomes_visible(poller: Poller) -> None:
    poller.put("hidden", -1000, state="failure", result=result(1), task_id="t2")
    poller.put("older", -2000, state="failure", result=result(1), task_id="t2")
    poller.poll(complete=True)
    hidden = poller.totals(RunKey(RunKind.TASK, "t2"))
    assert (hidden.runs, hidden.duration, hidden.turnaround, hidden.jobs_seen) == ({}, None, None, 0)
    assert hidden.last is not None
    assert (hidden.last.job_id, hidden.last.duration) == ("hidden", 1.0)
    assert poller.asked == ["hidden"]
    poller.put("hidden", 70, lifecycle="ready")
    poller.poll()
    poller.put("hidden", 80, lifecycle="finished")
    poller.poll()
    assert hidden.runs == {}
    assert poller.totals(RunKey(RunKind.TASK, "t2")).runs == {Outcome.FAILURE: 1}


def test_what_ended_before_is_not_counted_though_nothing_was_visible_at_first() -> None:
    poller = Poller(date=10)
    poller.poll()
    poller.date = 10_000
    poller.poll()
    poller.put("hidden", 5000, result=result(1))
    poller.poll()
    assert poller.runs == {}
    poller.put("a", 9990, result=result(1))
    poller.date = 10_010
    poller.poll()
    assert poller.runs == {"success": 1}


@pytest.mark.parametrize("updated", [1000, 4600, 4800, 4999])
def test_what_is_hidden_from_a_list_of_all_jobs_is_not_counted_again(updated: float, poller: Poller) -> None:
    poller.put("a", updated, result=result(1))
    poller.poll()
    poller.put("b", 5000, result=result(1))
    poller.poll()
    for _ in range(2):
        poller.poll(complete=True, unlisted=("a",))
        poller.poll(complete=True)
        assert (poller.runs, poller.durations) == ({"success": 2}, (2, 2.0))


def test_what_ended_while_nobody_looked_is_counted_though_the_clock_was_set_back(poller: Poller) -> None:
    poller.date = 5000
    poller.put("a", 5000, result=result(1))
    poller.poll(complete=True)
    poller.date = 2000
    poller.put("b", 1500, result=result(1))
    for _ in range(2):
        poller.poll(complete=True)
        assert (poller.runs, poller.durations) == ({"success": 2}, (2, 2.0))


# Clocks


def test_a_job_that_was_restarted_after_the_clock_was_set_back_is_a_run(poller: Poller) -> None:
    poller.date = 5000
    poller.put("a", 5000, result=result(1))
    poller.poll()
    poller.date = 1000
    poller.put("a", 990, lifecycle="ready")
    poller.poll()
    poller.put("a", 1010, lifecycle="finished", result=result(1))
    poller.date = 1015
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 2}, (2, 2.0))


def test_a_clock_that_was_set_back_does_not_hide_what_ends_then(poller: Poller) -> None:
    poller.date = 5000
    poller.put("a", 5000, _type="DummyJob")
    poller.poll()
    poller.date = 1000
    poller.poll()
    poller.put("b", 1010, _type="DummyJob")
    poller.poll()
    assert poller.runs == {"success": 2}


def test_a_job_dated_in_the_future_does_not_hide_the_next_ones(poller: Poller) -> None:
    poller.date = 70
    poller.put("odd", 10**8, _type="DummyJob")
    poller.poll()
    poller.put("a", 75, _type="DummyJob")
    poller.poll()
    assert poller.runs == {"success": 2}
    assert poller.ledger.cursor == START + 70


def test_an_end_in_the_future_is_counted_and_not_shown(poller: Poller) -> None:
    poller.date = 70
    before = copy.deepcopy(poller.totals())
    poller.put("odd", 10**8, result=result(1))
    assert poller.poll().impossible == 1
    after = poller.totals()
    assert (after.runs, after.last, after.last_success) == ({Outcome.SUCCESS: 1}, before.last, before.last_success)
    assert poller.turnarounds == (0, 0.0)


def test_a_fast_date_header_hides_nothing(poller: Poller) -> None:
    poller.date = 1000
    for updated in (70, 80, 90):
        poller.put(f"job-{updated}", updated, _type="DummyJob")
        poller.poll()
    assert poller.runs == {"success": 3}


def test_a_slow_date_header_costs_nothing_but_a_longer_list(poller: Poller) -> None:
    poller.date = -1000
    for updated in (70, 80, 90):
        poller.put(f"job-{updated}", updated, _type="DummyJob")
        poller.poll()
        poller.poll()
    assert poller.runs == {"success": 3}


def test_the_last_run_keeps_its_own_result_when_the_clock_was_set_back(poller: Poller) -> None:
    poller.put("a", 500, result=result(1))
    poller.poll()
    poller.put("a", 400, lifecycle="ready")
    poller.poll()
    poller.put("a", 410, lifecycle="finished", state="failure", result=result(2, 1))
    poller.poll(complete=True)
    assert poller.runs == {"success": 1, "failure": 1}
    assert poller.totals().last == LastRun("a", "backup", START + 500, Outcome.SUCCESS, 500.0, 1.0, 0)


def test_negative_times_are_counted_and_not_observed(poller: Poller) -> None:
    poller.put("a", 70, creation_date="2026-11-22T14:00:00.000Z", result=result(-5))
    cycle = poller.poll()
    assert cycle.impossible == 2
    assert (poller.runs, poller.durations, poller.turnarounds) == ({"success": 1}, (0, 0.0), (0, 0.0))
    last = poller.totals().last
    assert last is not None
    assert (last.duration, last.turnaround, last.exit_code) == (None, None, 0)
    assert poller.poll().impossible == 0


@pytest.mark.parametrize("seconds", [1e300, 1e308, 1e12])
def test_absurd_run_times_are_counted_and_not_observed(
    seconds: float, poller: Poller, storage: UnreliableStorage
) -> None:
    poller.ledger = RunLedger("demo", storage, BOUNDS)
    poller.poll()
    poller.put("a", 70, result={"code": 0, "times": {"seconds": seconds, "nanoseconds": 0}})
    poller.put("b", 71, result={"code": 10**300, "times": {"seconds": seconds, "nanoseconds": 0}})
    assert poller.poll().impossible == 2
    assert (poller.runs, poller.durations) == ({"success": 2}, (0, 0.0))
    poller.ledger = RunLedger("demo", storage, BOUNDS)  # what was written can be read
    poller.put("a", 80)
    poller.poll()
    assert poller.runs == {"success": 2}


@pytest.mark.parametrize("fields", [{"creation_date": None}, {"creation_date": "yesterday"}, {"result": "lost"}])
def test_what_is_missing_or_no_time_costs_only_itself(fields: dict[str, Any], poller: Poller) -> None:
    poller.put("a", 70, **({"result": result(1)} | fields))
    poller.poll()
    assert poller.runs == {"success": 1}
    assert poller.durations[0] + poller.turnarounds[0] == 1


# What TheEye counted


def count(poller: Poller, executions: int, *, new: bool = False) -> int:
    """Poll with a count of executions that was read before the poll."""
    cycle = poller.cycle()
    cycle.count_executions(TASK, executions, new=new)
    poller.ledger.commit(cycle)
    return poller.totals().unseen


def test_executions_beyond_the_jobs_seen_are_unseen_runs(poller: Poller) -> None:
    assert count(poller, 500) == 0
    poller.put("a", 70)
    assert count(poller, 501) == 0
    assert count(poller, 504) == 3
    poller.put("b", 80)
    assert count(poller, 504) == 3
    assert count(poller, 505) == 3
    assert count(poller, 2) == 3
    assert count(poller, 506) == 4


def test_jobs_seen_before_the_first_count_do_not_become_unseen_later(poller: Poller) -> None:
    """The count is older than the list: it may or may not have the jobs that were seen meanwhile."""
    poller.put("a", 70)
    poller.put("b", 71)
    poller.poll()
    assert count(poller, 500) == 0
    assert count(poller, 502) == 0
    poller.put("c", 80)
    assert count(poller, 503) == 0


def test_all_executions_of_a_new_task_are_to_be_seen(poller: Poller) -> None:
    poller.put("a", 70)
    assert count(poller, 4, new=True) == 3


def test_an_open_job_that_was_deleted_may_have_run_unseen(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    assert count(poller, 500) == 0
    del poller.jobs["a"]
    assert count(poller, 500) == 0
    assert count(poller, 501) == 1


def test_a_server_that_tells_no_time_makes_no_task_new_before_its_first_job() -> None:
    poller = Poller()
    poller.poll()
    began = [poller.ledger.began]
    for updated in (70, 80):
        poller.put(f"job-{updated}", updated)
        poller.poll()
        began.append(poller.ledger.began)
    assert began == [None, START + 70, START + 70]


def test_counting_began_at_theeyes_time_if_it_says() -> None:
    poller = Poller(date=100.0)
    poller.put("a", 70)
    poller.poll()
    poller.date = 200
    poller.poll()
    assert poller.ledger.began == START + 100


# Histograms


@pytest.mark.parametrize("off", ["duration", "turnaround", "workflow_turnaround"])
def test_a_histogram_that_is_off_is_not_kept(off: str) -> None:
    poller = Poller(RunLedger("demo", None, BOUNDS._replace(**{off: None})))
    poller.poll()
    poller.put("a", 70, result=result(1))
    poller.put("w", 70, _type="WorkflowJob", workflow_id="w1")
    poller.poll()
    task, workflow = poller.totals(), poller.totals(RunKey(RunKind.WORKFLOW, "w1"))
    kept = {"duration": task.duration, "turnaround": task.turnaround, "workflow_turnaround": workflow.turnaround}
    assert [name for name, histogram in kept.items() if histogram is None] == [off]
    last = task.last
    assert last is not None
    assert (last.duration, last.turnaround) == (1.0, 70.0)


def test_changed_bounds_begin_anew_with_the_next_run(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.poll()
    poller.put("a", 70, result=result(1))
    poller.poll()
    poller.ledger = RunLedger("demo", storage, Bounds((5.0,), (60.0, 600.0), None))
    poller.poll()
    poller.put("b", 80, result=result(7))
    poller.poll()
    totals = poller.totals()
    assert totals.duration is not None
    assert totals.turnaround is not None
    assert (totals.duration.bounds, totals.duration.counts, totals.duration.sum) == ((5.0,), [0, 1], 7.0)
    assert totals.turnaround.counts == [0, 2, 0]
    assert poller.runs == {"success": 2}


def test_a_histogram_remembers_the_latest_job_of_each_bucket(poller: Poller) -> None:
    poller.put("a", 70, result=result(0.5))
    poller.put("b", 71, result=result(1))  # a bound belongs to its bucket
    poller.put("c", 72, result=result(100))
    poller.poll()
    histogram = poller.totals().duration
    assert histogram is not None
    assert histogram.counts == [2, 0, 1]
    assert histogram.latest == {0: ("b", 1.0, START + 71), 2: ("c", 100.0, START + 72)}


# Order of work


def test_results_of_last_runs_come_first_and_then_the_oldest(poller: Poller) -> None:
    for updated in (70, 71, 72):
        poller.put(f"job-{updated}", updated, result=result(1))
    poller.put("other", 65, task_id="t2", result=result(1))
    poller.poll()
    assert poller.asked == ["other", "job-72", "job-70", "job-71"]


def test_results_from_before_counting_began_come_after_those_of_counted_runs() -> None:
    poller = Poller()
    poller.put("old", 50, result=result(1))
    poller.put("older", 40, task_id="t2", result=result(1))
    listed = [poller._job(job, listed=True) for job in poller.jobs.values()]
    poller.ledger.commit(
        poller.ledger.prepare(Poll(changed=listed, open_jobs=[], date=None, complete=True, room=UNBOUNDED))
    )
    poller.put("open-before", 45, task_id="t3", lifecycle="ready")
    for updated in (70, 71):
        poller.put(f"job-{updated}", updated, task_id="t4", result=result(1))
    poller.poll()
    assert poller.asked == ["job-71", "job-70", "older", "old"]


def test_what_could_not_be_looked_at_gives_way_to_what_was_never_tried(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready", creation_date=iso(70))
    poller.poll()
    del poller.jobs["a"]
    poller.unreadable.add("a")
    poller.poll()
    poller.asked.clear()
    for updated in (80, 81, 82):
        poller.put(f"job-{updated}", updated, result=result(1))
    poller.poll()
    assert poller.asked == ["job-82", "job-80", "job-81", "a"]


def test_a_poll_writes_what_it_changes_and_nothing_else(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    for number in range(100):
        poller.put(f"job-{number}", 70, lifecycle="started", _type="WorkflowJob", workflow_id="w1")
    poller.poll()
    poller.put("a", 80, result=result(1))
    before = storage._db.total_changes
    poller.poll()
    assert storage._db.total_changes - before == 3  # the job, its task and the cursor
    poller.poll()
    assert storage._db.total_changes - before == 4
    assert RunLedger("demo", storage, BOUNDS).known_jobs == 101


# Failures of the storage


def test_nothing_is_counted_that_cannot_be_written_and_everything_once_when_it_can(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.put("before", 60, result=result(1))
    poller.poll()
    before = copy.deepcopy(poller.ledger._state)
    storage.failing = True
    poller.put("a", 70, result=result(2))
    poller.put("b", 71, lifecycle="ready")
    for _ in range(3):
        with pytest.raises(LedgerError):
            poller.poll()
        assert poller.ledger._state == before
        assert not poller.ledger.healthy
    poller.put("b", 80, lifecycle="finished", state="failure", result=result(3, 1))
    storage.failing = False
    for _ in range(3):
        poller.poll()
        assert poller.ledger.healthy
        assert (poller.runs, poller.durations) == ({"success": 1, "failure": 1}, (2, 5.0))
    assert RunLedger("demo", storage, BOUNDS).totals == poller.ledger.totals


def test_a_cycle_that_is_not_committed_leaves_no_trace(poller: Poller) -> None:
    poller.put("a", 70, lifecycle="ready")
    poller.put("b", 70, result=result(1))
    poller.unreadable.add("b")
    poller.poll()
    before = copy.deepcopy(poller.ledger._state)
    poller.unreadable.clear()
    poller.put("a", 80, lifecycle="finished", result=result(1))
    poller.put("c", 80, result=result(1))
    cycle: LedgerUpdate = poller.cycle(complete=True)
    cycle.count_executions(TASK, 5, new=True)
    assert poller.ledger._state == before


def test_totals_are_deleted_once_no_job_is_left(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.poll()
    other = RunKey(RunKind.TASK, "t2")
    poller.put("a", 70, _type="DummyJob")
    poller.put("b", 70, _type="DummyJob", task_id="t2")
    poller.poll()
    poller.ledger.drop_totals(lambda _: True)
    assert set(poller.ledger.totals) == {TASK, other}
    del poller.jobs["a"]
    poller.put("c", 1000, _type="DummyJob", task_id="t2")
    poller.poll(complete=True)
    storage.failing = True
    with pytest.raises(LedgerError):
        poller.ledger.drop_totals(lambda _: True)
    storage.failing = False
    poller.ledger.drop_totals(lambda run_key: run_key == other)
    assert poller.runs == {"success": 1}
    poller.ledger.drop_totals(lambda _: True)
    for ledger in (poller.ledger, RunLedger("demo", storage, BOUNDS)):
        assert list(ledger.totals) == [other]


def test_what_ended_while_nobody_looked_is_counted_on_return(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.put("before", 50, result=result(1))
    poller.put("open", 55, lifecycle="ready")
    poller.poll()
    poller.put("a", 7000, result=result(2))
    poller.put("open", 7100, lifecycle="finished", result=result(3))
    poller.put("before", 7200, result=result(4))
    poller.ledger = RunLedger("demo", storage, BOUNDS)
    poller.poll(complete=True)
    assert (poller.runs, poller.durations) == ({"success": 3}, (3, 9.0))


def test_what_has_a_successor_writes_nothing_whenever_a_poll_was_worked_out(storage: UnreliableStorage) -> None:
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.poll()
    poller.put("a", 70, result=result(1))
    cycles = [poller.cycle()]
    former, poller.ledger = poller.ledger, poller.ledger.successor(BOUNDS)
    cycles.append(Poller(former, poller.jobs).cycle())
    poller.poll()
    cycles.append(Poller(former, poller.jobs).cycle())
    for cycle in cycles:
        with pytest.raises(LedgerError):
            former.commit(cycle)
    for ledger in (poller.ledger, RunLedger("demo", storage, BOUNDS)):
        assert ledger.totals[TASK].runs == {"success": 1}
    assert former.totals == {}


FAILURE = {"state": "failure"}


def test_failures_since_the_last_success_are_counted_in_whatever_order_they_are_seen() -> None:
    theeye = Poller(results_listed=True)
    for number, state in enumerate(["failure", "success", "failure", "failure"]):
        theeye.put(f"job-{number}", 10 + number, state=state)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 2
    theeye.put("timed out", 14, lifecycle="terminated", state="timeout")
    theeye.put("not built", 15, lifecycle="terminated", state="error")
    theeye.put("canceled", 16, lifecycle="canceled", state="canceled")
    theeye.put("odd", 17, state="melted")
    theeye.poll()
    assert theeye.totals().consecutive_failures == 4
    theeye.put("late failure", 11.5, **FAILURE)
    theeye.put("failure before the success", 10.5, **FAILURE)
    theeye.poll(complete=True)
    assert theeye.totals().consecutive_failures == 5
    theeye.put("late success", 12.5)
    theeye.poll(complete=True)
    assert theeye.totals().consecutive_failures == 3
    theeye.put("success", 18)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 0


def test_more_failures_than_are_remembered_in_detail_are_counted() -> None:
    theeye = Poller(results_listed=True)
    for number in range(25):
        theeye.put(f"job-{number}", 10 + number, **FAILURE)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 25
    theeye.put("success before all that are remembered", 12.5)
    theeye.poll(complete=True)
    assert theeye.totals().consecutive_failures == 25
    theeye.put("success", 33.5)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 1


def test_a_run_that_was_hidden_for_a_while_is_not_a_second_failure() -> None:
    theeye = Poller(results_listed=True)
    theeye.put("job-1", 10, **FAILURE)
    theeye.put("job-2", 1000, **FAILURE)
    theeye.poll()
    theeye.poll(complete=True, unlisted={"job-1"})
    theeye.poll(complete=True)
    assert theeye.totals().consecutive_failures == 2


def test_an_older_state_file_only_tells_of_the_last_failure() -> None:
    theeye = Poller(results_listed=True)
    theeye.put("job-1", 10, **FAILURE)
    theeye.poll()
    document = msgspec.to_builtins(theeye.totals())
    del document["failures"], document["triggers"]
    theeye.ledger._state.totals[TASK] = msgspec.convert(document, RunTotals)
    assert theeye.totals().consecutive_failures == 1
    theeye.put("job-2", 20, **FAILURE)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 2
    theeye.put("job-3", 30)
    theeye.poll()
    assert theeye.totals().consecutive_failures == 0
