"""Workflows: sequences of tasks, and their JSON."""

from itertools import pairwise
from typing import Any

from theeye_exporter.demo.ids_and_time import MS, Organization, iso
from theeye_exporter.demo.tasks import KEPT_JOBS, STARTER, Task

__all__ = ["Workflow"]


class Workflow:
    """A sequence of tasks: each task starts the next one when it succeeds.

    Attributes:
        id: Its object id.
        name: Its name.
        steps: Its tasks, in order.
        interval_s: Seconds between two scheduled runs.
        next_run_ms: The next scheduled run, in milliseconds since the epoch.
        runs: Number of runs so far.
        jobs: Its own jobs (one for each run) that still exist, oldest first.
        acl: E-mail addresses of the users below administrators who may see and start it.
        secret: Starts it without login.
        version: Of its format; the jobs of version 1 never end.
    """

    __slots__ = (
        "acl",
        "creation_ms",
        "id",
        "interval_s",
        "jobs",
        "name",
        "next_run_ms",
        "runs",
        "secret",
        "steps",
        "version",
    )

    def __init__(self, workflow_id: str, name: str, steps: tuple[Task, ...], creation_ms: int, interval_s: int) -> None:
        self.id = workflow_id
        self.name = name
        self.steps = steps
        self.creation_ms = creation_ms
        self.interval_s = interval_s
        self.next_run_ms = 0
        self.runs = 0
        self.jobs: list[Any] = []
        self.acl: tuple[str, ...] = (STARTER.email,)
        self.secret = ""
        self.version = 2

    def document(self, organization: Organization) -> dict[str, Any]:
        """Its JSON in the list of workflows."""
        nodes = [
            {"v": step.id, "value": {"id": step.id, "_type": "ScriptTask", "name": step.name}} for step in self.steps
        ]
        edges = [{"v": first.id, "w": second.id, "value": "success"} for first, second in pairwise(self.steps)]
        made = iso(self.creation_ms)
        return {
            "order": 0,
            "enable": True,
            "description": "",
            "tags": ["etl"],
            "triggers": [],
            "table_view": False,
            "assigned_users": [],
            "user_inputs_members": [],
            "acl": list(self.acl),
            "empty_viewers": False,
            "acl_dynamic": False,
            "_type": "Workflow",
            "autoremove_completed_jobs_limit": KEPT_JOBS,
            "stack_scheduled_executions": False,
            "multitasking": True,
            "name": self.name,
            "graph": {
                "options": {"directed": True, "multigraph": False, "compound": False},
                "nodes": nodes,
                "edges": edges,
            },
            "version": self.version,
            "customer": organization.id,
            "customer_id": organization.id,
            "creation_date": made,
            "last_update": iso(self.creation_ms + MS // 10),
            "start_task": self.steps[0].id,
            "start_task_id": self.steps[0].id,
            "id": self.id,
        }
