"""Typed structs of what TheEye's API returns, with only the fields that are used.

Fields are as loose as the API: anything may be null, missing or of another type, and such a field must cost neither
its object nor the list. `number`, `text` and `timestamp` make a checked value of a loose one.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

__all__ = [
    "Disk",
    "Event",
    "EventData",
    "Host",
    "HttpResponse",
    "Job",
    "JobResult",
    "Junk",
    "Limits",
    "Monitor",
    "MonitorConfig",
    "MonitorSettings",
    "ProcessMatch",
    "Reference",
    "Resource",
    "Schedule",
    "Task",
    "Times",
    "Workflow",
    "number",
    "text",
    "timestamp",
    "timestamps",
]

# What may stand where an object is expected. A union takes one struct besides.
Junk = list[Any] | str | float | bool | None


class HttpResponse(msgspec.Struct, gc=False):
    """What a scraper monitor's request got; no status_code if the request failed."""

    status_code: Any = None


_MANY_SECONDS: Final = 10**9
"""Up to here there is nothing to think of; it is thirty years."""


class Times(msgspec.Struct, gc=False):
    """Run time of a script."""

    seconds: Any = None
    nanoseconds: Any = None

    def total(self) -> float | None:
        """Return the run time in seconds, None if it is incomplete."""
        if type(self.seconds) is int and type(self.nanoseconds) is int and 0 <= self.seconds <= _MANY_SECONDS:
            return (self.seconds * 10**9 + self.nanoseconds) / 10**9
        seconds, nanoseconds = number(self.seconds), number(self.nanoseconds)
        if seconds is None or nanoseconds is None:
            return None
        try:
            return (seconds * 10**9 + nanoseconds) / 10**9
        except OverflowError:  # an integer beyond what a sample can hold
            return None


class ProcessMatch(msgspec.Struct, gc=False):
    """A process that a process monitor found; only that it is there counts."""


class Disk(msgspec.Struct, gc=False):
    """A disk of a host; `value` is the share in use in percents."""

    name: Any = None
    value: Any = None


class EventData(msgspec.Struct, gc=False):
    """`last_event.data` of dstat, script, scraper and process monitors in one.

    dstat values are percents; `cache` is the share of swap in use, null without swap. `ps` lists the processes that
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
    """`last_event`: the report that a monitor sent last; absent if empty."""

    data: EventData | Junk = None


class Limits(msgspec.Struct, gc=False):
    """`config.limit` of a dstat monitor, percents."""

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
    hostname: Any = None
    customer_name: Any = None
    last_update: Any = None
    last_check: Any = None
    last_event: Event | Junk = None


_NULL: Final = msgspec.Raw(b"null")


class Monitor(Resource, gc=False):
    """A monitor as listed: a resource with its settings.

    The settings stay JSON until somebody asks for them: they change too seldom to be decoded with every list.

    Servers before 2.0 list it the other way round, a monitor document with the resource nested in it; `flat` makes
    both the same.
    """

    monitor: msgspec.Raw = _NULL
    # The shape before 2.0 has these at the top, and a resource that is an object instead of an id.
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
        """Return its settings, without any where there is something else in their place."""
        try:
            settings = _settings.decode(self.monitor)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return MonitorSettings()
        return settings if isinstance(settings, MonitorSettings) else MonitorSettings()


class Reference(msgspec.Struct, gc=False):
    """An object that is embedded in another."""

    id: Any = None


class Host(msgspec.Struct, gc=False):
    """The host that is embedded in a task."""

    hostname: Any = None


class Schedule(msgspec.Struct, gc=False, rename="camel"):
    """One of a task's schedules."""

    next_run_at: Any = None
    disabled: Any = None


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
    tags: Any = None
    workflow_id: Any = None
    schedules: list[Schedule | Junk] | dict[str, Any] | str | float | bool | None = None


class Workflow(msgspec.Struct, gc=False):
    """A workflow."""

    id: Any = None
    name: Any = None
    tags: Any = None


class JobResult(msgspec.Struct, gc=False):
    """What a script job's run left; other jobs have neither of these."""

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
"""9999-12-31: with a day to spare, any offset from UTC is still a date."""


def number(value: object) -> float | None:
    """Return a finite number, None for anything else; a bool is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond what a sample can hold
        return None


def text(value: object) -> str:
    """Return a string as it is, a number as its digits, and an empty string for anything else."""
    if isinstance(value, str):
        return value
    return "" if number(value) is None else str(value)


def timestamp(value: object) -> float | None:
    """Return the Unix time, in seconds, of an ISO 8601 string (UTC without an offset); None for anything else."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type] # a TypeError is an answer
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if 0 < seconds < _END_OF_TIME else None


def timestamps(values: Sequence[object]) -> list[float] | None:
    """Return `timestamp` of all values, in two thirds of the time; None if any of them is no time."""
    try:
        moments = list(map(datetime.fromisoformat, values))  # type: ignore[arg-type] # a TypeError is an answer
    except (TypeError, ValueError):
        return None
    seconds = [moment.timestamp() for moment in moments if moment.tzinfo is not None]
    if len(seconds) == len(values) and min(seconds, default=1) > 0 and max(seconds, default=1) < _END_OF_TIME:
        return seconds
    return None


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)
