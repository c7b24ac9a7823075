"""Tests the lines for given jobs, over several polls."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import msgspec
import pytest
import structlog.testing

from contexts import context_of
from processes import DEADLINE
from samples import lines
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.jobs import KIND, JobsCollector, details, helpers
from theeye_exporter.collectors.name_index import Entry, NameIndex
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.models import Job

NOW = 1795356000.0  # 2026-11-22T14:00:00Z, after all that happens here
LABELS = 'organization="demo",task_id="t1",task="backup",hostname="bot-1"'


def minute(number: float) -> str:
    return f"2026-11-22T13:{int(number):02}:{round(number % 1 * 60):02}.000Z"


class FakeTheEye(TheEyeClient):
    """Holds jobs as TheEye does: results only in full ones."""

    def __init__(self) -> None:
        self.jobs_by_id: dict[str, dict[str, Any]] = {}
        self.asked_in_full: list[str] = []
        self.failing: set[str] = set()
        self.refusal = UpstreamError(Reason.SERVER_ERROR, "TheEye answered 500")
        self.pruned: set[str] = set()
        self.results_in_list = False
        self.date: float | None = None

    def put(self, job_id: str, **fields: Any) -> None:
        job = self.jobs_by_id.setdefault(
            job_id,
            {
                "id": job_id,
                "_type": "ScriptJob",
                "name": "backup",
                "task_id": "t1",
                "lifecycle": "finished",
                "state": "success",
                "creation_date": minute(1),
                "last_update": minute(2),
            },
        )
        job.update(fields)

    def jobs(self, since: float | None = None) -> Listing[Job]:
        kept = [j for j in self.jobs_by_id.values() if (timestamp(j["last_update"]) or 0) >= (since or 0)]
        hidden = () if self.results_in_list else ("result",)
        listed = [msgspec.convert({k: v for k, v in j.items() if k not in hidden}, Job) for j in kept]
        return Listing(listed, date=self.date)

    def open_jobs(self) -> Listing[Job]:
        return Listing([j for j in self.jobs().items if text(j.lifecycle) in OPEN_LIFECYCLES])

    def job(self, job_id: str) -> Job | None:
        self.asked_in_full.append(job_id)
        if job_id in self.failing:
            raise self.refusal
        found = None if job_id in self.pruned else self.jobs_by_id.get(job_id)
        return None if found is None else msgspec.convert(found, Job)


def result(seconds: float, code: int | None = 0) -> dict[str, Any]:
    return {"code": code, "times": {"seconds": int(seconds), "nanoseconds": round(seconds % 1 * 10**9)}}


def name_index(*task_ids: str) -> NameIndex:
    made = NameIndex(expected=True)
    made.update({task_id: Entry(labels=("backup", "bot-1")) for task_id in task_ids or ("t1",)})
    return made


class Poller:
    """A collector and what it last showed."""

    def __init__(
        self, theeye: FakeTheEye, tasks: NameIndex | None = None, *, per_cycle: int = 200, concurrency: int = 2
    ) -> None:
        self.theeye = theeye
        self.now = 0.0
        self.dropped: dict[str, int] = {}
        self.workflows = NameIndex(expected=False)
        self.ledger = RunLedger("demo", None, Bounds((1.0, 60.0), (60.0, 600.0), (60.0,)))
        context = context_of(
            KIND,
            settings={"max_details_per_cycle": per_cycle, "detail_concurrency": concurrency},
            clocks=Clocks(monotonic=lambda: self.now),
            names={"tasks": tasks or name_index(), "workflows": self.workflows},
            ledger=self.ledger,
        )
        self.memory = context.memory
        self.collector = JobsCollector(context)

    def poll(self, *, after: float = 15) -> list[str]:
        self.now += after
        collection = self.collector.collect(self.theeye, NOW)
        self.dropped = dict(collection.dropped)
        self.histograms = {
            family.name: [(labels, value.counts, value.sum) for labels, value in rows]
            for family, rows in collection.samples.histograms.items()
        }
        return lines(collection.samples)

    def last(self, name: str) -> list[str]:
        """Poll and return the values of one family."""
        return [line.rpartition(" ")[2] for line in self.poll() if line.startswith(f"theeye_job_last_{name}{{")]

    def runs(self) -> dict[str, int]:
        """Poll and return the runs counted of the task t1, by outcome."""
        return {
            line.partition('outcome="')[2].partition('"')[0]: int(line.rpartition(" ")[2])
            for line in self.poll()
            if line.startswith("theeye_job_runs_total{") and 'task_id="t1"' in line and not line.endswith(" 0")
        }


def test_the_oldest_open_job_is_told_by_lifecycle() -> None:
    theeye = FakeTheEye()
    theeye.put("a", lifecycle="onhold", state="in_progress", creation_date=minute(1), last_update=minute(1))
    theeye.put("b", lifecycle="assigned", state="in_progress", creation_date=minute(3), last_update=minute(3))
    theeye.put("c", lifecycle="assigned", state="in_progress", creation_date=minute(2), last_update=minute(2))
    theeye.put("d", lifecycle="ready", state="in_progress", creation_date=None, last_update=minute(2))
    assert [line for line in Poller(theeye).poll() if "oldest" in line] == [
        f'theeye_task_oldest_open_job_timestamp_seconds{{{LABELS},lifecycle="assigned"}} 1795352520.0',
        f'theeye_task_oldest_open_job_timestamp_seconds{{{LABELS},lifecycle="onhold"}} 1795352460.0',
    ]


def test_a_run_from_waiting_to_its_end() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    theeye.put("a", lifecycle="ready", state="in_progress", creation_date=minute(1), last_update=minute(1))
    assert [line for line in poller.poll() if not line.startswith("theeye_jobs") and not line.endswith(" 0")] == [
        f'theeye_task_jobs{{{LABELS},lifecycle="ready"}} 1',
        f'theeye_task_oldest_open_job_timestamp_seconds{{{LABELS},lifecycle="ready"}} 1795352460.0',
    ]
    theeye.put("a", lifecycle="finished", state="failure", last_update=minute(3), result=result(90.5, 3))
    assert [line for line in poller.poll() if not line.endswith(" 0")] == [
        f"theeye_job_consecutive_failures{{{LABELS}}} 1",
        f"theeye_job_last_duration_seconds{{{LABELS}}} 90.5",
        f"theeye_job_last_exit_code{{{LABELS}}} 3",
        f"theeye_job_last_finish_timestamp_seconds{{{LABELS}}} 1795352580.0",
        f'theeye_job_last_outcome{{{LABELS},outcome="failure"}} 1',
        f"theeye_job_last_turnaround_seconds{{{LABELS}}} 120.0",
        f'theeye_job_runs_total{{{LABELS},outcome="failure"}} 1',
    ]
    assert poller.histograms == {
        "theeye_job_duration_seconds": [(LABELS, (0, 0, 1), 90.5)],
        "theeye_job_turnaround_seconds": [(LABELS, (0, 1, 0), 120.0)],
    }
    assert f'theeye_task_jobs{{{LABELS},lifecycle="ready"}} 0' in poller.poll()
    assert theeye.asked_in_full == ["a"]


def test_the_run_that_finished_last_counts_and_the_last_success_stays() -> None:
    theeye = FakeTheEye()
    theeye.put("new", last_update=minute(5), state="failure", result=result(2, 1))
    theeye.put("old", last_update=minute(3), result=result(1))
    poller = Poller(theeye)
    assert poller.last("duration_seconds") == ["2.0"]
    assert poller.last("success_timestamp_seconds") == ["1795352580.0"]
    assert theeye.asked_in_full == ["new"]


def test_organization_wide_jobs_are_counted_with_and_without_a_task() -> None:
    theeye = FakeTheEye()
    theeye.put("a", lifecycle="ready")
    theeye.put("b", lifecycle="ready", task_id=None, _type="AgentUpdateJob")
    theeye.put("c", lifecycle="started", task_id=None, _type="WorkflowJob")
    assert [line for line in Poller(theeye).poll() if line.startswith("theeye_jobs")] == [
        f'theeye_jobs{{organization="demo",lifecycle="{lifecycle}"}} {count}'
        for lifecycle, count in (
            ("assigned", 0), ("locked", 0), ("onhold", 0), ("ready", 2), ("started", 1), ("syncing", 0),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("future", ["2099-01-01T00:00:00.000Z", "9999-12-31T23:59:59-23:59"])
def test_a_job_dated_in_the_future_does_not_hide_the_next_ones(future: str) -> None:
    theeye = FakeTheEye()
    theeye.date = timestamp(minute(2))
    theeye.put("odd", task_id="t2", last_update=future)
    poller = Poller(theeye, name_index("t1", "t2"))
    poller.poll()
    theeye.date = timestamp(minute(4))
    theeye.put("a", last_update=minute(3), result=result(1))
    theeye.put("b", task_id="t2", last_update=minute(3), result=result(2))
    assert sorted(poller.last("duration_seconds")) == ["1.0", "2.0"]


def test_an_edit_of_a_finished_job_is_not_a_run() -> None:
    theeye = FakeTheEye()
    theeye.put("a", last_update=minute(2), result=result(1))
    poller = Poller(theeye)
    assert poller.last("finish_timestamp_seconds") == ["1795352520.0"]
    theeye.put("a", last_update=minute(9))
    assert poller.last("finish_timestamp_seconds") == ["1795352520.0"]
    assert poller.last("turnaround_seconds") == ["60.0"]
    assert theeye.asked_in_full == ["a", "a"]


def test_an_edit_of_an_older_job_does_not_make_it_the_last() -> None:
    theeye = FakeTheEye()
    theeye.put("old", last_update=minute(2), result=result(1))
    theeye.put("new", last_update=minute(3), result=result(2))
    poller = Poller(theeye)
    poller.poll()
    theeye.put("old", last_update=minute(9))
    assert poller.last("duration_seconds") == ["2.0"]
    assert poller.last("finish_timestamp_seconds") == ["1795352580.0"]


def test_a_restart_that_ends_between_two_polls_is_a_run_by_its_other_result() -> None:
    theeye = FakeTheEye()
    theeye.put("a", last_update=minute(2), result=result(1))
    poller = Poller(theeye)
    poller.poll()
    theeye.put("a", last_update=minute(9), result=result(1.25))
    assert poller.last("duration_seconds") == ["1.25"]
    assert poller.last("finish_timestamp_seconds") == ["1795352940.0"]
    # Nobody recorded when it was started again.
    assert poller.last("turnaround_seconds") == []


def test_a_restart_that_was_seen_open_is_a_run_whatever_its_result() -> None:
    theeye = FakeTheEye()
    theeye.put("a", last_update=minute(2), _type="DummyJob")
    poller = Poller(theeye)
    poller.poll()
    theeye.put("a", lifecycle="ready")
    poller.poll()
    theeye.put("a", lifecycle="finished", last_update=minute(9))
    assert poller.last("finish_timestamp_seconds") == ["1795352940.0"]
    assert theeye.asked_in_full == []


def test_a_pruned_job_has_outcome_and_turnaround_but_no_duration() -> None:
    theeye = FakeTheEye()
    theeye.put("a")
    poller = Poller(theeye)
    theeye.pruned.add("a")
    assert poller.last("duration_seconds") == []
    assert poller.last("turnaround_seconds") == ["60.0"]
    assert theeye.asked_in_full == ["a"]


def test_a_result_that_cannot_be_fetched_is_tried_three_times_and_costs_nothing_else() -> None:
    theeye = FakeTheEye()
    theeye.put("a", result=result(1))
    theeye.put("b", task_id="t2", result=result(2))
    theeye.failing.add("a")
    poller = Poller(theeye, name_index("t1", "t2"))
    for _ in range(5):
        assert poller.last("duration_seconds") == ["2.0"]
    assert sorted(theeye.asked_in_full) == ["a", "a", "a", "b"]


def test_results_are_fetched_oldest_first_within_the_budget_of_a_cycle() -> None:
    theeye = FakeTheEye()
    tasks = [f"t{number}" for number in range(5)]
    poller = Poller(theeye, name_index(*tasks), per_cycle=2, concurrency=1)
    theeye.put("first", task_id="other", last_update=minute(1))
    poller.poll()
    theeye.asked_in_full.clear()
    for number, task in enumerate(tasks):
        theeye.put(f"job-{number}", task_id=task, last_update=minute(number + 2), result=result(number + 1))
    assert [len(poller.last("duration_seconds")) for _ in range(4)] == [2, 4, 5, 5]
    assert theeye.asked_in_full == ["job-0", "job-1", "job-2", "job-3", "job-4"]


def test_a_quarter_of_a_cycle_is_for_runs_from_before_counting_began() -> None:
    theeye = FakeTheEye()
    tasks = [f"t{number}" for number in range(7)]
    for number, task in enumerate(tasks):
        theeye.put(f"old-{number}", task_id=task, last_update=minute(number + 2), result=result(1))
    poller = Poller(theeye, name_index(*tasks), per_cycle=8, concurrency=1)
    assert len(poller.last("duration_seconds")) == 2
    theeye.asked_in_full.clear()
    for number in range(7):
        theeye.put(f"new-{number}", task_id="t6", last_update=minute(number + 20), result=result(1))
    poller.poll()
    assert theeye.asked_in_full == ["new-6", *(f"new-{number}" for number in range(6)), "old-2"]
    assert [len(poller.last("duration_seconds")) for _ in range(3)] == [6, 7, 7]


@pytest.mark.parametrize(
    ("reason", "retry_after", "silent"),
    [(Reason.RATE_LIMITED, 60.0, 60), (Reason.SERVER_ERROR, 30.0, 30), (Reason.RATE_LIMITED, None, 15)],
)
def test_no_results_are_fetched_while_theeye_asks_to_wait_and_none_is_given_up(
    reason: Reason, retry_after: float | None, silent: int
) -> None:
    theeye = FakeTheEye()
    jobs = [f"job-{number}" for number in range(5)]
    for number, job in enumerate(jobs):
        theeye.put(job, task_id=f"t{number}", last_update=minute(number + 2), result=result(number + 1))
    theeye.failing.update(jobs)
    theeye.refusal = UpstreamError(reason, "TheEye answered 429", retry_after=retry_after)
    poller = Poller(theeye, name_index(*(f"t{number}" for number in range(5))), concurrency=1)
    for _ in range(5):
        theeye.asked_in_full.clear()
        poller.poll()
        assert theeye.asked_in_full == ["job-0"]
        for _ in range(silent // 15 - 1):
            assert len(poller.poll()) > 10
            assert theeye.asked_in_full == ["job-0"]
    theeye.failing.clear()
    assert poller.last("duration_seconds") == ["1.0", "2.0", "3.0", "4.0", "5.0"]
    assert poller.dropped == {}


class HangingTheEye(FakeTheEye):
    """Answers no request for a single job in time; the time is over when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal = UpstreamError(Reason.TIMEOUT, "the response was not complete in time")
        self.time_is_over = threading.Event()
        self.time_is_over.set()
        for number in range(6):
            job = f"job-{number}"
            self.put(job, task_id=f"t{number}", last_update=minute(number + 2), result=result(number + 1))
            self.failing.add(job)

    def job(self, job_id: str) -> Job | None:
        try:
            return super().job(job_id)
        finally:
            assert self.time_is_over.wait(DEADLINE)


