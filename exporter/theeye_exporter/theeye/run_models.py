"""Typed structs for what can be started, and for the jobs of runs that were; see `fields` for why they are loose."""

from typing import Any

import msgspec

from theeye_exporter.theeye.fields import Junk
from theeye_exporter.theeye.models import Host, Job, JobResult

__all__ = ["Argument", "RunJob", "RunResult", "StartableTask", "StartableWorkflow"]


class Argument(msgspec.Struct, gc=False):
    """One argument of a task; a fixed one has its value from the task."""

    order: Any = None
    label: Any = None
    type: Any = None


class StartableTask(msgspec.Struct, gc=False):
    """A task, with what a start needs to know; `autoremove_completed_jobs_limit` is how many ended jobs are kept."""

    id: Any = None
    name: Any = None
    type: Any = None
    hostname: Any = None
    host: Host | Junk = None
    enable: Any = None
    execution_count: Any = None
    last_update: Any = None
    workflow_id: Any = None
    autoremove_completed_jobs_limit: Any = None
    task_arguments: list[Argument | Junk] | dict[str, Any] | str | float | bool | None = None
    schedules: Any = None


class StartableWorkflow(msgspec.Struct, gc=False):
    """A workflow; the jobs of version 1 never end."""

    id: Any = None
    name: Any = None
    version: Any = None
    start_task_id: Any = None


class RunResult(JobResult, gc=False):
    """The result of a job; `lastline` and `log` are what the script printed."""

    log: Any = None
    lastline: Any = None
    output: Any = None
    message: Any = None


class RunJob(Job, gc=False):
    """A job as a list or a creation shows it, or in full; its secret is not decoded."""

    workflow_job_id: Any = None
    user_id: Any = None
    origin: Any = None
    task_arguments_values: Any = None
    result: RunResult | Junk = None
