"""Hosts: usage of CPU, memory, swap and disks compared with TheEye's limits, and the states of their monitors."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.charts import timeline
from theeye_dashboards.host_statistics import host_statistics
from theeye_dashboards.host_tables import STATES, host_table, inventory_table, monitor_table
from theeye_dashboards.page import page
from theeye_dashboards.panels import Panel, Query, dashed, mapping, number, timeseries
from theeye_dashboards.queries import MONITOR, RESOURCES, TARGET, Scope, either, per_organization
from theeye_dashboards.tables import HOST, ORGANIZATION, Column, rows
from theeye_dashboards.variables import hostname, link_to

__all__ = ["hosts"]

_SCOPE: Final = Scope(('hostname=~"$hostname"',))
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_EXPORTER: Final = (link_to("theeye-exporter"), "Exporter")
_ZERO_IS_GOOD: Final = ((None, "green"), (1, "red"))
_DRAWN: Final = 6
_MONITOR_LABELS: Final = "organization, hostname, monitor, monitor_id"
_NO_STATISTICS: Final = "No host statistics: no dstat monitor reports for these hosts"


def hosts() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Hosts",
        "theeye-hosts",
        "Usage of CPU, memory, swap and disks, compared with the limits set in TheEye, and the monitors of the hosts "
        "chosen.",
    ).with_variable(hostname("theeye_monitor_enabled"))
    for big in _numbers():
        built = built.with_panel(big)
    built = built.with_row(dashboard.Row("Usage and limits"))
    for graph in _usage():
        built = built.with_panel(graph)
    built = built.with_panel(host_table())
    built = built.with_row(dashboard.Row("Monitors of these hosts"))
    built = built.with_panel(_history()).with_panel(monitor_table())
    built = built.with_row(dashboard.Row("Values from monitors"))
    for measured in (*_measured(), *_errors()):
        built = built.with_panel(measured)
    built = built.with_row(dashboard.Row("Statistics in bytes (off by default)"))
    for statistics in host_statistics():
        built = built.with_panel(statistics)
    built = built.with_row(dashboard.Row("Inventory"))
    return built.with_panel(inventory_table())


def _numbers() -> list[stat.Panel]:
    def count(title: str, description: str, expression: str, empty: str, *, judged: bool = True) -> stat.Panel:
        return number(
            Panel(
                title=title,
                description=description,
                queries=[Query(expression)],
                width=4,
                height=4,
                empty=empty,
                link=_OVERVIEW,
                steps=_ZERO_IS_GOOD if judged else None,
            )
        )

    with_host = _SCOPE("theeye_monitor_enabled", 'hostname!=""')
    each = f"group by (job, instance, organization, hostname) ({with_host})"
    known = f"count by (job, instance, organization) ({each})"
    of_bot = _SCOPE.monitors_in("updates_stopped")
    bots = _SCOPE("theeye_monitor_info", 'monitor_type="host"')
    # Several monitors of a host may watch the same disk.
    limit = _SCOPE("theeye_host_usage_threshold_ratio", 'resource="disk"')
    used = _SCOPE("theeye_host_disk_usage_ratio")
    disks = f"max by ({TARGET}, organization, hostname, device) ({used} > bool on ({MONITOR}) group_left () {limit})"
    return [
        count("Hosts", "Hosts with monitors.", f"sum(max by (organization) ({known}))", "No hosts", judged=False),
        count(
            "Silent hosts",
            "Hosts whose bot has stopped reporting: the monitor of type host is in updates_stopped.",
            f"{per_organization(f'{of_bot} * on ({MONITOR}) group_left (monitor_type) {bots}')} "
            f"or 0 * {per_organization(bots)}",
            "No host monitors",
        ),
        count(
            "Hosts above a limit",
            "Hosts whose CPU, memory, swap or disk usage is above the limit set in TheEye.",
            _SCOPE.hosts_above_a_limit(),
            "No host statistics",
        ),
        count(
            "Disks above the limit",
            "Disks that are fuller than the limit set in TheEye.",
            per_organization(disks),
            "No disks",
        ),
        count(
            "Failing monitors",
            "Monitors in the state failure.",
            _SCOPE.count_in("failure"),
            "No monitors",
        ),
        count(
            "Silent monitors",
            "Monitors that have stopped reporting (updates_stopped).",
            _SCOPE.count_in("updates_stopped"),
            "No monitors",
        ),
    ]


def _usage() -> list[timeseries_builders.Panel]:
    explained = {
        "cpu": "Share of CPU time in use, including waiting for disks.",
        "memory": "Share of memory in use; memory that programs could still get does not count as used.",
        "cache": "Swap in use; TheEye calls it cache, but it is not the page cache. Hosts without swap have no line.",
        "disk": "Share of each disk in use; blocks reserved for root count as free.",
    }
    empty = {"cache": "No data: these hosts have no swap, or do not report", "disk": "No disks reported"}
    return [
        timeseries(
            Panel(
                title=RESOURCES[resource].capitalize() if resource != "cpu" else "CPU",
                description=f"{text} Shows the {_DRAWN} highest averages of the hosts chosen. The dashed line is the "
                "lowest limit of these hosts in TheEye. If their limits differ, a second dashed line is the highest limit.",
                queries=_usage_queries(resource),
                width=12,
                unit="percentunit",
                decimals=0,
                top=1,
                empty=empty.get(resource, _NO_STATISTICS),
                link=_OVERVIEW,
                overrides={"limit": dashed("red"), "highest limit": dashed("orange")},
            ),
            table_legend=False,
        )
        for resource, text in explained.items()
    ]


def _usage_queries(resource: str) -> list[Query]:
    labels = "organization, hostname, device" if resource == "disk" else "organization, hostname"
    usage = _SCOPE(f"theeye_host_{resource}_usage_ratio")
    # The same series from one end to the other, instead of the highest of each moment.
    average = f"topk({_DRAWN}, max by ({labels}) (avg_over_time({usage}[$__range:5m] @ end())))"
    limit = _SCOPE("theeye_host_usage_threshold_ratio", f'resource="{resource}"')
    return [
        Query(
            f"max by ({labels}) ({usage}) and on ({labels}) {average}",
            "{{hostname}} {{device}}" if resource == "disk" else "{{hostname}}",
        ),
        Query(f"min({limit})", "limit"),
        Query(f"max({limit}) > min({limit})", "highest limit"),
    ]


def _history() -> statetimeline.Panel:
    labels = "organization, hostname, monitor, monitor_id"
    by_id = "organization, monitor_id"
    normal = _SCOPE("theeye_monitor_state", 'state="normal"')
    troubled = f"bottomk(20, min by ({labels}) (avg_over_time({normal}[$__range:5m] @ end())) < 1)"
    trouble = either(*(_SCOPE.coded(state) for state in ("failure", "updates_stopped", "unknown")))
    return timeline(
        Panel(
            title="Monitors with problems in this time range",
            description="The 20 monitors of these hosts that were not normal for the longest time.",
            queries=[
                Query(
                    f"max by ({labels}) ({trouble} and on ({by_id}) {troubled} "
                    f"or 0 * (({normal} and on ({by_id}) {troubled}) == 1))",
                    "{{hostname}} / {{monitor}}",
                )
            ],
            width=24,
            height=10,
            empty="All monitors of these hosts were normal all the time",
            link=_OVERVIEW,
            points=60,
        ),
        mapping(STATES),
    )


def _measured() -> list[timeseries_builders.Panel]:
    duration = _SCOPE("theeye_monitor_script_duration_seconds")
    slowest = f"topk({_DRAWN}, max by ({_MONITOR_LABELS}) (avg_over_time({duration}[$__range:5m] @ end())))"
    processes = _SCOPE("theeye_monitor_processes")
    return [
        timeseries(
            Panel(
                title="Slowest check scripts",
                description=f"Run time of script monitors, the {_DRAWN} slowest on average.",
                queries=[
                    Query(
                        f"max by ({_MONITOR_LABELS}) ({duration}) and on ({_MONITOR_LABELS}) {slowest}",
                        "{{hostname}} / {{monitor}}",
                    )
                ],
                width=12,
                unit="s",
                empty="No script monitors on these hosts",
                link=_OVERVIEW,
            )
        ),
        timeseries(
            Panel(
                title="Processes found",
                description="Processes that match a process monitor's pattern, for the "
                f"{_DRAWN} monitors with the fewest.",
                queries=[
                    Query(
                        f"max by ({_MONITOR_LABELS}) ({processes}) and on ({_MONITOR_LABELS}) "
                        f"bottomk({_DRAWN}, min by ({_MONITOR_LABELS}) (avg_over_time({processes}[$__range:5m] @ end())))",
                        "{{hostname}} / {{monitor}}",
                    )
                ],
                width=12,
                decimals=0,
                empty="No process monitors on these hosts",
                link=_OVERVIEW,
            )
        ),
    ]


def _errors() -> list[table.Panel]:
    exit_code = f"topk(50, max by ({_MONITOR_LABELS}) ({_SCOPE('theeye_monitor_script_exit_code')} != 0))"
    status = f"topk(50, max by ({_MONITOR_LABELS}) ({_SCOPE('theeye_monitor_http_status_code')} >= 400))"
    monitor = Column(name="monitor", title="Monitor")
    return [
        rows(
            Panel(
                title="Scripts with an error",
                description="Script monitors whose last run had an exit code other than 0; up to 50.",
                queries=[Query(exit_code)],
                width=12,
                empty="Every check script ended with 0",
                needs="monitors",
                link=_OVERVIEW,
            ),
            [HOST, monitor, Column(name="Value", title="Exit code", decimals=0, width=100), ORGANIZATION],
            sort=[("Exit code", True)],
        ),
        rows(
            Panel(
                title="HTTP checks with an error",
                description="Scraper monitors whose last HTTP status was 400 or above; up to 50. Requests without a "
                "response have no status and are not listed.",
                queries=[Query(status)],
                width=12,
                empty="No HTTP check got a status of 400 or above",
                needs="monitors",
                link=_OVERVIEW,
            ),
            [HOST, monitor, Column(name="Value", title="Status", decimals=0, width=100), ORGANIZATION],
            sort=[("Status", True)],
        ),
    ]
