"""Monitors and, from those of type dstat, host statistics.

    theeye_monitor_state{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1",state="normal"} 1
    theeye_monitor_http_status_code{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1"} 200
    theeye_host_cpu_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1"} 0.03
    theeye_host_disk_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",device="vda"} 0.115

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/resource`.
Host statistics are `last_event.data` and `monitor.config.limit`, in percents.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from theeye_exporter.collectors.base import Checks, Collection, CollectorKind, Context, server_time
from theeye_exporter.collectors.doubt import Doubt
from theeye_exporter.collectors.faults import FAULT, Faults
from theeye_exporter.collectors.monitors import families as f
from theeye_exporter.collectors.monitors.known import KnownMonitor, fingerprint
from theeye_exporter.collectors.monitors.report import Report
from theeye_exporter.collectors.monitors.totals import add_totals
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.samples import Column, Samples, known_values
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.memory import Room
from theeye_exporter.theeye.monitor_models import Monitor

__all__ = ["KIND", "MonitorsCollector"]


class MonitorsCollector:
    """Collects an organisation's monitors.

    Each listed monitor is read into a `Report`, and the reports are shown in the order of the monitors' ids. TheEye's
    own order changes with every list. In TheEye's order, a limit would cut off different monitors at every poll, and the
    renderer could reuse nothing of the last exposition.
    """

    def __init__(self, context: Context[CollectorSettings]) -> None:
        self._organization = context.organization
        self._room = context.room
        self._with_tags = context.tags
        self._known: dict[str, KnownMonitor] = {}
        self._settings: tuple[list[KnownMonitor], Samples] = ([], Samples())
        self._doubt = Doubt()
        self._faults = Faults(context.organization, KIND.name, context.clocks.monotonic)

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        dropped, skipped, date = Counter[str](), Counter[str](), None
        listed: dict[str, Report] = {}
        parts: list[int] = []
        for part in client.monitors(list(self._known)):
            (read, dropped_here), faulty = self._faults.make(part.items, self._read)
            listed |= read
            parts.append(len(part.items))
            dropped, skipped, date = dropped + dropped_here, skipped + part.skipped, part.date
            skipped[FAULT] += faulty
        self._doubt.check(
            suspect=len(parts) > 1 and 0 in parts,
            detail="TheEye's list is empty in a range of ids that had monitors before",
        )
        reports = [listed[monitor_id] for monitor_id in sorted(listed)]
        self._known = {report.id: report.known for report in reports}

        # Only TheEye itself sets the time of the last check.
        newest = max((report.checked for report in reports if report.checked is not None), default=None)
        clock = server_time(now, date, newest)
        (samples, dropped_late), faulty = self._faults.make(reports, lambda some: self._show(some, clock))
        skipped[FAULT] += faulty
        return Collection(samples, len(reports) - faulty, +skipped, dropped + dropped_late)

    def _read(self, monitors: Sequence[Monitor]) -> tuple[dict[str, Report], Counter[str]]:
        checks = Checks()
        watched = self._room.watched(monitors)
        return {monitor.id: Report.of(monitor, self._know(monitor), checks) for monitor in watched}, checks.dropped

    def _show(self, reports: Sequence[Report], clock: float) -> tuple[Samples, Counter[str]]:
        known = [report.known for report in reports]
        samples, checks = Samples(), Checks()
        samples.update(self._samples_of_settings(known))
        checks.dropped["impossible"] += sum(monitor.impossible for monitor in known)
        _add_reports(samples, reports, clock, checks, self._room)
        add_totals(samples, self._organization, reports)
        return samples, checks.dropped

    def _know(self, monitor: Monitor) -> KnownMonitor:
        known, number = self._known.get(monitor.id), fingerprint(monitor)
        if known is None or known.fingerprint != number:
            return KnownMonitor.of(monitor, number, self._organization, with_tags=self._with_tags)
        return known

    def _samples_of_settings(self, known: list[KnownMonitor]) -> Samples:
        """Return samples of names and settings; they stay the same objects, and are rendered once, until an edit."""
        if self._settings[0] != known:
            samples = Samples()
            for monitor in known:
                samples[f.MONITOR_INFO].add(monitor.info, 1)
                if monitor.enabled is not None:
                    samples[f.MONITOR_ENABLED].add(monitor.labels, int(monitor.enabled))
                if monitor.interval is not None:
                    samples[f.MONITOR_INTERVAL].add(monitor.labels, monitor.interval)
                for labels, ratio in monitor.thresholds:
                    samples[f.HOST_THRESHOLD].add(labels, ratio)
            self._settings = known, samples
        return self._settings[1]


def _add_reports(samples: Samples, reports: Sequence[Report], clock: float, checks: Checks, room: Room) -> None:
    labels = [report.known.labels for report in reports]
    samples[f.MONITOR_STATE] = Column(labels, [report.state for report in reports])
    samples[f.MONITOR_LAST_UPDATE] = known_values(labels, [report.updated for report in reports])
    samples[f.MONITOR_LAST_CHECK] = known_values(labels, [report.checked for report in reports])
    for family, counts in (
        (f.MONITOR_CONSECUTIVE_FAILURES, [report.failures for report in reports]),
        (f.MONITOR_RECOVERIES, [report.recoveries for report in reports]),
    ):
        samples[family] = known_values(labels, [None if count is None else checks.amount(count) for count in counts])
    for report in room.watched(reports):
        if report.add is not None and report.data is not None:
            if report.is_believed(clock):
                report.add(samples, report.known, report.data, checks, room)
            else:
                checks.dropped["stale"] += 1


KIND: Final = CollectorKind(
    name="monitors",
    title="Monitors, and usage of hosts",
    families=f.FAMILIES,
    make=MonitorsCollector,
    settings=CollectorSettings,
    interval=30.0,
    cardinality=(
        "11 for each monitor, 4 of them for its state, and up to 2 for what it measured; for each monitor of type dstat also 3 of "
        "usage, 1 for each disk, and up to 4 limits; 18 for the organisation, and up to 5 more if monitors have a severity other than "
        "LOW, HIGH and CRITICAL."
    ),
    queries=f.QUERIES,
)
