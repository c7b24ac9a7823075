"""The world behind the simulated server: hosts, monitors, tasks and jobs that live by a clock, or as a test tells them."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from theeye_exporter.demo.basics import MS, Ids, Organization
from theeye_exporter.demo.catalogue import build_tasks
from theeye_exporter.demo.faults import WORLD_FAULTS, Fault
from theeye_exporter.demo.fleet import Fleet
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.monitors import Host, Monitor
from theeye_exporter.demo.operations import Operations
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import Task
from theeye_exporter.demo.truth import Truth
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.workload import Workload

__all__ = ["World"]

_BORN_BEFORE_MS: Final = 500 * 86_400 * MS


class World:
    """Everything of one organisation, moved on lazily: nothing happens before somebody looks.

    Time passes in whole simulated seconds as seen over HTTP, so that a burst of requests gets one and the same answer.
    The methods that change something act at the very millisecond of the clock. All of it is safe to use from many
    threads. The same settings, clock and calls give the same world.

    Attributes:
        owner: The organisation.
        fleet: Hosts and monitors.
        workload: Tasks, workflows and jobs.
        lock: Held while anything is read or changed.
    """

    def __init__(self, settings: DemoSettings, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        self._speed = settings.speed
        self._clock_start = clock()
        self._start_ms = self._now_ms = round(self._clock_start * MS)
        self._skipped_ms = 0
        self._frozen = False
        ids = Ids(settings.seed)
        self.owner = Organization(ids(self._start_ms - _BORN_BEFORE_MS), settings.organization)
        self.fleet = Fleet(settings.monitors, ids, settings.seed, self._start_ms, calm=settings.calm)
        self.workload = Workload(self.owner, ids, settings.seed)
        hosts = list(self.fleet.hosts.values())
        chance = random.Random(f"{settings.seed} tasks")
        tasks, workflows = build_tasks(settings.tasks, hosts, ids, chance, self._start_ms)
        self.workload.tasks = {task.id: task for task in tasks}
        self.workload.workflows = {workflow.id: workflow for workflow in workflows}
        self._operations = Operations(
            self.workload, self.fleet.hosts, settings.seed, self._start_ms, calm=settings.calm
        )
        self._operations.invent_past(self._start_ms)
        self._operations.start()
        self.fleet.host_stopped = self._operations.host_stopped
        self.fleet.host_returned = self._operations.host_returned

    # Time.

    def _clock_ms(self) -> int:
        passed_ms = round((self._clock() - self._clock_start) * MS * self._speed)
        return self._start_ms + passed_ms + self._skipped_ms

    @property
    def started_ms(self) -> int:
        """When the world began, in milliseconds since the epoch."""
        return self._start_ms

    @property
    def now_ms(self) -> int:
        """Simulated time, in milliseconds since the epoch: the clock's, at the start and as long as speed is 1."""
        return self._clock_ms()

    @property
    def now(self) -> float:
        """Simulated time, in seconds since the epoch."""
        return self._clock_ms() / MS

    def sync(self) -> None:
        """Lets happen what is due up to the last full second."""
        with self.lock:
            self._go_to(self._clock_ms() // MS * MS)

    def advance(self, seconds: float) -> None:
        """Lets time pass at once, besides what the clock does."""
        with self.lock:
            self._skipped_ms += round(seconds * MS)
            self._go_to(self._clock_ms())

    @property
    def frozen(self) -> bool:
        """Nothing happens by itself: no report, no schedule, no bot; time passes nevertheless."""
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

    def _go_to(self, target_ms: int) -> None:
        if not self._frozen:
            for second in range(self._now_ms // MS + 1, target_ms // MS + 1):
                self._operations.run(second * MS)
                self.fleet.step(second)
            self._operations.run(target_ms)
        self._now_ms = max(self._now_ms, target_ms)

    @contextmanager
    def _acting(self) -> Iterator[int]:
        with self.lock:
            self._go_to(self._clock_ms())
            yield self._now_ms

    # What there is.

    @property
    def monitors(self) -> Mapping[str, Monitor]:
        """The monitors by resource id, as they are now."""
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
        """The tasks by id, those without a host too, as they are now."""
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
        """The jobs by id, as they are now."""
        with self.lock:
            self.sync()
            return dict(self.workload.jobs)

    @property
    def truth(self) -> Truth:
        """The runs that ended since the start, counted at the moment they did; a copy."""
        with self.lock:
            self.sync()
            return self.workload.truth.snapshot()

    @property
    def taken_by_agents(self) -> tuple[str, ...]:
        """Ids of the jobs that somebody took off the queue by listing jobs with an agent's token."""
        with self.lock:
            return tuple(self.workload.taken)

    def afflict(self, faults: Iterable[Fault]) -> None:
        """Lets the faults that are about monitors and bots have their way, and mends what earlier ones did."""
        values: dict[str, list[str]] = {name: [] for name in WORLD_FAULTS}
        for fault in faults:
            if fault.name in WORLD_FAULTS:
                values[fault.name].append(fault.value)
        with self._acting() as now_ms:
            self.fleet.hold(values["monitor-failing"], values["bot-silent"], now_ms)

    # What tests do to jobs.

    def create_job(self, task_id: str, *, lifecycle: str = "ready", origin: str = "user") -> Job:
        """Starts a task. In a frozen world the job waits for `assign_job` and `finish_job`."""
        with self._acting() as now_ms:
            return self.workload.create(self.workload.tasks[task_id], now_ms, origin=origin, lifecycle=lifecycle)

    def create_workflow_job(self, workflow_id: str, *, origin: str = "user") -> Job:
        """Starts a workflow; returns the workflow's own job. The job of the first step is there too."""
        with self._acting() as now_ms:
            return self.workload.create_run(self.workload.workflows[workflow_id], now_ms, origin=origin)

    def create_agent_update(self, hostname: str) -> Job:
        """Tells a bot to read its configuration again, by a job that has no task."""
        with self._acting() as now_ms:
            return self.workload.create_agent_update(self.fleet.hosts[hostname], now_ms)

    def assign_job(self, job_id: str) -> Job:
        """Hands a job to its bot: last_update stays."""
        with self._acting():
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
        """Ends a job, whatever it was doing.

        Args:
            job_id: Which.
            state: success, failure, timeout, canceled, error, or any other a server might have stored.
            duration: Pure run time in seconds, for the results that have one; None leaves it out.
            code: Exit code; None takes the usual one for the state.
            result: Stands in the job as it is, instead of a usual result.

        Raises:
            ValueError: It has ended already.
        """
        with self._acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.end(job, now_ms, Ending(state, duration, code), result)
            return job

    def cancel_job(self, job_id: str, *, by_server: bool = False) -> Job:
        """Cancels a job; by the server, as it does after a timeout that the bot let pass.

        Raises:
            ValueError: It has ended already.
        """
        with self._acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.end(job, now_ms, Ending("canceled", by_server=by_server))
            return job

    def restart_job(self, job_id: str) -> Job:
        """Brings an ended job back to ready: same id and creation date, new last_update, no result.

        Raises:
            ValueError: It has not ended, or it is a workflow's own.
        """
        with self._acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.restart(job, now_ms)
            return job

    def edit_job(self, job_id: str) -> Job:
        """Saves a job without another run: its last_update is new, its result is not."""
        with self._acting() as now_ms:
            job = self.workload.jobs[job_id]
            self.workload.edit(job, now_ms)
            return job

    def take_jobs(self, hostname: str) -> list[Job] | None:
        """What a listing with an agent's token does: the host's ready jobs are assigned. None for an unknown host."""
        with self._acting():
            host = self.fleet.hosts.get(hostname)
            return None if host is None else self.workload.take(host)

    def delete_task(self, task_id: str, *, jobs: bool = True) -> None:
        """Removes a task, by default with its jobs."""
        with self._acting():
            self.workload.delete_task(self.workload.tasks[task_id], jobs=jobs)

    # What tests do to monitors and hosts.

    def set_monitor_state(self, monitor_id: str, state: str) -> Monitor:
        """Puts a monitor into a state at once: normal, failure, updates_stopped, or any other an old server may hold."""
        with self._acting() as now_ms:
            monitor = self.fleet.monitors[monitor_id]
            self.fleet.set_state(monitor, state, now_ms)
            return monitor

    def edit_monitor(self, monitor_id: str, **fields: Any) -> Monitor:
        """Puts fields into a monitor's JSON, as they are and whatever the simulation says: `last_event={...}`."""
        with self._acting():
            monitor = self.fleet.monitors[monitor_id]
            self.fleet.edit(monitor, fields)
            return monitor

    def delete_monitor(self, monitor_id: str) -> None:
        """Removes a monitor."""
        with self._acting():
            self.fleet.delete(self.fleet.monitors[monitor_id])

    def silence_host(self, hostname: str) -> None:
        """Stops a bot: its monitors become updates_stopped, in a living world after a while, in a frozen one at once."""
        with self._acting() as now_ms:
            self.fleet.silence(self.fleet.hosts[hostname], now_ms, at_once=self._frozen)

    def revive_host(self, hostname: str) -> None:
        """Lets a bot work again: it reports as its monitors' looptimes say, in a frozen world at once."""
        with self._acting() as now_ms:
            self.fleet.revive(self.fleet.hosts[hostname], now_ms, at_once=self._frozen)
