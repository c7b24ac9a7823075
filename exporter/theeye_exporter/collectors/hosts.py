"""Host statistics, from the reports of dstat monitors.

    theeye_host_cpu_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1"} 0.03
    theeye_host_disk_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",device="vda"} 0.115
    theeye_host_usage_threshold_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",resource="cpu"} 0.9

The raw data: `last_event.data` and `monitor.config.limit` of the monitors of type dstat, in percents.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from theeye_exporter.collectors.base import Checks
from theeye_exporter.exposition.families import HOST_CACHE, HOST_CPU, HOST_DISK, HOST_MEMORY
from theeye_exporter.exposition.labels import LABEL_VALUE_LIMIT, escape_label_value
from theeye_exporter.exposition.samples import Column, Samples
from theeye_exporter.theeye.models import Disk, EventData, Limits, text

__all__ = ["Host", "add_usage", "read_thresholds"]

_CPU_TOLERANCE: Final = 10
"""Percent points above 100 that are rounding and guest time counted twice, and mean fully used."""

_NUMBERS: Final = frozenset({int, float})
_WHOLE: Final = 100

_DEVICES_KEPT: Final = 256
"""Names of disks remembered for a host; whoever makes up new ones with each report shall not fill the memory."""


@dataclass(slots=True, eq=False)
class Host:
    """A host's rendered labels, and those of its disks by the disk's name, kept from poll to poll."""

    labels: str
    devices: dict[str, str] = field(default_factory=dict)


def add_usage(samples: Samples, reports: Sequence[tuple[Host, EventData]], checks: Checks) -> None:
    """Add the measured values of dstat reports; a worker's error report has none of them."""
    labels = [host.labels for host, _ in reports]
    samples[HOST_CPU] = _ratios(labels, [data.cpu for _, data in reports], checks, tolerance=_CPU_TOLERANCE)
    samples[HOST_MEMORY] = _ratios(labels, [data.mem for _, data in reports], checks)
    samples[HOST_CACHE] = _ratios(labels, [data.cache for _, data in reports], checks)
    disks = samples[HOST_DISK]
    for host, data in reports:
        if isinstance(data.disk, list):
            used = _disks(host, data.disk, checks)
            disks.labels += used
            disks.values += used.values()


def _ratios(labels: list[str], percents: list[Any], checks: Checks, *, tolerance: float = 0) -> Column[float]:
    # With nothing to check one by one, hosts that all report have the same list of labels.
    if set(map(type, percents)) <= _NUMBERS and percents and min(percents) >= 0 and max(percents) <= _WHOLE:
        return Column(labels, [percent / _WHOLE for percent in percents])
    column: Column[float] = Column()
    for label, percent in zip(labels, percents, strict=True):
        if (ratio := checks.ratio(percent, tolerance=tolerance)) is not None:
            column.add(label, ratio)
    return column


def _disks(host: Host, disks: list[Any], checks: Checks) -> dict[str, float]:
    """Return usage by rendered labels."""
    used: dict[str, float] = {}
    for disk in disks:
        name = disk.name if isinstance(disk, Disk) else None
        if type(name) is not str:
            name = text(name)
        label = host.devices.get(name)
        if label is None:
            label = _device(host, name)
        if not label:
            checks.dropped["impossible"] += 1
            continue
        percent = disk.value
        if type(percent) is float and 0 <= percent <= _WHOLE:  # as good as always
            ratio: float | None = percent / _WHOLE
        else:
            ratio = checks.ratio(percent)
        if ratio is not None:
            if label in used:
                checks.dropped["duplicate"] += 1
            used[label] = ratio
    return used


def _device(host: Host, name: str) -> str:
    """Return a disk's labels, empty for one without a name."""
    if len(host.devices) >= _DEVICES_KEPT:
        host.devices.clear()
    # Windows' device names may end in blanks; a list that names a device twice means the last one.
    device = escape_label_value(name.strip())
    label = f'{host.labels},device="{device}"' if device else ""
    if len(name) <= LABEL_VALUE_LIMIT:
        host.devices[name] = label
    return label


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
