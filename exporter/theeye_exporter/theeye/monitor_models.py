"""Typed structs for monitors, with only the fields that are used; see `fields` for why they are loose."""

from typing import Any, Final

import msgspec

from theeye_exporter.theeye.fields import Junk, Times

__all__ = [
    "Disk",
    "Event",
    "EventData",
    "HttpResponse",
    "Limits",
    "Monitor",
    "MonitorConfig",
    "MonitorSettings",
    "ProcessMatch",
    "Resource",
]


class HttpResponse(msgspec.Struct, gc=False):
    """The response to a scraper monitor's request; no status_code if the request failed."""

    status_code: Any = None


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


_settings: Final = msgspec.json.Decoder(MonitorSettings | Junk)


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)
