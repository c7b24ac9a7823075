"""The metric families of jobs: runs of tasks and workflows, other runs, and open jobs."""

from typing import Final

from theeye_exporter.collectors.tasks import TASK_LABELS
from theeye_exporter.collectors.workflows import WORKFLOW_LABELS
from theeye_exporter.exposition.family import Families, Query

FAMILIES: Final = Families()

OUTCOMES: Final = ("success", "failure", "timeout", "canceled", "error", "unknown")

_AS_SEEN: Final = "only runs that TheEye still had at a poll; absent before the first finished run"
_COUNTED: Final = "since the exporter started or the state file was created"

TASK_JOBS: Final = FAMILIES.gauge(
    "theeye_task_jobs",
    (*TASK_LABELS, "lifecycle"),
    "Open jobs of the task by lifecycle; a lifecycle appears with its first job and stays, at 0 without jobs.",
)
TASK_OLDEST_OPEN_JOB: Final = FAMILIES.gauge(
    "theeye_task_oldest_open_job_timestamp_seconds",
    (*TASK_LABELS, "lifecycle"),
    "Unix time when the oldest open job of the task in this lifecycle was created; absent without such a job.",
    unit="seconds",
)
TASK_UNSEEN_RUNS: Final = FAMILIES.counter(
    "theeye_task_unseen_runs_total",
    TASK_LABELS,
    "Lower bound of the runs of the task that TheEye deleted before the exporter saw them: the growth of execution_count "
    "minus the jobs seen. execution_count misses some of the runs that begin together, and all jobs that TheEye could not "
    "build (outcome error). A run that is restarted before the next poll leaves no trace.",
)
TASK_MISSED_TRIGGER: Final = FAMILIES.gauge(
    "theeye_task_missed_trigger_timestamp_seconds",
    TASK_LABELS,
    "Unix time of the first trigger for which TheEye created no job, although the task had no open job; absent if there is "
    "no such trigger, and again from the task's next job on.",
    unit="seconds",
)
JOB_RUNS: Final = FAMILIES.counter(
    "theeye_job_runs_total",
    (*TASK_LABELS, "outcome"),
    f"Finished runs of the task by outcome, each counted once, {_COUNTED}; "
    "only runs that TheEye still had at a poll; the outcome unknown stands for any outcome that the exporter does not know.",
)
JOB_DURATION: Final = FAMILIES.histogram(
    "theeye_job_duration_seconds",
    TASK_LABELS,
    "Run times of the task's finished runs, without waiting (result.times); "
    "runs without a run time, such as runs of scraper tasks, are not included.",
)
JOB_TURNAROUND: Final = FAMILIES.histogram(
    "theeye_job_turnaround_seconds",
    TASK_LABELS,
    "Times from creation to end of the task's finished runs, including waiting; only the first run of each job is included, "
    "because a restarted job keeps its time of creation.",
)
JOB_LAST_DURATION: Final = FAMILIES.gauge(
    "theeye_job_last_duration_seconds",
    TASK_LABELS,
    "Run time of the task's last finished run, without waiting (result.times); absent until the exporter has fetched it, or if "
    "TheEye has none for it.",
    unit="seconds",
)
JOB_LAST_TURNAROUND: Final = FAMILIES.gauge(
    "theeye_job_last_turnaround_seconds",
    TASK_LABELS,
    "Time from creation to end of the task's last finished run, including waiting; absent if that run was a restart of a job.",
    unit="seconds",
)
JOB_LAST_EXIT_CODE: Final = FAMILIES.gauge(
    "theeye_job_last_exit_code",
    TASK_LABELS,
    "Exit code of the task's last finished run (result.code); absent if the run was killed or ran no script.",
)
JOB_LAST_OUTCOME: Final = FAMILIES.states(
    "theeye_job_last_outcome",
    (*TASK_LABELS, "outcome"),
    OUTCOMES,
    "Outcome of the task's last finished run: 1 for its outcome, 0 for the others.",
)
JOB_CONSECUTIVE_FAILURES: Final = FAMILIES.gauge(
    "theeye_job_consecutive_failures",
    TASK_LABELS,
    f"Finished runs of the task that ended as failure, timeout or error after its last success; {_AS_SEEN}.",
)
JOB_LAST_FINISH: Final = FAMILIES.gauge(
    "theeye_job_last_finish_timestamp_seconds",
    TASK_LABELS,
    "Unix time when the task's last finished run ended, whatever its outcome.",
    unit="seconds",
)
JOB_LAST_SUCCESS: Final = FAMILIES.gauge(
    "theeye_job_last_success_timestamp_seconds",
    TASK_LABELS,
    "Unix time when the task's last successful run ended, among those that TheEye still had at a poll.",
    unit="seconds",
)
JOBS: Final = FAMILIES.gauge(
    "theeye_jobs",
    ("organization", "lifecycle"),
    "Open jobs of the organisation by lifecycle, including those of workflows and those without a task.",
)
OTHER_JOB_RUNS: Final = FAMILIES.counter(
    "theeye_other_job_runs_total",
    ("organization", "job_type", "outcome"),
    f"Finished runs of jobs that belong to no task or workflow, such as updates of bots, {_COUNTED}.",
)
WORKFLOW_RUNS: Final = FAMILIES.counter(
    "theeye_workflow_runs_total",
    (*WORKFLOW_LABELS, "outcome"),
    f"Finished runs of the workflow by outcome, each counted once, {_COUNTED}; "
    "TheEye never ends runs of version 1 workflows.",
)
WORKFLOW_TURNAROUND: Final = FAMILIES.histogram(
    "theeye_workflow_turnaround_seconds",
    WORKFLOW_LABELS,
    "Times from creation to end of the workflow's finished runs.",
)
WORKFLOW_LAST_TURNAROUND: Final = FAMILIES.gauge(
    "theeye_workflow_last_turnaround_seconds",
    WORKFLOW_LABELS,
    "Time from creation to end of the workflow's last finished run.",
    unit="seconds",
)
WORKFLOW_LAST_OUTCOME: Final = FAMILIES.states(
    "theeye_workflow_last_outcome",
    (*WORKFLOW_LABELS, "outcome"),
    OUTCOMES,
    "Outcome of the workflow's last finished run: 1 for its outcome, 0 for the others.",
)
WORKFLOW_CONSECUTIVE_FAILURES: Final = FAMILIES.gauge(
    "theeye_workflow_consecutive_failures",
    WORKFLOW_LABELS,
    f"Finished runs of the workflow that ended as failure, timeout or error after its last success; {_AS_SEEN}.",
)
WORKFLOW_LAST_FINISH: Final = FAMILIES.gauge(
    "theeye_workflow_last_finish_timestamp_seconds",
    WORKFLOW_LABELS,
    "Unix time when the workflow's last finished run ended, whatever its outcome.",
    unit="seconds",
)
WORKFLOW_LAST_SUCCESS: Final = FAMILIES.gauge(
    "theeye_workflow_last_success_timestamp_seconds",
    WORKFLOW_LABELS,
    "Unix time when the workflow's last successful run ended, among those that TheEye still had at a poll.",
    unit="seconds",
)
WORKFLOW_JOBS: Final = FAMILIES.gauge(
    "theeye_workflow_jobs",
    (*WORKFLOW_LABELS, "lifecycle"),
    "Open jobs of the workflow itself, one for each run, by lifecycle; the jobs of its tasks are not included; a lifecycle "
    "appears with its first job and stays, at 0 without jobs. In version 1 workflows, these jobs never end.",
)
WORKFLOW_OLDEST_OPEN_JOB: Final = FAMILIES.gauge(
    "theeye_workflow_oldest_open_job_timestamp_seconds",
    (*WORKFLOW_LABELS, "lifecycle"),
    "Unix time when the oldest open job of the workflow itself in this lifecycle was created; absent without such a job.",
    unit="seconds",
)

QUERIES: Final = (
    Query(
        "Run time that 95 of 100 runs of a task do not exceed (p95)",
        "histogram_quantile(\n"
        "  0.95, sum by (organization, task, hostname, le) (rate(theeye_job_duration_seconds_bucket[1d]))\n"
        ")",
    ),
    Query(
        "Runs that failed in the last 24 hours, by task",
        'sum by (organization, task, hostname) (increase(theeye_job_runs_total{outcome=~"failure|timeout|error"}[1d])) > 0',
    ),
    Query(
        "Share of runs that succeeded in the last 24 hours",
        'sum by (organization) (increase(theeye_job_runs_total{outcome="success"}[1d]))\n'
        "  / sum by (organization) (increase(theeye_job_runs_total[1d]))",
    ),
)
