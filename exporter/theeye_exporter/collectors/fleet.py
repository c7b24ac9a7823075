"""What lasts of an organisation's monitors from poll to poll: their labels and settings.

Names and settings change when people edit them, states and measured values with every poll. So the former are
rendered when they change, and a poll only finds out that they did not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from theeye_exporter.collectors.base import Checks, join_tags
from theeye_exporter.collectors.columns import inverse
from theeye_exporter.collectors.hosts import read_thresholds
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.models import Limits, Monitor, MonitorConfig, text

__all__ = ["Fleet", "KnownMonitor", "fingerprints"]

_ASSUMED_LOOPTIME: Final = 60_000
"""Milliseconds between two checks of a monitor that does not tell its interval."""

_TOLD_APART: Final = frozenset({str, bool, type(None)})
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


def fingerprints(monitors: Sequence[Monitor]) -> list[int]:
    """Return of each monitor a number that is another one, but for one case in 10^19, if its id, a name or a setting is."""
    columns: list[list[Any]] = [
        [monitor.name for monitor in monitors],
        [monitor.hostname for monitor in monitors],
        [monitor.type for monitor in monitors],
        [monitor.failure_severity for monitor in monitors],
        [monitor.alerts for monitor in monitors],
        [monitor.enable for monitor in monitors],
    ]
    for number, column in enumerate(columns):
        if not set(map(type, column)) <= _TOLD_APART:
            columns[number] = list(map(_told_apart, column))
    ids, settings = [monitor.id for monitor in monitors], map(bytes, [monitor.monitor for monitor in monitors])
    return list(map(hash, zip(ids, *columns, settings, strict=True)))


def _told_apart(value: Any) -> Any:
    # Of what is of no such type, only the text is ever shown.
    return value if type(value) in _TOLD_APART else (text(value),)


class Fleet:
    """The monitors of the last list, in the order of their ids.

    TheEye's order is another one each time. By it, a limit would cut other monitors at every poll, and nothing of the
    last exposition would be where it was.

    Args:
        organization: the first label of every series.
        with_tags: whether `theeye_monitor_info` carries the tags.

    Attributes:
        places: by fingerprint.
        ids: of the monitors.
        known: the monitors.
        labels: of each monitor's own series.
        hosts: the labels of what each monitor measures, empty for all but dstat.
        silent_after: of each monitor.
        samples: of the settings.
        impossible: settings that cannot be.
    """

    def __init__(self, organization: str, *, with_tags: bool) -> None:
        self._organization = organization
        self._with_tags = with_tags
        self.places: dict[int, int] = {}
        self.ids: list[str] = []
        self.known: list[KnownMonitor] = []
        self.labels: list[str] = []
        self.hosts: list[str] = []
        self.silent_after: list[float] = []
        self.samples = Samples()
        self.impossible = 0

    def update(
        self, places: Sequence[int | None], edited: Mapping[int, tuple[Monitor, int]]
    ) -> tuple[list[int], Sequence[int]]:
        """Take a new list.

        Args:
            places: by the position in the list, the monitors' places in the one before; no id stands twice.
            edited: by position, the monitors without such a place, and their fingerprints.

        Returns:
            The positions in the list by place, and the places by position.
        """
        if not edited and len(places) == len(self.known):
            known_places = cast("Sequence[int]", places)
            return inverse(known_places), known_places
        numbers = list(self.places)
        # Of each monitor its id, fingerprint and what is known of it.
        rows = [
            (edited[position][0].id, edited[position][1], None)
            if place is None
            else (self.ids[place], numbers[place], self.known[place])
            for position, place in enumerate(places)
        ]
        order = sorted(range(len(rows)), key=lambda position: rows[position][0])
        self.ids = [rows[position][0] for position in order]
        self.places = {rows[position][1]: place for place, position in enumerate(order)}
        self.known = [rows[position][2] or self._know(edited[position][0]) for position in order]
        self.labels = [known.labels for known in self.known]
        self.hosts = [known.host for known in self.known]
        self.silent_after = [known.silent_after for known in self.known]
        self.impossible = sum(known.impossible for known in self.known)
        self.samples = Samples()
        for monitor_known in self.known:
            _add_settings(self.samples, monitor_known)
        return order, inverse(order)

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
