"""Tasks, and the names that jobs get from them.

    theeye_task_info{organization="demo",task_id="6b…",task="backup",hostname="bot-1",task_type="script",…} 1
    theeye_task_executions_total{organization="demo",task_id="6b…",task="backup",hostname="bot-1"} 42

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/task`.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from theeye_exporter.collectors.base import Checks, Collection, EmptyListGuard, join_tags
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.render import LabelCache, Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.models import Host, Schedule, Task, number, text, timestamp

__all__ = ["TaskDirectory", "TaskList", "TasksCollector"]

_DEFAULT_TIMEOUT: Final = 600_000
"""Milliseconds that TheEye gives a job whose task sets no timeout."""


@dataclass(frozen=True, slots=True)
class TaskNames:
    """What a task's series are called by."""

    task: str
    hostname: str


@dataclass(frozen=True, slots=True)
class TaskList:
    """The tasks at one moment.

    Attributes:
        version: grows with each list.
        names: by task id; None while no list has arrived.
    """

    version: int
    names: Mapping[str, TaskNames] | None


class TaskDirectory:
    """The names of an organisation's tasks as last listed, for jobs, which do not carry them all. Safe for threads.

    Args:
        expected: whether a tasks collector will fill it.
    """

    def __init__(self, *, expected: bool) -> None:
        self._attempted = threading.Event()
        if not expected:
            self._attempted.set()
        self.listed = TaskList(version=0, names=None)
        """The last list; a new one is a new object."""

    def update(self, tasks: Iterable[Task]) -> None:
        """Take over a list of all tasks."""
        names = {task.id: TaskNames(text(task.name), _hostname(task)) for task in tasks}
        self.listed = TaskList(version=self.listed.version + 1, names=names)
        self._attempted.set()

    def give_up(self) -> None:
        """Let those go on who wait for the first list: it failed."""
        self._attempted.set()

    def wait(self, seconds: float) -> None:
        """Wait until the first list has arrived or failed, at most for `seconds`."""
        self._attempted.wait(seconds)


class TasksCollector:
    """Collects an organisation's tasks.

    Args:
        organization: its name, the first label of every series.
        directory: gets the names of each list.
        with_tags: whether `theeye_task_info` carries the tags.
    """

    name: Final = "tasks"

    def __init__(self, organization: str, directory: TaskDirectory, *, with_tags: bool = True) -> None:
        self._organization = organization
        self._directory = directory
        self._with_tags = with_tags
        self._guard = EmptyListGuard()
        self._labels = LabelCache(f.TASK_LABELS)
        self._info_labels = LabelCache(f.TASK_INFO.labels)

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - no task's value has an age
        """See `Collector`."""
        try:
            listing = client.tasks()
            self._guard.check(listing)
        except UpstreamError:
            self._directory.give_up()
            raise
        self._directory.update(listing.items)
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
        samples[f.TASK_INFO].append((info, 1))
        timeout = number(task.timeout)
        milliseconds = timeout if timeout is not None and timeout > 0 else _DEFAULT_TIMEOUT
        samples[f.TASK_TIMEOUT].append((labels, milliseconds / 1000))
        if task.execution_count is not None and (count := checks.amount(task.execution_count)) is not None:
            samples[f.TASK_EXECUTIONS].append((labels, count))
        if (next_run := _next_run(task)) is not None:
            samples[f.TASK_NEXT_RUN].append((labels, next_run))


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
