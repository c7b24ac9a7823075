"""Monitors and, from those of type dstat, host statistics.

    theeye_monitor_state{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1",state="normal"} 1
    theeye_monitor_http_status_code{organization="demo",monitor_id="6b…",monitor="web ok",hostname="bot-1"} 200

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/resource`.
"""

from copy import copy
from typing import Final

from theeye_exporter.collectors.base import Checks, Collection, EmptyListGuard, join_tags, server_time
from theeye_exporter.collectors.hosts import add_thresholds, add_usage
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.render import LabelCache, Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import (
    Event,
    EventData,
    HttpResponse,
    Limits,
    Monitor,
    MonitorConfig,
    MonitorSettings,
    Times,
    number,
    text,
    timestamp,
)

__all__ = ["MonitorsCollector", "is_silent"]

_STATES: Final = ("normal", "failure", "updates_stopped", "unknown")
_ASSUMED_LOOPTIME: Final = 60_000
"""Milliseconds between two checks of a monitor that does not tell its interval."""

_CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which a report may be from the future, before it counts as one of a clock that cannot be believed."""

_NO_SETTINGS: Final = MonitorSettings()


class MonitorsCollector:
    """Collects an organisation's monitors.

    Args:
        organization: its name, the first label of every series.
        with_tags: whether `theeye_monitor_info` carries the tags.
        former: the collector that this one takes over from.
    """

    name: Final = "monitors"

    def __init__(self, organization: str, *, with_tags: bool = True, former: "MonitorsCollector | None" = None) -> None:
        self._organization = organization
        self._with_tags = with_tags
        self.guard: EmptyListGuard = EmptyListGuard() if former is None else copy(former.guard)
        self._labels = LabelCache(f.MONITOR_LABELS)
        self._info_labels = LabelCache(f.MONITOR_INFO.labels)
        self._host_labels = LabelCache(f.HOST_LABELS)

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        listing = client.monitors()
        self.guard.check(listing)
        # Only TheEye itself sets last_check.
        checked = (timestamp(monitor.last_check) for monitor in listing.items)
        newest = max((at for at in checked if at is not None), default=None)
        clock = server_time(now, listing.date, newest)
        samples, checks = Samples(), Checks()
        for monitor in listing.items:
            self._add(samples, monitor, clock, checks)
        for cache in (self._labels, self._info_labels, self._host_labels):
            cache.prune()
        return Collection(samples, len(listing.items), listing.skipped, checks.dropped)

    def _add(self, samples: Samples, monitor: Monitor, clock: float, checks: Checks) -> None:
        name, hostname = text(monitor.name), text(monitor.hostname)
        labels = self._labels.get(self._organization, monitor.id, name, hostname)
        settings = monitor.monitor if isinstance(monitor.monitor, MonitorSettings) else _NO_SETTINGS
        info = self._info_labels.get(
            self._organization,
            monitor.id,
            name,
            hostname,
            text(monitor.type),
            text(monitor.failure_severity),
            join_tags(settings.tags) if self._with_tags else "",
            _flag(monitor.alerts),
        )
        samples[f.MONITOR_INFO].append((info, 1))
        _add_state(samples, labels, monitor, settings, checks)
        if monitor.type == "dstat":
            host_labels = self._host_labels.get(self._organization, monitor.id, hostname)
            if isinstance(settings.config, MonitorConfig) and isinstance(settings.config.limit, Limits):
                add_thresholds(samples, host_labels, settings.config.limit, checks)
            labels = host_labels
        event = monitor.last_event
        if isinstance(event, Event) and isinstance(event.data, EventData):
            if is_silent(monitor, settings, clock):
                checks.dropped["stale"] += 1
            else:
                _add_measured(samples, labels, text(monitor.type), event.data, checks)


def _add_state(samples: Samples, labels: str, monitor: Monitor, settings: MonitorSettings, checks: Checks) -> None:
    state = monitor.state if monitor.state in _STATES else "unknown"
    samples[f.MONITOR_STATE] += [(f'{labels},state="{s}"', 1 if s == state else 0) for s in _STATES]
    if isinstance(monitor.enable, bool):
        samples[f.MONITOR_ENABLED].append((labels, int(monitor.enable)))
    if monitor.fails_count is not None and (count := checks.amount(monitor.fails_count)) is not None:
        samples[f.MONITOR_CONSECUTIVE_FAILURES].append((labels, count))
    if monitor.recovery_count is not None and (count := checks.amount(monitor.recovery_count)) is not None:
        samples[f.MONITOR_RECOVERIES].append((labels, count))
    if settings.looptime and (looptime := checks.amount(settings.looptime)) is not None:
        samples[f.MONITOR_INTERVAL].append((labels, looptime / 1000))
    if monitor.last_update is not None and (at := checks.timestamp(monitor.last_update)) is not None:
        samples[f.MONITOR_LAST_UPDATE].append((labels, at))
    if monitor.last_check is not None and (at := checks.timestamp(monitor.last_check)) is not None:
        samples[f.MONITOR_LAST_CHECK].append((labels, at))


def is_silent(monitor: Monitor, settings: MonitorSettings, clock: float) -> bool:
    """Whether a monitor's last report is too old to tell its present values.

    TheEye keeps the last report of a silent monitor as it was. A monitor without a time of its last update, as the
    API before 2.0 may have it, is believed; one with a time that cannot be true is not.
    """
    if monitor.state == "updates_stopped" or monitor.enable is False:
        return True
    if monitor.last_update is None:
        return False
    last_update, looptime = timestamp(monitor.last_update), number(settings.looptime) or _ASSUMED_LOOPTIME
    if last_update is None:
        return True
    return not -_CLOCK_TOLERANCE <= clock - last_update <= 3 * looptime / 1000 + 60


def _add_measured(samples: Samples, labels: str, monitor_type: str, data: EventData, checks: Checks) -> None:
    match monitor_type:
        case "dstat":
            add_usage(samples, labels, data, checks)
        case "script":
            if isinstance(data.times, Times) and (seconds := checks.amount(data.times.total())) is not None:
                samples[f.MONITOR_SCRIPT_DURATION].append((labels, seconds))
            if (code := checks.number(data.code)) is not None:
                samples[f.MONITOR_SCRIPT_EXIT_CODE].append((labels, code))
        case "scraper":
            status = data.response.status_code if isinstance(data.response, HttpResponse) else None
            if (code := checks.amount(status)) is not None:
                samples[f.MONITOR_HTTP_STATUS_CODE].append((labels, code))
        case "process":
            if isinstance(data.ps, list):
                samples[f.MONITOR_PROCESSES].append((labels, len(data.ps)))


def _flag(value: object) -> str:
    return {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else ""