@pytest.fixture
def wait_for_probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that waits until the last probe has ended, if there was any."""
    probes: list[Future[None]] = []

    class Pool:
        def submit(self, work: Callable[[], None]) -> Future[None]:
            probes.append(helpers.POOL.submit(work))
            return probes[-1]

    def wait() -> None:
        for probe in probes:
            probe.result(DEADLINE)

    monkeypatch.setattr(details, "POOL", Pool())
    return wait


def test_details_that_hang_are_left_to_one_probe_a_poll_which_no_poll_waits_for(
    wait_for_probe: Callable[[], None],
) -> None:
    theeye = HangingTheEye()
    poller = Poller(theeye, name_index(*(f"t{number}" for number in range(6))), per_cycle=12)
    with structlog.testing.capture_logs() as logs:
        poller.poll()
        assert len(theeye.asked_in_full) == 3
        assert poller.dropped == {"unanswered": 6}
        theeye.time_is_over.clear()
        for _ in range(3):  # while the probe waits, nothing else is asked, and polls go on
            assert len(poller.poll()) > 10
            assert poller.dropped == {"unanswered": 6}
        theeye.time_is_over.set()
        for count in range(5, 8):
            wait_for_probe()
            poller.poll()
            wait_for_probe()
            assert len(theeye.asked_in_full) == count
    assert len(set(theeye.asked_in_full[3:6])) == 3  # not always the same one
    (told,) = logs
    assert told["event"] == "requests for single jobs get no answer"
    assert "integration token" in told["advice"]


def test_details_are_fetched_again_once_a_probe_is_answered(wait_for_probe: Callable[[], None]) -> None:
    theeye = HangingTheEye()
    poller = Poller(theeye, name_index(*(f"t{number}" for number in range(6))), per_cycle=12)
    poller.poll()
    theeye.failing.clear()
    poller.poll()
    wait_for_probe()
    assert poller.dropped == {"unanswered": 6}
    with structlog.testing.capture_logs() as logs:
        poller.poll()
        assert poller.last("duration_seconds") == ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]
    assert [told["event"] for told in logs] == ["requests for single jobs are answered again"]
    assert poller.dropped == {}


def test_two_details_that_hang_are_not_enough_and_another_failure_is_no_hang(
    wait_for_probe: Callable[[], None],
) -> None:
    theeye = HangingTheEye()
    poller = Poller(theeye, name_index(*(f"t{number}" for number in range(6))), per_cycle=8, concurrency=1)
    poller.poll()
    theeye.refusal = UpstreamError(Reason.SERVER_ERROR, "TheEye answered 500")
    poller.poll()
    theeye.refusal = UpstreamError(Reason.TIMEOUT, "the response was not complete in time")
    poller.poll()
    poller.poll()
    assert len(theeye.asked_in_full) == 8
    poller.poll()
    wait_for_probe()
    assert len(theeye.asked_in_full) == 9


def test_old_servers_results_in_the_list_are_used_and_nothing_is_fetched() -> None:
    theeye = FakeTheEye()
    theeye.results_in_list = True
    theeye.put("a", result={"code": 0, "times": {"seconds": 0, "nanoseconds": 7156981}})
    poller = Poller(theeye)
    assert poller.last("duration_seconds") == ["0.007156981"]
    assert poller.last("exit_code") == ["0"]
    assert theeye.asked_in_full == []


@pytest.mark.parametrize("kind", ["ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob"])
def test_jobs_without_run_times_are_not_fetched(kind: str) -> None:
    theeye = FakeTheEye()
    theeye.put("a", _type=kind)
    assert Poller(theeye).last("turnaround_seconds") == ["60.0"]
    assert theeye.asked_in_full == []


def test_impossible_durations_are_dropped_and_counted() -> None:
    theeye = FakeTheEye()
    theeye.put("a", creation_date=minute(5), last_update=minute(2), result=result(-1))
    poller = Poller(theeye)
    found = poller.poll()
    assert not [line for line in found if "last_duration" in line or "last_turnaround" in line]
    assert poller.dropped == {"impossible": 2}


def test_a_deleted_task_takes_its_series_with_it_and_a_new_one_waits_for_its_name() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1")
    theeye.put("a", result=result(1))
    theeye.put("b", task_id="t2", result=result(2))
    theeye.put("c", task_id="t2", lifecycle="ready")
    poller = Poller(theeye, tasks)
    assert poller.last("duration_seconds") == ["1.0"]
    tasks.update({"t2": Entry(labels=("new", "bot-2"))})
    found = poller.poll()
    gauges = [line for line in found if "task_id" in line and "_total{" not in line]
    assert {line.partition("task_id=")[2][:4] for line in gauges} == {'"t2"'}
    assert [line for line in found if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t2",task="new",hostname="bot-2"} 2.0'
    ]


def test_runs_are_counted_from_zero_once_each() -> None:
    theeye = FakeTheEye()
    theeye.put("before", result=result(1))
    poller = Poller(theeye)
    zeros = [line for line in poller.poll() if line.startswith("theeye_job_runs_total")]
    assert len(zeros) == len(Outcome)
    assert all(line.endswith(" 0") for line in zeros)
    assert poller.histograms["theeye_job_duration_seconds"] == [(LABELS, (0, 0, 0), 0.0)]
    theeye.put("a", last_update=minute(3), result=result(0.5))
    theeye.put("b", last_update=minute(3), result=result(30), state="failure")
    for _ in range(3):
        assert poller.runs() == {"success": 1, "failure": 1}
    assert poller.histograms["theeye_job_duration_seconds"] == [(LABELS, (1, 1, 0), 30.5)]


def test_a_task_without_jobs_has_its_zeros() -> None:
    assert len([line for line in Poller(FakeTheEye()).poll() if line.startswith("theeye_job_runs_total")]) == 6


def test_a_deleted_tasks_counters_stay_for_the_grace_period() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1", "t2")
    poller = Poller(theeye, tasks)
    theeye.date = timestamp(minute(1))
    poller.poll()
    theeye.put("a", last_update=minute(3), result=result(1))
    assert poller.runs() == {"success": 1}
    tasks.update({"t2": Entry(labels=("other", "bot-1"))})
    assert poller.runs() == {"success": 1}
    assert poller.last("finish_timestamp_seconds") == []
    tasks.update({"t2": Entry(labels=("other", "bot-1"))})
    poller.now += 500
    assert poller.runs() == {"success": 1}
    poller.now += 100
    poller.poll()
    assert not [line for line in poller.poll() if '"t1"' in line]


@pytest.mark.parametrize("had_one", [True, False])
def test_counters_are_not_forgotten_while_the_list_of_tasks_fails(had_one: bool) -> None:
    theeye = FakeTheEye()
    tasks = name_index("t1") if had_one else NameIndex(expected=True)
    for _ in range(3):
        tasks.fail()
    poller = Poller(theeye, tasks)
    theeye.put("other", task_id="t2")
    poller.poll()
    theeye.put("a", last_update=minute(3), result=result(1))
    assert poller.runs() == {"success": 1}
    del theeye.jobs_by_id["a"]
    theeye.put("other", last_update=minute(40))
    poller.poll(after=3600)
    assert poller.collector._ledger.known_jobs == 1
    assert poller.runs() == {"success": 1}
    tasks.update({"t1": Entry(labels=("backup", "bot-1"))})
    assert poller.runs() == {"success": 1}


def test_runs_of_workflows_and_of_bots_updates_have_their_own_counters() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    poller.workflows.update({"w1": Entry(labels=("ETL",))})
    theeye.date = timestamp(minute(1))
    poller.poll()
    theeye.put("w", _type="WorkflowJob", task_id=None, workflow_id="w1", state="failure", last_update=minute(3))
    theeye.put("u", _type="AgentUpdateJob", task_id=None, last_update=minute(3))
    theeye.put("x", _type="Surprise", task_id=None, last_update=minute(3))
    workflow = 'organization="demo",workflow_id="w1",workflow="ETL"'
    found = poller.poll()
    assert len([line for line in found if line.startswith("theeye_other_job_runs_total")]) == 12
    assert [line for line in found if "task_id" not in line and not line.endswith(" 0")] == [
        'theeye_other_job_runs_total{organization="demo",job_type="AgentUpdateJob",outcome="success"} 1',
        'theeye_other_job_runs_total{organization="demo",job_type="other",outcome="success"} 1',
        f"theeye_workflow_consecutive_failures{{{workflow}}} 1",
        f"theeye_workflow_last_finish_timestamp_seconds{{{workflow}}} 1795352580.0",
        f'theeye_workflow_last_outcome{{{workflow},outcome="failure"}} 1',
        f"theeye_workflow_last_turnaround_seconds{{{workflow}}} 120.0",
        f'theeye_workflow_runs_total{{{workflow},outcome="failure"}} 1',
    ]
    assert theeye.asked_in_full == []


def unseen(poller: "Poller", tasks: NameIndex, executions: int) -> str:
    """List tasks, and poll until that list is looked at; returns the runs that nobody saw."""
    for _ in range(2):  # the first one may have been asked for long ago
        tasks.update({"t1": Entry(labels=("backup", "bot-1"), executions=executions)})
    poller.poll()
    (line,) = [line for line in poller.poll() if line.startswith("theeye_task_unseen_runs_total")]
    return line.rpartition(" ")[2]


def test_runs_that_theeye_counted_and_nobody_saw_are_counted() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1")
    theeye.put("before", last_update=minute(1))
    poller = Poller(theeye, tasks)
    poller.poll()
    assert unseen(poller, tasks, 500) == "0"
    theeye.put("a", last_update=minute(3))
    assert unseen(poller, tasks, 501) == "0"
    assert unseen(poller, tasks, 504) == "3"
    theeye.put("b", last_update=minute(4))
    theeye.put("c", last_update=minute(4))
    assert unseen(poller, tasks, 504) == "3"  # never less
    assert unseen(poller, tasks, 510) == "7"
    assert unseen(poller, tasks, 2) == "7"


def test_a_job_created_before_the_first_poll_is_not_unseen() -> None:
    theeye, tasks = FakeTheEye(), name_index()
    tasks.update({"t1": Entry(labels=("backup", "bot-1"), executions=5)})
    theeye.put("a", lifecycle="ready", last_update=minute(3))  # after the list of tasks
    poller = Poller(theeye, tasks)
    poller.poll()
    theeye.put("a", lifecycle="finished", last_update=minute(4))
    assert unseen(poller, tasks, 6) == "0"
    assert unseen(poller, tasks, 6) == "0"
    assert poller.runs() == {"success": 1}
    assert unseen(poller, tasks, 8) == "2"


def test_a_job_that_is_listed_later_than_its_execution_is_not_unseen() -> None:
    theeye, tasks = FakeTheEye(), name_index()
    theeye.put("before", last_update=minute(1))
    poller = Poller(theeye, tasks)
    poller.poll()
    assert unseen(poller, tasks, 5) == "0"
    tasks.update({"t1": Entry(labels=("backup", "bot-1"), executions=6)})
    poller.poll()
    theeye.put("late", last_update=minute(3))
    assert unseen(poller, tasks, 6) == "0"
    assert poller.runs() == {"success": 1}


def test_jobs_of_a_task_that_was_hidden_are_not_unseen() -> None:
    theeye, tasks = FakeTheEye(), name_index()
    theeye.put("before", last_update=minute(1))
    poller = Poller(theeye, tasks)
    poller.poll()
    assert unseen(poller, tasks, 5) == "0"
    tasks.update({})
    poller.poll(after=3600)
    theeye.put("hidden", last_update=minute(3))
    hidden = theeye.jobs_by_id.pop("hidden")
    theeye.put("other", task_id="t2", last_update=minute(9))
    poller.poll()
    assert unseen(poller, tasks, 6) == "0"  # the job is back too, but no change of the last minute
    theeye.jobs_by_id["hidden"] = hidden
    poller.poll(after=3600)
    assert unseen(poller, tasks, 6) == "0"
    assert poller.runs() == {"success": 1}
    assert unseen(poller, tasks, 8) == "2"


def test_unknown_states_are_cut_and_limited_and_logged_rarely() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    with structlog.testing.capture_logs() as logged:
        for poll in range(30):
            for number in range(50):
                theeye.put(f"j{number}", state=f"{poll} {number} " + "x" * 100_000, last_update=minute(poll + 2))
            poller.poll()
            remembered = poller.collector._unknown
            assert len(remembered) <= 10
            assert all(len(part) <= 64 for pair in remembered for part in pair)
    told = [entry for entry in logged if entry["event"] == "unknown outcome; the run is counted as unknown"]
    assert 10 <= len(told) <= 13
    assert all(len(entry["state"]) <= 64 for entry in told)
    assert told[-1]["suppressed"] > 100


def test_names_are_kept_as_far_as_they_are_shown() -> None:
    theeye = FakeTheEye()
    theeye.put("a", lifecycle="ready", last_update=minute(1))
    poller = Poller(theeye)
    poller.poll()
    theeye.put("b", name="n" * 100_000, last_update=minute(3))
    theeye.put("c", name="n" * 100_000, lifecycle="ready", last_update=minute(3))
    poller.poll()
    state = poller.ledger._state
    assert {len(job.name) for job in state.jobs.values()} <= {6, 512}
    assert [len(totals.last.name) for totals in state.totals.values() if totals.last] == [512]
    assert {len(name) for name in poller.memory.open_jobs._names.values()} <= {6, 512}


def test_open_jobs_of_tasks_that_nobody_lists_are_forgotten_with_their_tasks() -> None:
    theeye, tasks = FakeTheEye(), NameIndex(expected=False)
    theeye.put("there", last_update=minute(1))
    poller = Poller(theeye, tasks)
    for number in range(20):
        theeye.put("open", task_id=f"t{number}", lifecycle="ready", last_update=minute(number + 2))
        poller.poll(after=3600)
        del theeye.jobs_by_id["open"]
        poller.poll(after=3600)
        poller.poll(after=3600)
    assert len(list(poller.memory.open_jobs.run_keys)) <= 1


def _answer(listing: Listing[Job], _since: float | None = None) -> Listing[Job]:
    return listing


def test_a_poll_that_did_not_see_everything_makes_no_run_unseen() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1")
    theeye.put("before", last_update=minute(1))
    poller = Poller(theeye, tasks)
    jobs = theeye.jobs

    poller.poll()
    assert unseen(poller, tasks, 5) == "0"
    assert unseen(poller, tasks, 5) == "0"
    theeye.put("a", last_update=minute(3))
    nothing: Listing[Job] = Listing([])
    for broken in (nothing, Listing(jobs().items[:1], Counter(malformed=1))):
        theeye.jobs = partial(_answer, broken)  # type: ignore[method-assign] # a broken answer
        assert unseen(poller, tasks, 6) == "0"
    theeye.jobs = jobs  # type: ignore[method-assign] # mended
    assert unseen(poller, tasks, 6) == "0"
    assert unseen(poller, tasks, 7) == "1"


def test_all_jobs_are_listed_again_after_a_while_and_deleted_ones_forgotten() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    asked: list[float | None] = []
    jobs = theeye.jobs

    def listed(since: float | None = None) -> Listing[Job]:
        asked.append(since)
        return jobs(since)

    theeye.jobs = listed  # type: ignore[method-assign] # to see what is asked
    theeye.open_jobs = lambda: Listing([])  # type: ignore[method-assign] # none of them is open
    theeye.put("a", result=result(1))
    theeye.put("b", result=result(1))
    poller.poll()
    poller.poll()
    del theeye.jobs_by_id["a"]
    theeye.put("b", last_update=minute(30))
    poller.poll(after=3600)
    assert [since is None for since in asked] == [True, False, True]
    assert poller.collector._ledger.known_jobs == 1


def test_the_time_for_a_list_of_all_jobs_does_not_count_as_repeated() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    jobs = theeye.jobs

    def slow(since: float | None = None) -> Listing[Job]:
        poller.now += 2 if since else 25
        return jobs(since)

    theeye.jobs = slow  # type: ignore[method-assign] # takes time
    theeye.put("a", result=result(1))
    assert [poller.collector.collect(theeye, NOW).unrepeated for _ in range(2)] == [25, 0]
    poller.now += 3600
    assert poller.collector.collect(theeye, NOW).unrepeated == 25


def test_an_unknown_outcome_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    theeye.date = timestamp(minute(1))
    poller.poll()
    theeye.put("a", state="melted", last_update=minute(3))
    theeye.put("b", state="melted", last_update=minute(4))
    assert poller.runs() == {"unknown": 2}
    assert capsys.readouterr().out.count("melted") == 1


def test_a_renamed_task_keeps_its_runs() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1")
    theeye.put("a", result=result(1))
    poller = Poller(theeye, tasks)
    poller.poll()
    tasks.update({"t1": Entry(labels=("renamed", "bot-9"))})
    assert [line for line in poller.poll() if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t1",task="renamed",hostname="bot-9"} 1.0'
    ]


def test_without_a_list_of_tasks_jobs_name_themselves() -> None:
    theeye = FakeTheEye()
    theeye.put("a", result=result(1))
    poller = Poller(theeye, NameIndex(expected=False))
    assert [line for line in poller.poll() if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t1",task="backup",hostname=""} 1.0'
    ]


def test_without_a_list_of_tasks_an_open_job_keeps_naming_its_task() -> None:
    theeye = FakeTheEye()
    theeye.date = timestamp(minute(1))
    poller = Poller(theeye, NameIndex(expected=False))
    poller.poll()
    theeye.put("a", lifecycle="ready", state="in_progress", last_update=minute(3))
    tasks = [line for line in poller.poll() if 'task_id="t1"' in line]
    assert 'theeye_task_jobs{organization="demo",task_id="t1",task="backup",hostname="",lifecycle="ready"} 1' in tasks
    theeye.put("a", lifecycle="finished", state="success", last_update=minute(4))
    tasks += [line for line in poller.poll() if 'task_id="t1"' in line]
    assert 'theeye_task_jobs{organization="demo",task_id="t1",task="backup",hostname="",lifecycle="ready"} 0' in tasks
    assert len([line for line in tasks if line.startswith("theeye_job_runs_total")]) == 12
    assert [line for line in tasks if 'task="backup"' not in line] == []


def test_a_deleted_task_is_forgotten_even_if_it_never_had_a_job() -> None:
    theeye, tasks = FakeTheEye(), name_index("t1", "t2")
    poller = Poller(theeye, tasks)
    poller.poll()
    for _ in range(4):
        tasks.update({"t1": Entry(labels=("backup", "bot-1"))})
        poller.poll(after=400)
    assert (poller.memory.unlisted.entries, poller.memory.unlisted.since) == ({}, {})


@pytest.mark.parametrize(
    ("lifecycle", "state", "outcome"),
    [
        ("finished", "success", Outcome.SUCCESS),
        ("finished", "normal", Outcome.SUCCESS),
        ("finished", "failure", Outcome.FAILURE),
        ("terminated", "timeout", Outcome.TIMEOUT),
        ("terminated", "canceled", Outcome.CANCELED),
        ("canceled", "canceled", Outcome.CANCELED),
        ("terminated", "error", Outcome.ERROR),
        ("finished", "", Outcome.UNKNOWN),
        ("expired", "in_progress", Outcome.UNKNOWN),
    ],
)
def test_outcomes(lifecycle: str, state: str, outcome: Outcome) -> None:
    assert outcome_of(lifecycle, state) is outcome


def test_no_lifecycle_is_both_open_and_ended() -> None:
    assert not set(OPEN_LIFECYCLES) & set(ENDED_LIFECYCLES)


def test_a_trigger_without_a_job_is_shown_until_a_job_is_created() -> None:
    theeye, index = FakeTheEye(), name_index()
    theeye.put("job-1")
    poller = Poller(theeye, index)

    def missed(second: float, triggered: float | None, executions: int | None = 5) -> list[str]:
        theeye.date = NOW + second
        entry = Entry(labels=("backup", "bot-1"), executions=executions, triggered=triggered)
        index.update({"t1": entry}, theeye.date)
        return [line for line in poller.poll() if "missed_trigger" in line]

    shown = f"theeye_task_missed_trigger_timestamp_seconds{{{LABELS}}} {NOW + 10}"
    assert missed(0, NOW - 600) == []
    assert missed(11, NOW + 10) == []
    assert missed(70, NOW + 70) == [shown]
    assert missed(130, NOW + 130) == [shown]
    assert missed(131, NOW + 130, executions=6) == []
    assert missed(190, NOW + 190, executions=None) == []


def test_failures_in_a_row_are_shown_with_the_last_run() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)

    def failures() -> list[str]:
        return [line for line in poller.poll() if "consecutive_failures" in line]

    assert failures() == []
    theeye.put("job-1", state="failure", last_update=minute(57))
    assert failures() == [f"theeye_job_consecutive_failures{{{LABELS}}} 1"]
    theeye.put("job-2", state="timeout", lifecycle="terminated", last_update=minute(58))
    assert failures() == [f"theeye_job_consecutive_failures{{{LABELS}}} 2"]
    theeye.put("job-3", last_update=minute(59))
    assert failures() == [f"theeye_job_consecutive_failures{{{LABELS}}} 0"]
