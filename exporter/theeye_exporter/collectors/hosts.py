"""Hosts, as their bots described them when they registered.

    theeye_host_info{organization="demo",host_id="6b…",hostname="bot-1",platform="linux",release="6.12.0",…} 1
    theeye_host_memory_total_bytes{organization="demo",host_id="6b…",hostname="bot-1"} 8589934592

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/host`.
A host's `last_update` is the time of its registration, not a heartbeat, so it is not shown. The monitor of type host
shows whether the bot reports.
"""

from collections.abc import Sequence
from typing import Final

from theeye_exporter.collectors import monitors
from theeye_exporter.collectors.base import Checks, CollectorKind, Context, ListCollector
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.models import Fingerprint, Host

__all__ = ["HOST_LABELS", "KIND", "HostsCollector"]

HOST_LABELS: Final = ("organization", "host_id", "hostname")

FAMILIES: Final = Families()

HOST_INFO: Final = FAMILIES.info(
    "theeye_host_info",
    (*HOST_LABELS, "platform", "release", "arch", "agent_version"),
    "Properties of a host as its bot found them at registration (current fingerprint); "
    "agent_version is the bot's version.",
)
HOST_ENABLED: Final = FAMILIES.gauge(
    "theeye_host_enabled", HOST_LABELS, "Whether the host is enabled in TheEye (enable)."
)
HOST_MEMORY: Final = FAMILIES.gauge(
    "theeye_host_memory_total_bytes",
    HOST_LABELS,
    "Memory of the host when its bot registered (totalmem of the current fingerprint).",
    unit="bytes",
)
HOST_CPUS: Final = FAMILIES.gauge(
    "theeye_host_cpus",
    HOST_LABELS,
    "Logical processors of the host when its bot registered (cpu of the current fingerprint).",
)

QUERIES: Final = (
    Query(
        "Hosts whose bot does not have the most common version",
        "theeye_host_info\n"
        "  unless on (organization, agent_version)\n"
        "  topk by (organization) (1, count by (organization, agent_version) (theeye_host_info))",
    ),
    Query("Hosts by platform", "count by (organization, platform) (theeye_host_info)"),
    Query("Memory of all hosts", "sum by (organization) (theeye_host_memory_total_bytes)"),
)

_UNKNOWN: Final = Fingerprint()


class HostsCollector(ListCollector[Host]):
    """Collects an organisation's hosts."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        super().__init__(context, KIND.name, HOST_LABELS, HOST_INFO)

    def _list(self, client: TheEyeClient) -> Listing[Host]:
        return client.hosts()

    def _add(self, samples: Samples, item: Host, checks: Checks) -> None:
        found = _current(item)
        described = text(found.platform), text(found.release), text(found.arch), text(found.agent_version)
        labels = self._add_info(samples, (item.id, text(item.hostname)), *described)
        if isinstance(item.enable, bool):
            samples[HOST_ENABLED].add(labels, int(item.enable))
        # A bot that does not know says 0.
        if found.totalmem is not None and (memory := checks.amount(_parsed(found.totalmem))):
            samples[HOST_MEMORY].add(labels, memory)
        if isinstance(found.cpu, list) and found.cpu:
            samples[HOST_CPUS].add(labels, len(found.cpu))

    def _names(self, items: Sequence[Host]) -> dict[str, Entry]:
        return {host.id: Entry(labels=(text(host.hostname),)) for host in items}


def _current(host: Host) -> Fingerprint:
    """Return the fingerprint that the host refers to, otherwise the newest one."""
    listed = host.fingerprints if isinstance(host.fingerprints, list) else ()
    found = [fingerprint for fingerprint in listed if isinstance(fingerprint, Fingerprint)]
    named = [one for one in found if one.fingerprint is not None and one.fingerprint == host.current_fingerprint]
    return max(named or found, key=lambda one: timestamp(one.creation_date) or 0, default=_UNKNOWN)


def _parsed(size: object) -> object:
    """Return the number that the bot wrote as text."""
    return float(size) if isinstance(size, str) and size.isascii() and size.isdecimal() else size


KIND: Final = CollectorKind(
    name="hosts",
    title="Hosts",
    families=FAMILIES,
    make=HostsCollector,
    settings=CollectorSettings,
    interval=300.0,  # what bots say of themselves when they register rarely changes
    cardinality="4 for each host.",
    implies=(monitors.KIND,),  # a bot that registers gets monitors
    filtered_by_access=False,
    queries=QUERIES,
)
