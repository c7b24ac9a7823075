"""The run of each task that finished last, out of lists that tell less than that.

A list has no results, a restart reuses the job's id, and an edit of a finished job looks like a new finish: its
`last_update`, the only end time there is, moves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.models import Job, JobResult, Reference, Times, number, text, timestamp

__all__ = ["LastRuns", "Run", "task_id_of"]

_WITHOUT_TIMES: Final = frozenset(
    {"ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob", "WorkflowJob", "AgentUpdateJob"}
)
"""Job types whose results have neither run time nor exit code, so that nothing is asked for."""

_REMEMBERED: Final = 100_000
"""Finished jobs of which the end is remembered, to tell an edit from a run; far more than TheEye keeps by default."""

_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Run:
    """A run that has ended. Times are Unix times in seconds, by TheEye's clock.

    Attributes:
        job_id: the job; a restart gives it a further run.
        task: the task's name when the job was created.
        created: when the job was created, None for a restarted one, whose new start nobody recorded.
        finished: when it ended.
        outcome: how it ended.
        has_result: whether a result with run time or exit code can be expected.
        updated: `last_update` as last seen; later than `finished` after an edit.
        duration: pure run time in seconds, if known.
        exit_code: of the script, if known.
        complete: whether duration and exit code are as known as they will get.
        attempts: failed attempts to fetch the result.
    """

    job_id: str
    task: str
    created: float | None
    finished: float
    outcome: Outcome
    has_result: bool
    updated: float
    duration: float | None = None
    exit_code: float | None = None
    complete: bool = False
    attempts: int = 0

    def take_result(self, job: Job) -> None:
        """Take run time and exit code from the job in full."""
        self.duration, self.exit_code = _result(job)
        self.complete = True

    def fail(self) -> None:
        """Record a failed attempt to fetch the result; after the third it is given up."""
        self.attempts += 1
        self.complete = self.attempts >= _ATTEMPTS


@dataclass(slots=True)
class LastRuns:
    """Each task's last run and last success.

    Attributes:
        by_task: the run that finished last.
        last_success: when a run last succeeded.
        suspects: finished runs whose job was changed since, by task: run again or edited, only the result tells.
    """

    by_task: dict[str, Run] = field(default_factory=dict)
    last_success: dict[str, float] = field(default_factory=dict)
    suspects: dict[str, Run] = field(default_factory=dict)
    _ends: dict[str, float] = field(default_factory=dict)
    _reopened: set[str] = field(default_factory=set)

    def take(self, jobs: Iterable[Job]) -> None:
        """Take in new and changed jobs, in any order."""
        ended: list[tuple[float, str, Job]] = []
        for job in jobs:
            task_id, updated = task_id_of(job), timestamp(job.last_update)
            if not task_id or updated is None:
                continue
            if text(job.lifecycle) in ENDED_LIFECYCLES:
                ended.append((updated, task_id, job))
            elif job.id in self._ends:
                self._reopened.add(job.id)
        for updated, task_id, job in sorted(ended, key=lambda entry: entry[0]):
            self._take_ended(task_id, job, updated)
        while len(self._ends) > _REMEMBERED:
            del self._ends[next(iter(self._ends))]

    def reopened(self, jobs: Iterable[Job]) -> None:
        """Take note of jobs that are open: one that had ended was restarted, and its next end is a run."""
        self._reopened.update(job.id for job in jobs if job.id in self._ends)

    def settle(self, task_id: str, job: Job | None) -> None:
        """Decide about a suspect with the job in full, None if TheEye has deleted it."""
        suspect = self.suspects.pop(task_id)
        last = self.by_task[task_id]
        same = job is None or (_result(job) == (last.duration, last.exit_code) and suspect.outcome is last.outcome)
        if same:
            last.updated = suspect.updated
            return
        if job is not None:
            suspect.take_result(job)
        self._set_last(task_id, suspect)

    def forget(self, task_id: str) -> None:
        """Forget a task that is gone."""
        self.by_task.pop(task_id, None)
        self.last_success.pop(task_id, None)
        self.suspects.pop(task_id, None)

    def _take_ended(self, task_id: str, job: Job, updated: float) -> None:
        known = self._ends.get(job.id)
        if known is not None and updated <= known:
            return
        self._ends.pop(job.id, None)  # so that it moves to the end of the order in which ends are forgotten
        self._ends[job.id] = updated
        run = _run(job, updated, restarted=known is not None)
        if known is None or job.id in self._reopened:
            self._reopened.discard(job.id)
            self._set_last(task_id, run)
        elif (last := self.by_task.get(task_id)) is not None and last.job_id == job.id and last.complete:
            self.suspects[task_id] = run
        # Otherwise an older run was changed; with nothing to compare, and no restart seen, that is an edit.

    def _set_last(self, task_id: str, run: Run) -> None:
        if run.outcome is Outcome.SUCCESS:
            self.last_success[task_id] = max(run.finished, self.last_success.get(task_id, 0))
        last = self.by_task.get(task_id)
        if last is None or run.finished >= last.finished:
            self.by_task[task_id] = run
            self.suspects.pop(task_id, None)


def task_id_of(job: Job) -> str:
    """Return the id of the job's task, empty for a job without one."""
    return text(job.task_id) or (text(job.task.id) if isinstance(job.task, Reference) else "")


def _run(job: Job, updated: float, *, restarted: bool) -> Run:
    outcome = outcome_of(text(job.lifecycle), text(job.state))
    never_started = text(job.lifecycle) == "canceled"
    has_result = text(job.type_name) not in _WITHOUT_TIMES and not never_started
    run = Run(
        job_id=job.id,
        task=text(job.name),
        created=None if restarted else timestamp(job.creation_date),
        finished=updated,
        outcome=outcome,
        has_result=has_result,
        updated=updated,
        complete=not has_result,
    )
    if isinstance(job.result, JobResult):
        run.take_result(job)
    return run


def _result(job: Job) -> tuple[float | None, float | None]:
    if not isinstance(job.result, JobResult):
        return None, None
    times = job.result.times
    return (times.total() if isinstance(times, Times) else None), number(job.result.code)
