"""Monitors and, from those of type dstat, host statistics.

    theeye_monitor_state{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1",state="normal"} 1
    theeye_monitor_http_status_code{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1"} 200

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/resource`.
"""

from copy import copy
from itertools import compress
from typing import Any, Final

from theeye_exporter.collectors.base import EXACT, Checks, Collection, EmptyListGuard, server_time
from theeye_exporter.collectors.columns import picked
from theeye_exporter.collectors.fleet import Fleet
from theeye_exporter.collectors.hosts import HostUsage
from theeye_exporter.collectors.reports import STATE_POSITIONS, Reports
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.samples import Column, Samples, known_values
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import EventData, HttpResponse, Times

__all__ = ["MonitorsCollector"]

_CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which a report may be from the future, before it counts as one of a clock that cannot be believed."""

_STOPPED: Final = STATE_POSITIONS["updates_stopped"]


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
        self._usage = HostUsage()

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        fleet = self._fleet
        listed = client.monitors(lambda: Reports(fleet))
        reports = listed.result
        monitors = len(reports.states)
        self.guard.check(monitors, listed.skipped)
        reports.arrange(*fleet.update(reports.places, reports.edited))
        samples, checks = Samples(), Checks()
        samples.update(fleet.samples)
        checks.dropped["impossible"] += fleet.impossible + reports.impossible

        labels = fleet.labels
        samples[f.MONITOR_STATE] = Column(labels, reports.states)
        samples[f.MONITOR_CONSECUTIVE_FAILURES] = _amounts(labels, reports.failures, checks)
        samples[f.MONITOR_RECOVERIES] = _amounts(labels, reports.recoveries, checks)
        samples[f.MONITOR_LAST_UPDATE] = known_values(labels, reports.updates)
        samples[f.MONITOR_LAST_CHECK] = known_values(labels, reports.checks)

        # Only TheEye itself sets the time of the last check.
        newest = max(filter(None, reports.checks), default=None)
        believed = _believed(reports, fleet, server_time(now, listed.date, newest))
        hosts = reports.hosts
        heard = picked(believed, hosts.positions)
        self._usage.add(samples, picked(fleet.hosts, hosts.positions), hosts, heard, checks)
        checks.dropped["stale"] += heard.count(False)
        for kind, add in _OTHERS.items():
            positions, data = reports.others[kind]
            heard = picked(believed, positions)
            checks.dropped["stale"] += heard.count(False)
            if True in heard:
                own = list(compress(picked(labels, positions), heard))
                add(samples, own, list(compress(data, heard)), checks)
        return Collection(samples, monitors, listed.skipped, +checks.dropped)


def _believed(reports: Reports, fleet: Fleet, clock: float) -> list[bool]:
    """Return of each monitor whether its last report tells its present values.

    TheEye keeps the last report of a silent monitor as it was. A monitor without a time of its last update, as the
    API before 2.0 may have it, is believed; one with a time that cannot be true is not.

    Args:
        reports: of all monitors.
        fleet: the same monitors.
        clock: Unix time by TheEye's clock.
    """
    latest = clock + _CLOCK_TOLERANCE
    believed = [
        updated is not None and clock - updated <= limit and updated <= latest and state != _STOPPED
        for updated, state, limit in zip(reports.updates, reports.states, fleet.silent_after, strict=True)
    ]
    for place in reports.without_update:
        believed[place] = reports.states[place] != _STOPPED and fleet.known[place].enabled != 0
    return believed


def _amounts(labels: list[str], values: list[Any], checks: Checks) -> Column[float]:
    # With nothing to check one by one, the labels are the same list poll after poll.
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) <= EXACT:
        return Column(labels, values)
    column: Column[float] = Column()
    for label, value in zip(labels, values, strict=True):
        if value is not None and (amount := checks.amount(value)) is not None:
            column.add(label, amount)
    return column


def _add_scripts(samples: Samples, labels: list[str], reports: list[EventData], checks: Checks) -> None:
    amount, number = checks.amount, checks.number
    seconds = [amount(report.times.total()) if type(report.times) is Times else None for report in reports]
    samples[f.MONITOR_SCRIPT_DURATION] = known_values(labels, seconds)
    samples[f.MONITOR_SCRIPT_EXIT_CODE] = known_values(labels, [number(report.code) for report in reports])


def _add_scrapers(samples: Samples, labels: list[str], reports: list[EventData], checks: Checks) -> None:
    answers = [report.response for report in reports]
    codes = [checks.amount(answer.status_code if isinstance(answer, HttpResponse) else None) for answer in answers]
    samples[f.MONITOR_HTTP_STATUS_CODE] = known_values(labels, codes)


def _add_processes(samples: Samples, labels: list[str], reports: list[EventData], _: Checks) -> None:
    found: list[float | None] = [len(report.ps) if isinstance(report.ps, list) else None for report in reports]
    samples[f.MONITOR_PROCESSES] = known_values(labels, found)


_OTHERS: Final = {"script": _add_scripts, "scraper": _add_scrapers, "process": _add_processes}
"""What to do with reports of monitors that are no hosts."""
