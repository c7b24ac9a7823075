"""The world behind the simulated server: hosts, monitors, tasks and jobs, driven by a clock or by a test."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Final

from theeye_exporter.demo.catalogue import build_mending_tasks, build_tasks
from theeye_exporter.demo.event_queue import EventQueue
from theeye_exporter.demo.expected import EndedRuns
from theeye_exporter.demo.faults import SCHEDULE_FAULTS, WORLD_FAULTS, Fault
from theeye_exporter.demo.fleet import Fleet
from theeye_exporter.demo.ids_and_time import MS, Ids, Organization
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.monitors import Host, Monitor
from theeye_exporter.demo.operations import Operations
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import HUMAN, Task, User
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.workload import Start, Workload

__all__ = ["World"]

VERSION: Final = "4.15.3"
_BORN_BEFORE_MS: Final = 500 * 86_400 * MS


class World:
    """Everything of one organisation, simulated lazily: nothing happens before it is read.

    Over HTTP, time passes in whole simulated seconds, so that a burst of requests gets the same response. The methods
    that change something act at the exact millisecond of the clock. The class is safe for threads. The same settings,
    clock and calls give the same world.

    Attributes:
        organization: The organisation.
        fleet: Hosts and monitors.
        workload: Tasks, workflows and jobs.
        lock: Held while anything is read or changed.
        version: TheEye's version, as it says.
    """

    def __init__(self, settings: DemoSettings, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        self._speed = settings.speed
        self._clock_start = clock()
        self._start_ms = self._now_ms = round(self._clock_start * MS)
        self._skipped_ms = 0
        self._ahead_ms = 0
        self.version = VERSION
        self._frozen = False
        self._late = EventQueue(self._start_ms)
        self._running_late = False
        ids = Ids(settings.seed)
        self.organization = Organization(ids(self._start_ms - _BORN_BEFORE_MS), settings.organization)
        self.fleet = Fleet(settings.monitors, ids, settings.seed, self._start_ms, calm=settings.calm)
        self.workload = Workload(self.organization, ids, settings.seed)
        hosts = list(self.fleet.hosts.values())
        chance = random.Random(f"{settings.seed} tasks")
        tasks, workflows = build_tasks(settings.tasks, hosts, ids, chance, self._start_ms)
        if settings.mending:
            tasks += build_mending_tasks(hosts, ids, chance, self._start_ms)
        self.workload.tasks = {task.id: task for task in tasks}
        self.workload.workflows = {workflow.id: workflow for workflow in workflows}
        self._operations = Operations(
            self.workload, self.fleet.hosts, settings.seed, self._start_ms, calm=settings.calm
        )
        self._operations.invent_past(self._start_ms)
        self._operations.start()
        self.workload.succeeded = self._mend
        self.fleet.host_stopped = self._operations.host_stopped
        self.fleet.host_returned = self._operations.host_returned

    def _mend(self, task: Task, now_ms: int) -> None:
        if task.mends and task.host is not None:
            self.fleet.mend(task.host, task.mends, now_ms)

    # Time.

    def _clock_ms(self) -> int:
        passed_ms = round((self._clock() - self._clock_start) * MS * self._speed)
        return self._start_ms + passed_ms + self._skipped_ms + self._ahead_ms

    @property
    def started_ms(self) -> int:
        """When the world began, in milliseconds since the epoch."""
        return self._start_ms

    @property
    def now_ms(self) -> int:
        """Simulated time, in milliseconds since the epoch; it follows the clock as long as the speed is 1."""
        return self._clock_ms()

    @property
    def now(self) -> float:
        """Simulated time, in seconds since the epoch."""
        return self._clock_ms() / MS

    def sync(self) -> None:
        """Simulates everything up to the last full second."""
        with self.lock:
            self._go_to(self._clock_ms() // MS * MS)

    def advance(self, seconds: float) -> None:
        """Simulates more time at once, in addition to the time of the clock."""
        with self.lock:
            self._skipped_ms += round(seconds * MS)
            self._go_to(self._clock_ms())

    @property
    def frozen(self) -> bool:
        """Whether nothing happens by itself: no report, no schedule, no bot. Time passes nevertheless."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        with self.lock:
            self._go_to(self._clock_ms())
            thawed = self._frozen and not frozen
            self._frozen = frozen
            self._operations.live = not frozen
            if thawed:
                self._operations.resume(self._now_ms)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Does something after a time, also in a frozen world."""

        def act(at_ms: int) -> None:
            self._now_ms = max(self._now_ms, at_ms)
            self._running_late = True
            try:
                action()
            finally:
                self._running_late = False

        with self.lock:
            self._late.at(self._clock_ms() + round(seconds * MS), act)

    def _go_to(self, target_ms: int) -> None:
        if self._running_late:
            return  # what is late happens at its own time
        if not self._frozen:
            for second in range(self._now_ms // MS + 1, target_ms // MS + 1):
                self._late.run(second * MS)
                self._operations.run(second * MS)
                self.fleet.step(second)
            self._operations.run(target_ms)
        self._late.run(target_ms)
        self._now_ms = max(self._now_ms, target_ms)

    @contextmanager
    def acting(self) -> Iterator[int]:
        """Brings the world to the exact time of the clock, and holds it there; yields that time in milliseconds."""
        with self.lock:
            self._go_to(self._clock_ms())
            yield self._now_ms

    # The objects.

    @property
    def monitors(self) -> Mapping[str, Monitor]:
        """The current monitors by resource id."""
        with self.lock:
            self.sync()
            return dict(self.fleet.monitors)

    @property
    def hosts(self) -> Mapping[str, Host]:
        """The hosts by name."""
        with self.lock:
            return dict(self.fleet.hosts)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The current tasks by id, including those without a host."""
        with self.lock:
            self.sync()
            return dict(self.workload.tasks)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The workflows by id."""
        with self.lock:
            return dict(self.workload.workflows)

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The current jobs by id."""
        with self.lock:
            self.sync()
            return dict(self.workload.jobs)

    @property
    def ended_runs(self) -> EndedRuns:
        """A copy of the ended runs since the start, counted when they ended."""
        with self.lock:
            self.sync()
            return self.workload.ended_runs.snapshot()

    @property
    def taken_by_agents(self) -> tuple[str, ...]:
        """Ids of the jobs that were taken off the queue by listing jobs with a bot's token."""
        with self.lock:
            return tuple(self.workload.taken)

    def afflict(self, faults: Iterable[Fault]) -> None:
        """Applies the faults of monitors, bots, schedules and the server itself, and reverts those of earlier ones."""
        active = [fault for fault in faults if fault.name in WORLD_FAULTS]
        values = {name: [fault.value for fault in active if fault.name == name] for name in WORLD_FAULTS}
        with self.acting() as now_ms:
            self._ahead_ms = round(max((fault.seconds for fault in active), default=0.0) * MS)
            self.version = next(iter(values["server-version"]), VERSION)
            self.fleet.hold(values["monitor-failing"], values["bot-silent"], now_ms)
            for task in self.workload.tasks.values():
                broken = (name for name in SCHEDULE_FAULTS if any(fnmatchcase(task.name, one) for one in values[name]))
                task.broken = next(broken, "")

    # Tasks and jobs, for tests.

    def add_task(self, task: Task) -> Task:
        """Adds a task without a schedule."""
        with self.acting():
            self.workload.tasks[task.id] = task
            return task

    def create_job(self, task_id: str, *, lifecycle: str = "ready", origin: str = "user") -> Job:
        """Starts a task. In a frozen world the job waits for `assign_job` and `finish_job`."""
        with self.acting() as now_ms:
            start = Start(origin, _starter(origin), lifecycle=lifecycle)
            return self.workload.create(self.workload.tasks[task_id], now_ms, start)

    def create_workflow_job(self, workflow_id: str, *, origin: str = "user") -> Job:
        """Starts a workflow; returns the workflow's own job. It also creates the job of the first step."""
        with self.acting() as now_ms:
            start = Start(origin, _starter(origin))
            return self.workload.create_run(self.workload.workflows[workflow_id], now_ms, start)

    def create_agent_update(self, hostname: str) -> Job:
        """Makes a bot reload its configuration, by a job without a task."""
        with self.acting() as now_ms:
            return self.workload.create_agent_update(self.fleet.hosts[hostname], now_ms)

    def assign_job(self, job_id: str) -> Job:
        """Assigns a job to its bot; last_update does not change."""
        with self.acting():
            job = self.workload.jobs[job_id]
            self.workload.assign(job)
            return job

    def finish_job(
        self,
        job_id: str,
        *,
        state: str = "success",
        duration: float | None = 1.0,
        code: int | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> Job:
        """Ends a job in any lifecycle.

        Args:
            job_id: Id of the job.
            state: success, failure, timeout, canceled, error, or any other that a server might have stored.
            duration: Pure run time in seconds, for results that have one; None leaves it out.
            code: Exit code; None for the usual one of the state.
            result: Replaces the usual result, unchanged.

        Raises:
            ValueError: It has ended already.
        """
        with self.acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.end(job, now_ms, Ending(state, duration, code), result)
            return job

    def cancel_job(self, job_id: str, *, by_server: bool = False) -> Job:
        """Cancels a job; with `by_server`, like the server after a timeout that the bot missed.

        Raises:
            ValueError: It has ended already.
        """
        with self.acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.end(job, now_ms, Ending("canceled", by_server=by_server))
            return job

    def restart_job(self, job_id: str) -> Job:
        """Sets an ended job back to ready: same id and creation date, new last_update, no result.

        Raises:
            ValueError: It has not ended, or it is a workflow's own.
        """
        with self.acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.restart(job, now_ms)
            return job

    def edit_job(self, job_id: str) -> Job:
        """Saves a job without another run: last_update changes, the result does not."""
        with self.acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.edit(job, now_ms)
            return job

    def take_jobs(self, hostname: str) -> list[Job] | None:
        """Does what listing with a bot's token does: assigns the host's ready jobs. None for an unknown host."""
        with self.acting():
            host = self.fleet.hosts.get(hostname)
            return None if host is None else self.workload.take(host)

    def delete_task(self, task_id: str, *, jobs: bool = True) -> None:
        """Removes a task, by default with its jobs."""
        with self.acting():
            self.workload.delete_task(self.workload.tasks[task_id], jobs=jobs)

    # Monitors and hosts, for tests.

    def set_monitor_state(self, monitor_id: str, state: str) -> Monitor:
        """Sets a monitor's state at once: normal, failure, updates_stopped, or another one from an old server."""
        with self.acting() as now_ms:
            monitor = self.fleet.monitors[monitor_id]
            self.fleet.set_state(monitor, state, now_ms)
            return monitor

    def edit_monitor(self, monitor_id: str, **fields: Any) -> Monitor:
        """Sets fields in a monitor's JSON, unchanged and regardless of the simulation: `last_event={...}`."""
        with self.acting():
            monitor = self.fleet.monitors[monitor_id]
            self.fleet.edit(monitor, fields)
            return monitor

    def delete_monitor(self, monitor_id: str) -> None:
        """Removes a monitor."""
        with self.acting():
            self.fleet.delete(self.fleet.monitors[monitor_id])

    def silence_host(self, hostname: str) -> None:
        """Stops a bot: its monitors become updates_stopped, after a while or, in a frozen world, at once."""
        with self.acting() as now_ms:
            self.fleet.silence(self.fleet.hosts[hostname], now_ms, at_once=self._frozen)

    def revive_host(self, hostname: str) -> None:
        """Starts a bot again: it reports at its monitors' looptimes or, in a frozen world, at once."""
        with self.acting() as now_ms:
            self.fleet.revive(self.fleet.hosts[hostname], now_ms, at_once=self._frozen)


def _starter(origin: str) -> User | None:
    return HUMAN if origin == "user" else None
