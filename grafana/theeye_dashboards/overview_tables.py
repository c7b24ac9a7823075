"""The tables of the overview: current problems, the worst first."""

from typing import Final

from grafana_foundation_sdk.builders import table

from theeye_dashboards.alerts import alert_table
from theeye_dashboards.panels import GOOD_ABOVE, OUTCOMES, Panel, Query
from theeye_dashboards.queries import FAILED, MONITOR, SILENT_HOST, TASK, Scope, per_organization
from theeye_dashboards.tables import HOST, ORGANIZATION, SEVERITY, Column, rows
from theeye_dashboards.tables import TASK as TASK_COLUMN
from theeye_dashboards.tables import words as coloured
from theeye_dashboards.variables import link_to

__all__ = ["attention"]

_SCOPE: Final = Scope()
_HOSTS: Final = (link_to("theeye-hosts"), "Hosts")
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_EXPORTER: Final = (link_to("theeye-exporter"), "Exporter")
_NOT_SCRAPED: Final = "No data: see Age of the data"
_LISTED: Final = 20
_MANY: Final = 1_000_000_000
_TASK_LABELS: Final = "organization, task, task_id, hostname"


def attention() -> list[table.Panel]:
    """Return the tables."""
    return [*_monitors(), _failed_tasks(), _stuck_tasks(), _hosts(), alert_table(), _organizations()]


def _monitors() -> list[table.Panel]:
    monitor = Column(name="monitor", title="Monitor")
    kind = Column(name="monitor_type", title="Type", width=76)
    return [
        rows(
            Panel(
                title="Failing monitors",
                description=f"The worst severity first; up to {_LISTED} of each. The column Failures shows the number of "
                "failure reports and missed updates since the last normal report.",
                queries=[Query(_SCOPE.worst_first(_SCOPE("theeye_monitor_consecutive_failures"), "failure", _LISTED))],
                width=12,
                height=8,
                empty="No monitor fails",
                needs="monitors",
                link=_HOSTS,
            ),
            [SEVERITY, HOST, monitor, kind, ORGANIZATION, Column(name="Value", title="Failures", decimals=0, width=76)],
            sort=[("Severity", False), ("Failures", True)],
        ),
        _silent(),
    ]


def _silent() -> table.Panel:
    # A bot that stops silences all of its monitors: a line for each of them would hide the next host.
    labels = "organization, hostname"
    silent = _SCOPE.monitors_in("updates_stopped")

    def counted(*matchers: str) -> str:
        each = f"({_SCOPE.of_severity(silent, matchers)})"
        return f"max by ({labels}) (count by (job, instance, {labels}) ({each}))"

    severities = [counted('severity="CRITICAL"'), counted('severity="HIGH"'), counted('severity!~"CRITICAL|HIGH"')]
    chosen = f"(topk({_LISTED}, {severities[0]}) or topk({_LISTED}, {counted()}))"
    age = _SCOPE.age("theeye_monitor_last_update_timestamp_seconds")
    columns = [f"max by ({labels}) ({age} and on ({MONITOR}) {silent})", *severities]
    return rows(
        Panel(
            title="Silent monitors, by host",
            description="Number of monitors of a host that have stopped reporting, by severity, and the time since the "
            f"first one stopped. Up to {_LISTED} hosts with the most silent monitors, and up to {_LISTED} with the most critical "
            "ones. If all monitors of a host are silent, its bot does not run, or the host is down.",
            queries=[Query(f"{expression} and on ({labels}) {chosen}") for expression in columns],
            width=12,
            height=8,
            empty="No monitor is silent",
            needs="monitors",
            link=_HOSTS,
        ),
        [
            HOST,
            ORGANIZATION,
            *(
                Column(name=f"Value #{ref}", title=title, decimals=0, width=80, steps=((None, colour),))
                for ref, title, colour in (("B", "Critical", "red"), ("C", "High", "orange"), ("D", "Low", "yellow"))
            ),
            Column(name="Value #A", title="Silent for", unit="s", width=110),
        ],
        sort=[("Critical", True), ("High", True), ("Low", True)],
    )


