"""Every finished run is counted exactly once: through faults, clock steps, restarts, edits, pruning and `kill -9`.

A simulated TheEye whose jobs only a seeded generator moves knows what really happened; the exporter, a process that is
killed again and again, has to say the same in the end, and never more on the way.

What TheEye's API leaves undecidable does not happen here (see `Generator`):

- a further run that ends as the one before, and whose result cannot be told from that one's, because there is none
  (dummies, scrapers, cancelled jobs) or because it was overwritten before anybody read it. Such a run has to be seen
  open in between;
- the same if a successful poll could not see the job, because TheEye answered with an empty list, or with objects that cannot be
  read;
- runs of a job that nobody saw before TheEye deleted it, except in the tasks of bursts, where they are to be estimated;
- jobs that go with their task;
- what ended before the first poll, which is no more than the baseline;
- a clock that is set back and forth again before TheEye was asked once.
"""

import os
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, Literal

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.faults import Fault, parse_fault
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.server import RequestRecord
from theeye_exporter.demo.tasks import KEPT_JOBS, Task
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.world import World

pytestmark = pytest.mark.e2e

PLAYS: Final = int(os.environ.get("RUN_PLAYS", "1"))
KILLS: Final = int(os.environ.get("RUN_KILLS", "28"))
"""Kills in each play."""
SEED: Final = int(os.environ.get("RUN_SEED", "7"))
RUNS_BEFORE_A_KILL: Final = 430

Run = tuple[str, int]
"""A job's id and how many times it was started."""

Values = dict[tuple[str, ...], float]
"""Samples by name, what they count (id of task or workflow, type of job, collector) and outcome or bucket."""

RUNS: Final = ("theeye_job_runs_total", "theeye_workflow_runs_total", "theeye_other_job_runs_total")
COUNTERS: Final = (
    *RUNS,
    "theeye_task_unseen_runs_total",
    "theeye_job_duration_seconds",
    "theeye_job_turnaround_seconds",
)
LAST_SUCCESS: Final = "theeye_collector_last_success_timestamp_seconds"
TIMED: Final = frozenset({"script", "nodejs"})
STATES: Final = ("success", "success", "success", "failure", "timeout", "error", "canceled", "an end of the future")

LIST_FAULTS: Final = (
    ("jobs:error=500,p=0.7", "tasks:drop"),
    ("jobs:error=429,retry-after=1,p=0.5",),
    ("jobs:drop,p=0.6", "workflows:error=503"),
    ("jobs:truncate,p=0.5", "tasks:truncate,p=0.5"),
    ("latency=40ms",),
    ("jobs:latency=700ms",),
    ("jobs:malformed,p=0.5",),
    ("jobs:empty,p=0.5", "jobs:duplicates,p=0.5"),
    ("tasks:error=500", "workflows:garbage"),
    ("job:latency=60ms", "jobs:garbage,p=0.5"),
)
"""Polls may fail or take long as often as they like."""

HIDING: Final = frozenset({"empty", "malformed"})
"""A poll can succeed, and not have seen a job."""

RESULT_FAULTS: Final = (
    ("job:error=500",),
    ("job:error=500,p=0.3",),
    ("job:drop,p=0.3", "latency=10ms"),
    ("job:truncate,p=0.3",),
    ("job:garbage",),
    ("error=503,p=0.3",),
)
"""A result that cannot be fetched in three polls is given up, so these last for two."""


