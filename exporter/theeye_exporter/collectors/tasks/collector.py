"""Samples of tasks, and the names that jobs get from them.

    theeye_task_info{organization="demo",task_id="6b…",task="backup",hostname="bot-1",task_type="script",…} 1
    theeye_task_executions_total{organization="demo",task_id="6b…",task="backup",hostname="bot-1"} 42

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/task`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from theeye_exporter.collectors.base import EXACT, Checks, CollectorKind, Context, ListCollector
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.collectors.tasks.reading import TaskReader
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import number, text, timestamp
from theeye_exporter.theeye.models import Host, Schedule, Task
from theeye_exporter.values.settings import Setting, duration

__all__ = ["KIND", "TASK_INFO", "TASK_LABELS", "TasksCollector", "TasksSettings"]

TASK_LABELS: Final = ("organization", "task_id", "task", "hostname")

FAMILIES: Final = Families()

TASKS: Final = FAMILIES.gauge(
    "theeye_tasks",
    ("organization", "task_type"),
    "Tasks that the organisation's token sees, by type; the type other means any type that the exporter does not know.",
)
TASK_INFO: Final = FAMILIES.info(
    "theeye_task_info",
    (*TASK_LABELS, "task_type", "tags", "workflow_id"),
    "Properties of a task; workflow_id is empty for a task outside workflows.",
)
TASK_TIMEOUT: Final = FAMILIES.gauge(
    "theeye_task_timeout_seconds",
    TASK_LABELS,
    "Run time after which TheEye kills a job of the task; 600 s, TheEye's default, if the task sets none.",
    unit="seconds",
)
TASK_EXECUTIONS: Final = FAMILIES.counter(
    "theeye_task_executions_total",
    TASK_LABELS,
    "Jobs of the task that TheEye has created, as counted by TheEye (execution_count); this count can miss some jobs.",
)
TASK_NEXT_RUN: Final = FAMILIES.gauge(
    "theeye_task_schedule_next_run_timestamp_seconds",
    TASK_LABELS,
    "Unix time of the earliest next run in the task's active schedules (nextRunAt); in the past if TheEye is late; "
    "absent without an active schedule.",
    unit="seconds",
)
TASK_SCHEDULES: Final = FAMILIES.gauge(
    "theeye_task_schedules",
    (*TASK_LABELS, "state"),
    "Schedules of the task by state; disabled and failed ones do not run again; absent without a schedule.",
)
TASK_LAST_TRIGGER: Final = FAMILIES.gauge(
    "theeye_task_schedule_last_trigger_timestamp_seconds",
    TASK_LABELS,
    "Unix time when TheEye last handled a due schedule of the task (lastRunAt); this does not mean that it created a job.",
    unit="seconds",
)
TASK_SCHEDULE_FAILURES: Final = FAMILIES.gauge(
    "theeye_task_schedule_failures",
    TASK_LABELS,
    "Failures of the task's schedules, not of its runs: the sum of TheEye's counts (failCount) for the schedules that exist.",
)
TASK_SCHEDULE_LAST_FAILURE: Final = FAMILIES.gauge(
    "theeye_task_schedule_last_failure_timestamp_seconds",
    TASK_LABELS,
    "Unix time when a schedule of the task last failed (failedAt); absent if none did.",
    unit="seconds",
)

_TYPES: Final = ("script", "scraper", "approval", "dummy", "notification", "nodejs")
_SCHEDULE_STATES: Final = ("active", "disabled", "failed")

_DEFAULT_TIMEOUT: Final = 600_000
"""Timeout in milliseconds of a job whose task sets none."""


class TasksSettings(CollectorSettings):
    """How tasks are polled."""

    full_list_interval: Annotated[
        float, Setting(duration(60.0), "time from one list of all tasks to the next, if there are more than 1 000")
    ] = 600.0


class TasksCollector(ListCollector[Task]):
    """Collects an organisation's tasks."""

    def __init__(self, context: Context[TasksSettings]) -> None:
        super().__init__(context, KIND.name, TASK_LABELS, TASK_INFO)
        self._reader = TaskReader(context.settings.full_list_interval, context.clocks)
        self._next_runs: dict[str, float] = {}

    def _list(self, client: TheEyeClient) -> Listing[Task]:
        listing = self._reader.read(client, self._next_runs)
        self._next_runs = {}
        return listing

    def _add(self, samples: Samples, item: Task, checks: Checks) -> None:
        own = item.id, text(item.name), _hostname(item)
        labels = self._add_info(samples, own, text(item.type), self._tags(item.tags), text(item.workflow_id))
        if timeout := checks.amount(_DEFAULT_TIMEOUT if item.timeout is None else item.timeout):
            samples[TASK_TIMEOUT].add(labels, timeout / 1000)
        if item.execution_count is not None and (count := checks.amount(item.execution_count)) is not None:
            samples[TASK_EXECUTIONS].add(labels, count)
        self._add_schedules(samples, item, labels, checks)

    def _add_schedules(self, samples: Samples, task: Task, labels: str, checks: Checks) -> None:
        schedules = _schedules(task)
        if not schedules:
            return
        states = Counter(schedule.state for schedule in schedules)
        for state in _SCHEDULE_STATES:
            samples[TASK_SCHEDULES].add(f'{labels},state="{state}"', states[state])
        next_runs = _times(schedule.next_run_at for schedule in schedules if schedule.state == "active")
        if next_runs:
            self._next_runs[task.id] = min(next_runs)
            samples[TASK_NEXT_RUN].add(labels, self._next_runs[task.id])
        for family, times in (
            (TASK_LAST_TRIGGER, _times(schedule.last_run_at for schedule in schedules)),
            (TASK_SCHEDULE_LAST_FAILURE, _times(schedule.failed_at for schedule in schedules)),
        ):
            if times:
                samples[family].add(labels, max(times))
        counts = [0 if one.fail_count is None else checks.amount(one.fail_count) for one in schedules]
        if None not in counts:
            samples[TASK_SCHEDULE_FAILURES].add(labels, sum(filter(None, counts)))

    def _add_totals(self, samples: Samples, items: Sequence[Task]) -> None:
        types = Counter(task.type if task.type in _TYPES else "other" for task in items)
        for name in (*_TYPES, "other"):
            if types[name] or name in _TYPES:
                samples[TASKS].add(format_labels(TASKS.labels, (self._organization, name)), types[name])

    def _names(self, items: Sequence[Task]) -> dict[str, Entry]:
        return {task.id: _entry(task) for task in items}


