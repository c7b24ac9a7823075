"""What lasts of an organisation's monitors from poll to poll: their labels and settings.

Names and settings change when people edit them, states and measured values with every poll. So the former are
rendered when they change, and a poll only finds out that they did not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from theeye_exporter.collectors.base import Checks, join_tags
from theeye_exporter.collectors.hosts import read_thresholds
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.models import Limits, Monitor, MonitorConfig, text

__all__ = ["Fingerprints", "Fleet", "KnownMonitor"]

_ASSUMED_LOOPTIME: Final = 60_000
"""Milliseconds between two checks of a monitor that does not tell its interval."""

_FLAGS: Final = frozenset({bool, type(None)})
_TOLD_APART: Final = frozenset({str, bytes, bool, type(None)})
"""Types whose values have the same hash only by chance: elsewhere 1, 1.0 and True have the same, and so have -1 and -2."""


@dataclass(slots=True, eq=False)
class KnownMonitor:
    """What lasts of a monitor.

    Attributes:
        labels: of the monitor's own series.
        info: labels of `theeye_monitor_info`.
        enabled: whether TheEye checks it, None if it does not say.
        interval: seconds between two checks, None if it does not say.
        silent_after: seconds without an update after which its measured values are old; endless below zero for one that
            TheEye does not check.
        thresholds: the labels and values of a host's.
        impossible: settings that cannot be.
        host: the labels of what its measured values are of, empty for all but dstat.
    """

    labels: str
    info: str
    enabled: int | None
    interval: float | None
    silent_after: float
    thresholds: tuple[tuple[str, float], ...]
    impossible: int
    host: str


@dataclass(slots=True)
class Fingerprints:
    """Numbers by which a monitor's names and settings are found to be what they were.

    Attributes:
        monitors: of each monitor; another one, but for one case in 10^19, if a name or a setting is.
        ids: of the monitors.
        batches: the same for batches of monitors, which takes half the time, by where they begin.
    """

    monitors: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    batches: dict[int, int] = field(default_factory=dict)

    def add(self, monitors: Sequence[Monitor], former: "Fingerprints") -> bool:
        """Add the next batch of monitors; returns whether they are those that `former` has at their places."""
        first = len(self.monitors)
        until = first + len(monitors)
        known = former.monitors[first:until]
        batch = _batch_fingerprint(monitors)
        if batch is not None:
            self.batches[first] = batch
            if batch == former.batches.get(first):
                self.monitors += known
                # Those that are in memory already: a new one here and there keeps whole pages of memory in use.
                self.ids += former.ids[first:until]
                return True
        numbers = _fingerprints(monitors)
        self.monitors += numbers
        self.ids += [monitor.id for monitor in monitors]
        return numbers == known


def _batch_fingerprint(monitors: Sequence[Monitor]) -> int | None:
    """Return a batch's number, None if there is anything in it that has to be looked at more closely."""
    flags = [monitor.alerts for monitor in monitors] + [monitor.enable for monitor in monitors]
    if not set(map(type, flags)) <= _FLAGS:
        return None
    try:
        texts = (
            _joined([monitor.id for monitor in monitors]),
            _joined([monitor.name for monitor in monitors]),
            _joined([monitor.hostname for monitor in monitors]),
            _joined([monitor.type for monitor in monitors]),
            _joined([monitor.failure_severity for monitor in monitors]),
        )
    except (TypeError, ValueError):
        return None
    settings = b"".join([monitor.monitor for monitor in monitors])
    return hash((len(monitors), texts, tuple(flags), settings))


def _joined(values: list[Any]) -> str:
    try:
        joined = "\0".join(values)
    except TypeError:
        joined = "\0".join(["" if value is None else value for value in values])
    if joined.count("\0") != len(values) - 1:
        raise ValueError("a separator among the values")
    return joined


def _fingerprints(monitors: Sequence[Monitor]) -> list[int]:
    settled = [
        (
            monitor.id,
            monitor.name,
            monitor.hostname,
            monitor.type,
            monitor.failure_severity,
            monitor.alerts,
            monitor.enable,
            bytes(monitor.monitor),
        )
        for monitor in monitors
    ]
    return [
        hash(values if set(map(type, values)) <= _TOLD_APART else tuple(map(_told_apart, values))) for values in settled
    ]


def _told_apart(value: Any) -> Any:
    # Of what is of no such type, only the text is ever shown.
    return value if type(value) in _TOLD_APART else (text(value),)


class Fleet:
    """The monitors of the last list, in its order.

    Args:
        organization: the first label of every series.
        with_tags: whether `theeye_monitor_info` carries the tags.

    Attributes:
        fingerprints: of the monitors.
        known: the monitors.
        labels: of each monitor's own series.
        silent_after: of each monitor.
        samples: of the settings.
        impossible: settings that cannot be.
    """

    def __init__(self, organization: str, *, with_tags: bool) -> None:
        self._organization = organization
        self._with_tags = with_tags
        self.fingerprints = Fingerprints()
        self.known: list[KnownMonitor] = []
        self.labels: list[str] = []
        self.silent_after: list[float] = []
        self.samples = Samples()
        self.impossible = 0

    def update(self, fingerprints: Fingerprints, edited: Mapping[int, Monitor]) -> None:
        """Take a new list.

        Args:
            fingerprints: of all monitors.
            edited: by position, the monitors whose fingerprints are new.
        """
        former, self.fingerprints = self.fingerprints.monitors, fingerprints
        if fingerprints.monitors == former:
            return
        # The id is among what these numbers stand for.
        before = dict(zip(former, self.known, strict=True))
        self.known = [
            before.get(number) or self._know(edited[position]) for position, number in enumerate(fingerprints.monitors)
        ]
        self.labels = [known.labels for known in self.known]
        self.silent_after = [known.silent_after for known in self.known]
        self.impossible = sum(known.impossible for known in self.known)
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
        host = ""
        if monitor.type == "dstat":
            host = format_labels(f.HOST_LABELS, (self._organization, monitor.id, text(monitor.hostname)))
            if isinstance(settings.config, MonitorConfig) and isinstance(settings.config.limit, Limits):
                thresholds = tuple(read_thresholds(host, settings.config.limit, checks))
        looptime = checks.amount(settings.looptime) if settings.looptime else None
        return KnownMonitor(
            labels=labels,
            info=f"{labels},{format_labels(f.MONITOR_INFO.labels[len(own) :], described)}",
            enabled=int(monitor.enable) if isinstance(monitor.enable, bool) else None,
            interval=None if looptime is None else looptime / 1000,
            silent_after=-math.inf if monitor.enable is False else 3 * (looptime or _ASSUMED_LOOPTIME) / 1000 + 60,
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
