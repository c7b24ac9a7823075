"""Monitors and, from those of type dstat, host statistics.

    theeye_monitor_state{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1",state="normal"} 1
    theeye_monitor_http_status_code{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1"} 200

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/resource`.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any, Final

from theeye_exporter.collectors.base import Checks, Collection, EmptyListGuard, server_time
from theeye_exporter.collectors.fleet import Fleet, KnownMonitor
from theeye_exporter.collectors.hosts import add_usage
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.samples import Column, Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import Event, EventData, HttpResponse, Monitor, Times, text, timestamp

__all__ = ["MonitorsCollector", "is_silent"]

_POSITIONS: Final = {state: position for position, state in enumerate(f.MONITOR_STATES)}
_UNKNOWN: Final = _POSITIONS["unknown"]

_CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which a report may be from the future, before it counts as one of a clock that cannot be believed."""

_EXACT: Final = 2**53
"""Up to here, every integer is one that a sample can hold."""


class MonitorsCollector:
    """Collects an organisation's monitors.

    Args:
        organization: its name, the first label of every series.
        with_tags: whether `theeye_monitor_info` carries the tags.
        former: the collector that this one takes over from.
    """

    name: Final = "monitors"

    def __init__(self, organization: str, *, with_tags: bool = True, former: "MonitorsCollector | None" = None) -> None:
        self.guard: EmptyListGuard = EmptyListGuard() if former is None else copy(former.guard)
        self._fleet = Fleet(organization, with_tags=with_tags)

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        listing = client.monitors()
        self.guard.check(listing)
        monitors, fleet = listing.items, self._fleet
        fleet.update(monitors)
        samples, checks = Samples(), Checks()
        samples.update(fleet.samples)
        checks.dropped["impossible"] += fleet.impossible

        labels = fleet.labels
        samples[f.MONITOR_STATE] = Column(labels, [_state(monitor.state) for monitor in monitors])
        fails, recoveries = [m.fails_count for m in monitors], [m.recovery_count for m in monitors]
        samples[f.MONITOR_CONSECUTIVE_FAILURES] = _amounts(labels, fails, checks)
        samples[f.MONITOR_RECOVERIES] = _amounts(labels, recoveries, checks)
        updates = [timestamp(monitor.last_update) for monitor in monitors]
        # A report sets both.
        last_checks = [
            updated if monitor.last_check == monitor.last_update else timestamp(monitor.last_check)
            for monitor, updated in zip(monitors, updates, strict=True)
        ]
        samples[f.MONITOR_LAST_UPDATE] = _times(labels, [m.last_update for m in monitors], updates, checks)
        samples[f.MONITOR_LAST_CHECK] = _times(labels, [m.last_check for m in monitors], last_checks, checks)

        # Only TheEye itself sets last_check.
        newest = max((at for at in last_checks if at is not None), default=None)
        clock = server_time(now, listing.date, newest)
        hosts = []
        for position in fleet.measured:
            monitor, known = monitors[position], fleet.known[position]
            event = monitor.last_event
            if type(event) is Event and type(event.data) is EventData:
                if is_silent(monitor, updates[position], known, clock):
                    checks.dropped["stale"] += 1
                elif known.host:
                    hosts.append((known.host, event.data))
                else:
                    _add_measured(samples, known.labels, text(monitor.type), event.data, checks)
        add_usage(samples, hosts, checks)
        return Collection(samples, len(monitors), listing.skipped, +checks.dropped)


def is_silent(monitor: Monitor, updated: float | None, known: KnownMonitor, clock: float) -> bool:
    """Whether a monitor's last report is too old to tell its present values.

    TheEye keeps the last report of a silent monitor as it was. A monitor without a time of its last update, as the
    API before 2.0 may have it, is believed; one with a time that cannot be true is not.

    Args:
        monitor: the monitor.
        updated: Unix time of its last update, None without one that can be true.
        known: what is known of it.
        clock: Unix time by TheEye's clock.
    """
    if monitor.state == "updates_stopped" or monitor.enable is False:
        return True
    if updated is None:
        return monitor.last_update is not None
    return not -_CLOCK_TOLERANCE <= clock - updated <= known.silent_after


def _state(state: object) -> int:
    return _POSITIONS.get(state, _UNKNOWN) if isinstance(state, str) else _UNKNOWN


def _amounts(labels: list[str], values: list[Any], checks: Checks) -> Column[float]:
    # With nothing to check one by one, the labels are the same list poll after poll.
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) <= _EXACT:
        return Column(labels, values)
    column: Column[float] = Column()
    for label, value in zip(labels, values, strict=True):
        if value is not None and (amount := checks.amount(value)) is not None:
            column.add(label, amount)
    return column


def _times(labels: list[str], values: Sequence[object], times: list[float | None], checks: Checks) -> Column[float]:
    known = [at for at in times if at is not None]
    if len(known) == len(times):
        return Column(labels, known)
    checks.dropped["impossible"] += sum(
        at is None and value is not None for value, at in zip(values, times, strict=True)
    )
    return Column([label for label, at in zip(labels, times, strict=True) if at is not None], known)


def _add_measured(samples: Samples, labels: str, monitor_type: str, data: EventData, checks: Checks) -> None:
    match monitor_type:
        case "script":
            if isinstance(data.times, Times) and (seconds := checks.amount(data.times.total())) is not None:
                samples[f.MONITOR_SCRIPT_DURATION].add(labels, seconds)
            if (code := checks.number(data.code)) is not None:
                samples[f.MONITOR_SCRIPT_EXIT_CODE].add(labels, code)
        case "scraper":
            status = data.response.status_code if isinstance(data.response, HttpResponse) else None
            if (code := checks.amount(status)) is not None:
                samples[f.MONITOR_HTTP_STATUS_CODE].add(labels, code)
        case "process":
            if isinstance(data.ps, list):
                samples[f.MONITOR_PROCESSES].add(labels, len(data.ps))
