"""The tables of the page of jobs: tasks and workflows that need somebody."""

from typing import Final

from grafana_foundation_sdk.builders import table

from theeye_dashboards.panels import GOOD_ABOVE, OUTCOMES, Panel, Query
from theeye_dashboards.queries import FAILED, TASK, Scope
from theeye_dashboards.tables import HOST, ORGANIZATION, Column, rows, words
from theeye_dashboards.tables import TASK as TASK_COLUMN

__all__ = ["task_tables", "workflow_tables"]

_LABELS: Final = "organization, task, task_id, hostname"
_LISTED: Final = 50
_HIDDEN: Final = (Column(name="task_id"), Column(name="organization"))
_LINES: Final = f"up to {_LISTED} lines."


def task_tables(scope: Scope, link: tuple[str, str]) -> list[table.Panel]:
    """Return the tables of tasks."""
    return [
        _open(scope, link),
        _without_success(scope, link),
        _failing(scope, link),
        _slow(scope, link),
        _late(scope, link),
    ]


def _with(expression: str, chosen: str) -> str:
    return f"max by ({_LABELS}) ({expression}) and on (organization, task_id) {chosen}"


def _open(scope: Scope, link: tuple[str, str]) -> table.Panel:
    timeout = scope("theeye_task_timeout_seconds")
    share = f"topk({_LISTED}, max by ({_LABELS}) ({scope.open_for()} / on ({TASK}) {timeout}))"
    return rows(
        Panel(
            title="Longest open jobs",
            description="The oldest open job of each task, the longest first in terms of the task's timeout; jobs "
            f"that wait for an approval are left out; {_LINES}",
            queries=[Query(share), Query(_with(scope.open_for(), share)), Query(_with(timeout, share))],
            width=12,
            empty="No open jobs",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #B", title="Open for", unit="s", width=90),
            Column(name="Value #C", title="Timeout", unit="s", width=80),
            Column(
                name="Value #A",
                title="Of its timeout",
                unit="percentunit",
                decimals=0,
                width=106,
                steps=((None, "green"), (0.8, "orange"), (1, "red")),
            ),
            *_HIDDEN,
        ],
        sort=[("Of its timeout", True)],
    )


def _without_success(scope: Scope, link: tuple[str, str]) -> table.Panel:
    success = scope.age("theeye_job_last_success_timestamp_seconds")
    longest = f"topk({_LISTED}, max by ({_LABELS}) ({success}))"
    outcome = f"max by ({_LABELS}, outcome) ({scope('theeye_job_last_outcome')} == 1)"
    next_run = f"{scope('theeye_task_schedule_next_run_timestamp_seconds')} - time()"
    return rows(
        Panel(
            title="Longest without success",
            description="Tasks by the time since their last successful run, the longest first. For a task that "
            "nobody starts that is no fault: look at the outcome of its last run, and at when it is due. Tasks of "
            f"which TheEye has no successful run any more are not here; {_LINES}",
            queries=[
                Query(longest),
                Query(f"{outcome} and on (organization, task_id) {longest}"),
                Query(_with(next_run, longest)),
            ],
            width=12,
            empty="No successful run known",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #A", title="Since success", unit="s", width=140),
            Column(name="outcome", title="Last outcome", width=100, words=words(OUTCOMES)),
            Column(name="Value #C", title="Due in", unit="s", width=90),
            *_HIDDEN,
        ],
        sort=[("Since success", True)],
    )


def _failing(scope: Scope, link: tuple[str, str]) -> table.Panel:
    failed = scope.runs("$__range", FAILED, by=_LABELS)
    most = f"topk({_LISTED}, round({failed}) > 0)"
    every = f"round({scope.runs('$__range', by=_LABELS)})"
    return rows(
        Panel(
            title="Most failed runs",
            description="Tasks by the runs in the time range that ended in failure, timeout or error; the success "
            f"rate leaves canceled runs out; {_LINES}",
            queries=[
                Query(most),
                Query(_with(every, most)),
                Query(_with(scope.success_rate("$__range", by=_LABELS), most)),
            ],
            width=12,
            empty="No run failed in this time range",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #A", title="Failed", decimals=0, width=70),
            Column(name="Value #B", title="Runs", decimals=0, width=70),
            Column(name="Value #C", title="Success rate", unit="percentunit", decimals=1, width=100, steps=GOOD_ABOVE),
            *_HIDDEN,
        ],
        sort=[("Failed", True)],
    )


