"""Typed structs for all objects of TheEye's API but monitors, with only the fields that are used.

See `fields` for why they are loose.
"""

from typing import Any, Literal

import msgspec

from theeye_exporter.theeye.fields import Junk, Times, timestamp

__all__ = [
    "DiskStats",
    "DiskUsage",
    "Fingerprint",
    "Host",
    "HostStats",
    "HostStatsValues",
    "Indicator",
    "Job",
    "JobResult",
    "Processor",
    "Reference",
    "Schedule",
    "Status",
    "Task",
    "Webhook",
    "Workflow",
]


class Reference(msgspec.Struct, gc=False):
    """An object that is embedded in another."""

    id: Any = None


class Processor(msgspec.Struct, gc=False):
    """A processor of a host; only the number of these is used."""


class Fingerprint(msgspec.Struct, gc=False):
    """What a bot found on its host when it registered; `totalmem` is in bytes, as text."""

    fingerprint: Any = None
    creation_date: Any = None
    platform: Any = None
    release: Any = None
    arch: Any = None
    agent_version: Any = None
    totalmem: Any = None
    cpu: list[Processor | Junk] | dict[str, Any] | str | float | bool | None = None


class Host(msgspec.Struct, gc=False):
    """A host as listed; a host that is embedded in a task has only its id and name."""

    id: Any = None
    hostname: Any = None
    enable: Any = None
    current_fingerprint: Any = None
    fingerprints: list[Fingerprint | Junk] | dict[str, Any] | str | float | bool | None = None


class DiskUsage(msgspec.Struct, gc=False):
    """Space on a disk, in kB."""

    total: Any = None
    used: Any = None
    available: Any = None


class DiskStats(msgspec.Struct, gc=False):
    """A disk in the statistics of a host."""

    usage: DiskUsage | Junk = None


class HostStatsValues(msgspec.Struct, gc=False):
    """What a bot measured, sizes in kB; what TheEye calls cache is swap."""

    load_1_minute: Any = None
    load_5_minute: Any = None
    load_15_minute: Any = None
    mem_used: Any = None
    cache_total: Any = msgspec.field(default=None, name="cacheTotal")
    cache_free: Any = msgspec.field(default=None, name="cacheFree")
    disk: dict[str, DiskStats | Junk] | Junk = None


class HostStats(msgspec.Struct, gc=False):
    """The last statistics of a host; `last_update_timestamp` is in milliseconds."""

    id: Any = msgspec.field(default=None, name="_id")
    last_update_timestamp: Any = None
    stats: HostStatsValues | Junk = None


class Schedule(msgspec.Struct, gc=False, rename="camel"):
    """One of a task's schedules."""

    next_run_at: Any = None
    last_run_at: Any = None
    last_finished_at: Any = None
    failed_at: Any = None
    fail_count: Any = None
    disabled: Any = None

    @property
    def state(self) -> Literal["active", "disabled", "failed"]:
        """Whether it will run again; one that failed for good is disabled by TheEye, too.

        TheEye keeps the `next_run_at` of schedules that do not run again, and the `failed_at` of one that failed once and then
        went on.
        """
        failed = timestamp(self.failed_at)
        if failed is not None and failed >= (timestamp(self.last_finished_at) or 0):
            return "failed"
        return "disabled" if self.disabled is True else "active"


class Task(msgspec.Struct, gc=False):
    """A task; `timeout` is in milliseconds, absent for the default."""

    id: Any = None
    name: Any = None
    type: Any = None
    hostname: Any = None
    host: Host | Junk = None
    timeout: Any = None
    execution_count: Any = None
    creation_date: Any = None
    last_update: Any = None
    tags: Any = None
    workflow_id: Any = None
    schedules: list[Schedule | Junk] | dict[str, Any] | str | float | bool | None = None


class Workflow(msgspec.Struct, gc=False):
    """A workflow."""

    id: Any = None
    name: Any = None
    tags: Any = None


class Indicator(msgspec.Struct, gc=False):
    """An indicator; `value` is a number, a text or any JSON, depending on the type. TheEye calls the name `title`."""

    id: Any = None
    title: Any = None
    name: Any = None
    type: Any = None
    value: Any = None
    state: Any = None
    severity: Any = None
    tags: Any = None
    enable: Any = None
    last_update: Any = None


class Status(msgspec.Struct, gc=False):
    """The status of TheEye's server."""

    theeye_version: Any = None


class Webhook(msgspec.Struct, gc=False):
    """A webhook."""

    id: Any = None
    name: Any = None
    enable: Any = None
    trigger_count: Any = None


class JobResult(msgspec.Struct, gc=False):
    """The result of a script job's run; other jobs have none of these fields."""

    code: Any = None
    times: Times | Junk = None


class Job(msgspec.Struct, gc=False):
    """A job, as listed or in full; `result` is in the list only on servers before 2.0."""

    id: Any = None
    type_name: Any = msgspec.field(default=None, name="_type")
    name: Any = None
    task_id: Any = None
    task: Reference | Junk = None
    workflow_id: Any = None
    workflow: Reference | Junk = None
    lifecycle: Any = None
    state: Any = None
    creation_date: Any = None
    last_update: Any = None
    result: JobResult | Junk = None
