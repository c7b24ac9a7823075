"""Tasks, users, and their JSON."""

from typing import Any, Final

from theeye_exporter.demo.ids_and_time import Organization, iso
from theeye_exporter.demo.monitors import Host

__all__ = ["BOT_USER", "HUMAN", "KEPT_JOBS", "STARTER", "USERS", "WATCHER", "Task", "User"]

Document = dict[str, Any]

KEPT_JOBS: Final = 5
"""Number of a task's newest jobs that are kept when another one is created; the server's default."""


class User:
    """A user who starts or approves jobs, or a bot that reports them."""

    __slots__ = ("email", "id", "username")

    def __init__(self, user_id: str, username: str) -> None:
        self.id = user_id
        self.username = username
        self.email = f"{username}@example.com"

    def document(self) -> Document:
        """Its JSON in results and environments."""
        return {"email": self.email, "username": self.username, "id": self.id}


HUMAN: Final = User("5bf81d18ca5e7e000f80f8e1", "operator")
BOT_USER: Final = User("5bf81d18ca5e7e000f80f8e2", "agent")
STARTER: Final = User("5bf81d18ca5e7e000f80f8e3", "starter")
"""A user of level user, with whom every task and workflow is shared at the start."""
WATCHER: Final = User("5bf81d18ca5e7e000f80f8e4", "watcher")
USERS: Final = (HUMAN, BOT_USER, STARTER, WATCHER)


