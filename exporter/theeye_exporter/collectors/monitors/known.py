"""What stays the same from poll to poll: a monitor's labels and settings, rendered once and again after an edit."""

import math
from dataclasses import dataclass, field
from typing import Final

import msgspec

from theeye_exporter.collectors.base import Checks, join_tags
from theeye_exporter.collectors.monitors import families as f
from theeye_exporter.exposition.labels import escape_label_value, format_labels
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.monitor_models import Limits, Monitor, MonitorConfig

__all__ = ["KnownMonitor", "fingerprint"]

_encode: Final = msgspec.json.Encoder().encode

_ASSUMED_LOOPTIME: Final = 60_000
"""Milliseconds between two checks of a monitor that does not state its interval."""


def fingerprint(monitor: Monitor) -> int:
    """Return a number that changes when a name or setting of the monitor changes; it misses one change in 10^19."""
    # As JSON, 1 and true are not the same.
    return hash(
        _encode(
            (
                monitor.name,
                monitor.hostname,
                monitor.host_id,
                monitor.type,
                monitor.failure_severity,
                monitor.alerts,
                monitor.enable,
                monitor.monitor,
            )
        )
    )


@dataclass(slots=True, eq=False)
class KnownMonitor:
    """A monitor's names and settings.

    Attributes:
        fingerprint: changes when they are edited.
        labels: labels of the monitor's own series.
        info: labels of `theeye_monitor_info`.
        severity: the severity, as totals show it.
        is_host: whether it says if a bot reports.
        enabled: whether TheEye checks it, None if it does not say.
        interval: seconds between two checks, None if it does not say.
        silent_after: seconds without an update after which its measured values are stale; minus infinity for a
            monitor that TheEye does not check.
        host: the labels of the host that a dstat monitor measures.
        thresholds: labels and values of that host's limits.
        impossible: settings with impossible values.
    """

    fingerprint: int
    labels: str
    info: str
    severity: str
    is_host: bool
    enabled: bool | None
    interval: float | None
    silent_after: float
    host: str
    thresholds: list[tuple[str, float]]
    impossible: int
    _devices: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, monitor: Monitor, fingerprint: int, organization: str, *, with_tags: bool) -> "KnownMonitor":
        """Render a monitor's names and settings."""
        settings, checks = monitor.settings(), Checks()
        own = (organization, monitor.id, text(monitor.name), text(monitor.hostname))
        labels = format_labels(f.MONITOR_LABELS, own)
        described = (
            text(monitor.type),
            text(monitor.failure_severity),
            join_tags(settings.tags) if with_tags else "",
            _flag(monitor.alerts),
            text(monitor.host_id),
        )
        host = format_labels(f.HOST_LABELS, (organization, monitor.id, text(monitor.hostname)))
        limit = settings.config.limit if isinstance(settings.config, MonitorConfig) else None
        looptime = checks.amount(settings.looptime) if settings.looptime else None
        return cls(
            fingerprint=fingerprint,
            labels=labels,
            info=f"{labels},{format_labels(f.MONITOR_INFO.labels[len(own) :], described)}",
            severity=monitor.failure_severity if monitor.failure_severity in f.SEVERITIES else "other",
            is_host=monitor.type == "host",
            enabled=monitor.enable if isinstance(monitor.enable, bool) else None,
            interval=None if looptime is None else looptime / 1000,
            silent_after=-math.inf if monitor.enable is False else 3 * (looptime or _ASSUMED_LOOPTIME) / 1000 + 60,
            host=host,
            thresholds=_thresholds(host, limit, checks)
            if monitor.type == "dstat" and isinstance(limit, Limits)
            else [],
            impossible=checks.dropped.total(),
        )

    def device(self, name: str) -> str:
        """Return the labels of one of the host's disks, empty for a disk without a name."""
        labels = self._devices.get(name)
        if labels is None:
            if len(self._devices) >= _DEVICES_AT_MOST:
                self._devices.clear()
            device = escape_label_value(name.strip())  # names on Windows may end in blanks
            labels = self._devices[name] = f'{self.host},device="{device}"' if device else ""
        return labels


_DEVICES_AT_MOST: Final = 1000
"""Maximum number of remembered disk names per host: a host that keeps reporting new names must not fill the memory."""


def _thresholds(host: str, limit: Limits, checks: Checks) -> list[tuple[str, float]]:
    limits = {"cpu": limit.cpu, "memory": limit.mem, "cache": limit.cache, "disk": limit.disk}
    return [
        (f'{host},resource="{resource}"', ratio)
        for resource, percent in limits.items()
        if percent is not None and (ratio := checks.ratio(percent)) is not None
    ]


def _flag(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else ""
