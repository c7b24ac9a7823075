"""Jobs and tasks: how runs end, how long they take and wait, which jobs are open, which tasks need attention."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, heatmap, stat
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.job_tables import task_tables, workflow_tables
from theeye_dashboards.page import page
from theeye_dashboards.panels import OUTCOMES, Panel, Query, colours, number, timeseries
from theeye_dashboards.queries import FAILED, Scope, per_organization
from theeye_dashboards.runs import (
    HISTOGRAM_POINTS,
    NO_RUNS,
    all_run_times,
    quantiles,
    success_rate,
    turnaround,
    waiting,
)
from theeye_dashboards.variables import hostname, link_to, task

__all__ = ["jobs"]

_SCOPE: Final = Scope(('hostname=~"$hostname"', 'task_id=~"$task"'))
_WORKFLOWS: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_TASK: Final = (link_to("theeye-task"), "Task")
_ZERO_IS_GOOD: Final = ((None, "green"), (1, "red"))


def jobs() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = (
        page(
            "TheEye / Jobs and tasks",
            "theeye-jobs",
            "How runs of tasks and workflows end, how long they take and wait, which jobs are open, and which tasks "
            "need attention.",
        )
        .with_variable(hostname("theeye_task_timeout_seconds"))
        .with_variable(task(multi=True, matchers=', hostname=~"$hostname"'))
    )
    for big in (*_runs_in_numbers(), *_jobs_in_numbers()):
        built = built.with_panel(big)
    built = built.with_panel(_types()).with_row(dashboard.Row("How runs end"))
    for panel in _endings():
        built = built.with_panel(panel)
    built = built.with_row(dashboard.Row("Tasks that need attention"))
    for table in task_tables(_SCOPE, _TASK):
        built = built.with_panel(table)
    built = built.with_row(dashboard.Row("How long runs take and wait"))
    for timing in _timings():
        built = built.with_panel(timing)
    built = built.with_row(dashboard.Row("Workflows and other jobs (the variables host and task do not apply)"))
    for panel in _workflow_graphs():
        built = built.with_panel(panel)
    for table in workflow_tables(_WORKFLOWS, _OVERVIEW):
        built = built.with_panel(table)
    return built


def _runs_in_numbers() -> list[stat.Panel]:
    return [
        number(
            Panel(
                title="Finished runs",
                description="Runs that ended in the time range, whatever the outcome; each is counted once.",
                queries=[Query(f"round({_SCOPE.runs('$__range')})")],
                width=4,
                height=4,
                decimals=0,
                empty="No tasks",
                link=_TASK,
            )
        ),
        success_rate(_SCOPE, _TASK, width=4),
        number(
            Panel(
                title="Failed runs",
                description="Runs in the time range that ended in failure, timeout or error.",
                queries=[Query(f"round({_SCOPE.runs('$__range', FAILED)})")],
                width=4,
                height=4,
                decimals=0,
                empty="No tasks",
                link=_TASK,
                steps=_ZERO_IS_GOOD,
            )
        ),
    ]


def _jobs_in_numbers() -> list[stat.Panel]:
    stuck = per_organization(_SCOPE.stuck(as_bool=True))
    tasks = per_organization(_SCOPE("theeye_task_timeout_seconds"))
    return [
        number(
            Panel(
                title="Open jobs",
                description="Jobs that are waiting or running now.",
                queries=[
                    Query(f"{per_organization(_SCOPE('theeye_task_jobs'))} or 0 * {tasks}"),
                ],
                width=4,
                height=4,
                decimals=0,
                empty="No tasks",
                link=_TASK,
            )
        ),
        number(
            Panel(
                title="Stuck tasks",
                description="Tasks with a job that has been open for longer than the timeout plus one minute. "
                "Jobs on hold are not counted.",
                queries=[Query(f"{stuck} or 0 * {tasks}")],
                width=4,
                height=4,
                empty="No tasks",
                link=_TASK,
                steps=_ZERO_IS_GOOD,
            )
        ),
        number(
            Panel(
                title="Unseen runs",
                description="Lower bound: runs that TheEye deleted in the time range before the exporter saw them. No "
                "other panel counts them. If there are any, poll jobs more often, or let TheEye keep more jobs.",
                queries=[Query(f"round(sum(increase({_SCOPE('theeye_task_unseen_runs_total')}[$__range])))")],
                width=4,
                height=4,
                decimals=0,
                empty="No estimate",
                link=_TASK,
                steps=((None, "green"), (1, "orange")),
            )
        ),
    ]


def _types() -> stat.Panel:
    return number(
        Panel(
            title="Tasks, by type",
            description="Tasks that the token sees, by type; the variables host and task do not apply.",
            queries=[Query(per_organization(_WORKFLOWS("theeye_tasks"), "task_type"), "{{task_type}}")],
            width=24,
            height=3,
            decimals=0,
            empty="No tasks",
            link=_TASK,
        )
    )


def _endings() -> list[timeseries_builders.Panel]:
    return [
        timeseries(
            Panel(
                title="Runs per minute, by outcome",
                description="Finished runs, each counted once.",
                queries=[
                    Query(
                        _SCOPE.runs_per_minute(),
                        "{{outcome}}",
                    )
                ],
                width=12,
                empty=NO_RUNS,
                link=_TASK,
                overrides=colours(OUTCOMES),
            ),
            stacked=True,
        ),
        timeseries(
            Panel(
                title="Success rate over time",
                description="Share of the runs that succeeded, without canceled runs. Each point covers at least 8 "
                "minutes. There is no line if no run ended.",
                queries=[Query(_SCOPE.success_rate("$__rate_interval"), "success rate", interval="2m")],
                width=6,
                unit="percentunit",
                top=1,
                empty=NO_RUNS,
                link=_TASK,
                overrides=colours({"success rate": "green"}),
            ),
        ),
        timeseries(
            Panel(
                title="Open jobs, by lifecycle",
                description="ready: waits for its bot; assigned: the bot has it; onhold: waits for a person.",
                queries=[
                    Query(per_organization(_SCOPE("theeye_task_jobs"), "lifecycle"), "{{lifecycle}}"),
                ],
                width=6,
                decimals=0,
                empty="No job was open in this time range",
                link=_TASK,
            ),
            stacked=True,
        ),
    ]


def _timings() -> list[timeseries_builders.Panel | heatmap.Panel]:
    return [
        timeseries(
            Panel(
                title="Run time",
                description="Run time without waiting, measured by the bots. Values within a bucket are interpolated.",
                queries=quantiles(_SCOPE, "theeye_job_duration_seconds", "run time"),
                width=12,
                unit="s",
                points=HISTOGRAM_POINTS,
                empty=NO_RUNS,
                link=_TASK,
            ),
        ),
        all_run_times(_SCOPE, _TASK, height=8),
        turnaround(_SCOPE, _TASK),
        waiting(
            _SCOPE,
            _TASK,
            "Waiting is the mean turnaround minus the mean run time, for tasks with a known run time: time in the "
            "queue, and on the way to TheEye and back.",
        ),
    ]


def _workflow_graphs() -> list[timeseries_builders.Panel]:
    others = _WORKFLOWS("theeye_other_job_runs_total")
    return [
        timeseries(
            Panel(
                title="Workflow runs per minute, by outcome",
                description="Finished runs of version 2 workflows; runs of version 1 workflows never end in TheEye.",
                queries=[Query(_WORKFLOWS.runs_per_minute("theeye_workflow_runs_total"), "{{outcome}}")],
                width=8,
                empty="No run of a workflow ended in this time range",
                link=_OVERVIEW,
                overrides=colours(OUTCOMES),
            ),
            stacked=True,
        ),
        timeseries(
            Panel(
                title="Turnaround of workflows",
                description="Time from creation to end of finished runs of workflows.",
                queries=quantiles(_WORKFLOWS, "theeye_workflow_turnaround_seconds", "turnaround"),
                width=8,
                unit="s",
                points=HISTOGRAM_POINTS,
                empty="No run of a workflow ended in this time range",
                link=_OVERVIEW,
            ),
        ),
        timeseries(
            Panel(
                title="Other jobs per minute",
                description="Finished jobs that belong to no task or workflow, such as updates of bots.",
                queries=[
                    Query(
                        f"60 * sum by (job_type, outcome) (rate({others}[$__rate_interval])) > 0",
                        "{{job_type}} {{outcome}}",
                    )
                ],
                width=8,
                empty="No such job ended in this time range",
                link=_OVERVIEW,
            ),
            stacked=True,
        ),
    ]
