"""The overview: what is wrong now, since when, and whether the data is reliable."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.overview_tables import attention
from theeye_dashboards.page import page
from theeye_dashboards.panels import (
    OUTCOMES,
    Panel,
    Query,
    colours,
    mapping,
    number,
    timeseries,
)
from theeye_dashboards.queries import FAILED, SILENT_HOST, Scope, per_organization
from theeye_dashboards.variables import link_to

__all__ = ["overview"]

_SCOPE: Final = Scope()
_HOSTS: Final = (link_to("theeye-hosts"), "Hosts")
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_EXPORTER: Final = (link_to("theeye-exporter"), "Exporter")
_FLEET_POINTS: Final = 60
"""Points of a line over all monitors: a hundred thousand of them stay below what Prometheus loads for one query."""

_NOT_SCRAPED: Final = "No data: see Age of the data"
_AGE: Final = f"min by (organization, collector) ({_SCOPE.age('theeye_collector_last_success_timestamp_seconds')})"


def overview() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Overview",
        "theeye-overview",
        "What is wrong in TheEye now: failing or silent monitors, hosts above their limits, tasks that fail or are stuck. "
        "And how old this data is.",
    )
    for big in (*_shares(), *_numbers()):
        built = built.with_panel(big)
    built = built.with_row(dashboard.Row("Current problems"))
    for listed in attention():
        built = built.with_panel(listed)
    built = built.with_row(dashboard.Row("History"))
    for trend in _trends():
        built = built.with_panel(trend)
    return built


def _share(title: str, description: str, expression: str, empty: str, link: tuple[str, str] = _HOSTS) -> stat.Panel:
    return number(
        Panel(
            title=title,
            description=description,
            queries=[Query(expression)],
            width=4,
            height=4,
            unit="percentunit",
            decimals=1,
            empty=empty,
            link=link,
            steps=((None, "green"), (0.001, "yellow"), (0.02, "orange"), (0.1, "red")),
        )
    )


def _shares() -> list[stat.Panel]:
    """Return shares of the fleet, not numbers: with thousands of hosts, something is always failing."""
    hosts = per_organization(_SCOPE("theeye_hosts", 'state!="disabled"'))
    failed = per_organization(_SCOPE("theeye_job_last_outcome", FAILED))
    finished = per_organization(f"{_SCOPE('theeye_job_consecutive_failures')} >= bool 0")
    above, measured = _SCOPE.hosts_above_a_limit(), _SCOPE.hosts_with_usage()
    return [
        _share(
            "Monitors failing",
            "Share of the enabled monitors that are in state failure.",
            _SCOPE.share_of_monitors("failure"),
            _NOT_SCRAPED,
        ),
        _share(
            "Monitors silent",
            "Share of the enabled monitors that have stopped reporting (updates_stopped). Usually, the bot does not run, the "
            "host is down, or the network is interrupted. Their last values are no longer valid.",
            _SCOPE.share_of_monitors("updates_stopped"),
            _NOT_SCRAPED,
        ),
        _share(
            "Hosts silent",
            "Share of the hosts whose bot has stopped reporting: the monitor of type host is in updates_stopped.",
            f"{per_organization(_SCOPE('theeye_hosts', SILENT_HOST))} / ({hosts} > 0)",
            "No host monitors",
        ),
        _share(
            "Hosts over a limit",
            "Share of the hosts with statistics whose CPU, memory, swap or disk usage is above the limit set for it in TheEye.",
            f"{above} / ({measured} > 0)",
            "No host statistics",
        ),
        _share(
            "Tasks failed",
            "Share of the tasks with a finished run whose last run ended in failure, timeout or error.",
            f"{failed} / ({finished} > 0)",
            "No finished runs",
            _JOBS,
        ),
        number(
            Panel(
                title="TheEye up",
                description="Whether TheEye responds and accepts the token, for every organisation chosen. If not, the data "
                "of at least one of them stops changing and then disappears.",
                queries=[Query(f"min(max by (organization) ({_SCOPE('theeye_up')}))")],
                width=4,
                height=4,
                empty=_NOT_SCRAPED,
                link=_EXPORTER,
                steps=((None, "red"), (1, "green")),
            ),
            words=mapping({"0": ("No", "red"), "1": ("Yes", "green")}),
        ),
    ]


def _numbers() -> list[stat.Panel]:
    def counted(title: str, description: str, queries: list[Query], empty: str, link: tuple[str, str]) -> stat.Panel:
        return number(
            Panel(
                title=title,
                description=description,
                queries=queries,
                width=8 if len(queries) > 1 else 4,
                height=4,
                empty=empty,
                link=link,
            )
        )

    def by_severity(state: str) -> list[Query]:
        of_state = f'state="{state}"'
        return [
            Query(_SCOPE.monitors(of_state, 'severity="CRITICAL"'), "critical"),
            Query(_SCOPE.monitors(of_state, 'severity="HIGH"'), "high"),
            Query(_SCOPE.monitors(of_state, 'severity!~"CRITICAL|HIGH"'), "low"),
        ]

    tasks = f"0 * {per_organization(_SCOPE('theeye_tasks'))}"
    missed = f"{_SCOPE('theeye_task_missed_trigger_timestamp_seconds')} > bool 0"
    return [
        counted(
            "Failing monitors, by severity",
            "Monitors in state failure, by their severity in TheEye. Disabled monitors are not counted: their state does not "
            "change.",
            by_severity("failure"),
            _NOT_SCRAPED,
            _HOSTS,
        ),
        counted(
            "Silent monitors, by severity",
            "Monitors that have stopped reporting (updates_stopped), by their severity in TheEye.",
            by_severity("updates_stopped"),
            _NOT_SCRAPED,
            _HOSTS,
        ),
        counted(
            "Stuck tasks",
            "Tasks with a job that has been open for longer than the task's timeout plus one minute: it hangs, or no bot takes "
            "it. Jobs on hold are not counted.",
            [Query(f"{per_organization(_SCOPE.stuck(as_bool=True))} or {tasks}")],
            "No tasks",
            _JOBS,
        ),
        counted(
            "Overdue tasks",
            "Tasks whose schedule was due, and for which TheEye has created no job since.",
            [Query(f"{per_organization(missed)} or {tasks}")],
            "No tasks",
            _JOBS,
        ),
    ]


def _trends() -> list[timeseries_builders.Panel]:
    return [
        timeseries(
            Panel(
                title="Monitors with problems",
                description="Failing and silent monitors over time.",
                queries=[
                    Query(_SCOPE.monitors('state="failure"'), "failing"),
                    Query(_SCOPE.monitors('state="updates_stopped"'), "silent"),
                ],
                width=12,
                link=_HOSTS,
                decimals=0,
                empty=_NOT_SCRAPED,
                overrides=colours({"failing": "red", "silent": "purple"}),
            ),
            soft_top=1,
        ),
        timeseries(
            Panel(
                title="Runs per minute, by outcome",
                description="Finished runs of all tasks, each counted once.",
                queries=[Query(_SCOPE.runs_per_minute(), "{{outcome}}")],
                width=12,
                link=_JOBS,
                empty="No runs in this time range",
                overrides=colours(OUTCOMES),
            ),
            stacked=True,
        ),
        timeseries(
            Panel(
                title="Hosts above a limit",
                description="Hosts whose CPU, memory, swap or disk usage is above its limit.",
                queries=[Query(_SCOPE.hosts_above_a_limit(), "hosts above a limit")],
                width=12,
                link=_HOSTS,
                points=_FLEET_POINTS,
                decimals=0,
                empty="No host statistics",
                overrides=colours({"hosts above a limit": "orange"}),
            ),
            soft_top=1,
        ),
        timeseries(
            Panel(
                title="Age of the data, by collector",
                description="Time since each collector's last successful poll. It falls at each successful poll; if it "
                "only rises, polls fail.",
                queries=[Query(f"clamp_min(max by (collector) ({_AGE}), 0)", "{{collector}}")],
                width=12,
                unit="s",
                link=_EXPORTER,
                empty=_NOT_SCRAPED,
            ),
        ),
    ]
