"""Host statistics, from the reports of dstat monitors.

    theeye_host_cpu_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1"} 0.03
    theeye_host_disk_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",device="vda"} 0.115
    theeye_host_usage_threshold_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",resource="cpu"} 0.9

The raw data: `last_event.data` and `monitor.config.limit` of the monitors of type dstat, in percents.
"""

from collections.abc import Iterator
from typing import Final

from theeye_exporter.collectors.base import Checks
from theeye_exporter.exposition.families import HOST_CACHE, HOST_CPU, HOST_DISK, HOST_MEMORY
from theeye_exporter.exposition.labels import escape_label_value
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.models import EventData, Limits, text

__all__ = ["add_usage", "read_thresholds"]

_CPU_TOLERANCE: Final = 10
"""Percent points above 100 that are rounding and guest time counted twice, and mean fully used."""

_DEVICES_KEPT: Final = 256
"""Names of disks remembered for a host; whoever makes up new ones with each report shall not fill the memory."""


def add_usage(samples: Samples, labels: str, devices: dict[str, str], data: EventData, checks: Checks) -> None:
    """Add the measured values of a dstat report; a worker's error report has none of them.

    Args:
        samples: gets them.
        labels: the host's.
        devices: the labels of its disks by the disk's name, kept from poll to poll.
        data: the report.
        checks: count what is no true value.
    """
    if (cpu := checks.ratio(data.cpu, tolerance=_CPU_TOLERANCE)) is not None:
        samples[HOST_CPU].add(labels, cpu)
    if (memory := checks.ratio(data.mem)) is not None:
        samples[HOST_MEMORY].add(labels, memory)
    if (cache := checks.ratio(data.cache)) is not None:
        samples[HOST_CACHE].add(labels, cache)
    used: dict[str, float] = {}
    for disk in data.disk if isinstance(data.disk, list) else ():
        name = text(disk.get("name")) if isinstance(disk, dict) else ""
        label = devices.get(name)
        if label is None:
            label = _device(labels, devices, name)
        if not label:
            checks.dropped["impossible"] += 1
        elif (ratio := checks.ratio(disk.get("value"))) is not None:
            if label in used:
                checks.dropped["duplicate"] += 1
            used[label] = ratio
    for label, ratio in used.items():
        samples[HOST_DISK].add(label, ratio)


def _device(labels: str, devices: dict[str, str], name: str) -> str:
    """Return a disk's labels, empty for one without a name."""
    if len(devices) >= _DEVICES_KEPT:
        devices.clear()
    # Windows' device names may end in blanks; a list that names a device twice means the last one.
    device = escape_label_value(name.strip())
    devices[name] = f'{labels},device="{device}"' if device else ""
    return devices[name]


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
