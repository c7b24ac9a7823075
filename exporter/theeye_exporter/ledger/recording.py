"""Works out what a finished run adds to the totals of its task, workflow or type, without changing the ledger."""

import copy
from typing import Final

from theeye_exporter.ledger.doubts import CLOCK_TOLERANCE
from theeye_exporter.ledger.reading import ABSURD, has_times, name_of, result_of
from theeye_exporter.ledger.records import (
    Bounds,
    Histogram,
    KnownJob,
    LastRun,
    Presence,
    ResultOf,
    RunKey,
    RunKind,
    RunTotals,
)
from theeye_exporter.ledger.state import Changes, State
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.lifecycle import Outcome, outcome_of
from theeye_exporter.theeye.models import Job

__all__ = ["RunRecorder"]

_UNKNOWN_LENGTH: Final = 64
_UNKNOWN_AT_MOST: Final = 32


class RunRecorder:
    """Records runs, and adds details that become known later.

    Args:
        state: the ledger; it is only read.
        changes: receives the new totals.
        bounds: bucket bounds of the histograms.
        date: TheEye's time, if known.

    Attributes:
        impossible: number of impossible times, such as negative durations and ends in the future; they are not observed.
        unknown: lifecycles and states of runs with an unknown outcome: the first 32, each cut to 64 characters.
    """

    def __init__(self, state: State, changes: Changes, bounds: Bounds, date: float | None) -> None:
        self._state = state
        self._changes = changes
        self._turnaround_bounds: Final = {
            RunKind.TASK: bounds.turnaround,
            RunKind.WORKFLOW: bounds.workflow_turnaround,
            RunKind.OTHER: None,
        }
        self._duration_bounds = bounds.duration
        self._first = state.cursor.updated is None
        self._latest = float("inf") if date is None else date + CLOCK_TOLERANCE
        self.impossible: int = 0
        self.unknown: set[tuple[str, str]] = set()

    def known(self, run_key: RunKey) -> RunTotals | None:
        """Return totals for reading only; None if there are none."""
        return self._changes.totals.get(run_key) or self._state.totals.get(run_key)

    def totals(self, run_key: RunKey) -> RunTotals:
        """Return totals that this poll may change."""
        totals = self._changes.totals.get(run_key)
        if totals is None:
            totals = copy.deepcopy(self._state.totals.get(run_key)) or RunTotals()
            self._changes.totals[run_key] = totals
        return totals

    def outcome(self, job: Job) -> Outcome:
        """Return how a job ended."""
        lifecycle, state = text(job.lifecycle), text(job.state)
        outcome = outcome_of(lifecycle, state)
        if outcome is Outcome.UNKNOWN and len(self.unknown) < _UNKNOWN_AT_MOST:
            self.unknown.add((lifecycle[:_UNKNOWN_LENGTH], state[:_UNKNOWN_LENGTH]))
        return outcome

    def record(self, job_id: str, job: Job, known: KnownJob, updated: float, *, counted: bool) -> None:
        """Record that a run of a job has ended."""
        outcome = self.outcome(job)
        never_started = text(job.lifecycle) == "canceled"
        known.presence = Presence.ENDED
        known.result = ResultOf.WANTED if has_times(job) and not never_started else ResultOf.NONE
        known.duration, known.exit_code = None, None
        known.runs += 1
        known.updated = known.finished = updated
        known.outcome, known.counted = outcome, counted
        totals = self.totals(known.run_key)
        # A restart keeps the creation time of the first run, and TheEye does not record when the job was restarted.
        turnaround = updated - known.created if known.created is not None and known.runs == 1 else None
        if updated > self._latest or (turnaround is not None and turnaround < 0):
            self.impossible += 1
            turnaround = None
        if updated <= self._latest:  # otherwise it is counted, but there is no time to show
            # If it is not counted, it may have been recorded before.
            _follow_failures(totals, outcome, updated, new=counted or self._first)
            if outcome is Outcome.SUCCESS:
                totals.last_success = max(updated, totals.last_success or 0)
            if totals.last is None or updated >= totals.last.finished:
                totals.last = LastRun(job_id, name_of(job), updated, outcome, turnaround)
        if counted:
            totals.runs[outcome] = totals.runs.get(outcome, 0) + 1
            bounds = self._turnaround_bounds[known.run_key.kind]
            if turnaround is not None and bounds is not None:
                totals.turnaround = totals.turnaround or Histogram.empty(bounds)
                totals.turnaround.observe(turnaround, job_id, updated)

    def read_result(self, job_id: str, job: Job, known: KnownJob, *, observe: bool) -> None:
        """Read the run time and exit code of a recorded run from its job in full."""
        known.result = ResultOf.READ
        known.duration, known.exit_code = result_of(job)
        duration = known.duration
        if duration is not None and not 0 <= duration < ABSURD:
            self.impossible += 1
            duration = None
        totals = self.totals(known.run_key)
        if totals.last is not None and (totals.last.job_id, totals.last.finished) == (job_id, known.finished):
            totals.last.duration, totals.last.exit_code = duration, known.exit_code
        bounds = self._duration_bounds if known.run_key.kind is RunKind.TASK else None
        if known.counted and observe and duration is not None and bounds is not None:
            totals.duration = totals.duration or Histogram.empty(bounds)
            totals.duration.observe(duration, job_id, known.finished)


def _follow_failures(totals: RunTotals, outcome: Outcome, ended: float, *, new: bool) -> None:
    if totals.consecutive_failures > totals.failures.count and totals.last is not None:
        totals.failures.fail(totals.last.finished)  # from a state file of an older version
    if outcome is Outcome.SUCCESS:
        totals.failures.succeed(ended)
    elif new and outcome.is_failed and ended > (totals.last_success or 0):
        totals.failures.fail(ended)
