"""What a monitor reports: its state, counts, times, and the values that it measured."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from theeye_exporter.collectors.base import Checks
from theeye_exporter.collectors.monitors import families as f
from theeye_exporter.collectors.monitors.known import KnownMonitor
from theeye_exporter.collectors.states import position_of
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.fields import Times, text
from theeye_exporter.theeye.memory import Room
from theeye_exporter.theeye.monitor_models import Disk, Event, EventData, HttpResponse, Monitor

__all__ = ["Report"]

_Add = Callable[[Samples, KnownMonitor, EventData, Checks, Room], None]

_STOPPED: Final = position_of("updates_stopped")

_CLOCK_TOLERANCE: Final = 300.0
"""A report from further in the future than this many seconds comes from a wrong clock and is not believed."""

_CPU_TOLERANCE: Final = 10
"""Up to this many percentage points above 100 mean fully used: rounding, or guest time counted twice."""


class Report(msgspec.Struct, gc=False):
    """One monitor as of the last list; 100 000 of these take little memory compared with the response they come from.

    Attributes:
        id: the monitor's id.
        known: its names and settings.
        state: position of its state in `STATES`.
        failures: how often it failed in a row; the value is not checked yet.
        recoveries: how often it recovered; the value is not checked yet.
        updated: Unix time of the last update; None if there is none or it cannot be true.
        dated: whether TheEye states a time of the last update at all.
        checked: Unix time of the last check; None as for `updated`.
        data: its last measured values, if monitors of its type measure any.
        add: function that adds samples of the data.
    """

    id: str
    known: KnownMonitor
    state: int
    failures: Any
    recoveries: Any
    updated: float | None
    dated: bool
    checked: float | None
    data: EventData | None
    add: "_Add | None"

    @classmethod
    def of(cls, monitor: Monitor, known: KnownMonitor, checks: Checks) -> "Report":
        """Read the report from a listed monitor."""
        last_update, last_check = monitor.last_update, monitor.last_check
        updated = None if last_update is None else checks.timestamp(last_update)
        checked = updated  # a report sets both
        if last_check != last_update:
            checked = None if last_check is None else checks.timestamp(last_check)
        event, kind = monitor.last_event, monitor.type
        data = event.data if type(event) is Event and type(event.data) is EventData else None
        return cls(
            id=monitor.id,
            known=known,
            state=position_of(monitor.state),
            failures=monitor.fails_count,
            recoveries=monitor.recovery_count,
            updated=updated,
            dated=last_update is not None,
            checked=checked,
            data=data,
            add=_MEASURED.get(kind) if data is not None and isinstance(kind, str) else None,
        )

    def is_believed(self, clock: float) -> bool:
        """Whether the measured values are current.

        TheEye keeps the last report of a silent monitor unchanged. A monitor without a time of its last update, which
        the API before 2.0 may list, is believed. A monitor whose time cannot be true is not.

        Args:
            clock: Unix time by TheEye's clock.
        """
        if self.state == _STOPPED:
            return False
        if self.updated is None:
            return not self.dated and self.known.enabled is not False
        return -_CLOCK_TOLERANCE <= clock - self.updated <= self.known.silent_after


def _add_host(samples: Samples, known: KnownMonitor, data: EventData, checks: Checks, room: Room) -> None:
    for family, percent, tolerance in (
        (f.HOST_CPU, data.cpu, _CPU_TOLERANCE),
        (f.HOST_MEMORY, data.mem, 0),
        (f.HOST_CACHE, data.cache, 0),
    ):
        if (ratio := checks.ratio(percent, tolerance=tolerance)) is not None:
            samples[family].add(known.host, ratio)
    disks: dict[str, float] = {}
    for disk in room.watched(data.disk) if isinstance(data.disk, list) else ():
        labels = known.device(text(disk.name)) if type(disk) is Disk else ""
        if not labels:
            checks.dropped["impossible"] += 1
        elif type(disk) is Disk and (ratio := checks.ratio(disk.value)) is not None:
            checks.dropped["duplicate"] += labels in disks  # the last one wins
            disks[labels] = ratio
    samples[f.HOST_DISK].labels += disks.keys()
    samples[f.HOST_DISK].values += disks.values()


def _add_script(samples: Samples, known: KnownMonitor, data: EventData, checks: Checks, _room: Room) -> None:
    if type(data.times) is Times and (seconds := checks.amount(data.times.total())) is not None:
        samples[f.MONITOR_SCRIPT_DURATION].add(known.labels, seconds)
    if (code := checks.number(data.code)) is not None:
        samples[f.MONITOR_SCRIPT_EXIT_CODE].add(known.labels, code)


def _add_scraper(samples: Samples, known: KnownMonitor, data: EventData, checks: Checks, _room: Room) -> None:
    answer = data.response
    if (code := checks.amount(answer.status_code if type(answer) is HttpResponse else None)) is not None:
        samples[f.MONITOR_HTTP_STATUS_CODE].add(known.labels, code)


def _add_process(samples: Samples, known: KnownMonitor, data: EventData, _checks: Checks, _room: Room) -> None:
    if isinstance(data.ps, list):
        samples[f.MONITOR_PROCESSES].add(known.labels, len(data.ps))


_MEASURED: Final[Mapping[str, _Add]] = {
    "dstat": _add_host,
    "script": _add_script,
    "scraper": _add_scraper,
    "process": _add_process,
}
