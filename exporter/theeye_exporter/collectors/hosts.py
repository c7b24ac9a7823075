"""Host statistics, from the reports of dstat monitors.

    theeye_host_cpu_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1"} 0.03
    theeye_host_disk_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",device="vda"} 0.115
    theeye_host_usage_threshold_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",resource="cpu"} 0.9

The raw data: `last_event.data` and `monitor.config.limit` of the monitors of type dstat, in percents.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress, repeat
from typing import Any, Final

from theeye_exporter.collectors.base import Checks
from theeye_exporter.collectors.columns import arranged_rows, picked
from theeye_exporter.exposition.families import HOST_CACHE, HOST_CPU, HOST_DISK, HOST_MEMORY
from theeye_exporter.exposition.labels import escape_label_value
from theeye_exporter.exposition.samples import Column, Samples, known_values
from theeye_exporter.theeye.models import Disk, EventData, Limits, text

__all__ = ["HostReports", "HostUsage", "read_thresholds"]

_CPU_TOLERANCE: Final = 10
"""Percent points above 100 that are rounding and guest time counted twice, and mean fully used."""


_TOGETHER: Final = 250
"""Monitors whose disks are looked at together."""


@dataclass(slots=True)
class HostReports:
    """The reports of dstat monitors, as columns; a worker's error report has no values.

    Attributes:
        positions: of the monitors in the list.
        cpu: percents, unchecked, as all values.
        memory: percents.
        cache: percents.
        disk_counts: how many disks each host names.
        disk_names: of all hosts' disks, one host after the other; empty without a name.
        disk_values: percents.
    """

    positions: list[int] = field(default_factory=list)
    cpu: list[Any] = field(default_factory=list)
    memory: list[Any] = field(default_factory=list)
    cache: list[Any] = field(default_factory=list)
    disk_counts: list[int] = field(default_factory=list)
    disk_names: list[str] = field(default_factory=list)
    disk_values: list[Any] = field(default_factory=list)

    def add(self, positions: Sequence[int], reports: Sequence[EventData]) -> None:
        """Add reports and the positions of the monitors that sent them."""
        self.positions += positions
        self.cpu += [report.cpu for report in reports]
        self.memory += [report.mem for report in reports]
        self.cache += [report.cache for report in reports]
        lists = [report.disk if type(report.disk) is list else () for report in reports]
        self.disk_counts += map(len, lists)
        disks: list[Any] = list(chain.from_iterable(lists))
        if set(map(type, disks)) - {Disk}:
            disks = [disk if type(disk) is Disk else Disk() for disk in disks]
        names = [disk.name for disk in disks]
        self.disk_names += names if set(map(type, names)) <= {str} else map(text, names)
        self.disk_values += [disk.value for disk in disks]

    def arrange(self, places: Sequence[int]) -> None:
        """Sort by the monitors' places, given by position; these become the positions."""
        rows, self.positions = arranged_rows(self.positions, places)
        self.cpu, self.memory, self.cache = (picked(column, rows) for column in (self.cpu, self.memory, self.cache))
        ends = list(accumulate(self.disk_counts))
        starts = [0, *ends]
        disks = list(chain.from_iterable(map(range, picked(starts, rows), picked(ends, rows))))
        self.disk_counts = picked(self.disk_counts, rows)
        self.disk_names, self.disk_values = picked(self.disk_names, disks), picked(self.disk_values, disks)


@dataclass(frozen=True, slots=True)
class _Disks:
    """The disks of a batch of hosts.

    Attributes:
        hosts: the hosts' labels.
        counts: how many disks each of them has.
        names: of the disks.
        labels: of the disks, empty for one without a name.
        odd: whether there are disks without a name, or with the same name as another of their host.
    """

    hosts: list[str]
    counts: list[int]
    names: list[str]
    labels: list[str]
    odd: bool

    @classmethod
    def of(cls, hosts: list[str], counts: list[int], names: list[str]) -> "_Disks":
        # Windows' device names may end in blanks.
        devices = {name: escape_label_value(name.strip()) for name in set(names)}
        labels = [
            f'{host},device="{device}"' if (device := devices[name]) else ""
            for host, name in zip(chain.from_iterable(map(repeat, hosts, counts)), names, strict=True)
        ]
        return cls(hosts, counts, names, labels, "" in labels or len(set(labels)) < len(labels))


