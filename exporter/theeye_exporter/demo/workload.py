"""Tasks and jobs as time goes by: schedules, queues, runs, ends; and the server's rules for them."""

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec

from theeye_exporter.demo.basics import Ids, Organization
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.results import Ending, result_of
from theeye_exporter.demo.tasks import HUMAN, KEPT_JOBS, Task
from theeye_exporter.demo.truth import Truth
from theeye_exporter.demo.workflows import Workflow

__all__ = ["Workload"]

_TERMINATED: Final = frozenset({"timeout", "error"})
_WAITING: Final = frozenset({"ready", "onhold", "syncing", "locked"})


class Workload:
    """Tasks, workflows and jobs, and what the server does to them; times are milliseconds since the epoch.

    Attributes:
        tasks: By id.
        workflows: By id.
        jobs: By id, oldest first.
        truth: The runs that ended.
        version: Grows with each change of a job.
        taken: Ids of the jobs that a listing with an agent's token took off the queue.
        became_ready: Called with a job and the time when a bot, or the server, may begin with it.
        freed: Called with a host and the time when its bot may take another job.
    """

    def __init__(self, owner: Organization, ids: Ids, seed: int) -> None:
        self.tasks: dict[str, Task] = {}
        self.workflows: dict[str, Workflow] = {}
        self.jobs: dict[str, Job] = {}
        self.truth = Truth()
        self.version = 1
        self.taken: list[str] = []
        self.became_ready: Callable[[Job, int], None] = _ignore
        self.freed: Callable[[Host, int], None] = _ignore
        self._owner = owner
        self._ids = ids
        self._secrets = random.Random(f"{seed} secrets")

    def secret(self) -> str:
        """64 hexadecimal digits, as TheEye makes them."""
        return f"{self._secrets.getrandbits(256):064x}"

    def create(
        self, task: Task, at_ms: int, *, origin: str, lifecycle: str = "ready", workflow_job: Job | None = None
    ) -> Job:
        """Creates a job of a task; of the task's older jobs, all but the newest four go if they ended."""
        job = Job(self._ids(at_ms), f"{task.type.capitalize()}Job", task.name, at_ms, self.secret())
        job.task, job.host, job.origin = task, task.host, origin
        job.user_id = HUMAN.id if origin == "user" else None
        job.lifecycle = "onhold" if task.type == "approval" and lifecycle == "ready" else lifecycle
        if workflow_job is not None:
            job.workflow, job.workflow_job = workflow_job.workflow, workflow_job
            job.order, job.acl, job.user_id = workflow_job.order, workflow_job.acl, workflow_job.user_id
        task.execution_count += 1
        task.last_update_ms = at_ms
        job.task_then = msgspec.json.encode(task.embedded(self._owner))
        self._keep(job, task.jobs)
        self.became_ready(job, at_ms)
        return job

    def create_run(self, workflow: Workflow, at_ms: int, *, origin: str) -> Job:
        """Creates a workflow's job and the job of its first step; returns the former."""
        run = Job(self._ids(at_ms), "WorkflowJob", workflow.name, at_ms, self.secret())
        run.task, run.workflow, run.origin = workflow.steps[0], workflow, origin
        run.user_id = HUMAN.id if origin == "user" else None
        run.order = workflow.runs
        run.acl = [HUMAN.email]
        run.task_then = msgspec.json.encode(workflow.steps[0].unresolved(self._owner))
        workflow.runs += 1
        self._keep(run, workflow.jobs)
        self.create(workflow.steps[0], at_ms, origin=origin, workflow_job=run)
        return run

    def create_agent_update(self, host: Host, at_ms: int) -> Job:
        """Creates the job that tells a bot to read its configuration again; it has no task, origin or state."""
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
        """Hands a job to its bot. The server does this without saving: last_update stays."""
        job.lifecycle = "assigned"
        job.encoded = None
        run = job.workflow_job
        if run is not None and run.lifecycle == "ready":
            run.lifecycle = "started"
            run.encoded = None
        self.version += 1

    def take(self, host: Host) -> list[Job]:
        """What listing jobs with an agent's token does: every ready job of the host is handed out."""
        jobs = [job for job in self.jobs.values() if job.host is host and job.lifecycle == "ready"]
        for job in jobs:
            self.assign(job)
            self.taken.append(job.id)
        return jobs

    def end(self, job: Job, at_ms: int, ending: Ending, result: Mapping[str, Any] | None = None) -> None:
        """Ends a job; a step of a workflow starts the next one when it succeeded, or else ends the workflow's job.

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
        self.truth.count(job)
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
            self.create(following[0], at_ms, origin="workflow", workflow_job=run)
        else:
            self.end(run, at_ms, Ending(state if state in {"success", "failure"} else "failure"))

    def restart(self, job: Job, at_ms: int) -> None:
        """Brings an ended job back to ready: same id, same creation date, no result.

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
        """Saves a job without another run, as changing who may see it does: only last_update changes."""
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
