"""Jobs: one run of a task, of a workflow, or of an agent's own update; and their JSON."""

import json
from typing import Any, Final

import msgspec

from theeye_exporter.demo.basics import Organization, iso
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.tasks import HUMAN, Task
from theeye_exporter.demo.workflows import Workflow

__all__ = ["ENDED", "IN_PROGRESS", "RUNNING", "RUNNING_COUNTED", "Job"]

Document = dict[str, Any]

IN_PROGRESS: Final = "in_progress"
ENDED: Final = frozenset({"finished", "terminated", "canceled"})
"""Lifecycles of a job that is over."""
RUNNING: Final = frozenset({"started", "ready", "assigned", "onhold", "syncing", "locked"})
"""Lifecycles that `/job/running` shows."""
RUNNING_COUNTED: Final = RUNNING - {"started"}
"""Lifecycles that `/job/running_count` counts."""

_encode: Final = msgspec.json.Encoder().encode


class Job:
    """One job; times are milliseconds since the epoch.

    Attributes:
        id: Its object id; a restart keeps it.
        type: ScriptJob, ScraperJob, DummyJob, ApprovalJob, NotificationJob, NodejsJob, AgentUpdateJob or WorkflowJob.
        name: The task's name, the workflow's, or `agent:config:update`.
        task: The task it runs; of a workflow's job the first step; None for an agent's update.
        workflow: The workflow it belongs to, if any.
        workflow_job: The workflow's job it is a step of, if any.
        host: Whose bot runs it; None when the server does.
        creation_ms: When it was created; a restart keeps it.
        last_update_ms: When it was saved last. Being assigned to a bot does not save it.
        lifecycle: ready, assigned, onhold, started, finished, terminated, canceled, syncing or locked.
        state: in_progress, success, failure, timeout, canceled, error; None of an agent's update that runs.
        trigger_name: The event its end raised; None before.
        origin: user, secret, workflow, trigger_by, scheduler; None of an agent's update.
        order: The workflow's count of runs.
        user_id: Who started it; None by schedule.
        secret: Opens its result without login. It is in every answer: never show it.
        result: What the bot reported; None before, and of a workflow's job.
        output: The result's output, each part as JSON in a string.
        acl: Who may see it besides administrators.
        starts: How many times it was started or restarted.
        planned: When and how its run will end, decided when it is assigned.
        encoded: Its JSON in lists, with a comma behind it; None when out of date.
    """

    __slots__ = (
        "acl",
        "creation_ms",
        "encoded",
        "host",
        "id",
        "last_update_ms",
        "lifecycle",
        "name",
        "order",
        "origin",
        "output",
        "planned",
        "result",
        "secret",
        "starts",
        "state",
        "task",
        "task_then",
        "trigger_name",
        "type",
        "user_id",
        "workflow",
        "workflow_job",
    )

    def __init__(self, job_id: str, kind: str, name: str, creation_ms: int, secret: str) -> None:
        self.id = job_id
        self.type = kind
        self.name = name
        self.creation_ms = self.last_update_ms = creation_ms
        self.secret = secret
        self.task: Task | None = None
        self.task_then: bytes = b"null"
        self.workflow: Workflow | None = None
        self.workflow_job: Job | None = None
        self.host: Host | None = None
        self.lifecycle = "ready"
        self.state: str | None = IN_PROGRESS
        self.trigger_name: str | None = None
        self.origin: str | None = None
        self.order = 0
        self.user_id: str | None = None
        self.result: Document | None = None
        self.output: list[str] = []
        self.acl: list[str] = []
        self.starts = 1
        self.planned: Any = None
        self.encoded: bytes | None = None

    @property
    def task_id(self) -> str | None:
        """Id of its task; None of a workflow's own job and of an agent's update."""
        return self.task.id if self.task is not None and self.type != "WorkflowJob" else None

    @property
    def ended(self) -> bool:
        """It is over."""
        return self.lifecycle in ENDED

    def stored(self) -> Document:
        """Its fields in the database, for where and sort; times in milliseconds since the epoch."""
        return {
            "id": self.id,
            "_type": self.type,
            "name": self.name,
            "task_id": self.task_id,
            "workflow_id": None if self.workflow is None else self.workflow.id,
            "workflow_job_id": None if self.workflow_job is None else self.workflow_job.id,
            "host_id": None if self.host is None else self.host.id,
            "creation_date": self.creation_ms,
            "last_update": self.last_update_ms,
            "lifecycle": self.lifecycle,
            "state": self.state,
            "origin": self.origin,
            "trigger_name": self.trigger_name,
            "user_id": self.user_id,
            "order": self.order,
            "timeout": None if self.task is None else self.task.timeout_ms,
        }

    def encode(self, owner: Organization, *, with_result: bool) -> bytes:
        """Its JSON in lists with a comma behind it, encoded anew only after a change.

        Args:
            owner: The organisation.
            with_result: As servers before 2.0.0 answered; later ones leave the result out.
        """
        if self.encoded is None:
            document = self.listed(owner)
            if with_result and self.result is not None:
                document["result"] = self.result
            self.encoded = _encode(document) + b","
        return self.encoded

    def listed(self, owner: Organization) -> Document:
        """Its JSON in lists: without result, output, task, script, arguments and environment, but with the secret."""
        if self.type == "WorkflowJob":
            return self._listed_workflow(owner)
        document: Document = {
            "order": self.order,
            "show_result": False,
            "assigned_users": [],
            "user_inputs": False,
            "user_inputs_members": [],
            "acl": self.acl,
            "empty_viewers": False,
            "acl_dynamic": False,
            "cancellable": True,
            "_type": self.type,
            "creation_date": iso(self.creation_ms),
            "last_update": iso(self.last_update_ms),
            "secret": self.secret,
            "name": self.name,
            "customer": owner.id,
            "customer_id": owner.id,
            "customer_name": owner.name,
            "lifecycle": self.lifecycle,
            "notify": self.task is not None,
        }
        if self.host is not None:
            document |= {"host_id": self.host.id, "host": self.host.id}
        if self.task is not None:
            document |= self._of_task(self.task)
        return document | self._state()

    def detailed(self, owner: Organization) -> Document:
        """Its JSON by itself: everything."""
        document = self.listed(owner)
        document |= {"task_arguments_values": [], "output": self.output}
        if self.result is not None:
            document["result"] = self.result
        if self.task is not None:
            document["task"] = msgspec.Raw(self.task_then)
        if self.type == "ScriptJob" and self.task is not None:
            document |= {"script_arguments": [], "env": self._env(owner), "script": self.task.script(owner)}
        return document

    def running(self, owner: Organization) -> Document:
        """Its JSON among the jobs that are running."""
        document = self.listed(owner)
        del document["customer"]
        document |= {"task_arguments_values": [], "output": self.output}
        if self.task is not None:
            document["task"] = self.task.brief()
        if self.type == "ScriptJob":
            document["env"] = self._env(owner)
        return document

    def _of_task(self, task: Task) -> Document:
        document: Document = {
            "task_id": task.id,
            "allows_dynamic_settings": False,
            "origin": self.origin,
            "triggered_by": None,
        }
        if task.timeout_ms is not None:
            document["timeout"] = task.timeout_ms
        if self.user_id is not None:
            document["user_id"] = self.user_id
        if self.workflow is not None and self.workflow_job is not None:
            document |= {"workflow": self.workflow.id, "workflow_id": self.workflow.id}
            document |= {"workflow_job": self.workflow_job.id, "workflow_job_id": self.workflow_job.id}
        if self.type == "ScriptJob":
            runs = {"agent_logging": False, "script_runas": "/bin/bash %script%"}
            document |= {"script_id": task.script_id, **runs}
        elif self.type == "ScraperJob":
            document["register_body"] = False
        elif self.type == "ApprovalJob":
            document["approvers"] = [HUMAN.id]
        return document

    def _state(self) -> Document:
        document: Document = {}
        if self.state is not None:
            document["state"] = self.state
        if self.trigger_name is not None:
            document["trigger_name"] = self.trigger_name
        return document | {"id": self.id}

    def _listed_workflow(self, owner: Organization) -> Document:
        workflow_id = self.workflow.id if self.workflow is not None else None
        document: Document = {
            "order": self.order,
            "enable": True,
            "assigned_users": [],
            "user_inputs_members": [],
            "acl": self.acl,
            "empty_viewers": False,
            "acl_dynamic": False,
            "show_result": False,
            "user_inputs": False,
            "cancellable": True,
            "_type": self.type,
            "creation_date": iso(self.creation_ms),
            "last_update": iso(self.last_update_ms),
            "secret": self.secret,
            "_id": self.id,
            "lifecycle": self.lifecycle,
            "customer": owner.id,
            "notify": True,
            "origin": self.origin,
            "workflow": workflow_id,
            "workflow_id": workflow_id,
            "name": self.name,
            "customer_id": owner.id,
            "customer_name": owner.name,
            "active_paths_counter": 0 if self.ended else 1,
        }
        if self.user_id is not None:
            document["user_id"] = self.user_id
        return document | self._state()

    def _env(self, owner: Organization) -> dict[str, str]:
        user = HUMAN.document() if self.user_id is not None else {}
        run = {}
        if self.workflow is not None and self.workflow_job is not None:
            run = {"job_id": self.workflow_job.id, "id": self.workflow.id}
        values = {
            "THEEYE_JOB": {"id": self.id, "task_id": self.task_id},
            "THEEYE_JOB_USER": user,
            "THEEYE_JOB_WORKFLOW": run,
            "THEEYE_ORGANIZATION_NAME": owner.name,
            "THEEYE_API_URL": "http://127.0.0.1:60080",
        }
        return {name: json.dumps(value, separators=(",", ":")) for name, value in values.items()}
