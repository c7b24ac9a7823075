"""The tables of the page of hosts."""

from dataclasses import replace
from typing import Final

from grafana_foundation_sdk.builders import table

from theeye_dashboards.panels import Panel, Query
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import HOST, ORGANIZATION, SEVERITY, Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["STATES", "host_table", "inventory_table", "monitor_table"]

_SCOPE: Final = Scope(('hostname=~"$hostname"',))
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_LISTED: Final = 100
_WORST: Final = "Highest share of a limit"
_NO_STATISTICS: Final = "No host statistics: no dstat monitor reports for these hosts"
STATES: Final = {
    "0": ("normal", "green"),
    "1": ("failure", "red"),
    "2": ("silent", "purple"),
    "3": ("unknown", "blue"),
}
"""How `Scope.coded_states` is shown."""


def host_table() -> table.Panel:
    """Return a table with a row for each host: its usage, and the number of its monitors with problems."""
    columns = _columns()
    ratios = {_WORST, "CPU", "Memory", "Swap", "Fullest disk"}
    gauges = ratios - {_WORST}
    return rows(
        Panel(
            title="Hosts, closest to a limit first",
            description=f"Up to {_LISTED} hosts. The column {_WORST} shows the usage that is closest to its limit in TheEye, "
            "as a share of the limit; above 100 %, the monitor fails. Swap is empty for hosts without swap. Silent hosts are not "
            "listed, because they have no usage.",
            queries=[Query(expression) for _, expression in columns],
            width=24,
            height=10,
            empty=_NO_STATISTICS,
            needs="monitors",
            link=_OVERVIEW,
        ),
        [
            HOST,
            ORGANIZATION,
            *(
                Column(
                    name=f"Value #{'ABCDEFG'[index]}",
                    title=title,
                    unit="percentunit" if title in ratios else "",
                    decimals=0,
                    width=160 if title == _WORST else 110 if title in ratios else 80,
                    gauge=1.0 if title in gauges else None,
                    steps=((None, "green"), (0.9, "orange"), (1, "red"))
                    if title == _WORST
                    else ((None, "text"), (1, "red"))
                    if title not in gauges
                    else None,
                )
                for index, (title, _) in enumerate(columns)
            ),
        ],
        sort=[(_WORST, True)],
    )


def _columns() -> list[tuple[str, str]]:
    """Return titles and expressions of the columns of `host_table`."""
    labels = "organization, hostname"
    worst = f"topk({_LISTED}, max by ({labels}) ({_SCOPE.pressure()}))"
    bad = f"sum by (job, instance, {labels}) ({{}})"
    return [
        (_WORST, worst),
        *(
            (title, f"max by ({labels}) ({_SCOPE(usage)}) and on ({labels}) {worst}")
            for usage, title in (
                ("theeye_host_cpu_usage_ratio", "CPU"),
                ("theeye_host_memory_usage_ratio", "Memory"),
                ("theeye_host_cache_usage_ratio", "Swap"),
                ("theeye_host_disk_usage_ratio", "Fullest disk"),
            )
        ),
        *(
            (
                title,
                f"max by ({labels}) ({bad.format(_SCOPE.monitors_in(state))}) and on ({labels}) {worst} or 0 * {worst}",
            )
            for state, title in (("failure", "Failing"), ("updates_stopped", "Silent"))
        ),
    ]


def inventory_table() -> table.Panel:
    """Return a line for each host, with what its bot found when it registered."""
    labels = "organization, hostname, host_id"
    described = f"{labels}, platform, release, arch, agent_version"
    info = _SCOPE("theeye_host_info")
    every = f"max by ({described}) ({info})"
    usual = f"topk(1, count by (agent_version) ({info}))"
    differs = f"({every} unless on (agent_version) {usual} or 0 * {every})"
    listed = f"topk({_LISTED}, {differs})"
    return rows(
        Panel(
            title="Inventory",
            description=f"Up to {_LISTED} hosts, as their bots described them when they registered. Hosts whose bot does not have "
            "the most common version come first, and are marked: their bots are outdated, or newer than the rest.",
            queries=[
                Query(listed),
                *(
                    Query(f"max by ({labels}) ({_SCOPE(metric)}) and on ({labels}) {listed}")
                    for metric in ("theeye_host_memory_total_bytes", "theeye_host_cpus", "theeye_host_enabled")
                ),
            ],
            width=24,
            height=8,
            empty="No hosts are listed; see --collector.hosts",
            needs="hosts",
            link=_OVERVIEW,
        ),
        [
            replace(HOST, own="/admin/hoststats/${__data.fields.host_id:percentencode}"),
            ORGANIZATION,
            Column(name="platform", title="Platform", width=90),
            Column(name="release", title="Release"),
            Column(name="arch", title="Architecture", width=100),
            Column(name="agent_version", title="Version of the bot", width=130),
            Column(
                name="Value #A",
                title="Compared with most",
                width=140,
                words={"0": ("the same", "text"), "1": ("different", "orange")},
            ),
            Column(name="Value #B", title="Memory", unit="bytes", decimals=1, width=90),
            Column(name="Value #C", title="CPUs", decimals=0, width=70),
            Column(name="Value #D", title="Enabled", width=80, words={"0": ("no", "#8e8e8e"), "1": ("yes", "text")}),
            Column(name="host_id"),
        ],
        sort=[("Compared with most", True), ("Host", False)],
    )


def monitor_table() -> table.Panel:
    """Return a table with a row for each monitor: its state, and the age of the state."""
    labels = "organization, hostname, monitor, monitor_id"
    worst = f"topk({_LISTED}, max by ({labels}) ({_SCOPE('theeye_monitor_consecutive_failures')}))"
    typed = _SCOPE.of_severity(_SCOPE.coded_states())
    return rows(
        Panel(
            title="Monitors",
            description=f"The {_LISTED} monitors of these hosts with the most failures in a row: failing reports and "
            "missed updates since the last normal report.",
            queries=[
                Query(worst),
                Query(f"max by ({labels}, severity, monitor_type) ({typed}) and on ({labels}) {worst}"),
                Query(
                    f"max by ({labels}) ({_SCOPE.age('theeye_monitor_last_update_timestamp_seconds')}) "
                    f"and on ({labels}) {worst}"
                ),
                Query(f"max by ({labels}) ({_SCOPE('theeye_monitor_interval_seconds')}) and on ({labels}) {worst}"),
                Query(f"max by ({labels}) ({_SCOPE('theeye_monitor_enabled')}) and on ({labels}) {worst}"),
            ],
            width=24,
            height=10,
            empty="No monitors for these hosts",
            needs="monitors",
            link=_OVERVIEW,
        ),
        [
            HOST,
            Column(name="monitor", title="Monitor"),
            Column(name="monitor_type", title="Type", width=80),
            SEVERITY,
            Column(name="Value #B", title="State", width=90, words=STATES),
            Column(name="Value #A", title="Failures in a row", decimals=0, width=120),
            Column(name="Value #C", title="Since the last report", unit="s", width=150),
            Column(name="Value #D", title="Interval", unit="s", width=80),
            Column(name="Value #E", title="Enabled", width=80, words={"0": ("no", "#8e8e8e"), "1": ("yes", "text")}),
            ORGANIZATION,
        ],
        sort=[("Failures in a row", True), ("Host", False)],
    )