class HostUsage:
    """Makes samples of reports. Keeps the disks' labels, as long as the same hosts report the same disks."""

    def __init__(self) -> None:
        self._disks: list[_Disks] = []

    def add(
        self, samples: Samples, hosts: list[str], reports: HostReports, heard: Sequence[bool], checks: Checks
    ) -> None:
        """Add the samples of reports.

        Args:
            samples: get them.
            hosts: the labels of the hosts that sent the reports.
            reports: columns.
            heard: whether a report is to be believed, for each.
            checks: count what is not true.
        """
        self._know_disks(hosts, reports)
        disk_labels = list(chain.from_iterable([disks.labels for disks in self._disks]))
        disk_values = reports.disk_values
        cpu, memory, cache = reports.cpu, reports.memory, reports.cache
        if not all(heard):
            hosts, cpu, memory, cache = (list(compress(column, heard)) for column in (hosts, cpu, memory, cache))
            of_heard = list(chain.from_iterable(map(repeat, heard, reports.disk_counts)))
            disk_labels, disk_values = list(compress(disk_labels, of_heard)), list(compress(disk_values, of_heard))
        samples[HOST_CPU] = known_values(hosts, _ratios(cpu, checks, tolerance=_CPU_TOLERANCE))
        samples[HOST_MEMORY] = known_values(hosts, _ratios(memory, checks))
        samples[HOST_CACHE] = known_values(hosts, _ratios(cache, checks))
        samples[HOST_DISK] = (
            _odd_disks(disk_labels, disk_values, checks)
            if any(disks.odd for disks in self._disks)
            else known_values(disk_labels, _ratios(disk_values, checks))
        )

    def _know_disks(self, hosts: list[str], reports: HostReports) -> None:
        former, self._disks = self._disks, []
        first_host = first_disk = 0
        for number in range((reports.positions[-1] if reports.positions else -1) // _TOGETHER + 1):
            # By place: a host that reports nothing for once moves those of its batch only.
            until_host = bisect_left(reports.positions, (number + 1) * _TOGETHER)
            counts = reports.disk_counts[first_host:until_host]
            until_disk = first_disk + sum(counts)
            of = (hosts[first_host:until_host], counts, reports.disk_names[first_disk:until_disk])
            last = former[number] if number < len(former) else None
            same = last is not None and (last.hosts, last.counts, last.names) == of
            self._disks.append(last if last is not None and same else _Disks.of(*of))
            first_host, first_disk = until_host, until_disk


def _odd_disks(labels: list[str], percents: list[Any], checks: Checks) -> Column[float]:
    """Return the values of disks of which some have no name, or the same as another of the host: the last one counts."""
    used: dict[str, float] = {}
    for label, percent in zip(labels, percents, strict=True):
        if not label:
            checks.dropped["impossible"] += 1
        elif (ratio := checks.ratio(percent)) is not None:
            checks.dropped["duplicate"] += label in used
            used[label] = ratio
    return Column(list(used), list(used.values()))


def _ratios(percents: list[Any], checks: Checks, *, tolerance: float = 0) -> list[float | None]:
    ratio = checks.ratio
    if None in percents:
        checks.dropped["null"] += percents.count(None)
    return [
        # What is as good as always so is not worth a call.
        percent / 100
        if (type(percent) is float or type(percent) is int) and 0 <= percent <= 100  # noqa: PLR2004
        else None
        if percent is None
        else ratio(percent, tolerance=tolerance)
        for percent in percents
    ]


def read_thresholds(labels: str, limits: Limits, checks: Checks) -> Iterator[tuple[str, float]]:
    """Yield labels and values of the limits that a dstat monitor is set to, whether or not the host reports."""
    for resource, limit in (
        ("cpu", limits.cpu),
        ("memory", limits.mem),
        ("cache", limits.cache),
        ("disk", limits.disk),
    ):
        if limit is not None and (ratio := checks.ratio(limit)) is not None:
            yield f'{labels},resource="{resource}"', ratio
