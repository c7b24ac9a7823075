"""Tasks, and the names that jobs get from them.

    theeye_task_info{organization="demo",task_id="6b…",task="backup",hostname="bot-1",task_type="script",…} 1
    theeye_task_executions_total{organization="demo",task_id="6b…",task="backup",hostname="bot-1"} 42

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/task`.
"""

from typing import Final

from theeye_exporter.collectors.base import EXACT, Checks, Collection, join_tags
from theeye_exporter.collectors.directory import Directory, Entry
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.labels import LabelCache
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import Host, Schedule, Task, number, text, timestamp

__all__ = ["TasksCollector"]

_DEFAULT_TIMEOUT: Final = 600_000
"""Milliseconds that TheEye gives a job whose task sets no timeout."""


class TasksCollector:
    """Collects an organisation's tasks.

    Args:
        organization: its name, the first label of every series.
        directory: gets the names of each list.
        with_tags: whether `theeye_task_info` carries the tags.
    """

    name: Final = "tasks"

    def __init__(self, organization: str, directory: Directory, *, with_tags: bool = True) -> None:
        self._organization = organization
        self._directory = directory
        self._with_tags = with_tags
        self._labels = LabelCache(f.TASK_LABELS)
        self._info_labels = LabelCache(f.TASK_INFO.labels)

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - no task's value has an age
        """See `Collector`."""
        listing = self._directory.fetch(client.tasks, _entry)
        samples, checks = Samples(), Checks()
        for task in listing.items:
            self._add(samples, task, checks)
        self._labels.prune()
        self._info_labels.prune()
        return Collection(samples, len(listing.items), listing.skipped, checks.dropped)

    def _add(self, samples: Samples, task: Task, checks: Checks) -> None:
        name, hostname = text(task.name), _hostname(task)
        labels = self._labels.get(self._organization, task.id, name, hostname)
        info = self._info_labels.get(
            self._organization,
            task.id,
            name,
            hostname,
            text(task.type),
            join_tags(task.tags) if self._with_tags else "",
            text(task.workflow_id),
        )
        samples[f.TASK_INFO].add(info, 1)
        if timeout := checks.amount(_DEFAULT_TIMEOUT if task.timeout is None else task.timeout):
            samples[f.TASK_TIMEOUT].add(labels, timeout / 1000)
        if task.execution_count is not None and (count := checks.amount(task.execution_count)) is not None:
            samples[f.TASK_EXECUTIONS].add(labels, count)
        if (next_run := _next_run(task)) is not None:
            samples[f.TASK_NEXT_RUN].add(labels, next_run)


def _entry(task: Task) -> Entry:
    executions = number(task.execution_count)
    return Entry(
        labels=(text(task.name), _hostname(task)),
        # Of what cannot be a count, no difference can be one of runs.
        executions=int(executions) if executions is not None and 0 <= executions <= EXACT else None,
        created=timestamp(task.creation_date),
    )


def _hostname(task: Task) -> str:
    return text(task.hostname) or (text(task.host.hostname) if isinstance(task.host, Host) else "")


def _next_run(task: Task) -> float | None:
    schedules = task.schedules if isinstance(task.schedules, list) else ()
    return min(
        (
            at
            for schedule in schedules
            if isinstance(schedule, Schedule)
            and schedule.disabled is not True
            and (at := timestamp(schedule.next_run_at)) is not None
        ),
        default=None,
    )
