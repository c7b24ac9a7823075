"""Works out what one poll changes in an organisation's ledger, without changing the ledger itself.

This table shows how TheEye's responses change a job's `Presence`. A *run* is recorded in the totals of its task,
workflow or type. It is counted, unless it may have ended before counting began, or may have been counted already.

| TheEye's response                                  | unknown job | open, missing, unlisted | ended, changed  |
| -------------------------------------------------- | ----------- | ----------------------- | --------------- |
| ready, assigned, onhold, syncing, locked, started  | open        | open                    | open, restarted |
| an unknown lifecycle                               | open        | open; missing: unlisted | open            |
| no lifecycle                                       | open        | unchanged               | unchanged       |
| finished, terminated, canceled, expired, completed | run, ended  | run, ended              | see below       |
| not in the list of open jobs                       |             | missing; unlisted: same | unchanged       |
| 404 for the job in full                            |             | forgotten, no run       | ended           |
| three failures to fetch the job in full            |             | unchanged               | ended           |

If the `last_update` of an ended job has changed, the job was run again or edited. The list does not show which, because
a restart keeps the id and the creation date. This table shows how the ledger decides:

| the changed job                                     | result read | result wanted or none |
| --------------------------------------------------- | ----------- | --------------------- |
| another outcome                                     | run, ended  | run, ended            |
| same outcome, in a list, which has no results       | changed     | changed               |
| same outcome, in a list, for a type without results | edit, ended | edit, ended           |
| same outcome, in full, same result                  | edit, ended |                       |
| same outcome, in full, another result               | run, ended  | edit, ended, *read*   |

The result (`ResultOf`) of a new run is *wanted*, or *none* if the run was canceled before it started or its type has no
run times. It becomes *read* when the job is fetched in full. It becomes *none* when the exporter gives up: the job is
open again or deleted, or fetching it failed three times.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.ledger.doubts import everything_listed_until
from theeye_exporter.ledger.reading import has_times, name_of, result_of, run_key_of
from theeye_exporter.ledger.recording import RunRecorder
from theeye_exporter.ledger.records import Bounds, KnownJob, Presence, ResultOf, RunKey, RunTotals
from theeye_exporter.ledger.state import Changes, State
from theeye_exporter.ledger.triggers import TriggerWatch
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES
from theeye_exporter.theeye.memory import Room
from theeye_exporter.theeye.models import Job, JobResult

__all__ = ["LedgerUpdate", "Poll"]

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What TheEye listed at one poll.

    Attributes:
        changed: jobs that changed since the cursor, or all jobs.
        open_jobs: jobs that had not ended, listed after `changed`.
        date: TheEye's time, if known.
        complete: whether `changed` contains all jobs that exist.
        room: checks whether there is memory for what is recorded.
    """

    changed: Sequence[Job]
    open_jobs: Sequence[Job]
    date: float | None
    complete: bool
    room: Room