def _slow(scope: Scope, link: tuple[str, str]) -> table.Panel:
    mean = scope.mean("theeye_job_duration_seconds", "$__range", by=_LABELS)
    slowest = f"topk({_LISTED}, {mean})"
    last = scope("theeye_job_last_duration_seconds")
    return rows(
        Panel(
            title="Slowest tasks",
            description="Mean run time in the time range, mean waiting before it, and the run time of the last run; "
            f"{_LINES}",
            queries=[
                Query(slowest),
                Query(_with(scope.waiting("$__range", by=_LABELS), slowest)),
                Query(_with(last, slowest)),
                Query(_with(scope("theeye_task_timeout_seconds"), slowest)),
            ],
            width=12,
            empty="No run ended in this time range",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #A", title="Mean run", unit="s", width=90),
            Column(name="Value #B", title="Mean wait", unit="s", width=90),
            Column(name="Value #C", title="Last run", unit="s", width=84),
            Column(name="Value #D", title="Timeout", unit="s", width=80),
            *_HIDDEN,
        ],
        sort=[("Mean run", True)],
    )


def _late(scope: Scope, link: tuple[str, str]) -> table.Panel:
    late = f"(time() - {scope('theeye_task_schedule_next_run_timestamp_seconds')} > 60)"
    latest = f"topk({_LISTED}, max by ({_LABELS}) ({late}))"
    return rows(
        Panel(
            title="Late schedules",
            description="Tasks that should have started by their schedule, more than a minute ago: TheEye's scheduler "
            f"is late, or the schedule is disabled; {_LINES}",
            queries=[
                Query(latest),
                Query(_with(scope.age("theeye_job_last_finish_timestamp_seconds"), latest)),
            ],
            width=24,
            height=6,
            empty="No schedule is late",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #A", title="Late by", unit="s", width=120),
            Column(name="Value #B", title="Since its last run", unit="s", width=160),
            *_HIDDEN,
        ],
        sort=[("Late by", True)],
    )


def workflow_tables(scope: Scope, link: tuple[str, str]) -> list[table.Panel]:
    """Return the table of workflows."""
    labels = "organization, workflow, workflow_id"
    finished = scope.age("theeye_workflow_last_finish_timestamp_seconds")
    last = f"bottomk({_LISTED}, max by ({labels}) ({finished}))"
    outcome = f"max by ({labels}, outcome) ({scope('theeye_workflow_last_outcome')} == 1)"
    runs = f"sum by ({labels}) (increase({scope('theeye_workflow_runs_total')}[$__range]))"
    oldest = scope.age("theeye_workflow_oldest_open_job_timestamp_seconds")
    return [
        rows(
            Panel(
                title="Workflows",
                description="The workflows that ended last, with the runs in the time range and the age of the oldest "
                f"open run. Runs of workflows of version 1 never end at TheEye; {_LINES}",
                queries=[
                    Query(last),
                    Query(f"{outcome} and on (organization, workflow_id) {last}"),
                    Query(f"round({runs}) and on (organization, workflow_id) {last}"),
                    Query(f"max by ({labels}) ({oldest}) and on (organization, workflow_id) {last}"),
                ],
                width=24,
                height=7,
                empty="No workflow has ended yet",
                link=link,
            ),
            [
                Column(name="workflow", title="Workflow"),
                ORGANIZATION,
                Column(name="outcome", title="Last outcome", width=110, words=words(OUTCOMES)),
                Column(name="Value #A", title="Since its end", unit="s", width=120),
                Column(name="Value #C", title="Runs", decimals=0, width=80),
                Column(name="Value #D", title="Oldest open run", unit="s", width=130),
            ],
            sort=[("Since its end", False)],
        )
    ]
