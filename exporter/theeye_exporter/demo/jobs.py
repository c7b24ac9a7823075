"""Jobs of tasks, of workflows and of agents' own updates, and their JSON."""

import json
from typing import Any, Final

import msgspec

from theeye_exporter.demo.ids_and_time import Organization, iso
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.tasks import HUMAN, Task, User
from theeye_exporter.demo.workflows import Workflow

__all__ = ["ENDED", "IN_PROGRESS", "RUNNING", "RUNNING_COUNTED", "Job"]

Document = dict[str, Any]

IN_PROGRESS: Final = "in_progress"
ENDED: Final = frozenset({"finished", "terminated", "canceled"})
"""Lifecycles of a job that is over."""
RUNNING: Final = frozenset({"started", "ready", "assigned", "onhold", "syncing", "locked"})
"""Lifecycles that `/job/running` lists."""
RUNNING_COUNTED: Final = RUNNING - {"started"}
"""Lifecycles that `/job/running_count` counts."""

_SCRIPTED: Final = frozenset({"ScriptJob", "NodejsJob"})
_encode: Final = msgspec.json.Encoder().encode


class Job:
    """One job; times are milliseconds since the epoch.

    Attributes:
        id: Its object id; a restart keeps it.
        type: ScriptJob, ScraperJob, DummyJob, ApprovalJob, NotificationJob, NodejsJob, AgentUpdateJob or WorkflowJob.
        name: The task's name, the workflow's, or `agent:config:update`.
        task: The task it runs; for a workflow's job, the first step; None for an agent's update.
        workflow: The workflow it belongs to, if any.
        workflow_job: The workflow's job it is a step of, if any.
        host: The host whose bot runs it; None if the server does.
        creation_ms: When it was created; a restart keeps it.
        last_update_ms: When it was last saved. Being assigned to a bot does not save it.
        lifecycle: ready, assigned, onhold, started, finished, terminated, canceled, syncing or locked.
        state: in_progress, success, failure, timeout, canceled, error; None for an agent's update that is running.
        trigger_name: The event that its end raised; None before.
        origin: user, secret, workflow, trigger_by, scheduler; None for an agent's update.
        order: The workflow's count of runs.
        user: The user who started it; None if a schedule or a secret did.
        arguments: The values of its arguments.
        secret: Gives access to its result without login. It is in every response: never show it.
        result: The bot's report; None before, and for a workflow's job.
        output: The result's output, each part as JSON in a string.
        acl: Users who may see it, in addition to administrators.
        starts: How many times it was started or restarted.
        planned: When and how its run will end, decided when it is assigned.
        encoded: Its JSON in lists, followed by a comma; None if out of date.
    """

    __slots__ = (
        "acl",
        "arguments",
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
        "user",
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
        self.user: User | None = None
        self.arguments: list[Any] = []
        self.result: Document | None = None
        self.output: list[str] | str = []
        self.acl: list[str] = []
        self.starts = 1
        self.planned: Any = None
        self.encoded: bytes | None = None

    @property
    def task_id(self) -> str | None:
        """Id of its task; None for a workflow's own job and for an agent's update."""
        return self.task.id if self.task is not None and self.type != "WorkflowJob" else None

    @property
    def user_id(self) -> str | None:
        """Id of the user who started it."""
        return self.user.id if self.user is not None else None

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
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
            "task_arguments_values": self.arguments,
            "assigned_users": [],
            "order": self.order,
            "timeout": None if self.task is None else self.task.timeout_ms,
        }

    def encode(self, organization: Organization, *, with_result: bool) -> bytes:
        """Its JSON in lists, followed by a comma; encoded again only after a change.

        Args:
            organization: The organisation.
            with_result: Include the result, like servers before 2.0.0; later ones leave it out.
        """
        if self.encoded is None:
            document = self.listed(organization)
            if with_result and self.result is not None:
                document["result"] = self.result
            self.encoded = _encode(document) + b","
        return self.encoded

    def listed(self, organization: Organization) -> Document:
        """Its JSON in lists: with the secret, but without result, output, task, script, arguments and environment."""
        if self.type == "WorkflowJob":
            return self._listed_workflow(organization)
        document: Document = {
            "order": self.order,
            "show_result": False,
            "assigned_users": [],
            "user_inputs": self.task is not None and self.task.user_inputs,
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
            "customer": organization.id,
            "customer_id": organization.id,
            "customer_name": organization.name,
            "lifecycle": self.lifecycle,
            "notify": self.task is not None,
        }
        if self.host is not None:
            document |= {"host_id": self.host.id, "host": self.host.id}
        if self.task is not None:
            document |= self._of_task(self.task)
        return document | self._state()

    def detailed(self, organization: Organization) -> Document:
        """Its full JSON."""
        document = self.listed(organization)
        document |= {"task_arguments_values": self.arguments, "output": self.output}
        if self.result is not None:
            document["result"] = self.result
        if self.task is not None:
            document["task"] = msgspec.Raw(self.task_then)
        if self.type == "ScriptJob" and self.task is not None:
            document |= {
                "script_arguments": [],
                "env": self._env(organization),
                "script": self.task.script(organization),
            }
        return document

    def running(self, organization: Organization) -> Document:
        """Its JSON in the list of running jobs."""
        document = self.listed(organization)
        del document["customer"]
        document |= {"task_arguments_values": self.arguments, "output": self.output}
        if self.task is not None:
            document["task"] = self.task.brief()
        if self.type == "ScriptJob":
            document["env"] = self._env(organization)
        return document

    def created(self, organization: Organization) -> Document:
        """Its JSON in the answer to its creation."""
        document = self.running(organization)
        if self.host is not None:
            document["host"] = {"_id": self.host.id, "hostname": self.host.hostname, "id": self.host.id}
        if self.type in _SCRIPTED:
            document["env"] = {}
        if self.type == "ApprovalJob":
            document["approvals_target"] = "fixed"
        if self.result is not None:
            document["result"] = self.result
        return document | {"user": self.user.document() if self.user is not None else {}}

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
        if self.type in _SCRIPTED:
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

    def _listed_workflow(self, organization: Organization) -> Document:
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
            "customer": organization.id,
            "notify": True,
            "origin": self.origin,
            "workflow": workflow_id,
            "workflow_id": workflow_id,
            "name": self.name,
            "customer_id": organization.id,
            "customer_name": organization.name,
            "active_paths_counter": 0 if self.ended else 1,
        }
        if self.user_id is not None:
            document["user_id"] = self.user_id
        return document | self._state()

    def _env(self, organization: Organization) -> dict[str, str]:
        user = self.user.document() if self.user is not None else {}
        run = {}
        if self.workflow is not None and self.workflow_job is not None:
            run = {"job_id": self.workflow_job.id, "id": self.workflow.id}
        values = {
            "THEEYE_JOB": {"id": self.id, "task_id": self.task_id},
            "THEEYE_JOB_USER": user,
            "THEEYE_JOB_WORKFLOW": run,
            "THEEYE_ORGANIZATION_NAME": organization.name,
            "THEEYE_API_URL": "http://127.0.0.1:60080",
        }
        return {name: json.dumps(value, separators=(",", ":")) for name, value in values.items()}
