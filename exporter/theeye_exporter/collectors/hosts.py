"""Host statistics, from the reports of dstat monitors.

    theeye_host_cpu_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1"} 0.03
    theeye_host_disk_usage_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",device="vda"} 0.115
    theeye_host_usage_threshold_ratio{organization="demo",monitor_id="6b…",hostname="bot-1",resource="cpu"} 0.9

The raw data: `last_event.data` and `monitor.config.limit` of the monitors of type dstat, in percents.
"""

from typing import Final

from theeye_exporter.collectors.base import Checks
from theeye_exporter.exposition.families import HOST_CACHE, HOST_CPU, HOST_DISK, HOST_MEMORY, HOST_THRESHOLD
from theeye_exporter.exposition.render import Samples, escape_label_value
from theeye_exporter.theeye.models import EventData, Limits, text

__all__ = ["add_thresholds", "add_usage"]

_CPU_TOLERANCE: Final = 10
"""Percent points above 100 that are rounding and guest time counted twice, and mean fully used."""


def add_usage(samples: Samples, labels: str, data: EventData, checks: Checks) -> None:
    """Add the measured values of a dstat report; a worker's error report has none of them."""
    if (cpu := checks.ratio(data.cpu, tolerance=_CPU_TOLERANCE)) is not None:
        samples[HOST_CPU].append((labels, cpu))
    if (memory := checks.ratio(data.mem)) is not None:
        samples[HOST_MEMORY].append((labels, memory))
    if (cache := checks.ratio(data.cache)) is not None:
        samples[HOST_CACHE].append((labels, cache))
    disks = data.disk if isinstance(data.disk, list) else ()
    used: dict[str, float] = {}
    for disk in disks:
        # Windows' device names may end in blanks; a list that names a device twice means the last one.
        device = text(disk.get("name")).strip() if isinstance(disk, dict) else ""
        if not device:
            checks.dropped["impossible"] += 1
        elif (ratio := checks.ratio(disk.get("value"))) is not None:
            label = escape_label_value(device)
            if label in used:
                checks.dropped["duplicate"] += 1
            used[label] = ratio
    samples[HOST_DISK] += [(f'{labels},device="{device}"', ratio) for device, ratio in used.items()]


def add_thresholds(samples: Samples, labels: str, limits: Limits, checks: Checks) -> None:
    """Add the limits that a dstat monitor is set to; TheEye keeps them whether or not the host reports."""
    for resource, limit in (
        ("cpu", limits.cpu),
        ("memory", limits.mem),
        ("cache", limits.cache),
        ("disk", limits.disk),
    ):
        if limit is not None and (ratio := checks.ratio(limit)) is not None:
            samples[HOST_THRESHOLD].append((f'{labels},resource="{resource}"', ratio))