class LedgerUpdate:
    """The changes of one poll, worked out but not applied yet; see `RunLedger.prepare`.

    Attributes:
        changes: what changes when it is applied.
        triggers: finds triggers of schedules that created no job.
        without_result: runs that are counted without a run time, because their result is gone or not available.
    """

    def __init__(self, state: State, bounds: Bounds, poll: Poll) -> None:
        self._state = state
        self._first = state.cursor.updated is None
        self.changes = Changes(copy.copy(state.cursor))
        self._runs = RunRecorder(state, self.changes, bounds, poll.date)
        self.triggers = TriggerWatch(state, self.changes, self._runs)
        self.without_result = 0
        self._hidden_before = everything_listed_until(state.cursor, poll.date)
        self._uncounted: set[str] = set()
        newest = 0.0
        by_change = sorted((timestamp(job.last_update) or 0.0, position) for position, job in enumerate(poll.changed))
        for updated, position in poll.room.watched(by_change):
            job = poll.changed[position]
            newest = max(newest, updated)
            known = self._job(job.id)
            if text(job.lifecycle) in ENDED_LIFECYCLES:
                if updated and not (known is not None and known.has_ended and known.updated == updated):
                    self._take_ended(job.id, job, updated, full=isinstance(job.result, JobResult))
            elif text(job.lifecycle) or known is None:
                # A job without a lifecycle may also have ended, so it does not count as restarted.
                self._take_open(job.id, job, updated)
        for job in poll.room.watched(poll.open_jobs):
            self._take_open(job.id, job, timestamp(job.last_update) or 0.0)
        self._want_results_of_last_runs()
        self._advance(newest, poll)
        self._look_for_missing(poll)

    @property
    def impossible(self) -> int:
        """Number of impossible times, such as negative durations and ends in the future; they are not observed."""
        return self._runs.impossible

    @property
    def unknown(self) -> set[tuple[str, str]]:
        """Lifecycles and states of runs with an unknown outcome: the first 32, each cut to 64 characters."""
        return self._runs.unknown

    def wanted(self) -> list[str]:
        """Return the jobs to fetch in full: last runs first, then the oldest, which TheEye deletes first.

        What ended before counting began comes after them. Jobs that could not be fetched before come last, so that they do
        not use up the time of the others every time.
        """
        candidates = self._state.unclear | self.changes.jobs.keys()
        jobs = [
            (job_id, job) for job_id in candidates if (job := self._job(job_id)) is not None and job.needs_attention
        ]

        def rank(entry: tuple[str, KnownJob]) -> tuple[bool, bool, bool, float]:
            job_id, job = entry
            totals = self._runs.known(job.run_key)
            is_last = totals is not None and totals.last is not None and totals.last.job_id == job_id
            return job.attempts > 0, job.is_from_before, not is_last, job.updated

        return [job_id for job_id, _ in sorted(jobs, key=rank)]

    def is_from_before(self, job_id: str) -> bool:
        """Whether the job is only fetched for the result of a run from before counting began."""
        job = self._job(job_id)
        return job is not None and job.is_from_before

    def take_result(self, job_id: str, job: Job | None) -> None:
        """Record a job in full; None if TheEye has deleted it. If this raises, nothing is recorded."""
        known = self._own_job(job_id)
        if known is None:
            return
        job_before, totals_before = copy.copy(known), copy.deepcopy(self.changes.totals.get(known.run_key))
        try:
            self._take_full(job_id, known, job)
        except Exception:
            self.changes.jobs[job_id] = job_before
            self.changes.totals.pop(known.run_key, None)
            if totals_before is not None:
                self.changes.totals[known.run_key] = totals_before
            raise

    def _take_full(self, job_id: str, known: KnownJob, job: Job | None) -> None:
        if job is None:
            self._take_deletion(job_id, known)
        elif not text(job.lifecycle):
            self.fail_result(job_id)
        elif text(job.lifecycle) in ENDED_LIFECYCLES:
            self._take_ended(job_id, job, timestamp(job.last_update) or known.updated, full=True)
        else:
            self._take_open(job_id, job, timestamp(job.last_update) or known.updated)

    def fail_result(self, job_id: str) -> None:
        """Record that a job could not be fetched in full; after the third time, give up its result."""
        known = self._own_job(job_id)
        if known is None:
            return
        known.attempts += 1
        if known.attempts >= _ATTEMPTS and known.presence is not Presence.MISSING:
            self._give_up(known)

    def count_executions(self, run_key: RunKey, executions: int, *, new: bool) -> None:
        """Compare TheEye's own count of a task's executions with the jobs that were seen.

        Args:
            run_key: the task.
            executions: TheEye's count, read before the jobs were listed.
            new: whether the task was created after counting began.
        """
        totals = self._runs.known(run_key) or RunTotals()
        before = totals.executions_before
        if before is None:
            # The count is older than the last jobs seen: it is better to miss some runs than to report too many.
            before = 0 if new else executions
        unseen = executions - before - totals.jobs_seen
        if totals.executions_before is None or unseen > totals.unseen:
            own = self._runs.totals(run_key)
            own.executions_before = before
            own.unseen = max(own.unseen, unseen)

    def _take_ended(self, job_id: str, job: Job, updated: float, *, full: bool) -> None:
        """Record a job that has ended; `full` says whether it includes its result, if there is one."""
        known = self._own_job(job_id)
        if known is None:
            # A job that ended before the last list of all jobs, and was not in it, may have been counted before it was
            # hidden: the jobs that a token sees can change.
            before = self._first or self._may_be_counted(job_id, updated)
            if before:
                self._uncounted.add(job_id)
            known = self._add(job_id, job, updated, before=before)
        elif known.has_ended and not self._is_further_run(known, job, full=full):
            known.updated = updated
            if full:
                # If the first result was never read, there is nothing to compare; an edit is more likely.
                wanted = known.result is ResultOf.WANTED
                known.presence, known.attempts = Presence.ENDED, 0
                if known.result is not ResultOf.READ:
                    self._runs.read_result(job_id, job, known, observe=wanted)
            elif has_times(job):
                known.presence = Presence.CHANGED
            # Otherwise there is nothing to compare, and it was never seen open again: assume an edit.
            return
        self._give_up(known)
        self._runs.record(job_id, job, known, updated, counted=job_id not in self._uncounted)
        if full:
            self._runs.read_result(job_id, job, known, observe=True)

    def _is_further_run(self, known: KnownJob, job: Job, *, full: bool) -> bool:
        """Whether an ended job that now has another `last_update` was run again in the meantime."""
        can_compare = full and known.result is ResultOf.READ
        other_result = can_compare and result_of(job) != (known.duration, known.exit_code)
        return other_result or self._runs.outcome(job) is not known.outcome

    def _take_open(self, job_id: str, job: Job, updated: float) -> None:
        damaged = job_id in self._state.jobs
        known = self._own_job(job_id) or self._add(job_id, job, updated, before=self._first or damaged)
        self._give_up(known)  # if it was restarted before the result was read
        known.result = ResultOf.NONE
        shown = known.presence is not Presence.MISSING or text(job.lifecycle) in OPEN_LIFECYCLES
        known.presence = Presence.OPEN if shown else Presence.UNLISTED
        known.updated = updated

    def _take_deletion(self, job_id: str, known: KnownJob) -> None:
        if known.presence is not Presence.MISSING:
            self._give_up(known)
            return
        if not known.runs and known.counted:
            self._runs.totals(known.run_key).jobs_seen -= 1  # it may have run, but no poll saw it
        self.changes.jobs[job_id] = None

    def _may_be_counted(self, job_id: str, updated: float) -> bool:
        """Whether an unknown job may have been counted already, before it was hidden or its row was damaged."""
        until = self._state.cursor.damaged_until
        lost = job_id in self._state.jobs or (until is not None and updated <= until)
        return lost or updated < self._hidden_before

    def _give_up(self, known: KnownJob) -> None:
        """Stop waiting for what is still unknown: the result, and whether a change was a run."""
        if known.result is ResultOf.WANTED:
            self.without_result += known.counted
            known.result = ResultOf.NONE
        if known.presence is Presence.CHANGED:
            known.presence = Presence.ENDED
        known.attempts = 0

    def _add(self, job_id: str, job: Job, updated: float, *, before: bool) -> KnownJob:
        known = KnownJob(
            run_key=run_key_of(job),
            name=name_of(job),
            updated=updated,
            presence=Presence.OPEN,
            result=ResultOf.NONE,
            counted=not before,
            created=timestamp(job.creation_date),
        )
        self.changes.jobs[job_id] = known
        if not before:
            self._runs.totals(known.run_key).jobs_seen += 1
        return known

    def _want_results_of_last_runs(self) -> None:
        """Request the result of each task's last uncounted run: of the uncounted runs, only that one is shown."""
        lasts = {totals.last.job_id for totals in self.changes.totals.values() if totals and totals.last}
        for job_id in self._uncounted - lasts:
            known = self.changes.jobs[job_id]
            if known is not None and known.result is ResultOf.WANTED:
                known.result = ResultOf.NONE

    def _look_for_missing(self, poll: Poll) -> None:
        listed = {job.id for job in poll.changed} | {job.id for job in poll.open_jobs}
        for job_id in self._state.open - listed:
            known = self._own_job(job_id)
            if known is not None:
                known.presence = Presence.MISSING
        if poll.complete and poll.changed:  # an empty list can hide an error
            horizon = everything_listed_until(self.changes.cursor, poll.date)
            for job_id in self._state.jobs.keys() - listed - self._state.open:
                known = self._state.jobs[job_id]
                # Ids are never reused, but a hidden job can come back: by then it must be too old to count.
                if known.updated < horizon:
                    self.without_result += known.result is ResultOf.WANTED and known.counted
                    self.changes.jobs[job_id] = None

    def _advance(self, newest: float, poll: Poll) -> None:
        cursor, date = self.changes.cursor, poll.date
        reached = max(newest, cursor.updated or 0.0)
        # A job from the future, or a clock that was set back, must not hide the changes until then.
        cursor.updated = reached if date is None else min(reached, date)
        if cursor.began is None:
            cursor.began = (cursor.updated or None) if date is None else date
        if poll.changed and (poll.complete or self._first):
            cursor.listed = cursor.updated
            cursor.damaged_until = None
        elif date is not None and not (poll.changed or self._state.jobs):
            cursor.listed = date  # with no jobs at all, everything is listed
        elif date is not None and cursor.listed is not None:
            cursor.listed = min(cursor.listed, date)

    def _job(self, job_id: str) -> KnownJob | None:
        if job_id in self.changes.jobs:
            return self.changes.jobs[job_id]
        return self._state.jobs.get(job_id)

    def _own_job(self, job_id: str) -> KnownJob | None:
        """Return a copy of the job that this update may change."""
        if job_id not in self.changes.jobs:
            known = self._state.jobs.get(job_id)
            if known is None or known.presence is Presence.DAMAGED:
                return None
            self.changes.jobs[job_id] = copy.copy(known)
        return self.changes.jobs[job_id]
