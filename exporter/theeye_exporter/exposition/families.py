"""The metric catalogue as data: every family that is rendered from TheEye's objects.

A family stands here once; the renderer takes its name, type, help and unit from it, the collectors its label names,
and `theeye-exporter metrics` the documentation. Nothing here knows how a value comes about.
"""

from typing import Final

from theeye_exporter.exposition.family import Family, MetricType

__all__ = ["CATALOGUE"]

MONITOR_LABELS: Final = ("organization", "monitor_id", "monitor", "hostname")
HOST_LABELS: Final = ("organization", "monitor_id", "hostname")
WORKFLOW_LABELS: Final = ("organization", "workflow_id", "workflow")
TASK_LABELS: Final = ("organization", "task_id", "task", "hostname")

MONITOR_STATES: Final = ("normal", "failure", "updates_stopped", "unknown")
OUTCOMES: Final = ("success", "failure", "timeout", "canceled", "error", "unknown")


def _gauge(name: str, labels: tuple[str, ...], text: str, *, unit: str = "") -> Family:
    return Family(name=name, type=MetricType.GAUGE, help=text, labels=labels, unit=unit)


def _states(name: str, labels: tuple[str, ...], states: tuple[str, ...], text: str) -> Family:
    return Family(name=name, type=MetricType.GAUGE, help=text, labels=labels, states=states)


def _counter(name: str, labels: tuple[str, ...], text: str, *, unit: str = "") -> Family:
    return Family(name=name, type=MetricType.COUNTER, help=text, labels=labels, unit=unit)


def _histogram(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name=name, type=MetricType.HISTOGRAM, help=text, labels=labels, unit="seconds")


def _info(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name=name, type=MetricType.INFO, help=text, labels=labels)


_STALE: Final = (
    "Absent while the monitor is disabled, in updates_stopped, or has not updated for three of its intervals "
    "and a minute."
)

MONITOR_INFO: Final = _info(
    "theeye_monitor_info",
    (*MONITOR_LABELS, "monitor_type", "severity", "tags", "alerts"),
    "Descriptive properties of a monitor; severity is TheEye's failure_severity, alerts whether it sends mail.",
)
MONITOR_STATE: Final = _states(
    "theeye_monitor_state",
    (*MONITOR_LABELS, "state"),
    MONITOR_STATES,
    "State of a monitor as of the last poll: 1 for the state it is in, 0 for the others; "
    "unknown stands for every state other than normal, failure and updates_stopped.",
)
MONITOR_ENABLED: Final = _gauge(
    "theeye_monitor_enabled", MONITOR_LABELS, "Whether TheEye checks the monitor (enable); its state is frozen if not."
)
MONITOR_CONSECUTIVE_FAILURES: Final = _gauge(
    "theeye_monitor_consecutive_failures",
    MONITOR_LABELS,
    "Failing reports and missed updates since the last normal report (fails_count); "
    "the state turns to failure at a server-wide number of them, by default 3.",
)
MONITOR_RECOVERIES: Final = _counter(
    "theeye_monitor_recoveries_total",
    MONITOR_LABELS,
    "Returns of the monitor to normal, as TheEye counts them (recovery_count).",
)
MONITOR_INTERVAL: Final = _gauge(
    "theeye_monitor_interval_seconds",
    MONITOR_LABELS,
    "Time between two checks of the monitor by its bot (looptime); absent for nested monitors, which have none.",
    unit="seconds",
)
MONITOR_LAST_UPDATE: Final = _gauge(
    "theeye_monitor_last_update_timestamp_seconds",
    MONITOR_LABELS,
    "Unix time of the last normal or failure report of the monitor (last_update).",
    unit="seconds",
)
MONITOR_LAST_CHECK: Final = _gauge(
    "theeye_monitor_last_check_timestamp_seconds",
    MONITOR_LABELS,
    "Unix time at which TheEye last handled the monitor, by a report or by its own check (last_check).",
    unit="seconds",
)
MONITOR_SCRIPT_DURATION: Final = _gauge(
    "theeye_monitor_script_duration_seconds",
    MONITOR_LABELS,
    f"Run time of a script monitor's last run (last_event.data.times). {_STALE}",
    unit="seconds",
)
MONITOR_SCRIPT_EXIT_CODE: Final = _gauge(
    "theeye_monitor_script_exit_code",
    MONITOR_LABELS,
    f"Exit code of a script monitor's last run; absent if it was killed. {_STALE}",
)
MONITOR_HTTP_STATUS_CODE: Final = _gauge(
    "theeye_monitor_http_status_code",
    MONITOR_LABELS,
    f"HTTP status that a scraper monitor got last; absent if the request failed before an answer. {_STALE}",
)
MONITOR_PROCESSES: Final = _gauge(
    "theeye_monitor_processes",
    MONITOR_LABELS,
    f"Processes on the host that match a process monitor's pattern. {_STALE}",
)