class Clock:
    """TheEye's clock, which can be set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Requests(deque[RequestRecord]):
    """The log of requests; it also counts them, and can end a fault before a certain request."""

    def __init__(self) -> None:
        super().__init__(maxlen=1)
        self.total = 0
        self._calm_after = 0
        self._calm: Callable[[], None] | None = None

    def append(self, request: RequestRecord) -> None:
        self.total += 1
        if request.kind == "jobs" and "lifecycle" in request.query and self._calm is not None:
            self._calm_after -= 1
            if self._calm_after == 0:
                self._calm()
                self._calm = None
        super().append(request)

    def before_list_of_open_jobs(self, number: int, calm: Callable[[], None]) -> None:
        """Call `calm` when open jobs are listed for the `number`th time from now."""
        self._calm_after, self._calm = number, calm


@dataclass
class Exporter:
    """The exporter as seen from outside, over all its restarts.

    Attributes:
        address: where it listens.
        values: what it said last; nothing while it is away.
        counters: the highest values that its counters had.
        asked_until: everything that had happened by then, in Unix time, is known to the last poll that succeeded.
        read_at: when it was asked last, by the monotonic clock.
    """

    address: str
    values: Values = field(default_factory=dict)
    counters: Values = field(default_factory=dict)
    asked_until: float = 0.0
    read_at: float = 0.0
    _stamps: dict[str, float] = field(default_factory=dict)

    def started(self) -> None:
        """Take note of a new process: all its successful attempts begin after this."""
        self._stamps = dict.fromkeys(("jobs", "tasks", "workflows"), time.time())

    def read(self) -> bool:
        """Read all metrics, unless the exporter is not there; counters must not fall."""
        self.values, self.read_at = {}, time.monotonic()
        try:
            answer = requests.get(
                f"http://{self.address}/metrics",
                headers={"Accept": "application/openmetrics-text;version=1.0.0"},
                timeout=30,
            )
        except requests.ConnectionError:
            return False
        assert answer.status_code == 200
        self.values = values_of(answer.text)
        for key, value in self.values.items():
            if key[0].startswith(COUNTERS):
                assert value >= self.counters.get(key, 0), f"{key} fell from {self.counters[key]} to {value}"
                self.counters[key] = value
        stamp = self.values.get((LAST_SUCCESS, "jobs"), 0.0)
        if stamp > self._stamps["jobs"]:
            # Attempts do not overlap: this one began after the last one that was seen here.
            self.asked_until, self._stamps["jobs"] = self._stamps["jobs"], stamp
        return bool(self.values)

    def wait_for_poll(self, collector: str) -> None:
        """Wait for a successful attempt that begins from now on."""
        for _ in range(2):  # the first one may be under way
            eventually(partial(self._has_polled, collector, time.time()), f"a successful poll of {collector}")

    def _has_polled(self, collector: str, since: float) -> bool:
        return self.read() and self.values.get((LAST_SUCCESS, collector), 0.0) > since

    def runs(self, owner: str) -> int:
        """Runs counted of a task, a workflow or a type of job."""
        return round(sum(value for key, value in self.values.items() if key[0] in RUNS and key[1] == owner))

    def timed(self, owner: str) -> tuple[int, float]:
        """Number and sum of the run times of a task."""
        name = "theeye_job_duration_seconds"
        return round(self.values.get((f"{name}_count", owner), 0)), self.values.get((f"{name}_sum", owner), 0.0)


def values_of(text: str) -> Values:
    """Return the samples of an OpenMetrics page that this test uses."""
    wanted = (*COUNTERS, LAST_SUCCESS, "theeye_ledger_backlog_jobs")
    values: Values = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if sample.name.startswith(wanted) and not sample.name.endswith("_created"):
                names = ("task_id", "workflow_id", "job_type", "collector", "outcome", "le")
                key = (sample.name, *(sample.labels[name] for name in names if name in sample.labels))
                assert key not in values, f"{key} comes twice"
                values[key] = sample.value
    return values


@dataclass
class Unit:
    """A task that the generator controls, and the correct counts of its runs.

    `care` says what may happen to its jobs:

    - careful: they are pruned and restarted after their result was read, so that no run time is lost;
    - hasty: after they were counted;
    - burst: they are pruned before anybody could see them;
    - step: they are steps of a workflow;
    - doomed: they go with their task at some time.
    """

    task: Task
    care: Literal["careful", "hasty", "burst", "step", "doomed"]
    new: list[Run] = field(default_factory=list)
    known: set[Run] = field(default_factory=set)
    unasked: float = 0.0
    """When the last burst or edit was; there is at most one between two polls."""

    @property
    def open_jobs(self) -> list[Job]:
        return [job for job in self.task.jobs if not job.ended]

    @property
    def ended_jobs(self) -> list[Job]:
        return [job for job in self.task.jobs if job.ended]


class Generator:
    """Moves the jobs of a frozen world at random, as far as TheEye's API can tell what happened.

    Args:
        theeye: the server.
        clock: its clock.
        exporter: tells what was counted; what is not must not be overwritten.
        seed: of the generator.
    """

    def __init__(self, theeye: SimulatedTheEye, clock: Clock, exporter: Exporter, seed: int) -> None:
        self.world: World = theeye.world
        self.done: Counter[str] = Counter()
        self._theeye = theeye
        self._clock = clock
        self._exporter = exporter
        self._chance = random.Random(seed)  # noqa: S311 - chance, no secret
        self._requests = Requests()
        theeye.requests = self._requests
        self._durations: set[int] = set()
        self._held: dict[str, float] = {}
        self._before: dict[str, tuple[str | None, bool, bool]] = {}
        self._result_fault = False
        self._next_fault = self._next_step = self._calmed = time.monotonic()
        self._stepped = time.time()
        self._hidden_until = 0.0
        self._workflow: Workflow | None = next(iter(self.world.workflows.values()), None)
        self.units = self._share_out()
        # The past was there when counting began.
        for unit in self.units.values():
            unit.known = {(job.id, job.starts) for job in unit.task.jobs}
        self._known_runs: set[str] = {job.id for job in self._workflow.jobs} if self._workflow else set()
        self._known_updates: set[str] = set()
        self._updates: list[Job] = []

    def _share_out(self) -> dict[str, Unit]:
        tasks = [task for task in self.world.tasks.values() if task.listed]
        units = {task.id: Unit(task, "step") for task in tasks if task.workflow_id is not None}
        scripts = [task for task in tasks if task.type == "script" and task.workflow_id is None]
        self._chance.shuffle(scripts)
        few = max(1, len(scripts) // 12)
        for care in ("burst", "doomed", "hasty", "hasty"):
            units |= {task.id: Unit(task, care) for task in scripts[:few]}
            del scripts[:few]
        return {task.id: units.get(task.id) or Unit(task, "careful") for task in tasks}

    @property
    def requested(self) -> int:
        """How many requests the server got."""
        return self._requests.total

    @property
    def _asked_until(self) -> float:
        """Everything that had happened by then is known to the exporter; 0 if its last poll may have been told less."""
        asked_until = self._exporter.asked_until
        return asked_until if asked_until > self._hidden_until else 0.0

    def has_finished(self, runs: float) -> bool:
        """Whether so many runs ended."""
        return self.done["finished"] >= runs

    # What is known by now.

    def look(self) -> None:
        """Read the exporter's metrics, and find out which runs it has counted; its counts must not be too high."""
        if not self._exporter.read():
            return
        truth = self.world.ended_runs
        for unit in self.units.values():
            runs = self._exporter.runs(unit.task.id)
            assert runs <= truth.runs(unit.task.id), f"{unit.care} task {unit.task.id}: counted twice"
            if unit.new and runs == truth.runs(unit.task.id) and (unit.care == "hasty" or self._is_timed(unit)):
                unit.known.update(unit.new)
                unit.new.clear()
        if self._workflow is not None:
            runs = self._exporter.runs(self._workflow.id)
            assert runs <= truth.runs(self._workflow.id), "a workflow's run is counted twice"
            if runs == truth.runs(self._workflow.id):
                self._known_runs.update(job.id for job in self._workflow.jobs if job.ended)
        runs = self._exporter.runs("AgentUpdateJob")
        assert runs <= truth.runs("AgentUpdateJob"), "an agent's update is counted twice"
        if runs == truth.runs("AgentUpdateJob"):
            self._known_updates.update(job.id for job in self._updates if job.ended)

    def _is_timed(self, unit: Unit) -> bool:
        tallies = [tally for (owner, _), tally in self.world.ended_runs.items() if owner == unit.task.id]
        return self._exporter.timed(unit.task.id)[0] == sum(tally.timed for tally in tallies)

    # What happens.

    def step(self) -> bool:
        """Perform one random event, if it is allowed."""
        chance = self._chance.random()
        if chance < 0.02:
            return self._update_agent()
        if chance < 0.04 and self._workflow is not None:
            return self._run_workflow(self._workflow)
        return self._move(self._chance.choice(list(self.units.values())))

    def _move(self, unit: Unit) -> bool:
        if unit.care == "burst":
            return self._burst(unit)
        if unit.care == "doomed" and self._chance.random() < 0.002:
            self.world.delete_task(unit.task.id)
            del self.units[unit.task.id]
            self.done["deleted tasks"] += 1
            return True
        chance = self._chance.random()
        if unit.open_jobs and chance < 0.55:
            return self._go_on(unit, self._chance.choice(unit.open_jobs))
        if chance < 0.85 and unit.care != "step":
            return self._create(unit)
        if unit.ended_jobs:
            job = self._chance.choice(unit.ended_jobs)
            return self._restart(unit, job) if chance < 0.95 else self._edit(unit, job)
        return False

    def _create(self, unit: Unit) -> bool:
        if not self._may_prune(unit):
            return False
        lifecycle = self._chance.choice(("ready", "ready", "ready", "onhold"))
        job = self.world.create_job(unit.task.id, lifecycle=lifecycle)
        if self._chance.random() < 0.7:
            self._go_on(unit, job)
        return True

    def _may_prune(self, unit: Unit) -> bool:
        doomed = [job for job in unit.task.jobs[: 1 - KEPT_JOBS] if job.ended]
        return all((job.id, job.starts) in unit.known for job in doomed)

    def _go_on(self, unit: Unit, job: Job) -> bool:
        if job.lifecycle in {"ready", "onhold"} and self._chance.random() < 0.6:
            self.world.assign_job(job.id)
            return True
        return self._finish(unit, job)

    def _finish(self, unit: Unit, job: Job) -> bool:
        state = self._chance.choice(STATES)
        timed = unit.task.type in TIMED and state not in {"canceled", "error"}
        if job.starts > 1 and not self._can_be_told(job, state, timed=timed):
            return False
        if unit.care == "step" and not self._may_finish_step(unit, job, state):
            return False
        if state == "canceled":
            self.world.cancel_job(job.id, by_server=job.lifecycle == "assigned" and self._chance.random() < 0.5)
        else:
            self.world.finish_job(job.id, state=state, duration=self._duration() if timed else None)
        unit.new.append((job.id, job.starts))
        self.done["finished"] += 1
        return True

    def _duration(self) -> float:
        while True:
            nanoseconds = round(10 ** self._chance.uniform(6, 12.5))
            if nanoseconds not in self._durations:
                self._durations.add(nanoseconds)
                return nanoseconds / 10**9

    def _can_be_told(self, job: Job, state: str, *, timed: bool) -> bool:
        before, was_read, was_timed = self._before[job.id]
        seen_open = self._asked_until > self._held[job.id]
        return seen_open or state != before or (was_read and (timed or was_timed))

    def _may_finish_step(self, unit: Unit, job: Job, state: str) -> bool:
        # The step after this one is created at once.
        run = job.workflow_job
        if run is None or run.ended or state != "success" or self._workflow is None:
            return True
        following = self._workflow.steps[self._workflow.steps.index(unit.task) + 1 :]
        return not following or self._may_prune(self.units[following[0].id])

    def _restart(self, unit: Unit, job: Job) -> bool:
        if (job.id, job.starts) not in unit.known or (job.workflow_job is not None and not job.workflow_job.ended):
            return False
        counted_here = job.starts > 1 or job.creation_ms >= self.world.started_ms
        was_read = unit.care != "hasty" and counted_here and unit.task.type in TIMED
        self._before[job.id] = job.state, was_read, "times" in (job.result or {})
        self.world.restart_job(job.id)
        self._held[job.id] = time.time()
        self.done["restarts"] += 1
        return True

    def _edit(self, unit: Unit, job: Job) -> bool:
        if unit.unasked > self._asked_until:
            return False
        self.world.edit_job(job.id)
        unit.unasked = time.time()
        self.done["edits"] += 1
        return True

    def _burst(self, unit: Unit) -> bool:
        if unit.unasked > self._asked_until:
            return False
        unit.unasked = time.time()
        for _ in range(self._chance.randrange(2 * KEPT_JOBS)):
            job = self.world.create_job(unit.task.id)
            self._finish(unit, job)
        self.done["bursts"] += 1
        return True

    def _run_workflow(self, workflow: Workflow) -> bool:
        doomed = [job for job in workflow.jobs[: 1 - KEPT_JOBS] if job.ended]
        if all(job.id in self._known_runs for job in doomed) and self._may_prune(self.units[workflow.steps[0].id]):
            self.world.create_workflow_job(workflow.id)
            self.done["workflow runs"] += 1
            return True
        return False

    def _update_agent(self) -> bool:
        self._updates = [job for job in self._updates if job.id in self.world.workload.jobs]
        open_updates = [job for job in self._updates if not job.ended]
        if open_updates and self._chance.random() < 0.6:
            self.world.finish_job(self._chance.choice(open_updates).id, state=self._chance.choice(STATES))
            self.done["finished"] += 1
            return True
        hostname = self._chance.choice(sorted(self.world.hosts))
        ended = [job for job in self._updates if job.ended and job.host is self.world.hosts[hostname]]
        if all(job.id in self._known_updates for job in ended[:-KEPT_JOBS]):
            self._updates.append(self.world.create_agent_update(hostname))
            return True
        return False

    def _set_clock(self) -> None:
        seconds = self._chance.uniform(-200, 200) - self._clock.ahead / 2
        with self.world.lock:
            self._clock.ahead += seconds
            # Nothing in a frozen world minds that time runs backwards, once it forgets how late it was.
            self.world._now_ms = self.world.now_ms
        self._stepped = time.time()
        self.done["clock steps"] += 1

    # Faults.

    def interfere(self) -> None:
        """Set the clock, start or end a fault, each at its time."""
        now = time.monotonic()
        if now >= self._next_step and self._asked_until > self._stepped:
            self._set_clock()
            self._next_step = now + self._chance.uniform(0, 6)
        backlog = self._exporter.values.get(("theeye_ledger_backlog_jobs",))
        nothing_to_fetch = backlog == 0 and self._exporter.read_at > self._calmed
        if self._theeye.faults:
            if not self._result_fault and now >= self._next_fault:
                self.calm()
        elif now >= self._next_fault:
            # The next fault of results begins only after every result that was refused has been read.
            self._result_fault = nothing_to_fetch and self._chance.random() < 0.6
            if self._result_fault:
                self._requests.before_list_of_open_jobs(2, self.calm)
            faults = self._faults(RESULT_FAULTS if self._result_fault else LIST_FAULTS)
            if any(fault.name in HIDING for fault in faults):
                self._hidden_until = float("inf")
            self._theeye.faults = faults
            self.done["faults"] += 1
            self._next_fault = now + self._chance.uniform(0.3, 2.5)

    def _faults(self, choices: tuple[tuple[str, ...], ...]) -> tuple[Fault, ...]:
        return tuple(parse_fault(text) for text in self._chance.choice(choices))

    def calm(self) -> None:
        """Switch all faults off."""
        self._theeye.faults = ()
        self._hidden_until = min(self._hidden_until, time.time())
        self._calmed = time.monotonic()
        self._next_fault = self._calmed + self._chance.uniform(0, 1.5)


