"""The tables of the jobs dashboard: tasks and workflows that need attention."""

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
        _schedules(scope, link),
    ]


def _with(expression: str, chosen: str) -> str:
    return f"max by ({_LABELS}) ({expression}) and on (organization, task_id) {chosen}"


def _open(scope: Scope, link: tuple[str, str]) -> table.Panel:
    timeout = scope("theeye_task_timeout_seconds")
    share = f"topk({_LISTED}, max by ({_LABELS}) ({scope.open_for()} / on ({TASK}) {timeout}))"
    return rows(
        Panel(
            title="Longest open jobs",
            description="The oldest open job of each task, sorted by its age as a share of the task's timeout; "
            f"without jobs on hold; {_LINES}",
            queries=[Query(share), Query(_with(scope.open_for(), share)), Query(_with(timeout, share))],
            width=12,
            empty="No open jobs",
            needs="jobs",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #B", title="Open for", unit="s", width=90),
            Column(name="Value #C", title="Timeout", unit="s", width=80),
            Column(
                name="Value #A",
                title="Share of the timeout",
                unit="percentunit",
                decimals=0,
                width=150,
                steps=((None, "green"), (0.8, "orange"), (1, "red")),
            ),
            *_HIDDEN,
        ],
        sort=[("Share of the timeout", True)],
    )


def _without_success(scope: Scope, link: tuple[str, str]) -> table.Panel:
    success = scope.age("theeye_job_last_success_timestamp_seconds")
    longest = f"topk({_LISTED}, max by ({_LABELS}) ({success}))"
    outcome = f"max by ({_LABELS}, outcome) ({scope('theeye_job_last_outcome')} == 1)"
    next_run = f"{scope('theeye_task_schedule_next_run_timestamp_seconds')} - time()"
    return rows(
        Panel(
            title="Longest without success",
            description="Tasks by the time since their last successful run, the longest first. This is not a problem "
            "if nobody starts the task: look at the outcome of its last run, and at when it is due next. Tasks without a "
            f"known successful run are not listed; {_LINES}",
            queries=[
                Query(longest),
                Query(f"{outcome} and on (organization, task_id) {longest}"),
                Query(_with(next_run, longest)),
            ],
            width=12,
            empty="No successful run known",
            needs="jobs",
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
            description="Tasks by the number of runs in the time range that ended in failure, timeout or error; the "
            f"success rate does not include canceled runs; {_LINES}",
            queries=[
                Query(most),
                Query(_with(every, most)),
                Query(_with(scope.success_rate("$__range", by=_LABELS), most)),
                Query(_with(scope("theeye_job_consecutive_failures"), most)),
            ],
            width=12,
            empty="No run failed in this time range",
            needs="jobs",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            Column(name="Value #A", title="Failed", decimals=0, width=70),
            Column(name="Value #B", title="Runs", decimals=0, width=70),
            Column(name="Value #C", title="Success rate", unit="percentunit", decimals=1, width=100, steps=GOOD_ABOVE),
            Column(name="Value #D", title="In a row", decimals=0, width=70),
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
            description="Mean run time and mean waiting time in the time range, and the run time of the last run; "
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


def _schedules(scope: Scope, link: tuple[str, str]) -> table.Panel:
    next_run = scope("theeye_task_schedule_next_run_timestamp_seconds")
    late = f"max by ({_LABELS}) (time() - {next_run} > 60)"
    missed = f"max by ({_LABELS}) ({scope.age('theeye_task_missed_trigger_timestamp_seconds')})"
    schedules = scope("theeye_task_schedules", 'state="failed"')
    failed = f"max by ({_LABELS}) ({schedules} > 0)"
    since = scope.age("theeye_task_schedule_last_failure_timestamp_seconds")
    failed_for = f"(max by ({_LABELS}) ({since}) and on (organization, task_id) {failed})"
    troubled = f"topk({_LISTED}, {missed} or {late} or {failed_for} or 0 * {failed})"
    columns = [
        ("In trouble for", troubled),
        ("Late by", _with(late, troubled)),
        ("No job since", _with(missed, troubled)),
        ("Failed schedules", _with(failed, troubled)),
        ("Since the failure", _with(since, troubled)),
        ("Since the last trigger", _with(scope.age("theeye_task_schedule_last_trigger_timestamp_seconds"), troubled)),
        ("Since the last run", _with(scope.age("theeye_job_last_finish_timestamp_seconds"), troubled)),
    ]
    return rows(
        Panel(
            title="Schedules in trouble",
            description="Tasks that should have started more than a minute ago (TheEye's scheduler is late), tasks for which "
            "TheEye created no job when a schedule was due, and tasks with a schedule that failed for good; "
            f"{_LINES}",
            queries=[Query(expression) for _, expression in columns],
            width=24,
            height=6,
            empty="No schedule is late or failed, and none missed a run",
            needs="tasks",
            link=link,
        ),
        [
            TASK_COLUMN,
            HOST,
            *(
                Column(
                    name=f"Value #{'ABCDEFG'[index]}",
                    title=title if index else "",
                    unit="" if title == "Failed schedules" else "s",
                    decimals=0 if title == "Failed schedules" else None,
                    width=150,
                )
                for index, (title, _) in enumerate(columns)
            ),
            *_HIDDEN,
        ],
        sort=[("No job since", True), ("Late by", True)],
    )


def workflow_tables(scope: Scope, link: tuple[str, str]) -> list[table.Panel]:
    """Return the table of workflows."""
    labels = "organization, workflow, workflow_id"
    finished = scope.age("theeye_workflow_last_finish_timestamp_seconds")
    last = f"bottomk({_LISTED}, max by ({labels}) ({finished}))"
    outcome = f"max by ({labels}, outcome) ({scope('theeye_workflow_last_outcome')} == 1)"
    runs = f"sum by ({labels}) (increase({scope('theeye_workflow_runs_total')}[$__range]))"
    in_a_row = scope("theeye_workflow_consecutive_failures")
    oldest = scope.age("theeye_workflow_oldest_open_job_timestamp_seconds")
    return [
        rows(
            Panel(
                title="Workflows",
                description="The workflows whose runs ended last, with the runs in the time range and the age of the "
                f"oldest open run. Runs of version 1 workflows never end in TheEye; {_LINES}",
                queries=[
                    Query(last),
                    Query(f"{outcome} and on (organization, workflow_id) {last}"),
                    Query(f"round({runs}) and on (organization, workflow_id) {last}"),
                    Query(f"max by ({labels}) ({oldest}) and on (organization, workflow_id) {last}"),
                    Query(f"max by ({labels}) ({in_a_row}) and on (organization, workflow_id) {last}"),
                    Query(
                        f"max by ({labels}, tags) ({scope('theeye_workflow_info')}) and on (organization, workflow_id) {last}"
                    ),
                ],
                width=24,
                height=7,
                empty="No run of a workflow has ended yet",
                needs="jobs",
                link=link,
            ),
            [
                Column(
                    name="workflow",
                    title="Workflow",
                    own="/admin/workflow/${__data.fields.workflow_id:percentencode}",
                ),
                Column(name="tags", title="Tags"),
                ORGANIZATION,
                Column(name="outcome", title="Last outcome", width=110, words=words(OUTCOMES)),
                Column(name="Value #A", title="Since the last run", unit="s", width=140),
                Column(name="Value #C", title="Runs", decimals=0, width=80),
                Column(name="Value #D", title="Oldest open run", unit="s", width=130),
                Column(name="Value #E", title="Failures in a row", decimals=0, width=130),
                Column(name="workflow_id"),
            ],
            sort=[("Since the last run", False)],
        )
    ]
