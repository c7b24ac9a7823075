"""Statistics of hosts in bytes, which the exporter collects only if it is told to."""

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.panels import Panel, Query, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import HOST, ORGANIZATION, Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["host_statistics"]

_SCOPE: Final = Scope(('hostname=~"$hostname"',))
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_LISTED: Final = 50
_DRAWN: Final = 6
_OFF: Final = "No data: turn on --collector.hoststats, which is off by default"


def host_statistics() -> list[timeseries_builders.Panel | table.Panel]:
    """Return the panels."""
    load, available = "theeye_host_load5", "theeye_host_disk_available_bytes"
    by_host, by_disk = "organization, hostname", "organization, hostname, device"
    highest = f"topk({_DRAWN}, max by ({by_host}) (avg_over_time({_SCOPE(load)}[$__range:5m] @ end())))"
    least = f"bottomk({_DRAWN}, min by ({by_disk}) (avg_over_time({_SCOPE(available)}[$__range:5m] @ end())))"
    return [
        timeseries(
            Panel(
                title="Load, 5 minutes",
                description=f"The {_DRAWN} hosts with the highest average load in this time range.",
                queries=[Query(f"max by ({by_host}) ({_SCOPE(load)}) and on ({by_host}) {highest}", "{{hostname}}")],
                width=12,
                empty=_OFF,
                link=_OVERVIEW,
            )
        ),
        timeseries(
            Panel(
                title="Space available on disks",
                description=f"The {_DRAWN} disks with the least space on average in this time range.",
                queries=[
                    Query(
                        f"min by ({by_disk}) ({_SCOPE(available)}) and on ({by_disk}) {least}",
                        "{{hostname}} {{device}}",
                    )
                ],
                width=12,
                unit="bytes",
                empty=_OFF,
                link=_OVERVIEW,
            )
        ),
        _table(
            "Load, memory and swap",
            by_host,
            f"topk({_LISTED}, max by ({by_host}) ({_SCOPE('theeye_host_load1')}))",
            {
                "Load, 1 min": "theeye_host_load1",
                "5 min": load,
                "15 min": "theeye_host_load15",
                "Memory used": "theeye_host_memory_used_bytes",
                "Swap": "theeye_host_swap_total_bytes",
                "Swap free": "theeye_host_swap_free_bytes",
            },
        ),
        _table(
            "Disks",
            by_disk,
            f"bottomk({_LISTED}, min by ({by_disk}) ({_SCOPE(available)}))",
            {
                "Available": available,
                "Used": "theeye_host_disk_used_bytes",
                "Size": "theeye_host_disk_size_bytes",
            },
        ),
    ]


def _table(title: str, labels: str, chosen: str, columns: Mapping[str, str]) -> table.Panel:
    of_disks = "device" in labels
    first = "the least space first" if of_disks else "the highest load first"
    return rows(
        Panel(
            title=title,
            description=f"What the bots reported last, {first}; up to {_LISTED} lines. Silent hosts are not listed.",
            queries=[
                Query(f"max by ({labels}) ({_SCOPE(metric)}) and on ({labels}) {chosen}") for metric in columns.values()
            ],
            width=12,
            empty=_OFF,
            link=_OVERVIEW,
        ),
        [
            HOST,
            *([Column(name="device", title="Device", width=100)] if of_disks else ()),
            *(
                Column(
                    name=f"Value #{'ABCDEF'[index]}",
                    title=head,
                    unit="bytes" if metric.endswith("_bytes") else "short",
                    decimals=1,
                    width=92 if of_disks else 72,
                )
                for index, (head, metric) in enumerate(columns.items())
            ),
            ORGANIZATION,
        ],
        sort=[(next(iter(columns)), not of_disks)],
    )