@dataclass
class Play:
    """The parameters of a test."""

    theeye: SimulatedTheEye
    generator: Generator
    exporter: Exporter
    chance: random.Random
    command: list[str]
    folder: Path
    state: Path
    kills: int = 0

    @contextmanager
    def life(self) -> Iterator[None]:
        """Run the exporter for the length of the block, and kill it."""
        log = self.folder / f"exporter-{self.kills}.log"
        self.exporter.started()
        with running(self.command, log) as process:
            yield
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.kills += 1
        assert "Traceback" not in log.read_text()

    def happen(self, until: Callable[[], bool]) -> None:
        """Perform events until a condition is true."""
        looked, idle = time.monotonic(), 0
        deadline = looked + 120
        while not until():
            assert time.monotonic() < deadline, f"stuck: {self.generator.done}"
            self.generator.interfere()
            idle = 0 if self.generator.step() else idle + 1
            if time.monotonic() - looked > 0.7:
                self.generator.look()
                looked = time.monotonic()
            if idle >= 20:
                Event().wait(0.01)  # for the next poll, after which more may happen

    def happen_until_amid(self) -> None:
        """Perform events until the exporter is in the middle of a poll, a start or a commit."""
        until = time.monotonic() + 5
        if self.chance.random() < 0.4:
            for _ in range(self.chance.randrange(1, 5)):
                written = self._last_write()
                while self._last_write() == written and time.monotonic() < until:
                    pass  # a commit takes a moment only
            return
        number = self.generator.requested + self.chance.choice((0, 1, 2, 3, 5, 10, 30, 60, 100))
        self.happen(lambda: self.generator.requested >= number or time.monotonic() > until)

    def _last_write(self) -> int:
        wal = Path(f"{self.state}-wal")
        return wal.stat().st_mtime_ns if wal.exists() else 0