HOST_CPU: Final = _gauge(
    "theeye_host_cpu_usage_ratio",
    HOST_LABELS,
    f"Share of CPU time in use, iowait included (dstat cpu), 0 to 1. {_STALE}",
    unit="ratio",
)
HOST_MEMORY: Final = _gauge(
    "theeye_host_memory_usage_ratio",
    HOST_LABELS,
    f"Share of memory in use, without what is available to programs (dstat mem), 0 to 1. {_STALE}",
    unit="ratio",
)
HOST_CACHE: Final = _gauge(
    "theeye_host_cache_usage_ratio",
    HOST_LABELS,
    f"Share of swap in use, which TheEye calls cache, 0 to 1; absent on hosts without swap. {_STALE}",
    unit="ratio",
)
HOST_DISK: Final = _gauge(
    "theeye_host_disk_usage_ratio",
    (*HOST_LABELS, "device"),
    f"Share of a disk in use, blocks reserved for root counted as free (dstat disk), 0 to 1. {_STALE}",
    unit="ratio",
)
HOST_THRESHOLD: Final = _gauge(
    "theeye_host_usage_threshold_ratio",
    (*HOST_LABELS, "resource"),
    "Usage above which TheEye lets the dstat monitor fail (config.limit); "
    "resource is cpu, memory, cache (TheEye's word for swap) or disk.",
    unit="ratio",
)

TASK_INFO: Final = _info(
    "theeye_task_info",
    (*TASK_LABELS, "task_type", "tags", "workflow_id"),
    "Descriptive properties of a task; workflow_id is empty for a task outside workflows.",
)
TASK_TIMEOUT: Final = _gauge(
    "theeye_task_timeout_seconds",
    TASK_LABELS,
    "Run time after which TheEye kills a job of the task; TheEye's default of 600 s where the task sets none.",
    unit="seconds",
)
TASK_EXECUTIONS: Final = _counter(
    "theeye_task_executions_total",
    TASK_LABELS,
    "Jobs of the task that TheEye has created, by TheEye's own count (execution_count), which can miss some.",
)
TASK_NEXT_RUN: Final = _gauge(
    "theeye_task_schedule_next_run_timestamp_seconds",
    TASK_LABELS,
    "Unix time of the earliest next run among the task's schedules (nextRunAt), in the past if TheEye is late; "
    "absent without a schedule.",
    unit="seconds",
)
TASK_JOBS: Final = _gauge(
    "theeye_task_jobs",
    (*TASK_LABELS, "lifecycle"),
    "Open jobs of the task by lifecycle; a lifecycle shows up with its first job and stays, at 0 if need be.",
)
TASK_OLDEST_OPEN_JOB: Final = _gauge(
    "theeye_task_oldest_open_job_timestamp_seconds",
    TASK_LABELS,
    "Unix time at which the oldest open job of the task was created; absent without open jobs.",
    unit="seconds",
)

TASK_UNSEEN_RUNS: Final = _counter(
    "theeye_task_unseen_runs_total",
    TASK_LABELS,
    "Estimate of the task's runs that TheEye deleted before the exporter saw them: "
    "what theeye_task_executions_total grew beyond the jobs seen.",
)

_COUNTED: Final = "since the exporter started, or since the state file began if there is one"

JOB_RUNS: Final = _counter(
    "theeye_job_runs_total",
    (*TASK_LABELS, "outcome"),
    f"Finished runs of the task by outcome, each counted once, {_COUNTED}; "
    "unknown stands for every end that TheEye did not have when this was written.",
)
JOB_DURATION: Final = _histogram(
    "theeye_job_duration_seconds",
    TASK_LABELS,
    "Pure run times of the task's finished runs (result.times); runs without one, as of scrapers, are missing.",
)
JOB_TURNAROUND: Final = _histogram(
    "theeye_job_turnaround_seconds",
    TASK_LABELS,
    "Times from creation to end of the task's finished runs, waiting included; repeats of a job are missing.",
)
OTHER_JOB_RUNS: Final = _counter(
    "theeye_other_job_runs_total",
    ("organization", "job_type", "outcome"),
    f"Finished runs of jobs of neither task nor workflow, such as updates of bots, {_COUNTED}.",
)
WORKFLOW_INFO: Final = _info(
    "theeye_workflow_info", (*WORKFLOW_LABELS, "tags"), "Descriptive properties of a workflow."
)
WORKFLOW_RUNS: Final = _counter(
    "theeye_workflow_runs_total",
    (*WORKFLOW_LABELS, "outcome"),
    f"Finished runs of the workflow by outcome, each counted once, {_COUNTED}; "
    "TheEye ends runs of version 2 workflows only.",
)
WORKFLOW_TURNAROUND: Final = _histogram(
    "theeye_workflow_turnaround_seconds",
    WORKFLOW_LABELS,
    "Times from creation to end of the workflow's finished runs.",
)
WORKFLOW_LAST_TURNAROUND: Final = _gauge(
    "theeye_workflow_last_turnaround_seconds",
    WORKFLOW_LABELS,
    "Time from creation to end of the workflow's run that finished last.",
    unit="seconds",
)
WORKFLOW_LAST_OUTCOME: Final = _states(
    "theeye_workflow_last_outcome",
    (*WORKFLOW_LABELS, "outcome"),
    OUTCOMES,
    "Outcome of the workflow's run that finished last: 1 for the outcome it had, 0 for the others.",
)
WORKFLOW_LAST_FINISH: Final = _gauge(
    "theeye_workflow_last_finish_timestamp_seconds",
    WORKFLOW_LABELS,
    "Unix time at which the workflow's last run finished, whatever its outcome.",
    unit="seconds",
)
WORKFLOW_LAST_SUCCESS: Final = _gauge(
    "theeye_workflow_last_success_timestamp_seconds",
    WORKFLOW_LABELS,
    "Unix time at which the workflow's last successful run finished, of those that TheEye still had when looked at.",
    unit="seconds",
)
WORKFLOW_JOBS: Final = _gauge(
    "theeye_workflow_jobs",
    (*WORKFLOW_LABELS, "lifecycle"),
    "Open runs of the workflow by lifecycle; a lifecycle shows up with its first run and stays, at 0 if need be. "
    "Runs of version 1 workflows never end.",
)
WORKFLOW_OLDEST_OPEN_JOB: Final = _gauge(
    "theeye_workflow_oldest_open_job_timestamp_seconds",
    WORKFLOW_LABELS,
    "Unix time at which the oldest open run of the workflow was created; absent without open runs.",
    unit="seconds",
)

