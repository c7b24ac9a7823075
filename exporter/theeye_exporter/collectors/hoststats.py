"""Load, memory and disks of hosts, in bytes; off by default, since each host takes a request.

    theeye_host_load1{organization="demo",host_id="6b…",hostname="bot-1"} 0.25
    theeye_host_disk_size_bytes{organization="demo",host_id="6b…",hostname="bot-1",device="vda"} 270553174016

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN"
"$THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/host/$ID/stats?type=dstat"`, in kB. TheEye keeps the last values of a bot that
stopped, and has none of a bot that never reported.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from theeye_exporter.collectors import hosts
from theeye_exporter.collectors.base import Checks, Collection, CollectorKind, Context, server_time
from theeye_exporter.collectors.name_index import NameIndex
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.labels import escape_label_value, format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import number, text
from theeye_exporter.theeye.models import DiskStats, DiskUsage, HostStats, HostStatsValues

__all__ = ["KIND", "HostStatsCollector"]

FAMILIES: Final = Families()


def _amount(name: str, text: str, *labels: str, unit: str = "bytes") -> Any:
    return FAMILIES.gauge(f"theeye_host_{name}", (*hosts.HOST_LABELS, *labels), f"{text}.", unit=unit)


LOADS: Final = {
    _amount("load1", "Load of the host, averaged over 1 minute", unit=""): "load_1_minute",
    _amount("load5", "Load of the host, averaged over 5 minutes", unit=""): "load_5_minute",
    _amount("load15", "Load of the host, averaged over 15 minutes", unit=""): "load_15_minute",
}
SIZES: Final = {
    _amount(
        "memory_used_bytes", "Memory in use on the host; memory that programs could still get does not count as used"
    ): "mem_used",
    _amount("swap_total_bytes", "Size of the host's swap; 0 without swap"): "cache_total",
    _amount("swap_free_bytes", "Free swap of the host"): "cache_free",
}
DISKS: Final = {
    _amount("disk_size_bytes", "Size of a disk", "device"): "total",
    _amount("disk_used_bytes", "Space in use on a disk", "device"): "used",
    _amount("disk_available_bytes", "Space on a disk that users without privileges can fill", "device"): "available",
}

QUERIES: Final = (
    Query("The five disks with the least free space", "bottomk(5, theeye_host_disk_available_bytes)"),
    Query("The five hosts with the highest load per processor", "topk(5, theeye_host_load5 / theeye_host_cpus)"),
    Query("Share of memory in use", "theeye_host_memory_used_bytes / theeye_host_memory_total_bytes"),
)

_REQUESTS: Final = 20
"""Number of hosts that are asked for in one poll."""

_ROUNDS: Final = 3
_KILOBYTE: Final = 1024
_CLOCK_TOLERANCE: Final = 300.0
_ALL_DISKS: Final = "total"


@dataclass(slots=True)
class HostStatsMemory:
    """What has to be kept over a reload.

    Attributes:
        polls: number of polls.
        asked: by host, the last poll that asked for it.
        found: by host, its last statistics; None if there were none.
    """

    polls: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    found: dict[str, HostStats | None] = field(default_factory=dict)

    def copy(self) -> "HostStatsMemory":
        """Return a copy that does not change with this one."""
        return HostStatsMemory(self.polls, self.asked.copy(), self.found.copy())


class HostStatsCollector:
    """Collects the statistics of an organisation's hosts, some hosts at each poll, in turn."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        self._organization = context.organization
        self._interval = context.settings.interval
        self._timeout = context.timeout
        self._hosts: NameIndex = context.names[hosts.KIND.name]
        self._memory: HostStatsMemory = context.memory

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        names = self._names(client)
        memory = self._memory
        memory.asked = {host_id: memory.asked.get(host_id, 0) for host_id in sorted(names)}
        memory.found = {host_id: stats for host_id, stats in memory.found.items() if host_id in names}
        date = self._ask(client)
        reports = {host_id: stats for host_id, stats in memory.found.items() if stats is not None}
        times = [at for stats in reports.values() if (at := _updated(stats)) is not None]
        clock = server_time(now, date, max(times, default=None))
        oldest = clock - _ROUNDS * self._interval * max(1, ceil(len(names) / _REQUESTS))
        samples, checks = Samples(), Checks()
        for host_id, stats in reports.items():
            updated = _updated(stats)
            if updated is None or not oldest <= updated <= clock + _CLOCK_TOLERANCE:
                checks.dropped["impossible" if updated is None else "stale"] += 1
            elif isinstance(stats.stats, HostStatsValues):
                labels = format_labels(hosts.HOST_LABELS, (self._organization, host_id, names[host_id]))
                _add(samples, labels, stats.stats, checks)
        return Collection(samples, len(reports), dropped=checks.dropped, date=date)

    def _names(self, client: TheEyeClient) -> Mapping[str, str]:
        """Return the names of all hosts by id, from the collector of hosts if it is enabled."""
        entries = self._hosts.listed.entries
        if entries is not None:
            return {host_id: entry.labels[0] for host_id, entry in entries.items()}
        return {host.id: text(host.hostname) for host in client.hosts().items}

    def _ask(self, client: TheEyeClient) -> float | None:
        """Ask for the hosts whose last request is the longest ago, within the time of one response."""
        memory, until, date = self._memory, time.monotonic() + self._timeout, None
        memory.polls += 1
        failure: UpstreamError | None = None
        answers = 0
        for host_id in sorted(memory.asked, key=memory.asked.__getitem__)[:_REQUESTS]:
            if time.monotonic() >= until:
                break
            memory.asked[host_id] = memory.polls
            try:
                listing = client.host_stats(host_id)
            except UpstreamError as error:
                if error.reason is Reason.NOT_FOUND:
                    memory.found.pop(host_id, None)  # deleted since the list of hosts
                    continue
                if error.reason.concerns_everything or error.retry_after is not None:
                    raise
                failure = error
                continue
            answers += 1
            memory.found[host_id] = next(iter(listing.items), None)
            date = listing.date
        if failure is not None and not answers:
            raise failure
        return date


def _updated(stats: HostStats) -> float | None:
    milliseconds = number(stats.last_update_timestamp)
    return None if milliseconds is None else milliseconds / 1000


def _add(samples: Samples, labels: str, values: HostStatsValues, checks: Checks) -> None:
    for family, name in LOADS.items():
        if (load := checks.amount(getattr(values, name))) is not None:
            samples[family].add(labels, load)
    for family, name in SIZES.items():
        if (size := checks.amount(getattr(values, name))) is not None:
            samples[family].add(labels, size * _KILOBYTE)
    disks = values.disk if isinstance(values.disk, dict) else {}
    usages = {name.strip(): disk.usage for name, disk in disks.items() if isinstance(disk, DiskStats)}
    for name, usage in usages.items():
        if not name or name == _ALL_DISKS or not isinstance(usage, DiskUsage):
            continue
        of_disk = f'{labels},device="{escape_label_value(name)}"'
        for family, part in DISKS.items():
            if (size := checks.amount(getattr(usage, part))) is not None:
                samples[family].add(of_disk, size * _KILOBYTE)


KIND: Final = CollectorKind(
    name="hoststats",
    title="Load of hosts, and their memory and disks in bytes",
    families=FAMILIES,
    make=HostStatsCollector,
    settings=CollectorSettings,
    interval=120.0,
    cardinality="6 for each host, and 3 for each of its disks.",
    enabled=False,
    needs=(hosts.KIND,),
    memory=HostStatsMemory,
    may_hide_errors_as_empty=False,
    filtered_by_access=False,
    queries=QUERIES,
)
