"""Typed structs for the objects of TheEye's API, with only the fields that are used.

Fields are as loose as the API: any value may be null, missing or of another type, and one bad field must not make its
object or the list unusable. `number`, `text` and `timestamp` return checked values.
"""

import math
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

__all__ = [
    "Disk",
    "DiskStats",
    "DiskUsage",
    "Event",
    "EventData",
    "Fingerprint",
    "Host",
    "HostStats",
    "HostStatsValues",
    "HttpResponse",
    "Indicator",
    "Job",
    "JobResult",
    "Junk",
    "Limits",
    "Monitor",
    "MonitorConfig",
    "MonitorSettings",
    "ProcessMatch",
    "Processor",
    "Reference",
    "Resource",
    "Schedule",
    "Status",
    "Task",
    "Times",
    "Webhook",
    "Workflow",
    "number",
    "text",
    "timestamp",
]

# What may appear in place of an object. A union can also contain one struct.
Junk = list[Any] | str | float | bool | None


class HttpResponse(msgspec.Struct, gc=False):
    """The response to a scraper monitor's request; no status_code if the request failed."""

    status_code: Any = None


class Times(msgspec.Struct, gc=False):
    """Run time of a script."""

    seconds: Any = None
    nanoseconds: Any = None

    def total(self) -> float | None:
        """Return the run time in seconds, None if it is incomplete, infinite if it is too large for a sample."""
        if not {type(self.seconds), type(self.nanoseconds)} <= {int, float}:
            return None
        try:
            return float((self.seconds * 10**9 + self.nanoseconds) / 10**9)
        except OverflowError:
            return math.inf


class ProcessMatch(msgspec.Struct, gc=False):
    """A process that a process monitor found; only the number of these is used."""


class Disk(msgspec.Struct, gc=False):
    """A disk of a host; `value` is the percentage in use."""

    name: Any = None
    value: Any = None


class EventData(msgspec.Struct, gc=False):
    """`last_event.data` of dstat, script, scraper and process monitors in one.

    dstat values are percentages; `cache` is the share of swap in use, null without swap. `ps` lists the processes that
    match.
    """

    cpu: Any = None
    mem: Any = None
    cache: Any = None
    disk: list[Disk | Junk] | dict[str, Any] | str | float | bool | None = None
    code: Any = None
    times: Times | Junk = None
    response: HttpResponse | Junk = None
    ps: list[ProcessMatch | Junk] | dict[str, Any] | str | float | bool | None = None


class Event(msgspec.Struct, gc=False):
    """`last_event`: the last report of a monitor; absent if empty."""

    data: EventData | Junk = None


class Limits(msgspec.Struct, gc=False):
    """`config.limit` of a dstat monitor, in percent."""

    cpu: Any = None
    mem: Any = None
    cache: Any = None
    disk: Any = None


class MonitorConfig(msgspec.Struct, gc=False):
    """The part of a monitor's type-specific configuration that is used."""

    limit: Limits | Junk = None


class MonitorSettings(msgspec.Struct, gc=False):
    """The monitor document that today's API nests in a resource; `looptime` is in milliseconds, 0 for nested."""

    looptime: Any = None
    tags: Any = None
    config: MonitorConfig | Junk = None


class Resource(msgspec.Struct, gc=False):
    """What TheEye calls a resource: the state and the reports of a monitor."""

    id: Any = None
    name: Any = None
    type: Any = None
    state: Any = None
    enable: Any = None
    alerts: Any = None
    fails_count: Any = None
    recovery_count: Any = None
    failure_severity: Any = None
    host_id: Any = None
    hostname: Any = None
    customer_name: Any = None
    last_update: Any = None
    last_check: Any = None
    last_event: Event | Junk = None


_NULL: Final = msgspec.Raw(b"null")


class Monitor(Resource, gc=False):
    """A monitor as listed: a resource with its settings.

    The settings stay JSON until they are needed: they change too rarely to be decoded with every list.

    Servers before 2.0 list it the other way round, a monitor document with the resource nested in it; `flat` makes
    both the same.
    """

    monitor: msgspec.Raw = _NULL
    # Before 2.0, these fields are at the top level, and the resource is an object instead of an id.
    resource: Resource | Junk = None
    resource_id: Any = None
    looptime: Any = None
    tags: Any = None
    config: MonitorConfig | Junk = None

    def flat(self) -> "Monitor":
        """Return the monitor in today's shape; its id is the resource's id in both."""
        resource = self.resource
        if type(resource) is not Resource:
            return self
        return Monitor(
            id=resource.id or self.resource_id or self.id,
            name=_first(self.name, resource.name),
            type=_first(self.type, resource.type),
            state=resource.state,
            enable=_first(resource.enable, self.enable),
            alerts=resource.alerts,
            fails_count=resource.fails_count,
            recovery_count=resource.recovery_count,
            failure_severity=resource.failure_severity,
            host_id=_first(resource.host_id, self.host_id),
            hostname=_first(resource.hostname, self.hostname),
            customer_name=_first(resource.customer_name, self.customer_name),
            last_update=resource.last_update,
            last_check=resource.last_check,
            last_event=resource.last_event,
            monitor=msgspec.Raw(
                msgspec.json.encode(MonitorSettings(looptime=self.looptime, tags=self.tags, config=self.config))
            ),
        )

    def settings(self) -> MonitorSettings:
        """Return its settings; they are empty if the field contains something else."""
        try:
            settings = _settings.decode(self.monitor)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return MonitorSettings()
        return settings if isinstance(settings, MonitorSettings) else MonitorSettings()


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

        TheEye keeps `next_run_at` of the others, which do not run again, and `failed_at` of one that went on.
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


_settings: Final = msgspec.json.Decoder(MonitorSettings | Junk)

_END_OF_TIME: Final = 253_402_214_400.0
"""9999-12-31: this leaves a day, so that a time with any offset from UTC is still a valid date."""


def number(value: object) -> float | None:
    """Return a finite number, None for anything else; a bool does not count as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer that is too large for a sample
        return None


def text(value: object) -> str:
    """Return a string unchanged, a number as its digits, and an empty string for anything else."""
    if isinstance(value, str):
        return value
    return "" if number(value) is None else str(value)


def timestamp(value: object) -> float | None:
    """Return the Unix time, in seconds, of an ISO 8601 string (UTC without an offset); None for anything else."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type] # a TypeError is handled
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if 0 < seconds < _END_OF_TIME else None


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)
