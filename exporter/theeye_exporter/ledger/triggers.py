"""Finds triggers of schedules for which TheEye created no job.

For each schedule, TheEye states only the last trigger: that it was due and handled, not that a job was created. A new job
raises TheEye's own count of executions, some seconds later. While a job of the task is open, TheEye skips scheduled runs,
which is as intended.

All times are Unix times in seconds, by TheEye's clock.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from theeye_exporter.ledger.recording import RunRecorder
from theeye_exporter.ledger.records import KnownJob, Presence, RunKey, Triggers
from theeye_exporter.ledger.state import Changes, State

__all__ = ["Scheduled", "TriggerWatch"]

_PATIENCE: Final = 60.0
"""Seconds after a trigger until a list of tasks must count its job."""


class Scheduled(NamedTuple):
    """What a list of tasks says about a task with a schedule: its last trigger, and TheEye's count of executions."""

    triggered: float
    executions: int


class TriggerWatch:
    """Works out at one poll which triggers were missed.

    Args:
        state: the ledger; it is only read.
        changes: the changes of this poll, after its jobs.
        runs: gives access to the totals.
    """

    def __init__(self, state: State, changes: Changes, runs: RunRecorder) -> None:
        self._state = state
        self._changes = changes
        self._runs = runs

    def compare(self, tasks: Mapping[RunKey, Scheduled | None], date: float, *, saw_all: bool) -> None:
        """Compare a list of tasks with the jobs that are known.

        Args:
            tasks: all tasks; None for one without a schedule, or without a valid count.
            date: when the tasks were listed, which was before the jobs.
            saw_all: whether every existing job was seen; if not, no further trigger counts as missed.
        """
        following: dict[RunKey, Triggers] = {}
        for run_key, task in tasks.items():
            totals = self._runs.known(run_key)
            before = None if totals is None else totals.triggers
            after = None if task is None else _next(before, task)
            if after is not None and after.waiting is not None:
                following[run_key] = after
            else:
                self._put(run_key, before, after)
        excused = self._excused(following)
        for run_key, triggers in following.items():
            totals, task = self._runs.known(run_key), tasks[run_key]
            before = None if totals is None else totals.triggers
            if run_key in excused and task is not None:
                after = Triggers(*task)
            else:
                late = saw_all and triggers.waiting is not None and date >= triggers.waiting + _PATIENCE
                after = Triggers(triggers.seen, triggers.executions, triggers.waiting, missed=triggers.missed or late)
            self._put(run_key, before, after)

    def _put(self, run_key: RunKey, before: Triggers | None, after: Triggers | None) -> None:
        if before != after:
            self._runs.totals(run_key).triggers = after

    def _excused(self, following: Mapping[RunKey, Triggers]) -> set[RunKey]:
        """Return the tasks with a job that was created since the trigger, or open at that time."""
        if not following:
            return set()
        jobs: dict[RunKey, list[KnownJob]] = defaultdict(list)
        for job in (self._state.jobs | self._changes.jobs).values():
            if job is not None and job.run_key in following:
                jobs[job.run_key].append(job)
        return {
            run_key for run_key, triggers in following.items() if any(_excuses(job, triggers) for job in jobs[run_key])
        }


def _next(before: Triggers | None, task: Scheduled) -> Triggers:
    """Return what is known after a list, before jobs are looked at."""
    if before is None or before.executions != task.executions:
        return Triggers(*task)
    if before.waiting is None and task.triggered > before.seen:
        return Triggers(before.seen, before.executions, task.triggered)
    return before


def _excuses(job: KnownJob, triggers: Triggers) -> bool:
    trigger = triggers.waiting or 0.0
    if job.created is not None and job.created >= trigger:
        return True
    was_open = job.is_open or job.presence is Presence.UNLISTED or job.finished >= trigger
    return was_open and not triggers.missed  # later, it may have been restarted