CONFIGURATION = """
theeye: {{url: "{url}", timeout: 5s}}
organizations: [{{name: demo, token: "{token}"}}]
collectors:
  monitors: {{enabled: false}}
  tasks: {{interval: 1s}}
  workflows: {{interval: 1s}}
  jobs: {{interval: 1s, max_details_per_cycle: 1000}}
histograms:
  job_duration: {{buckets: [1s, 1m]}}
  job_turnaround: {{buckets: [1s, 1m]}}
  workflow_turnaround: {{buckets: [1s, 1m]}}
"""


@contextmanager
def playing(settings: DemoSettings, folder: Path, seed: int) -> Iterator[Play]:
    clock = Clock()
    with SimulatedTheEye(settings, clock) as theeye:
        theeye.world.frozen = True
        exporter = Exporter(f"127.0.0.1:{free_port()}")
        state = folder / "state"
        configuration = folder / "config.yml"
        configuration.write_text(CONFIGURATION.format(url=theeye.url, token=settings.token))
        command = exporter_command(
            f"--config.file={configuration}", f"--state.file={state}", f"--web.listen-address={exporter.address}"
        )
        generator = Generator(theeye, clock, exporter, seed)
        chance = random.Random(seed + 1)  # noqa: S311 - chance, no secret
        yield Play(theeye, generator, exporter, chance, command, folder, state)