def _failed_tasks() -> table.Panel:
    failed = f"{_SCOPE('theeye_job_last_outcome', FAILED)} == 1"
    finished = _SCOPE.age("theeye_job_last_finish_timestamp_seconds")
    ended = f"({finished} * on ({TASK}) group_left (outcome) ({failed}))"
    recent = f"bottomk({_LISTED}, max by ({_TASK_LABELS}, outcome) {ended})"
    succeeded = _SCOPE.age("theeye_job_last_success_timestamp_seconds")
    return rows(
        Panel(
            title="Tasks whose last run failed",
            description=f"The most recent first; up to {_LISTED}. If the time since success is empty, no successful run of the "
            "task is known.",
            queries=[
                Query(recent),
                Query(f"max by ({_TASK_LABELS}) ({succeeded}) and on (organization, task_id) {recent}"),
            ],
            width=12,
            height=6,
            empty="No task's last run failed",
            needs="jobs",
            link=_JOBS,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="outcome", title="Outcome", width=84, words=coloured(OUTCOMES)),
            Column(name="Value #A", title="Since the last run", unit="s", width=140),
            Column(name="Value #B", title="Since success", unit="s", width=144),
            Column(name="task_id"),
            Column(name="organization"),
        ],
        sort=[("Since the last run", False)],
    )


def _stuck_tasks() -> table.Panel:
    longest = f"topk({_LISTED}, max by ({_TASK_LABELS}) ({_SCOPE.stuck()}))"
    return rows(
        Panel(
            title="Tasks with a stuck job",
            description="Tasks with a job that has been open for longer than the timeout plus one minute, the longest first; "
            f"without jobs on hold; up to {_LISTED}.",
            queries=[
                Query(longest),
                Query(
                    f"max by ({_TASK_LABELS}) ({_SCOPE('theeye_task_timeout_seconds')}) "
                    f"and on (organization, task_id) {longest}"
                ),
            ],
            width=12,
            height=6,
            empty="No job is open for longer than its timeout",
            needs="jobs",
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
    )


def _hosts() -> table.Panel:
    labels = "organization, hostname, resource, device"
    nearest = f"topk(20, max by ({labels}) ({_SCOPE.pressure()}) >= 0.9)"
    used = f"max by ({labels}) ({_SCOPE.usages()}) and on ({labels}) {nearest}"
    return rows(
        Panel(
            title="Hosts at or near a limit",
            description="Usage, also as a share of the limit set in TheEye; from 90 % of the limit, up to 20 lines.",
            queries=[Query(nearest), Query(used)],
            width=12,
            height=6,
            empty="Nothing is near its limit",
            needs="monitors",
            link=_HOSTS,
        ),
        [
            HOST,
            Column(name="resource", title="What", width=80),
            Column(name="device", title="Device", width=90),
            Column(name="Value #B", title="In use", unit="percentunit", decimals=0, width=70),
            Column(
                name="Value #A",
                title="Share of the limit",
                unit="percentunit",
                decimals=0,
                width=140,
                steps=((None, "yellow"), (1, "red")),
            ),
            ORGANIZATION,
        ],
        sort=[("Share of the limit", True)],
    )


def _organizations() -> table.Panel:
    def of_state(state: str) -> str:
        return _SCOPE.monitors(f'state="{state}"', by=("organization",))

    failing = of_state("failure")
    up = f"max by (organization) ({_SCOPE('theeye_up')})"
    # Without TheEye, no monitors are known to fail.
    worst = f"topk(50, ({failing} or 0 * {up}) + on (organization) {_MANY} * (1 - {up}))"
    columns = [
        ("TheEye up", up),
        ("Failing", failing),
        ("Silent", of_state("updates_stopped")),
        ("Unknown", of_state("unknown")),
        ("Normal", of_state("normal")),
        ("Disabled", of_state("disabled")),
        ("Silent hosts", per_organization(_SCOPE("theeye_hosts", SILENT_HOST), "organization")),
        ("Failed tasks", per_organization(_SCOPE("theeye_job_last_outcome", FAILED), "organization")),
        ("Success rate", _SCOPE.success_rate("$__range", by="organization")),
    ]
    bad = {"Failing", "Silent", "Silent hosts", "Failed tasks"}
    return rows(
        Panel(
            title="Organisations",
            description="One line for each organisation chosen, with its monitors by state; up to 50: first those whose "
            "TheEye does not respond, then those with the most failing monitors. The success rate is that of the runs in the time range.",
            queries=[Query(f"{expression} and on (organization) {worst}") for _, expression in columns],
            width=24,
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
                    name=f"Value #{'ABCDEFGHI'[index]}",
                    title=title,
                    unit="percentunit" if title == "Success rate" else "",
                    decimals=1 if title == "Success rate" else 0,
                    width=104,
                    words={"0": ("No", "red"), "1": ("Yes", "green")} if title == "TheEye up" else {},
                    steps=GOOD_ABOVE
                    if title == "Success rate"
                    else ((None, "text"), (1, "red"))
                    if title in bad
                    else None,
                )
                for index, (title, _) in enumerate(columns)
            ),
        ],
        sort=[("TheEye up", False), ("Failing", True)],
    )
