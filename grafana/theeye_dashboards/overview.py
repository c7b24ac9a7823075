"""The overview: what is wrong now, since when, and whether these numbers can be trusted."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.page import page
from theeye_dashboards.panels import (
    GOOD_ABOVE,
    OUTCOMES,
    Panel,
    Query,
    colours,
    mapping,
    number,
    properties,
    timeseries,
)
from theeye_dashboards.queries import FAILED, TASK, Scope, per_organization
from theeye_dashboards.tables import HOST, ORGANIZATION, SEVERITY, Column, rows
from theeye_dashboards.tables import TASK as TASK_COLUMN
from theeye_dashboards.tables import words as coloured
from theeye_dashboards.variables import link_to

__all__ = ["overview"]

_SCOPE: Final = Scope()
_HOSTS: Final = (link_to("theeye-hosts"), "Hosts")
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_EXPORTER: Final = (link_to("theeye-exporter"), "Exporter")
_FLEET_POINTS: Final = 100
"""Points of a line over all monitors: a hundred thousand of them stay below what Prometheus loads for one query."""

_NOT_SCRAPED: Final = "No data: is the exporter scraped?"
_ZERO_IS_GOOD: Final = ((None, "green"), (1, "red"))
_FAILING: Final = per_organization(_SCOPE.monitors_in("failure"))
_SILENT: Final = per_organization(_SCOPE.monitors_in("updates_stopped"))
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
    for listed in (*_monitors(), *_tasks(), _hosts(), _organizations()):
        built = built.with_panel(listed)
    built = built.with_row(dashboard.Row("How it came to this"))
    for trend in _trends():
        built = built.with_panel(trend)
    return built


def _numbers() -> list[stat.Panel]:
    def by_severity(state: str) -> list[Query]:
        def counted(severity: str) -> str:
            return per_organization(_SCOPE.of_severity(_SCOPE.monitors_in(state), (severity,)))

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


def _monitors() -> list[table.Panel]:
    monitor = Column(name="monitor", title="Monitor")
    kind = Column(name="monitor_type", title="Type", width=76)
    return [
        rows(
            Panel(
                title="Failing monitors",
                description="The worst severity first; up to 50 of each. Failures counts failing reports and missed "
                "updates since the last normal report.",
                queries=[Query(_SCOPE.worst_first(_SCOPE("theeye_monitor_consecutive_failures"), "failure", 50))],
                width=12,
                height=8,
                empty="No monitor fails",
                link=_HOSTS,
            ),
            [SEVERITY, HOST, monitor, kind, ORGANIZATION, Column(name="Value", title="Failures", decimals=0, width=76)],
            sort=[("Severity", False), ("Failures", True)],
        ),
        rows(
            Panel(
                title="Silent monitors",
                description="Monitors that have stopped reporting, the worst severity first; up to 50 of each.",
                queries=[
                    Query(
                        _SCOPE.worst_first(
                            _SCOPE.age("theeye_monitor_last_update_timestamp_seconds"), "updates_stopped", 50
                        )
                    )
                ],
                width=12,
                height=8,
                empty="No monitor is silent",
                link=_HOSTS,
            ),
            [SEVERITY, HOST, monitor, kind, ORGANIZATION, Column(name="Value", title="Silent for", unit="s", width=96)],
            sort=[("Severity", False), ("Silent for", True)],
        ),
    ]


def _tasks() -> list[table.Panel]:
    labels = "organization, task, task_id, hostname"
    failed = f"{_SCOPE('theeye_job_last_outcome', FAILED)} == 1"
    finished = _SCOPE.age("theeye_job_last_finish_timestamp_seconds")
    ended = f"({finished} * on ({TASK}) group_left (outcome) ({failed}))"
    recent = f"bottomk(50, max by ({labels}, outcome) {ended})"
    succeeded = _SCOPE.age("theeye_job_last_success_timestamp_seconds")
    longest = f"topk(50, max by ({labels}) ({_SCOPE.overdue()}))"
    return [
        rows(
            Panel(
                title="Tasks whose last run failed",
                description="The most recent first; up to 50. Without a time of the last success, TheEye has none any "
                "more.",
                queries=[
                    Query(recent),
                    Query(f"max by ({labels}) ({succeeded}) and on (organization, task_id) {recent}"),
                ],
                width=12,
                height=6,
                empty="The last run of every task succeeded, or there are no runs",
                link=_JOBS,
            ),
            [
                TASK_COLUMN,
                HOST,
                Column(name="outcome", title="Outcome", width=84, words=coloured(OUTCOMES)),
                Column(name="Value #A", title="Ended before", unit="s", width=106),
                Column(name="Value #B", title="Last success before", unit="s", width=144),
                Column(name="task_id"),
                Column(name="organization"),
            ],
            sort=[("Ended before", False)],
        ),
        rows(
            Panel(
                title="Tasks with an overdue job",
                description="Tasks whose oldest job is open for longer than the timeout and a minute, the longest "
                "first; up to 50.",
                queries=[
                    Query(longest),
                    Query(
                        f"max by ({labels}) ({_SCOPE('theeye_task_timeout_seconds')}) "
                        f"and on (organization, task_id) {longest}"
                    ),
                ],
                width=12,
                height=6,
                empty="No job is open for longer than its timeout",
                link=_JOBS,
            ),
            [
                TASK_COLUMN,
                HOST,
                Column(name="Value #A", title="Open for", unit="s", width=110),
                Column(name="Value #B", title="Timeout", unit="s", width=90),
                Column(name="task_id"),
                ORGANIZATION,
            ],
            sort=[("Open for", True)],
        ),
    ]


def _hosts() -> table.Panel:
    labels = "organization, hostname, resource, device"
    nearest = f"topk(20, max by ({labels}) ({_SCOPE.pressure()}) >= 0.9)"
    used = f"max by ({labels}) ({_SCOPE.usages()}) and on ({labels}) {nearest}"
    return rows(
        Panel(
            title="Hosts at or near a limit",
            description="What is in use, and that as a share of the limit set in TheEye; from 90 % of the limit, up "
            "to 20 lines.",
            queries=[Query(nearest), Query(used)],
            width=12,
            height=6,
            empty="Nothing is near its limit",
            link=_HOSTS,
        ),
        [
            HOST,
            Column(name="resource", title="What", width=80),
            Column(name="device", title="Device", width=90),
            Column(name="Value #B", title="In use", unit="percentunit", decimals=0, width=70),
            Column(
                name="Value #A",
                title="Of its limit",
                unit="percentunit",
                decimals=0,
                width=96,
                steps=((None, "yellow"), (1, "red")),
            ),
            ORGANIZATION,
        ],
        sort=[("Of its limit", True)],
    )


def _organizations() -> table.Panel:
    def by_organization(expression: str) -> str:
        return per_organization(expression, "organization")

    failing = by_organization(_SCOPE.monitors_in("failure"))
    worst = f"topk(50, {failing} or 0 * max by (organization) ({_SCOPE('theeye_up')}))"
    columns = [
        ("TheEye up", f"max by (organization) ({_SCOPE('theeye_up')})"),
        (
            "Monitors",
            f"max by (organization) (count by (job, instance, organization) ({_SCOPE('theeye_monitor_enabled')}))",
        ),
        ("Failing", failing),
        ("Silent", by_organization(_SCOPE.monitors_in("updates_stopped"))),
        ("Failed tasks", by_organization(_SCOPE("theeye_job_last_outcome", FAILED))),
        ("Success rate", _SCOPE.success_rate("$__range", by="organization")),
    ]
    return rows(
        Panel(
            title="Organisations",
            description="One line for each organisation chosen: the 50 with the most failing monitors. The success "
            "rate is that of the runs in the time range.",
            queries=[Query(f"{expression} and on (organization) {worst}") for _, expression in columns],
            width=12,
            height=6,
            empty=_NOT_SCRAPED,
            link=_EXPORTER,
        ),
        [
            Column(
                name="organization",
                title="Organisation",
                link=link_to("theeye-overview", organization="${__data.fields.organization:percentencode}"),
            ),
            *(
                Column(
                    name=f"Value #{'ABCDEF'[index]}",
                    title=title,
                    unit="percentunit" if title == "Success rate" else "",
                    decimals=1 if title == "Success rate" else 0,
                    width=88,
                    words={"0": ("No", "red"), "1": ("Yes", "green")} if title == "TheEye up" else {},
                    steps=GOOD_ABOVE
                    if title == "Success rate"
                    else None
                    if title in {"TheEye up", "Monitors"}
                    else ((None, "text"), (1, "red")),
                )
                for index, (title, _) in enumerate(columns)
            ),
        ],
        sort=[("Failing", True)],
    )


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
