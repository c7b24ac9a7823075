"""What lasts of an organisation's monitors from poll to poll: their labels and settings.

Names and settings change when people edit them, states and measured values with every poll. So the former are
rendered when they change, and a poll only finds out that they did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.collectors.base import Checks, join_tags
from theeye_exporter.collectors.hosts import Host, read_thresholds
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.models import Limits, Monitor, MonitorConfig, text

__all__ = ["Fleet", "KnownMonitor"]

_TYPES_WITH_VALUES: Final = frozenset({"dstat", "script", "scraper", "process"})

_ASSUMED_LOOPTIME: Final = 60_000
"""Milliseconds between two checks of a monitor that does not tell its interval."""


@dataclass(slots=True, eq=False)
class KnownMonitor:
    """What lasts of a monitor.

    Attributes:
        labels: of the monitor's own series.
        info: labels of `theeye_monitor_info`.
        enabled: whether TheEye checks it, None if it does not say.
        interval: seconds between two checks, None if it does not say.
        silent_after: seconds without an update after which its measured values are old.
        thresholds: the labels and values of a host's.
        impossible: settings that cannot be.
        host: what its measured values are of; None for all but dstat.
    """

    labels: str
    info: str
    enabled: int | None
    interval: float | None
    silent_after: float
    thresholds: tuple[tuple[str, float], ...]
    impossible: int
    host: Host | None


class Fleet:
    """The monitors of the last list, in its order.

    Args:
        organization: the first label of every series.
        with_tags: whether `theeye_monitor_info` carries the tags.

    Attributes:
        known: the monitors.
        labels: of each monitor's own series.
        samples: of the settings.
        impossible: settings that cannot be.
        measured: where in the list the monitors are whose reports have values that are shown.
    """

    def __init__(self, organization: str, *, with_tags: bool) -> None:
        self._organization = organization
        self._with_tags = with_tags
        self._constants: list[int] = []
        self.known: list[KnownMonitor] = []
        self.labels: list[str] = []
        self.samples = Samples()
        self.impossible = 0
        self.measured: list[int] = []

    def update(self, monitors: Sequence[Monitor]) -> None:
        """Take a new list."""
        constants = [monitor.constants() for monitor in monitors]
        if constants == self._constants:
            return
        # The id is among what these numbers stand for.
        before = dict(zip(self._constants, self.known, strict=True))
        self.known = [
            before.get(number) or self._know(monitor) for number, monitor in zip(constants, monitors, strict=True)
        ]
        self._constants = constants
        self.labels = [known.labels for known in self.known]
        self.impossible = sum(known.impossible for known in self.known)
        self.measured = [
            position for position, monitor in enumerate(monitors) if text(monitor.type) in _TYPES_WITH_VALUES
        ]
        self.samples = Samples()
        for known in self.known:
            _add_settings(self.samples, known)

    def _know(self, monitor: Monitor) -> KnownMonitor:
        settings, checks = monitor.settings(), Checks()
        own = (self._organization, monitor.id, text(monitor.name), text(monitor.hostname))
        labels = format_labels(f.MONITOR_LABELS, own)
        described = (
            text(monitor.type),
            text(monitor.failure_severity),
            join_tags(settings.tags) if self._with_tags else "",
            _flag(monitor.alerts),
        )
        thresholds: tuple[tuple[str, float], ...] = ()
        host = None
        if monitor.type == "dstat":
            host = Host(format_labels(f.HOST_LABELS, (self._organization, monitor.id, text(monitor.hostname))))
            if isinstance(settings.config, MonitorConfig) and isinstance(settings.config.limit, Limits):
                thresholds = tuple(read_thresholds(host.labels, settings.config.limit, checks))
        looptime = checks.amount(settings.looptime) if settings.looptime else None
        return KnownMonitor(
            labels=labels,
            info=f"{labels},{format_labels(f.MONITOR_INFO.labels[len(own) :], described)}",
            enabled=int(monitor.enable) if isinstance(monitor.enable, bool) else None,
            interval=None if looptime is None else looptime / 1000,
            silent_after=3 * (looptime or _ASSUMED_LOOPTIME) / 1000 + 60,
            thresholds=thresholds,
            impossible=checks.dropped.total(),
            host=host,
        )


def _add_settings(samples: Samples, known: KnownMonitor) -> None:
    samples[f.MONITOR_INFO].add(known.info, 1)
    if known.enabled is not None:
        samples[f.MONITOR_ENABLED].add(known.labels, known.enabled)
    if known.interval is not None:
        samples[f.MONITOR_INTERVAL].add(known.labels, known.interval)
    for labels, ratio in known.thresholds:
        samples[f.HOST_THRESHOLD].add(labels, ratio)


def _flag(value: object) -> str:
    return {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else ""
