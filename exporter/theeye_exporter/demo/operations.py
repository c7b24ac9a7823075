"""Drives the jobs of a world: schedules create jobs, bots take and run them, and people approve."""

import random
from functools import partial
from typing import Final

from theeye_exporter.demo.event_queue import EventQueue
from theeye_exporter.demo.ids_and_time import MS
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import KEPT_JOBS, Task
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.workload import Start, Workload

__all__ = ["Operations"]

_UPDATE_EVERY_S: Final = 150.0
_UPDATE_SECONDS: Final = (0.3, 2.0)
_BUILD_ERRORS: Final = 0.004
_CANCELED_BY_PEOPLE: Final = 0.006
_HANGING: Final = 0.006
_APPROVED: Final = 0.85
_GRACE_S: Final = 60.0
_LONGEST_HANG_S: Final = 60.0
_SERVER_ENDS_MS: Final = {"DummyJob": 25, "NotificationJob": 40}


class Operations:
    """Plans and runs everything that happens to jobs by itself, and not because a test causes it.

    Attributes:
        live: If False, nothing is planned or run.
    """

    def __init__(
        self, workload: Workload, hosts: dict[str, Host], seed: int, now_ms: int, *, calm: bool = False
    ) -> None:
        self.live = True
        self._calm = calm
        self._workload = workload
        self._hosts = tuple(hosts.values())
        self._chance = random.Random(f"{seed} operations")
        self._queue = EventQueue(now_ms)
        workload.became_ready = self._became_ready
        workload.freed = self._look_for_work

    def start(self) -> None:
        """Starts the schedules."""
        for task in self._workload.tasks.values():
            if task.interval_s is not None:
                self._queue.at(task.next_run_ms, partial(self._scheduled, task))
        for workflow in self._workload.workflows.values():
            due_ms = workflow.next_run_ms
            self._queue.at(due_ms, partial(self._scheduled_run, workflow))
        self._queue.at(self._queue.now_ms + self._pause_ms(), self._update_some_agent)

    def run(self, until_ms: int) -> None:
        """Runs everything up to a time; does nothing while not live."""
        if self.live:
            self._queue.run(until_ms)

    def resume(self, now_ms: int) -> None:
        """Continues after a pause: the bots look for jobs that were created in the meantime."""
        for host in self._hosts:
            self._look_for_work(host, now_ms)

    # Schedules.

    def _scheduled(self, task: Task, at_ms: int) -> None:
        if task.interval_s is None or self._workload.tasks.get(task.id) is not task:
            return
        if task.broken in {"schedule-disabled", "schedule-failed"}:
            self._queue.at(at_ms + task.interval_s * MS, partial(self._scheduled, task))
            return  # and the time of the next run stays in the past
        task.last_run_ms = at_ms
        task.next_run_ms = at_ms + task.interval_s * MS
        self._queue.at(task.next_run_ms, partial(self._scheduled, task))
        if task.broken or any(not job.ended for job in task.jobs):
            return  # a scheduled run is skipped while another one is in progress
        job = self._workload.create(task, at_ms, Start("scheduler"))
        if task.type == "script" and not self._calm and self._chance.random() < _BUILD_ERRORS:
            self._workload.end(job, at_ms, Ending("error"))

    def _scheduled_run(self, workflow: Workflow, at_ms: int) -> None:
        if any(step.id not in self._workload.tasks for step in workflow.steps):
            return
        workflow.next_run_ms = at_ms + workflow.interval_s * MS
        self._queue.at(workflow.next_run_ms, partial(self._scheduled_run, workflow))
        if all(run.ended for run in workflow.jobs):
            self._workload.create_run(workflow, at_ms, Start("scheduler"))

    def _update_some_agent(self, at_ms: int) -> None:
        self._workload.create_agent_update(self._chance.choice(self._hosts), at_ms)
        self._queue.at(at_ms + self._pause_ms(), self._update_some_agent)

    def _pause_ms(self) -> int:
        return MS + round(self._chance.expovariate(1 / _UPDATE_EVERY_S) * MS)

    # Bots: each runs one job at a time, and requests the next one a moment later.

    def _became_ready(self, job: Job, at_ms: int) -> None:
        if job.host is not None:
            job.host.queue.append(job)
            if self.live and job.host.running is None:
                wait_ms = self._chance.randrange(200, 5 * MS)
                self._queue.at(at_ms + wait_ms, partial(self._look_for_work, job.host))
        elif self.live and job.type in _SERVER_ENDS_MS:
            self._end_later(job, at_ms + _SERVER_ENDS_MS[job.type], Ending("success"))
        elif self.live and job.type == "ApprovalJob":
            state = "success" if self._calm or self._chance.random() < _APPROVED else "failure"
            self._end_later(job, at_ms + self._chance.randrange(20 * MS, 200 * MS), Ending(state))

    def _look_for_work(self, host: Host, at_ms: int) -> None:
        if not self.live or host.silent or host.running is not None:
            return
        while host.queue:
            job: Job = host.queue.pop(0)
            if job.lifecycle == "ready" and self._workload.jobs.get(job.id) is job:
                self._begin(job, host, at_ms)
                return

    def _begin(self, job: Job, host: Host, at_ms: int) -> None:
        self._workload.assign(job)
        host.running = job
        ending = self._ending(job)
        lasts_s = ending.seconds or 1.0
        if ending.by_server:
            ending = ending._replace(seconds=None)
        due_ms = at_ms + round(lasts_s * MS) + self._chance.randrange(40, 600)
        job.planned = due_ms, ending
        self._end_later(job, due_ms, ending)

    def _end_later(self, job: Job, due_ms: int, ending: Ending) -> None:
        starts = job.starts

        def end(at_ms: int) -> None:
            silent = job.host is not None and job.host.silent  # the bot cannot report the end
            gone = self._workload.jobs.get(job.id) is not job
            if gone or job.ended or job.starts != starts or (silent and not ending.by_server):
                return
            self._workload.end(job, at_ms, ending, job.task.ends[1] if job.task is not None and job.task.ends else None)

        self._queue.at(due_ms, end)

    def _ending(self, job: Job) -> Ending:
        if job.task is not None and job.task.ends is not None:
            forced: Ending = job.task.ends[0]
            return forced
        ending = self._ending_by_chance(job)
        if not self._calm or ending.state == "success":
            return ending
        return Ending("success", job.task.seconds[0] if job.task is not None else None)

    def _ending_by_chance(self, job: Job) -> Ending:
        chance = self._chance
        task = job.task
        if task is None:
            return Ending("success", chance.uniform(*_UPDATE_SECONDS))
        seconds = chance.uniform(*task.seconds) * chance.choice((0.7, 0.8, 0.9, 1.0))
        roll = chance.random()
        limit_s = None if task.timeout_ms is None else task.timeout_ms / MS
        if limit_s is not None and limit_s <= _LONGEST_HANG_S and roll > 1 - _HANGING:
            return Ending("canceled", limit_s + _GRACE_S, by_server=True)
        if limit_s is not None and seconds > limit_s:
            return Ending("timeout", limit_s + chance.uniform(0.001, 0.02))
        if roll > 1 - _HANGING - _CANCELED_BY_PEOPLE:
            return Ending("canceled", seconds / 2)
        if roll < task.failing:
            return Ending("failure", seconds, code=chance.choice((1, 1, 2, 3)))
        return Ending("success", seconds)

    def host_returned(self, host: Host, at_ms: int) -> None:
        """A bot works again: it reports the run that ended meanwhile, unless the server gave it up, and continues."""
        job: Job | None = host.running
        if self.live and job is not None and not job.ended:
            due_ms, ending = job.planned
            if due_ms <= at_ms:
                self._workload.end(job, at_ms, ending)
        self._look_for_work(host, at_ms)

    def host_stopped(self, host: Host, at_ms: int) -> None:
        """The server notices that a bot is silent, and cancels the jobs that were assigned to it."""
        for job in [job for job in self._workload.jobs.values() if job.host is host and job.lifecycle == "assigned"]:
            self._workload.end(job, at_ms, Ending("canceled", by_server=True))

    # The past.

    def invent_past(self, now_ms: int) -> None:
        """Invents runs before the start: up to five of each schedule, at its interval; all of them have ended."""
        self.live = False
        runs: list[tuple[int, Task | Workflow]] = []
        workload = self._workload
        everything: list[Task | Workflow] = [*workload.tasks.values(), *workload.workflows.values()]
        for what in everything:
            if what.interval_s is None or (isinstance(what, Task) and what.workflow_id is not None):
                continue
            interval_ms = what.interval_s * MS
            what.next_run_ms = now_ms + self._chance.randrange(MS, interval_ms + 1)
            first_ms = what.next_run_ms - interval_ms
            runs += [(first_ms - back * interval_ms, what) for back in range(KEPT_JOBS)]
            if isinstance(what, Task):
                what.execution_count = self._chance.randrange(20, 3000)
        for at_ms, what in sorted(runs, key=lambda run: run[0]):
            if at_ms < now_ms:
                self._invent_run(what, at_ms, now_ms)
        workload.ended_runs.clear()
        for host in self._hosts:
            host.queue.clear()
        self.live = True

    def _invent_run(self, what: Task | Workflow, at_ms: int, now_ms: int) -> None:
        if isinstance(what, Task):
            what.last_run_ms = at_ms
            self._invent_end(self._workload.create(what, at_ms, Start("scheduler")), now_ms)
            return
        run = self._workload.create_run(what, at_ms, Start("scheduler"))
        for step in what.steps:
            for job in [job for job in step.jobs if job.workflow_job is run]:
                self._invent_end(job, now_ms)

    def _invent_end(self, job: Job, now_ms: int) -> None:
        ending = self._ending(job) if job.host is not None else Ending("success")
        waited_ms = self._chance.randrange(200, 5 * MS) if job.host is not None else 25
        end_ms = job.creation_ms + waited_ms + round((ending.seconds or 0) * MS)
        # A run that would end after the start is cut short: otherwise it would never end.
        self._workload.end(job, max(job.creation_ms + 1, min(end_ms, now_ms - 1)), ending)
