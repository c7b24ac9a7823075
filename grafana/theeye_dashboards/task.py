"""One task: how its runs end, how long they take, and which jobs these were."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, heatmap, stat, statetimeline, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.models.common import BigValueTextMode

from theeye_dashboards.charts import timeline
from theeye_dashboards.page import page
from theeye_dashboards.panels import OUTCOMES, Panel, Query, colours, dashed, mapping, number, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.runs import (
    HISTOGRAM_POINTS,
    NO_RUNS,
    all_run_times,
    quantiles,
    success_rate,
    turnaround,
    waiting,
)
from theeye_dashboards.tables import HOST, ORGANIZATION, Column, rows
from theeye_dashboards.variables import link_to, task

__all__ = ["task_page"]

_SCOPE: Final = Scope(('task_id="$task"',))
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_NEVER: Final = "No successful run known"
_CODES: Final = {name: index for index, name in enumerate(OUTCOMES)}


def task_page() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Task",
        "theeye-task",
        "One task: how its runs end, how long they take and wait, and the job ids of single runs as exemplars.",
    ).with_variable(task(multi=False))
    for big in (*_last_run(), success_rate(_SCOPE, _JOBS, width=3), *_open_jobs()):
        built = built.with_panel(big)
    built = built.with_row(dashboard.Row("Runs"))
    for panel in _runs():
        built = built.with_panel(panel)
    built = built.with_row(dashboard.Row("How long runs take and wait"))
    for timing in _timings():
        built = built.with_panel(timing)
    return built.with_row(dashboard.Row("Properties of the task")).with_panel(_properties())


def _one(title: str, description: str, expression: str, empty: str, unit: str = "s") -> stat.Panel:
    return number(
        Panel(
            title=title,
            description=description,
            queries=[Query(f"max({expression})")],
            width=3,
            height=4,
            unit=unit,
            decimals=None if unit == "s" else 0,
            empty=empty,
            link=_JOBS,
        )
    )


def _last_run() -> list[stat.Panel]:
    last = _SCOPE("theeye_job_last_outcome")
    return [
        number(
            Panel(
                title="Last outcome",
                description="Outcome of the last finished run.",
                queries=[Query(f"max by (outcome) ({last}) == 1", "{{outcome}}")],
                width=3,
                height=4,
                empty="No run has finished yet",
                link=_JOBS,
                steps=((None, "blue"),),
                overrides=colours(OUTCOMES),
            ),
            text=BigValueTextMode.NAME,
        ),
        _one(
            "Since the last run",
            "Time since the last run finished, whatever its outcome.",
            _SCOPE.age("theeye_job_last_finish_timestamp_seconds"),
            "No run has finished yet",
        ),
        _one(
            "Since success",
            "Time since the last successful run that TheEye still had at a poll.",
            _SCOPE.age("theeye_job_last_success_timestamp_seconds"),
            _NEVER,
        ),
        _one(
            "Last run time",
            "Run time of the last finished run, without waiting.",
            _SCOPE("theeye_job_last_duration_seconds"),
            "Not known for this run",
        ),
    ]


def _open_jobs() -> list[stat.Panel]:
    return [
        _one(
            "Open jobs",
            "Jobs of the task that are waiting or running now.",
            f"sum by (job, instance) ({_SCOPE('theeye_task_jobs')}) "
            f"or 0 * sum by (job, instance) ({_SCOPE('theeye_task_timeout_seconds')})",
            "No such task now",
            unit="short",
        ),
        number(
            Panel(
                title="Oldest open job",
                description="Age of the oldest open job; orange above 11 minutes: the default timeout and a minute.",
                queries=[Query(f"max({_SCOPE.age('theeye_task_oldest_open_job_timestamp_seconds')})")],
                width=3,
                height=4,
                unit="s",
                empty="No open job",
                link=_JOBS,
                steps=((None, "green"), (660, "orange")),
            )
        ),
        _one(
            "Due in",
            "Time until the next scheduled run; if negative, TheEye's scheduler is late.",
            f"{_SCOPE('theeye_task_schedule_next_run_timestamp_seconds')} - time()",
            "No active schedule",
        ),
    ]


def _coded_outcome() -> str:
    """Return the last outcome as its number in `_CODES`: a timeline shows numbers."""
    return " or ".join(
        f"{code} * ({selector} == 1)"
        for code, selector in (
            (code, _SCOPE("theeye_job_last_outcome", f'outcome="{name}"')) for name, code in _CODES.items()
        )
    )


def _runs() -> list[timeseries_builders.Panel | statetimeline.Panel]:
    executions = _SCOPE("theeye_task_executions_total")
    return [
        timeline(
            Panel(
                title="Outcome of the last run",
                description="Outcome of the last finished run at that time.",
                queries=[Query(f"max({_coded_outcome()})", "outcome")],
                width=24,
                height=4,
                empty="No run has finished yet",
                link=_JOBS,
                points=300,
            ),
            mapping({str(code): (name, OUTCOMES[name]) for name, code in _CODES.items()}),
        ),
        timeseries(
            Panel(
                title="Runs per hour, by outcome",
                description="Finished runs, each counted once. Each point covers at least 8 minutes.",
                queries=[Query(f"60 * {_SCOPE.runs_per_minute()}", "{{outcome}}", interval="2m")],
                width=12,
                empty=NO_RUNS,
                link=_JOBS,
                points=100,
                overrides=colours(OUTCOMES),
            ),
            stacked=True,
        ),
        timeseries(
            Panel(
                title="Created jobs, counted runs and unseen runs per hour",
                description="Jobs that TheEye created (its own count), runs that the exporter counted, and a lower "
                "bound of the runs that TheEye deleted before that.",
                queries=[
                    Query(f"3600 * sum(rate({executions}[$__rate_interval]))", "created", interval="2m"),
                    Query(
                        f"3600 * sum(rate({_SCOPE('theeye_job_runs_total')}[$__rate_interval]))",
                        "counted",
                        interval="2m",
                    ),
                    Query(
                        f"3600 * sum(rate({_SCOPE('theeye_task_unseen_runs_total')}[$__rate_interval]))",
                        "unseen",
                        interval="2m",
                    ),
                ],
                width=12,
                empty="No such task in this time range",
                link=_JOBS,
                points=100,
                overrides=colours({"created": "blue", "counted": "green", "unseen": "orange"}),
            ),
        ),
    ]


def _timings() -> list[timeseries_builders.Panel | heatmap.Panel]:
    duration = "theeye_job_duration_seconds"
    return [
        timeseries(
            Panel(
                title="Run time, with single runs",
                description="Run time without waiting. The points are exemplars: single runs, with their job_id. "
                "Exemplars need "
                "Prometheus with --enable-feature=exemplar-storage. The dashed line is the timeout, shown if runs come "
                "near it.",
                queries=[
                    *quantiles(_SCOPE, duration, "run time", exemplars=True),
                    Query(
                        f"max({_SCOPE('theeye_task_timeout_seconds')}) < 4 * {_SCOPE.quantile('0.99', duration)}",
                        "timeout",
                        interval="2m",
                    ),
                ],
                width=12,
                height=9,
                unit="s",
                points=HISTOGRAM_POINTS,
                empty=NO_RUNS,
                link=_JOBS,
                overrides={"timeout": dashed("red")},
            ),
        ),
        all_run_times(_SCOPE, _JOBS, height=9),
        turnaround(_SCOPE, _JOBS, single_runs=True),
        waiting(
            _SCOPE,
            _JOBS,
            "Waiting is the mean turnaround minus the mean run time: time in the queue, and on the way to TheEye and "
            "back.",
        ),
    ]


def _properties() -> table.Panel:
    labels = "organization, task, task_id, hostname, task_type, tags, workflow_id"
    return rows(
        Panel(
            title="Properties",
            description="The task's properties in TheEye.",
            queries=[
                Query(f"max by ({labels}) ({_SCOPE('theeye_task_info')})"),
                Query(f"max by (organization, task, task_id, hostname) ({_SCOPE('theeye_task_timeout_seconds')})"),
            ],
            width=24,
            height=4,
            empty="No such task now",
            link=_JOBS,
        ),
        [
            Column(name="task", title="Task"),
            HOST,
            ORGANIZATION,
            Column(name="task_type", title="Type", width=100),
            Column(name="tags", title="Tags"),
            Column(name="Value #B", title="Timeout", unit="s", width=100),
            Column(name="workflow_id", title="Workflow", width=200),
            Column(name="task_id", title="Task id", width=200),
        ],
        sort=[("Task", False)],
    )
