"""Jobs in, expected lines out, over several polls."""

from typing import Any

import msgspec
import pytest

from samples import lines
from theeye_exporter.collectors.jobs import DetailBudget, JobsCollector
from theeye_exporter.collectors.tasks import TaskDirectory
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.models import Job, Task, text, timestamp

LABELS = 'organization="demo",task_id="t1",task="backup",hostname="bot-1"'


def minute(number: float) -> str:
    return f"2026-11-22T13:{int(number):02}:{round(number % 1 * 60):02}.000Z"


class FakeTheEye(TheEyeClient):
    """Holds jobs as TheEye does: results only in full ones."""

    def __init__(self) -> None:
        self.jobs_by_id: dict[str, dict[str, Any]] = {}
        self.asked_in_full: list[str] = []
        self.failing: set[str] = set()
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
            raise UpstreamError(Reason.SERVER_ERROR, "TheEye answered 500")
        found = None if job_id in self.pruned else self.jobs_by_id.get(job_id)
        return None if found is None else msgspec.convert(found, Job)


def result(seconds: float, code: int | None = 0) -> dict[str, Any]:
    return {"code": code, "times": {"seconds": int(seconds), "nanoseconds": round(seconds % 1 * 10**9)}}


def directory(*task_ids: str) -> TaskDirectory:
    made = TaskDirectory(expected=True)
    made.update([Task(id=task_id, name="backup", hostname="bot-1") for task_id in task_ids or ("t1",)])
    return made


class Poller:
    """A collector and what it last showed."""

    def __init__(self, theeye: FakeTheEye, tasks: TaskDirectory | None = None, **budget: int) -> None:
        limits = {"per_cycle": 200, "concurrency": 2} | budget
        self.theeye = theeye
        self.dropped: dict[str, int] = {}
        self.collector = JobsCollector("demo", tasks or directory(), DetailBudget(**limits, seconds=20))

    def poll(self) -> list[str]:
        collection = self.collector.collect(self.theeye, 0)
        self.dropped = dict(collection.dropped)
        return lines(collection.samples)

    def last(self, name: str) -> list[str]:
        """Poll and return the values of one family."""
        return [line.rpartition(" ")[2] for line in self.poll() if line.startswith(f"theeye_job_last_{name}{{")]


def test_a_run_from_waiting_to_its_end() -> None:
    theeye = FakeTheEye()
    poller = Poller(theeye)
    theeye.put("a", lifecycle="ready", state="in_progress", creation_date=minute(1), last_update=minute(1))
    assert [line for line in poller.poll() if not line.startswith("theeye_jobs")] == [
        f'theeye_task_jobs{{{LABELS},lifecycle="ready"}} 1',
        f"theeye_task_oldest_open_job_timestamp_seconds{{{LABELS}}} 1795352460.0",
    ]
    theeye.put("a", lifecycle="finished", state="failure", last_update=minute(3), result=result(90.5, 3))
    assert [line for line in poller.poll() if not line.endswith(" 0")] == [
        f"theeye_job_last_duration_seconds{{{LABELS}}} 90.5",
        f"theeye_job_last_exit_code{{{LABELS}}} 3",
        f"theeye_job_last_finish_timestamp_seconds{{{LABELS}}} 1795352580.0",
        f'theeye_job_last_outcome{{{LABELS},outcome="failure"}} 1',
        f"theeye_job_last_turnaround_seconds{{{LABELS}}} 120.0",
    ]
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
    poller = Poller(theeye)
    poller.poll()
    theeye.date = timestamp(minute(4))
    theeye.put("a", last_update=minute(3), result=result(1))
    assert poller.last("duration_seconds") == ["1.0"]


def test_an_edit_of_a_finished_job_is_no_run() -> None:
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
    poller = Poller(theeye, directory("t1", "t2"))
    for _ in range(5):
        assert poller.last("duration_seconds") == ["2.0"]
    assert sorted(theeye.asked_in_full) == ["a", "a", "a", "b"]


def test_results_are_fetched_newest_first_within_the_budget_of_a_cycle() -> None:
    theeye = FakeTheEye()
    tasks = [f"t{number}" for number in range(5)]
    for number, task in enumerate(tasks):
        theeye.put(f"job-{number}", task_id=task, last_update=minute(number + 2), result=result(number + 1))
    poller = Poller(theeye, directory(*tasks), per_cycle=2, concurrency=1)
    assert [len(poller.last("duration_seconds")) for _ in range(4)] == [2, 4, 5, 5]
    assert theeye.asked_in_full == ["job-4", "job-3", "job-2", "job-1", "job-0"]


def test_old_servers_results_in_the_list_are_used_and_nothing_is_fetched() -> None:
    theeye = FakeTheEye()
    theeye.results_in_list = True
    theeye.put("a", result={"code": 0, "times": {"seconds": 0, "nanoseconds": 7156981}})
    poller = Poller(theeye)
    assert poller.last("duration_seconds") == ["0.007156981"]
    assert poller.last("exit_code") == ["0"]
    assert theeye.asked_in_full == []


@pytest.mark.parametrize("kind", ["ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob"])
def test_jobs_without_run_times_are_not_asked_for(kind: str) -> None:
    theeye = FakeTheEye()
    theeye.put("a", _type=kind)
    assert Poller(theeye).last("turnaround_seconds") == ["60.0"]
    assert theeye.asked_in_full == []


def test_impossible_durations_are_dropped_and_counted() -> None:
    theeye = FakeTheEye()
    theeye.put("a", creation_date=minute(5), last_update=minute(2), result=result(-1))
    poller = Poller(theeye)
    found = poller.poll()
    assert not [line for line in found if "duration" in line or "turnaround" in line]
    assert poller.dropped == {"impossible": 2}


def test_a_deleted_task_takes_its_series_with_it_and_a_new_one_waits_for_its_name() -> None:
    theeye, tasks = FakeTheEye(), directory("t1")
    theeye.put("a", result=result(1))
    theeye.put("b", task_id="t2", result=result(2))
    theeye.put("c", task_id="t2", lifecycle="ready")
    poller = Poller(theeye, tasks)
    assert poller.last("duration_seconds") == ["1.0"]
    tasks.update([Task(id="t2", name="new", hostname="bot-2")])
    found = poller.poll()
    assert {line.partition("task_id=")[2][:4] for line in found if "task_id" in line} == {'"t2"'}
    assert [line for line in found if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t2",task="new",hostname="bot-2"} 2.0'
    ]


def test_a_renamed_task_keeps_its_runs() -> None:
    theeye, tasks = FakeTheEye(), directory("t1")
    theeye.put("a", result=result(1))
    poller = Poller(theeye, tasks)
    poller.poll()
    tasks.update([Task(id="t1", name="renamed", hostname="bot-9")])
    assert [line for line in poller.poll() if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t1",task="renamed",hostname="bot-9"} 1.0'
    ]


def test_without_a_list_of_tasks_jobs_name_themselves() -> None:
    theeye = FakeTheEye()
    theeye.put("a", result=result(1))
    poller = Poller(theeye, TaskDirectory(expected=False))
    assert [line for line in poller.poll() if "duration" in line] == [
        'theeye_job_last_duration_seconds{organization="demo",task_id="t1",task="backup",hostname=""} 1.0'
    ]


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