def _entry(task: Task) -> Entry:
    executions = number(task.execution_count)
    return Entry(
        labels=(text(task.name), _hostname(task)),
        # Without a valid count, no number of runs can be derived from it.
        executions=int(executions) if executions is not None and 0 <= executions <= EXACT else None,
        created=timestamp(task.creation_date),
        triggered=max(_times(one.last_run_at for one in _schedules(task) if one.state != "disabled"), default=None),
    )


def _hostname(task: Task) -> str:
    return text(task.hostname) or (text(task.host.hostname) if isinstance(task.host, Host) else "")


def _schedules(task: Task) -> list[Schedule]:
    listed = task.schedules if isinstance(task.schedules, list) else ()
    return [schedule for schedule in listed if isinstance(schedule, Schedule)]


def _times(values: Iterable[object]) -> list[float]:
    return [at for value in values if (at := timestamp(value)) is not None]


QUERIES: Final = (
    Query(
        "Runs that are due within the next hour, the first one at the top",
        "sort(theeye_task_schedule_next_run_timestamp_seconds - time() < 3600)",
    ),
    Query("Tasks with a schedule that does not run any more", 'theeye_task_schedules{state=~"disabled|failed"} > 0'),
    Query(
        "The five tasks with the most jobs in a day, with their tags",
        "topk(5, increase(theeye_task_executions_total[1d]))\n"
        "  * on (instance, organization, task_id) group_left (tags) theeye_task_info",
    ),
)

KIND: Final = CollectorKind(
    name="tasks",
    title="Tasks",
    families=FAMILIES,
    make=TasksCollector,
    settings=TasksSettings,
    interval=60.0,
    cardinality="3 for each task, and up to 7 more for one with schedules; 6 for the organisation, or 7 if a task has a type that the exporter does not know.",
    queries=QUERIES,
)