def play_through(play: Play, *, runs: int, kills: int) -> None:
    """Let runs end while the exporter is killed, and compare its counts with the correct ones."""
    generator, exporter = play.generator, play.exporter
    with play.life():
        # A poll in which nothing happens is the baseline, of jobs and of TheEye's own counts.
        for collector in ("tasks", "jobs", "jobs"):
            exporter.wait_for_poll(collector)
        play.happen(partial(generator.has_finished, runs / (kills + 1)))
        play.happen_until_amid()
    for life in range(1, kills):
        with play.life():
            if play.chance.random() < 0.8:  # otherwise it does not live to see its second poll
                play.happen(partial(generator.has_finished, runs * (life + 1) / (kills + 1)))
            play.happen_until_amid()
    with play.life():
        play.happen(partial(generator.has_finished, runs))
        generator.calm()
        for collector in ("tasks", "jobs", "jobs"):
            exporter.wait_for_poll(collector)
        eventually(
            lambda: exporter.read() and exporter.values["theeye_ledger_backlog_jobs",] == 0, "nothing left to fetch"
        )
        exporter.wait_for_poll("jobs")
        compare(generator, exporter)


def compare(generator: Generator, exporter: Exporter) -> None:
    """Compare all counts with the correct ones."""
    truth = generator.world.ended_runs
    tasks = {task_id: unit.care for task_id, unit in generator.units.items()}
    bursts = {task_id for task_id, care in tasks.items() if care == "burst"}
    owners = {*tasks, *generator.world.workflows, "AgentUpdateJob"} - bursts
    assert {
        key[1:]: round(value) for key, value in exporter.values.items() if key[0] in RUNS and value and key[1] in owners
    } == {key: tally.runs for key, tally in truth.items() if key[0] in owners}
    unseen = {task_id: round(exporter.values["theeye_task_unseen_runs_total", task_id]) for task_id in tasks}
    assert {task_id: exporter.runs(task_id) + unseen[task_id] for task_id in bursts} == {
        task_id: truth.runs(task_id) for task_id in bursts
    }
    assert any(unseen[task_id] for task_id in bursts), "no burst was too fast"
    assert {task_id for task_id, count in unseen.items() if count} <= bursts
    for task_id, care in tasks.items():
        tallies = [tally for (owner, _), tally in truth.items() if owner == task_id]
        count, seconds = sum(tally.timed for tally in tallies), sum(tally.seconds for tally in tallies)
        seen_count, seen_seconds = exporter.timed(task_id)
        if care in {"careful", "step"}:
            assert seen_count == count, f"{care} task {task_id}"
            assert seen_seconds == pytest.approx(seconds, abs=1e-6), f"{care} task {task_id}"
        else:
            assert seen_count <= count, f"{care} task {task_id}"
            assert seen_seconds <= seconds + 1e-6, f"{care} task {task_id}"


@pytest.mark.parametrize("seed", range(SEED, SEED + PLAYS))
def test_every_run_counts_once_whatever_happens(
    seed: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with playing(DemoSettings(tasks=130, monitors=40), tmp_path, seed=seed) as play:
        play_through(play, runs=RUNS_BEFORE_A_KILL * KILLS, kills=KILLS)
        for name, count in {"kill -9": play.kills, **play.generator.done}.items():
            record_property(name, count)


def test_every_run_counts_once_on_a_server_that_knows_no_filters(tmp_path: Path) -> None:
    with playing(DemoSettings(tasks=40, monitors=40, shape="old"), tmp_path, seed=8) as play:
        play_through(play, runs=600, kills=4)