JOB_LAST_DURATION: Final = _gauge(
    "theeye_job_last_duration_seconds",
    TASK_LABELS,
    "Pure run time of the task's run that finished last (result.times); absent if TheEye has none for it.",
    unit="seconds",
)
JOB_LAST_TURNAROUND: Final = _gauge(
    "theeye_job_last_turnaround_seconds",
    TASK_LABELS,
    "Time from creation to end of the task's run that finished last, waiting included.",
    unit="seconds",
)
JOB_LAST_EXIT_CODE: Final = _gauge(
    "theeye_job_last_exit_code",
    TASK_LABELS,
    "Exit code of the task's run that finished last (result.code); absent if it was killed or ran no script.",
)
JOB_LAST_OUTCOME: Final = _states(
    "theeye_job_last_outcome",
    (*TASK_LABELS, "outcome"),
    OUTCOMES,
    "Outcome of the task's run that finished last: 1 for the outcome it had, 0 for the others.",
)
JOB_LAST_FINISH: Final = _gauge(
    "theeye_job_last_finish_timestamp_seconds",
    TASK_LABELS,
    "Unix time at which the task's last run finished, whatever its outcome.",
    unit="seconds",
)
JOB_LAST_SUCCESS: Final = _gauge(
    "theeye_job_last_success_timestamp_seconds",
    TASK_LABELS,
    "Unix time at which the task's last successful run finished, of those that TheEye still had when the exporter looked.",
    unit="seconds",
)
JOBS: Final = _gauge(
    "theeye_jobs",
    ("organization", "lifecycle"),
    "Open jobs of the organisation by lifecycle, those without a task and those of workflows included.",
)

CATALOGUE: Final[tuple[Family, ...]] = (
    MONITOR_INFO,
    MONITOR_STATE,
    MONITOR_ENABLED,
    MONITOR_CONSECUTIVE_FAILURES,
    MONITOR_RECOVERIES,
    MONITOR_INTERVAL,
    MONITOR_LAST_UPDATE,
    MONITOR_LAST_CHECK,
    MONITOR_SCRIPT_DURATION,
    MONITOR_SCRIPT_EXIT_CODE,
    MONITOR_HTTP_STATUS_CODE,
    MONITOR_PROCESSES,
    HOST_CPU,
    HOST_MEMORY,
    HOST_CACHE,
    HOST_DISK,
    HOST_THRESHOLD,
    TASK_INFO,
    TASK_TIMEOUT,
    TASK_EXECUTIONS,
    TASK_NEXT_RUN,
    TASK_JOBS,
    TASK_OLDEST_OPEN_JOB,
    TASK_UNSEEN_RUNS,
    JOB_RUNS,
    JOB_DURATION,
    JOB_TURNAROUND,
    JOB_LAST_DURATION,
    JOB_LAST_TURNAROUND,
    JOB_LAST_EXIT_CODE,
    JOB_LAST_OUTCOME,
    JOB_LAST_FINISH,
    JOB_LAST_SUCCESS,
    JOBS,
    OTHER_JOB_RUNS,
    WORKFLOW_INFO,
    WORKFLOW_RUNS,
    WORKFLOW_TURNAROUND,
    WORKFLOW_LAST_TURNAROUND,
    WORKFLOW_LAST_OUTCOME,
    WORKFLOW_LAST_FINISH,
    WORKFLOW_LAST_SUCCESS,
    WORKFLOW_JOBS,
    WORKFLOW_OLDEST_OPEN_JOB,
)
"""Every family, in the order in which an exposition shows them."""
