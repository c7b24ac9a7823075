"""The overview: what is wrong now, since when, and whether these numbers can be trusted."""

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
    properties,
    timeseries,
)
from theeye_dashboards.queries import FAILED, Scope, per_organization
from theeye_dashboards.variables import link_to

__all__ = ["overview"]

_SCOPE: Final = Scope()
_HOSTS: Final = (link_to("theeye-hosts"), "Hosts")
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_EXPORTER: Final = (link_to("theeye-exporter"), "Exporter")
_FLEET_POINTS: Final = 60
"""Points of a line over all monitors: a hundred thousand of them stay below what Prometheus loads for one query."""

_NOT_SCRAPED: Final = "No data: is the exporter scraped?"
_ZERO_IS_GOOD: Final = ((None, "green"), (1, "red"))
_FAILING: Final = _SCOPE.count_in("failure")
_SILENT: Final = _SCOPE.count_in("updates_stopped")
_AGE: Final = f"min by (organization, collector) ({_SCOPE.age('theeye_collector_last_success_timestamp_seconds')})"


def overview() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Overview",
        "theeye-overview",
        "What is wrong at TheEye now: monitors that fail or are silent, hosts above their limits, tasks that fail or "
        "hang. And how old these numbers are.",
    )
    for big in _numbers():
        built = built.with_panel(big)
    built = built.with_row(dashboard.Row("What to look at"))
    for listed in attention():
        built = built.with_panel(listed)
    built = built.with_row(dashboard.Row("How it came to this"))
    for trend in _trends():
        built = built.with_panel(trend)
    return built


def _numbers() -> list[stat.Panel]:
    def by_severity(state: str) -> list[Query]:
        def counted(severity: str) -> str:
            known = per_organization(_SCOPE("theeye_monitor_info", severity))
            return f"{per_organization(_SCOPE.of_severity(_SCOPE.monitors_in(state), (severity,)))} or 0 * {known}"

        return [
            Query(counted('severity="CRITICAL"'), "critical"),
            Query(counted('severity="HIGH"'), "high"),
            Query(counted('severity!~"CRITICAL|HIGH"'), "low"),
        ]

    severities = {
        name: properties(
            thresholds={"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 1, "color": colour}]}
        )
        for name, colour in (("critical", "red"), ("high", "orange"), ("low", "yellow"))
    }
    overdue = per_organization(_SCOPE.overdue(as_bool=True))
    return [
        number(
            Panel(
                title="Failing monitors, by severity",
                description="Monitors in the state failure, by the severity that TheEye has for them. Disabled "
                "monitors do not count: their state is frozen.",
                queries=by_severity("failure"),
                width=5,
                height=4,
                empty=_NOT_SCRAPED,
                link=_HOSTS,
                steps=_ZERO_IS_GOOD,
                overrides=severities,
            )
        ),
        number(
            Panel(
                title="Silent monitors, by severity",
                description="Monitors that have stopped reporting (updates_stopped): a bot that does not run, a host "
                "that is down, a network that is cut. What they measured last says nothing any more.",
                queries=by_severity("updates_stopped"),
                width=5,
                height=4,
                empty=_NOT_SCRAPED,
                link=_HOSTS,
                steps=_ZERO_IS_GOOD,
                overrides=severities,
            )
        ),
        number(
            Panel(
                title="Hosts over a limit",
                description="Hosts of which CPU, memory, swap or a disk is above the limit set for it in TheEye.",
                queries=[Query(_SCOPE.hosts_above_a_limit())],
                width=3,
                height=4,
                empty="No host statistics",
                link=_HOSTS,
                steps=((None, "green"), (1, "orange")),
            )
        ),
        number(
            Panel(
                title="Failed tasks",
                description="Tasks whose last run ended in failure, timeout or error.",
                queries=[Query(per_organization(_SCOPE("theeye_job_last_outcome", FAILED)))],
                width=3,
                height=4,
                empty="No finished runs",
                link=_JOBS,
                steps=_ZERO_IS_GOOD,
            )
        ),
        number(
            Panel(
                title="Overdue tasks",
                description="Tasks with a job that is open for longer than the task's timeout and a minute: it hangs, "
                "or no bot takes it. Jobs that wait for an approval do not count.",
                queries=[
                    Query(f"{overdue} or 0 * {per_organization(_SCOPE('theeye_task_timeout_seconds'))}"),
                ],
                width=3,
                height=4,
                empty="No tasks",
                link=_JOBS,
                steps=_ZERO_IS_GOOD,
            )
        ),
        number(
            Panel(
                title="TheEye up",
                description="Whether TheEye answers and accepts the token, for every organisation chosen. If it says "
                "no, everything else here stands still and then disappears.",
                queries=[Query(f"min(max by (organization) ({_SCOPE('theeye_up')}))")],
                width=2,
                height=4,
                empty=_NOT_SCRAPED,
                link=_EXPORTER,
                steps=((None, "red"), (1, "green")),
            ),
            words=mapping({"0": ("No", "red"), "1": ("Yes", "green")}),
        ),
        number(
            Panel(
                title="Age of the data",
                description="Time since the last successful poll, of the collector for which that is longest.",
                queries=[Query(f"clamp_min(max({_AGE}), 0)")],
                width=3,
                height=4,
                unit="s",
                decimals=0,
                empty=_NOT_SCRAPED,
                link=_EXPORTER,
                steps=((None, "green"), (120, "orange"), (300, "red")),
            )
        ),
    ]


def _trends() -> list[timeseries_builders.Panel]:
    return [
        timeseries(
            Panel(
                title="Monitors in trouble",
                description="Failing and silent monitors over time.",
                queries=[Query(_FAILING, "failing"), Query(_SILENT, "silent")],
                width=12,
                link=_HOSTS,
                points=_FLEET_POINTS,
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
                queries=[
                    Query(
                        _SCOPE.runs_per_minute(),
                        "{{outcome}}",
                    )
                ],
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
                description="Hosts of which CPU, memory, swap or a disk is above its limit.",
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
                description="Time since each collector's last successful poll. It goes up and down with the polls; "
                "if it only goes up, polls fail.",
                queries=[Query(f"clamp_min(max by (collector) ({_AGE}), 0)", "{{collector}}")],
                width=12,
                unit="s",
                link=_EXPORTER,
                empty=_NOT_SCRAPED,
            ),
        ),
    ]