class Task:
    """A task; times are milliseconds since the epoch.

    Attributes:
        id: Its object id.
        name: Not unique.
        type: script, scraper, approval, dummy, notification or nodejs.
        host: The host whose bot runs its jobs; None if the server ends them itself, or if a script has no host yet.
        timeout_ms: Run time after which a run is killed; None means the default, 600 000.
        interval_s: Seconds between two scheduled runs; None without a schedule.
        next_run_ms: The next scheduled run.
        broken: The fault of its schedule, one of `SCHEDULE_FAULTS`; or empty.
        last_run_ms: The last scheduled run; None before the first.
        seconds: Shortest and longest usual run.
        failing: Share of runs that fail.
        tags: Its tags.
        workflow_id: The workflow of which it is a step.
        execution_count: The server's own count of started runs.
        jobs: Its jobs that still exist, oldest first.
        acl: E-mail addresses of the users below administrators who may see and start it.
        arguments: Its arguments as in its JSON: `order`, `label`, `type`, and the `value` of those of type fixed.
        arguments_type: legacy (arguments arrive as sent) or json (each arrives as JSON text).
        user_inputs: Whether a person has to enter the arguments.
        foreign: Whether it belongs to the other organisation.
        mends: The name of the monitors of its host that work again after a run that succeeded; or empty.
        ends: How each of its runs ends, and the result, for tests; None for chance.
    """

    __slots__ = (
        "acl",
        "arguments",
        "arguments_type",
        "broken",
        "creation_ms",
        "ends",
        "execution_count",
        "failing",
        "fingerprint",
        "foreign",
        "host",
        "id",
        "interval_s",
        "jobs",
        "last_run_ms",
        "last_update_ms",
        "mends",
        "name",
        "next_run_ms",
        "schedule_id",
        "script_id",
        "seconds",
        "secret",
        "tags",
        "timeout_ms",
        "type",
        "user_inputs",
        "workflow_id",
    )

    def __init__(self, task_id: str, name: str, kind: str, host: Host | None, creation_ms: int) -> None:
        self.id = task_id
        self.name = name
        self.type = kind
        self.host = host
        self.creation_ms = self.last_update_ms = creation_ms
        self.timeout_ms: int | None = None
        self.interval_s: int | None = None
        self.next_run_ms = 0
        self.last_run_ms: int | None = None
        self.seconds = (0.1, 1.0)
        self.failing = 0.0
        self.tags: tuple[str, ...] = ()
        self.workflow_id: str | None = None
        self.execution_count = 0
        self.jobs: list[Any] = []
        self.acl: tuple[str, ...] = (STARTER.email,)
        self.arguments: tuple[Document, ...] = ()
        self.arguments_type = "legacy"
        self.user_inputs = self.foreign = False
        self.ends: Any = None
        self.broken = self.mends = ""
        self.fingerprint = self.secret = self.script_id = self.schedule_id = ""

    @property
    def hostname(self) -> str | None:
        """Name of its host."""
        return self.host.hostname if self.host is not None else None

    @property
    def listed(self) -> bool:
        """Whether lists contain it: they leave out scripts and scrapers without a host."""
        return self.placed and not self.foreign

    @property
    def placed(self) -> bool:
        """Whether it has everything that a run needs."""
        return self.host is not None or self.type not in {"script", "scraper"}

    def stored(self) -> Document:
        """Its fields in the database, for where and sort; times in milliseconds since the epoch."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "tags": self.tags,
            "host_id": None if self.host is None else self.host.id,
            "workflow_id": self.workflow_id,
            "execution_count": self.execution_count,
            "creation_date": self.creation_ms,
            "last_update": self.last_update_ms,
            "timeout": self.timeout_ms,
        }

    def document(self, organization: Organization) -> Document:
        """Its JSON, in lists and alone."""
        document = self._common(organization)
        host = self.host
        if self.type in {"script", "scraper"}:
            found = None if host is None else {"_id": host.id, "hostname": host.hostname, "id": host.id}
            document["host"] = found
        if self.type == "script":
            script = {"_type": "Script", "_id": self.script_id, "filename": self._filename, "id": self.script_id}
            document |= {"script": script, "script_name": self._filename}
        if host is not None:
            document["hostname"] = host.hostname
        document["schedules"] = [self._schedule(organization)] if self.interval_s is not None else []
        return document

    def embedded(self, organization: Organization) -> Document:
        """Its JSON inside a job, from before the job was counted."""
        document = self._common(organization) | {"customer": None, "host": None}
        document["execution_count"] = max(0, self.execution_count - 1)
        if self.type == "script":
            document["script"] = self.script_id
        return document

    def unresolved(self, organization: Organization) -> Document:
        """Its JSON inside a workflow's job: as in the database, including the secret."""
        document = self._common(organization)
        del document["id"]
        document |= {"_id": self.id, "secret": self.secret, "__v": 0}
        if self.host is not None:
            document["host"] = self.host.id
        if self.type == "script":
            document["script"] = self.script_id
        return document

    def brief(self) -> Document:
        """Its JSON inside running jobs."""
        document: Document = {"id": self.id, "_type": self._type, "type": self.type}
        if self.type == "approval":
            document["approvers"] = [HUMAN.id]
        return document | {"task_arguments": list(self.arguments), "output_parameters": []}

    def script(self, organization: Organization) -> Document:
        """Its script's JSON inside a job."""
        filename = self._filename
        made = iso(self.creation_ms)
        return {
            "order": 0,
            "enable": True,
            "acl": [],
            "tags": [],
            "description": "",
            "md5": self.secret[:32],
            "_type": "Script",
            "_id": self.script_id,
            "filename": filename,
            "mimetype": "text/x-sh",
            "extension": "sh",
            "customer": organization.id,
            "customer_id": organization.id,
            "customer_name": organization.name,
            "last_update": made,
            "creation_date": made,
            "keyname": f"{filename}[ts:{self.creation_ms}]",
            "id": self.script_id,
        }

    @property
    def _type(self) -> str:
        return f"{self.type.capitalize()}Task"

    @property
    def _filename(self) -> str:
        return f"task_{self.script_id[-6:]}.sh"

    def _common(self, organization: Organization) -> Document:
        document: Document = {
            "order": 0,
            "enable": True,
            "type": self.type,
            "public": False,
            "tags": list(self.tags),
            "triggers": [],
            "grace_time": 0,
            "task_arguments": list(self.arguments),
            "arguments_type": self.arguments_type,
            "output_parameters": [],
            "register_body": False,
            "execution_count": self.execution_count,
            "multitasking": True,
            "show_result": False,
            "assigned_users": [],
            "user_inputs": self.user_inputs,
            "user_inputs_members": [],
            "acl": list(self.acl),
            "empty_viewers": False,
            "cancellable": True,
            "autoremove_completed_jobs_limit": KEPT_JOBS,
            "version": 1,
            "fingerprint": self.fingerprint,
            "stack_scheduled_executions": False,
            "_type": self._type,
            "creation_date": iso(self.creation_ms),
            "last_update": iso(self.last_update_ms),
            "name": self.name,
            "customer": organization.id,
            "customer_id": organization.id,
            "allows_dynamic_settings": False,
            "id": self.id,
        }
        if self.timeout_ms is not None:
            document["timeout"] = self.timeout_ms
        if self.host is not None:
            document["host_id"] = self.host.id
        if self.workflow_id is not None:
            document |= {"workflow_id": self.workflow_id, "workflow": self.workflow_id}
        return document | self._by_type()

    def _by_type(self) -> Document:
        match self.type:
            case "script":
                runs = {"agent_logging": False, "script_runas": "/bin/bash %script%"}
                return runs | {"script_id": self.script_id}
            case "scraper":
                return {"url": f"https://{self.hostname}.example.com/health", "method": "GET", "status_code": 200}
            case "approval":
                buttons = dict.fromkeys(("success", "failure", "cancel", "ignore"), True)
                return {f"{name}_enabled": on for name, on in buttons.items()} | {"approvers": [HUMAN.id]}
            case _:
                return {}

    def _schedule(self, organization: Organization) -> Document:
        every = f"{self.interval_s} seconds"
        data = {
            "task_id": self.id,
            "customer_id": organization.id,
            "customer_name": organization.name,
            "origin": "scheduler",
            "scheduleData": {"runDate": iso(self.creation_ms), "repeatEvery": every, "timezone": "Etc/UTC"},
        }
        schedule: Document = {"_id": self.schedule_id, "name": "task", "data": data, "type": "normal", "priority": 0}
        schedule |= {"repeatInterval": every, "repeatTimezone": "Etc/UTC", "nextRunAt": iso(self.next_run_ms)}
        if self.last_run_ms is not None:
            schedule |= {"lastRunAt": iso(self.last_run_ms), "lastFinishedAt": iso(self.last_run_ms + 30)}
        if self.broken == "schedule-failed":
            schedule["lastFinishedAt"] = schedule["failedAt"] = iso((self.last_run_ms or self.creation_ms) + 30)
            schedule |= {"failCount": 1, "failReason": "customer is no longer available"}
        if self.broken in {"schedule-disabled", "schedule-failed"}:
            schedule["disabled"] = True
        return schedule
