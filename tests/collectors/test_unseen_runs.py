"""Tests that `theeye_task_unseen_runs_total` is a lower bound, whatever happens between polls."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contexts import context_of
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.jobs import KIND, JobsCollector
from theeye_exporter.collectors.jobs.families import TASK_UNSEEN_RUNS
from theeye_exporter.collectors.name_index import Entry, NameIndex
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES
from theeye_exporter.theeye.models import Job, Task

BEGIN: Final = 1_795_352_400.0
KEPT: Final = 5
BOUNDS: Final = Bounds((1.0,), (1.0,), (1.0,))
TASKS: Final = st.sampled_from(("t0", "t1", "t2"))
CYCLES: Final = st.integers(0, 3)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Server(TheEyeClient):
    """A TheEye that deletes old jobs, counts executions incorrectly, and hides tasks.

    Attributes:
        seen: jobs that it has shown after their end.
        created: the tasks of all jobs that there ever were, by job.
        requested_since: what was requested of the list of jobs; None for all jobs.
    """

    def __init__(self) -> None:
        self.now = BEGIN
        self.world_tasks: dict[str, dict[str, Any]] = {}
        self.jobs_by_id: dict[str, dict[str, Any]] = {}
        self.late: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.seen: set[str] = set()
        self.created: dict[str, str] = {}
        self.requested_since: list[float | None] = []

    def create(self, task_id: str, *, counted: bool, late: bool, built: bool) -> None:
        at = iso(self.now)
        job = {"id": f"j{len(self.created)}", "_type": "ScriptJob", "task_id": task_id, "creation_date": at}
        state = ("ready", "in_progress") if built else ("terminated", "error")
        job |= {"last_update": at, "lifecycle": state[0], "state": state[1]}
        self.created[job["id"]] = task_id
        self.world_tasks[task_id]["execution_count"] += counted and built
        (self.late if late else self.jobs_by_id)[job["id"]] = job
        ended = [j for j in self.jobs_by_id.values() if j["task_id"] == task_id and j["lifecycle"] in ENDED_LIFECYCLES]
        for old in sorted(ended, key=lambda j: j["last_update"])[:-KEPT]:
            del self.jobs_by_id[old["id"]]

    def listed_tasks(self) -> Listing[Task]:
        shown = [task for task in self.world_tasks.values() if task["id"] not in self.hidden]
        return Listing([msgspec.convert(task, Task) for task in shown], date=self.now)

    def jobs(self, since: float | None = None) -> Listing[Job]:
        self.requested_since.append(since)
        shown = [j for j in self.jobs_by_id.values() if (timestamp(j["last_update"]) or 0) >= (since or 0)]
        shown = [job for job in shown if job["task_id"] not in self.hidden]
        self.seen |= {job["id"] for job in shown if job["lifecycle"] in ENDED_LIFECYCLES}
        return Listing([msgspec.convert(job, Job) for job in shown], date=self.now)

    def open_jobs(self) -> Listing[Job]:
        return Listing([job for job in self.jobs(0.0).items if text(job.lifecycle) in OPEN_LIFECYCLES])

    def job(self, job_id: str) -> Job | None:
        job = self.jobs_by_id.get(job_id)
        if job is not None and job["lifecycle"] in ENDED_LIFECYCLES:
            self.seen.add(job_id)
        return None if job is None else msgspec.convert(job, Job)

    def lost(self, task_id: str) -> int:
        """Return the number of jobs of the task that could not be counted."""
        there = {job_id for job_id in {**self.jobs_by_id, **self.late} if task_id not in self.hidden}
        return sum(owner == task_id for job_id, owner in self.created.items() if job_id not in self.seen | there)


class UnseenRuns(RuleBasedStateMachine):
    """Creates, runs and deletes jobs while the exporter polls from time to time."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.ledger = RunLedger("demo", None, BOUNDS)
        self.monotonic = 0.0
        self.unseen: dict[str, float] = {}
        self.start_exporter()

    @initialize(executions=st.integers(0, 3), jobs=st.integers(1, 3))
    def begin(self, executions: int, jobs: int) -> None:
        for task_id in ("t0", "t1"):
            self.server.world_tasks[task_id] = {
                "id": task_id,
                "execution_count": executions,
                "creation_date": iso(BEGIN - 9),
            }
        for _ in range(jobs):
            self.server.create("t0", counted=True, late=False, built=True)

    @rule()
    def start_exporter(self) -> None:
        """Start it, as with a state file."""
        self.index = NameIndex(expected=True)
        self.collector = JobsCollector(
            context_of(
                KIND,
                settings={"detail_concurrency": 1, "full_list_interval": 600},
                clocks=Clocks(monotonic=lambda: self.monotonic),
                names={"tasks": self.index, "workflows": NameIndex(expected=False)},
                ledger=self.ledger,
            )
        )

    @rule(seconds=st.sampled_from((15, 60, 700)), cycles=CYCLES)
    def wait(self, seconds: float, cycles: int) -> None:
        self.server.now += seconds
        self.monotonic += seconds
        self.cycle(cycles)

    @precondition(lambda self: "t2" not in self.server.world_tasks)
    @rule()
    def create_task(self) -> None:
        self.server.world_tasks["t2"] = {"id": "t2", "execution_count": 0, "creation_date": iso(self.server.now)}

    @rule(
        task_id=TASKS,
        burst=st.integers(1, 12),
        counted=st.sampled_from((True, True, False)),
        late=st.sampled_from((False, False, True)),
        built=st.sampled_from((True, True, True, False)),
        runs=st.booleans(),
        cycles=CYCLES,
    )
    def run_jobs(
        self, task_id: str, *, burst: int, counted: bool, late: bool, built: bool, runs: bool, cycles: int
    ) -> None:
        if task_id not in self.server.world_tasks:
            return
        for number in range(burst):
            self.server.now += 0.01
            self.server.create(task_id, counted=counted or number == 0, late=late and number == burst - 1, built=built)
            if runs:
                self.end_jobs()
        self.cycle(cycles)

    @rule()
    def end_jobs(self) -> None:
        for job in self.server.jobs_by_id.values():
            if job["lifecycle"] in OPEN_LIFECYCLES:
                job |= {"lifecycle": "finished", "state": "success", "last_update": iso(self.server.now)}

    @rule()
    def restart_jobs(self) -> None:
        for job in self.server.jobs_by_id.values():
            job |= {"lifecycle": "ready", "state": "in_progress", "last_update": iso(self.server.now)}

    @rule(task_id=TASKS, cycles=CYCLES)
    def hide_or_show(self, task_id: str, cycles: int) -> None:
        self.server.hidden ^= {task_id}
        self.cycle(cycles)

    def cycle(self, times: int) -> None:
        for _ in range(times):
            self.list_tasks(polled_meanwhile=False, born_meanwhile=False)
            self.poll()
            self.never_above_the_truth()

    @rule(polled_meanwhile=st.booleans(), born_meanwhile=st.booleans())
    def list_tasks(self, *, polled_meanwhile: bool, born_meanwhile: bool) -> None:
        listing = self.server.listed_tasks()
        if born_meanwhile and "t0" in self.server.world_tasks:
            self.server.create("t0", counted=True, late=False, built=True)
        if polled_meanwhile:
            self.poll()
        if listing.items:
            entries = {
                task.id: Entry(("", ""), task.execution_count, timestamp(task.creation_date)) for task in listing.items
            }
            self.index.update(entries, listing.date)

    @rule()
    def poll(self) -> None:
        self.index.fail()  # so that nobody waits for the first list
        self.monotonic += 0.01
        if self.ledger.cursor is None:
            self.server.seen |= self.server.created.keys()  # what was there before counting began is not missed
        samples = self.collector.collect(self.server, self.server.now).samples
        # A job that is listed late is there by the next poll.
        self.server.jobs_by_id |= self.server.late
        self.server.late.clear()
        self.unseen = dict(samples[TASK_UNSEEN_RUNS])

    @invariant()
    def never_above_the_truth(self) -> None:
        for labels, value in self.unseen.items():
            task_id = labels.partition('task_id="')[2].partition('"')[0]
            assert value <= self.server.lost(task_id), labels


UnseenRuns.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestUnseenRuns = UnseenRuns.TestCase


def test_runs_are_found_soon_if_tasks_are_first_listed_after_the_jobs() -> None:
    play = UnseenRuns()
    play.begin(executions=0, jobs=1)
    play.cycle(4)
    play.start_exporter()
    play.index.fail()
    play.poll()
    play.run_jobs("t0", burst=3 * KEPT, counted=True, late=False, built=True, runs=True, cycles=4)
    assert sum(play.unseen.values()) == play.server.lost("t0") > KEPT


def test_all_jobs_are_not_listed_again_and_again_while_tasks_are_not() -> None:
    play = UnseenRuns()
    play.begin(executions=0, jobs=1)
    play.cycle(4)
    play.start_exporter()
    play.server.requested_since.clear()
    for _ in range(20):
        play.wait(15, 0)
        play.poll()
    assert play.server.requested_since.count(None) == 1
    play.cycle(20)
    assert play.server.requested_since.count(None) == 2
