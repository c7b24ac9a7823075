"""Tasks and jobs over time: schedules, queues, runs and ends, and the server's rules for them."""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec

from theeye_exporter.demo.expected import EndedRuns
from theeye_exporter.demo.ids_and_time import Ids, Organization
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.results import Ending, result_of
from theeye_exporter.demo.tasks import KEPT_JOBS, Task, User
from theeye_exporter.demo.workflows import Workflow

__all__ = ["Start", "Workload"]

_TERMINATED: Final = frozenset({"timeout", "error"})
_UNCANCELLABLE: Final = frozenset({"syncing", "locked"})
_WAITING: Final = frozenset({"ready", "onhold", *_UNCANCELLABLE})


class Start(NamedTuple):
    """How a run is started.

    Attributes:
        origin: user, secret, workflow, trigger_by or scheduler.
        user: The user who starts it, if one does.
        arguments: The values of its arguments.
        lifecycle: The first lifecycle of its job.
    """

    origin: str
    user: User | None = None
    arguments: Sequence[Any] = ()
    lifecycle: str = "ready"


class Workload:
    """Tasks, workflows and jobs, and the server's actions on them; times are milliseconds since the epoch.

    Attributes:
        tasks: By id.
        workflows: By id.
        jobs: By id, oldest first.
        ended_runs: The runs that ended, by owner and outcome.
        version: Grows with each change of a job.
        taken: Ids of the jobs that a listing with a bot's token took off the queue.
        became_ready: Called with a job and the time when a bot, or the server, can start it.
        succeeded: Called with a task and the time when a run of it has succeeded.
        freed: Called with a host and the time when its bot can take another job.
    """

    def __init__(self, organization: Organization, ids: Ids, seed: int) -> None:
        self.tasks: dict[str, Task] = {}
        self.workflows: dict[str, Workflow] = {}
        self.jobs: dict[str, Job] = {}
        self.ended_runs = EndedRuns()
        self.version = 1
        self.taken: list[str] = []
        self.became_ready: Callable[[Job, int], None] = _ignore
        self.succeeded: Callable[[Task, int], None] = _ignore
        self.freed: Callable[[Host, int], None] = _ignore
        self._owner = organization
        self._ids = ids
        self._secrets = random.Random(f"{seed} secrets")

    def secret(self) -> str:
        """A secret of 64 hexadecimal digits, as in TheEye."""
        return f"{self._secrets.getrandbits(256):064x}"

    def create(self, task: Task, at_ms: int, start: Start, workflow_job: Job | None = None) -> Job:
        """Creates a job of a task; removes the task's older jobs that have ended, except the newest four jobs."""
        job = self._new(task, at_ms, start)
        job.lifecycle = "onhold" if task.type == "approval" else start.lifecycle
        if workflow_job is not None:
            job.workflow, job.workflow_job = workflow_job.workflow, workflow_job
            job.order, job.acl, job.user = workflow_job.order, workflow_job.acl, workflow_job.user
        task.execution_count += 1
        task.last_update_ms = at_ms
        job.task_then = msgspec.json.encode(task.embedded(self._owner))
        self._keep(job, task.jobs)
        self.became_ready(job, at_ms)
        return job

    def _new(self, task: Task, at_ms: int, start: Start) -> Job:
        job = Job(self._ids(at_ms), f"{task.type.capitalize()}Job", task.name, at_ms, self.secret())
        job.task, job.host, job.origin, job.user = task, task.host, start.origin, start.user
        job.arguments, job.acl = list(start.arguments), list(task.acl)
        return job

    def create_broken(self, task: Task, at_ms: int, start: Start, why: str) -> Job:
        """Creates a job that cannot be built, and has ended at once; the task does not count it.

        A step of a workflow cannot run without the workflow's job. Its own job then is in no list.
        """
        job = self._new(task, at_ms, start)
        job.lifecycle, job.state = "terminated", "error"
        text = msgspec.json.encode(why).decode()
        job.result, job.output = {"log": text}, text
        job.task_then = msgspec.json.encode(task.embedded(self._owner))
        if task.workflow_id is None:
            self._keep(job, task.jobs)
            self.ended_runs.count(job)
        return job

    def create_run(self, workflow: Workflow, at_ms: int, start: Start) -> Job:
        """Creates a workflow's job and the job of its first step; returns the workflow's job."""
        first = workflow.steps[0]
        run = Job(self._ids(at_ms), "WorkflowJob", workflow.name, at_ms, self.secret())
        run.task, run.workflow, run.lifecycle = first, workflow, start.lifecycle
        run.origin, run.user, run.arguments = start.origin, start.user, list(start.arguments)
        run.order = workflow.runs
        run.acl = list(workflow.acl)
        run.task_then = msgspec.json.encode(first.unresolved(self._owner))
        workflow.runs += 1
        self._keep(run, workflow.jobs)
        self.create(first, at_ms, start, run)
        return run

    def create_agent_update(self, host: Host, at_ms: int) -> Job:
        """Creates the job that makes a bot reload its configuration; it has no task, origin or state."""
        job = Job(self._ids(at_ms), "AgentUpdateJob", "agent:config:update", at_ms, self.secret())
        job.host, job.state = host, None
        self.jobs[job.id] = job
        ended = [old for old in self.jobs.values() if old.type == job.type and old.host is host and old.ended]
        for old in ended[:-KEPT_JOBS]:
            del self.jobs[old.id]
        self.version += 1
        self.became_ready(job, at_ms)
        return job

    def _keep(self, job: Job, siblings: list[Job]) -> None:
        self.jobs[job.id] = job
        siblings.append(job)
        for old in siblings[:-KEPT_JOBS]:
            if old.ended:
                siblings.remove(old)
                del self.jobs[old.id]
        self.version += 1

    def assign(self, job: Job) -> None:
        """Assigns a job to its bot. The server does not save this, so last_update does not change."""
        job.lifecycle = "assigned"
        job.encoded = None
        run = job.workflow_job
        if run is not None and run.lifecycle in {"ready", "syncing"}:
            run.lifecycle = "started"
            run.encoded = None
        self.version += 1

    def take(self, host: Host) -> list[Job]:
        """Does what listing jobs with a bot's token does: assigns every ready job of the host."""
        jobs = [job for job in self.jobs.values() if job.host is host and job.lifecycle == "ready"]
        for job in jobs:
            self.assign(job)
            self.taken.append(job.id)
        return jobs

    def end(self, job: Job, at_ms: int, ending: Ending, result: Mapping[str, Any] | None = None) -> None:
        """Ends a job; a step of a workflow starts the next one if it succeeded, otherwise it ends the workflow's job.

        Raises:
            ValueError: It has ended already.
        """
        if job.ended:
            raise ValueError(f"job {job.id} has ended already: {job.lifecycle}")
        if ending.state == "canceled" and job.lifecycle in _WAITING:
            job.lifecycle = "canceled"
        elif ending.state in _TERMINATED or ending.state == "canceled":
            job.lifecycle = "terminated"
        else:
            job.lifecycle = "finished"
        job.state = job.trigger_name = ending.state
        made, job.output = result_of(job, ending)
        job.result = made if result is None else dict(result)
        job.last_update_ms = at_ms
        job.encoded = None
        self.version += 1
        self.ended_runs.count(job)
        if job.task is not None and ending.state == "success":
            self.succeeded(job.task, at_ms)
        host = job.host
        if host is not None and host.running is job:
            host.running = None
            self.freed(host, at_ms)
        if job.workflow_job is not None and not job.workflow_job.ended:
            self._go_on(job, job.workflow_job, at_ms, ending.state)

    def _go_on(self, job: Job, run: Job, at_ms: int, state: str) -> None:
        steps = run.workflow.steps if run.workflow is not None else ()
        following = [after for before, after in pairwise(steps) if before is job.task]
        if state == "success" and following:
            self.create(following[0], at_ms, Start("workflow"), run)
        elif run.workflow is None or run.workflow.version > 1:
            self.end(run, at_ms, Ending(state if state in {"success", "failure"} else "failure"))

    def cancel(self, job: Job, at_ms: int) -> None:
        """Cancels a job, and the step that a workflow's job is at; does nothing to one that is syncing or locked."""
        if job.ended or job.lifecycle in _UNCANCELLABLE:
            return
        self.end(job, at_ms, Ending("canceled"))
        for step in [step for step in self.jobs.values() if step.workflow_job is job]:
            self.cancel(step, at_ms)

    def set_lifecycle(self, job: Job, lifecycle: str, at_ms: int) -> None:
        """Sets the lifecycle without saving the job: last_update does not change."""
        job.lifecycle = lifecycle
        job.encoded = None
        self.version += 1
        if lifecycle == "ready":
            self.became_ready(job, at_ms)

    def restart(self, job: Job, at_ms: int) -> None:
        """Sets an ended job back to ready: same id, same creation date, no result.

        Raises:
            ValueError: It has not ended, or it is a workflow's own job.
        """
        if not job.ended or job.type == "WorkflowJob":
            raise ValueError(f"job {job.id} cannot be restarted: {job.type}, {job.lifecycle}")
        job.lifecycle, job.trigger_name, job.result, job.output = "ready", None, None, []
        job.state = None if job.type == "AgentUpdateJob" else "in_progress"
        job.last_update_ms = at_ms
        job.starts += 1
        job.encoded = None
        self.version += 1
        self.became_ready(job, at_ms)

    def edit(self, job: Job, at_ms: int) -> None:
        """Saves a job without another run, like a change of its access list: only last_update changes."""
        job.last_update_ms = at_ms
        job.encoded = None
        self.version += 1

    def delete_task(self, task: Task, *, jobs: bool) -> None:
        """Removes a task, and its jobs if asked."""
        del self.tasks[task.id]
        for job in list(task.jobs) if jobs else ():
            task.jobs.remove(job)
            del self.jobs[job.id]
            if job.host is not None and job.host.running is job:
                job.host.running = None
        self.version += 1


def _ignore(_what: Any, _at_ms: int) -> None:
    return
