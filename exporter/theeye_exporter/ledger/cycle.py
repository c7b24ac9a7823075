"""What one poll means for an organisation's ledger, worked out beside it."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.ledger.doubts import CLOCK_TOLERANCE, everything_listed_until
from theeye_exporter.ledger.reading import ABSURD, has_times, owner_of, result_of
from theeye_exporter.ledger.records import Account, Bounds, Histogram, KnownJob, LastRun, Owner, OwnerKind
from theeye_exporter.ledger.storage import Changes, State
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.models import Job, JobResult, text, timestamp

__all__ = ["Cycle", "Poll"]

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What TheEye listed.

    Attributes:
        changed: jobs that changed since the cursor, or all jobs.
        open_jobs: jobs that had not ended, listed after `changed`.
        date: TheEye's time, if known.
        complete: whether `changed` are all jobs that exist.
    """

    changed: Sequence[Job]
    open_jobs: Sequence[Job]
    date: float | None
    complete: bool


class Cycle:
    """A poll that is worked out but not taken over; see `Book.cycle`.

    Attributes:
        changes: what taking it over changes.
        impossible: durations that were negative, and are not observed.
        without_result: runs that are counted without a run time, because their result is gone or not to be had.
        unknown: lifecycle and state of runs whose outcome is not understood.
    """

    def __init__(self, state: State, bounds: Bounds, poll: Poll) -> None:
        self._state = state
        self._bounds = bounds
        self._first = state.cursor.updated is None
        self.changes = Changes(copy.copy(state.cursor))
        self.impossible = 0
        self.without_result = 0
        self.unknown: set[tuple[str, str]] = set()
        self._latest = float("inf") if poll.date is None else poll.date + CLOCK_TOLERANCE
        self._hidden_before = everything_listed_until(state.cursor, poll.date)
        self._uncounted: set[str] = set()
        newest = 0.0
        by_change = sorted((timestamp(job.last_update) or 0.0, position) for position, job in enumerate(poll.changed))
        for updated, position in by_change:
            job = poll.changed[position]
            newest = max(newest, updated)
            lifecycle = text(job.lifecycle)
            if lifecycle in ENDED_LIFECYCLES and updated:
                self._take_ended(job, updated)
            elif lifecycle not in ENDED_LIFECYCLES and (lifecycle or self._job(job.id) is None):
                # Without a lifecycle it may have ended as well, so that it was not restarted for that.
                self._take_open(job.id, job, updated)
        for job in poll.open_jobs:
            self._take_open(job.id, job, timestamp(job.last_update) or 0.0)
        self._want_results_of_last_runs()
        self._advance(newest, poll)
        self._look_for_missing(poll)

    def wanted(self) -> list[str]:
        """Return the jobs whose full form is needed: last runs first, then the oldest, which TheEye deletes first.

        What could not be had before comes after all of these, so that it does not use up their time again and again.
        """
        candidates = self._state.unclear | self.changes.jobs.keys()
        jobs = [
            (job_id, job) for job_id in candidates if (job := self._job(job_id)) is not None and job.needs_attention
        ]

        def rank(entry: tuple[str, KnownJob]) -> tuple[bool, bool, float]:
            job_id, job = entry
            account = self.changes.accounts.get(job.owner) or self._state.accounts.get(job.owner)
            is_last = account is not None and account.last is not None and account.last.job_id == job_id
            return job.attempts > 0, not is_last, job.updated

        return [job_id for job_id, _ in sorted(jobs, key=rank)]

    def take_result(self, job_id: str, job: Job | None) -> None:
        """Take in a job in full, None if TheEye has deleted it."""
        known = self._own_job(job_id)
        if known is None:
            return
        if known.missing:
            self._take_missing(job_id, known, job)
        elif job is None:
            self._give_up(known)
        elif not text(job.lifecycle):
            self.fail_result(job_id)
        elif text(job.lifecycle) not in ENDED_LIFECYCLES:
            self._take_open(job_id, job, timestamp(job.last_update) or known.updated)
        else:
            self._take_change(job_id, job, known, timestamp(job.last_update) or known.updated, full=True)

    def fail_result(self, job_id: str) -> None:
        """Take note that a job in full could not be fetched; after the third time its result is given up."""
        known = self._own_job(job_id)
        if known is None:
            return
        known.attempts += 1
        if known.attempts >= _ATTEMPTS and not known.missing:
            self._give_up(known)

    def count_executions(self, owner: Owner, executions: int, *, new: bool) -> None:
        """Compare TheEye's own count of an owner's executions with the jobs that were seen.

        Args:
            owner: the task.
            executions: the count, read before the jobs were listed.
            new: whether the owner was created after counting began.
        """
        account = self.changes.accounts.get(owner) or self._state.accounts.get(owner) or Account()
        before = account.executions_before
        if before is None:
            # The count is older than the jobs seen last: better to miss some than to claim too many.
            before = 0 if new else executions
        unseen = executions - before - account.jobs_seen
        if account.executions_before is None or unseen > account.unseen:
            own = self._account(owner)
            own.executions_before = before
            own.unseen = max(own.unseen, unseen)

    def _take_ended(self, job: Job, updated: float) -> None:
        known = self._own_job(job.id)
        full = isinstance(job.result, JobResult)
        if known is None:
            # Of what ended before the last list of all jobs and was not in it, nobody knows whether it was counted
            # before it was hidden: whom a token shows which jobs can change.
            hidden = updated < self._hidden_before
            known = self._add(job.id, job, updated, before=self._first or hidden)
            if known.before:
                self._uncounted.add(job.id)
            self._record(job.id, job, known, updated, full=full)
        elif known.open or not known.runs:
            self._record(job.id, job, known, updated, full=full)
        elif updated != known.updated:
            self._take_change(job.id, job, known, updated, full=full)

    def _take_change(self, job_id: str, job: Job, known: KnownJob, updated: float, *, full: bool) -> None:
        """Decide whether a finished job was run again or edited: another outcome or result is another run.

        Args:
            job_id: its id.
            job: the job, which still or again has ended.
            known: what is known of it.
            updated: its `last_update`.
            full: whether it has its result, if there is one.
        """
        other_result = full and known.result_known and result_of(job) != (known.duration, known.exit_code)
        if self._outcome(job) is not known.outcome or other_result:
            self._give_up(known)
            self._record(job_id, job, known, updated, full=full)
            return
        known.updated = updated
        if full:
            # If the first result was never read, there is nothing to compare; edits are the more likely ones.
            wanted = known.wants_result
            known.suspect, known.attempts = False, 0
            if not known.result_known:
                self._take_first_result(job_id, known, job, observe=wanted)
        elif has_times(job):
            known.suspect = True
        # Otherwise there is nothing to compare, and it was never seen open again: an edit.

    def _take_open(self, job_id: str, job: Job, updated: float) -> None:
        known = self._own_job(job_id) or self._add(job_id, job, updated, before=self._first)
        self._give_up(known)  # if it was restarted before the result was read
        known.open, known.updated, known.missing = True, updated, False

    def _take_missing(self, job_id: str, known: KnownJob, job: Job | None) -> None:
        """Look at an open job that is listed no more: it ended where the changes did not show it, or is deleted."""
        known.missing = False
        if job is None:
            if not known.runs and not known.before:
                self._account(known.owner).jobs_seen -= 1  # it may have run, but nobody saw it
            self.changes.jobs[job_id] = None
            return
        updated = timestamp(job.last_update)
        if text(job.lifecycle) in ENDED_LIFECYCLES and updated is not None:
            self._record(job_id, job, known, updated, full=True)
        elif text(job.lifecycle) not in OPEN_LIFECYCLES:
            known.open = False  # the lists of open jobs never show what nobody knows

    def _give_up(self, known: KnownJob) -> None:
        """Do without what is not known yet: a result, and whether a change was a run."""
        self.without_result += known.wants_result and known.counted
        known.wants_result, known.suspect, known.attempts = False, False, 0

    def _add(self, job_id: str, job: Job, updated: float, *, before: bool) -> KnownJob:
        owner = owner_of(job)
        known = KnownJob(owner, text(job.name), updated, timestamp(job.creation_date))
        self.changes.jobs[job_id] = known
        known.before = before
        if not before:
            self._account(owner).jobs_seen += 1
        return known

    def _record(self, job_id: str, job: Job, known: KnownJob, updated: float, *, full: bool) -> None:
        """Record a run that has ended."""
        outcome = self._outcome(job)
        known.open, known.missing, known.suspect, known.attempts = False, False, False, 0
        known.runs += 1
        known.updated = known.finished = updated
        known.outcome = outcome
        known.counted = job_id not in self._uncounted
        known.duration, known.exit_code, known.result_known = None, None, False
        never_started = text(job.lifecycle) == "canceled"
        known.wants_result = has_times(job) and not never_started
        account = self._account(known.owner)
        # A restart keeps the creation time of the first run, and nobody records when it was started again.
        turnaround = updated - known.created if known.created is not None and known.runs == 1 else None
        if updated > self._latest or (turnaround is not None and turnaround < 0):
            self.impossible += 1
            turnaround = None
        if updated <= self._latest:  # otherwise it is counted, but has no time that could be shown
            if outcome is Outcome.SUCCESS:
                account.last_success = max(updated, account.last_success or 0)
            if account.last is None or updated >= account.last.finished:
                account.last = LastRun(job_id, text(job.name), updated, outcome, turnaround)
        if known.counted:
            account.runs[outcome] = account.runs.get(outcome, 0) + 1
            if turnaround is not None and (bounds := self._turnaround_bounds(known.owner)) is not None:
                account.turnaround = account.turnaround or Histogram.empty(bounds)
                account.turnaround.observe(turnaround, job_id, updated)
        if full:
            self._take_first_result(job_id, known, job)

    def _take_first_result(self, job_id: str, known: KnownJob, job: Job, *, observe: bool = True) -> None:
        """Take run time and exit code of the recorded run from its job in full."""
        known.wants_result, known.result_known = False, True
        known.duration, known.exit_code = result_of(job)
        duration = known.duration
        if duration is not None and not 0 <= duration < ABSURD:
            self.impossible += 1
            duration = None
        account = self._account(known.owner)
        if account.last is not None and (account.last.job_id, account.last.finished) == (job_id, known.finished):
            account.last.duration, account.last.exit_code = duration, known.exit_code
        bounds = self._bounds.duration if known.owner.kind is OwnerKind.TASK else None
        if known.counted and observe and duration is not None and bounds is not None:
            account.duration = account.duration or Histogram.empty(bounds)
            account.duration.observe(duration, job_id, known.finished)

    def _want_results_of_last_runs(self) -> None:
        """Of the runs that are not counted, only each owner's last one is shown, and needs its result."""
        lasts = {account.last.job_id for account in self.changes.accounts.values() if account and account.last}
        for job_id in self._uncounted - lasts:
            known = self.changes.jobs[job_id]
            if known is not None:
                known.wants_result = False

    def _look_for_missing(self, poll: Poll) -> None:
        listed = {job.id for job in poll.changed} | {job.id for job in poll.open_jobs}
        for job_id in self._state.open - listed:
            known = self._own_job(job_id)
            if known is not None:
                known.missing = True
        if poll.complete and poll.changed:  # an empty list may be a hidden error
            horizon = everything_listed_until(self.changes.cursor, poll.date)
            for job_id in self._state.jobs.keys() - listed - self._state.open:
                known = self._state.jobs[job_id]
                # Ids are never used again, but what was hidden only comes back: by then it must be too old to count.
                if known.updated < horizon:
                    self.without_result += known.wants_result and known.counted
                    self.changes.jobs[job_id] = None

    def _advance(self, newest: float, poll: Poll) -> None:
        cursor, date = self.changes.cursor, poll.date
        reached = max(newest, cursor.updated or 0.0)
        # A job dated in the future, or a clock that was set back, must not hide what changes until then.
        cursor.updated = reached if date is None else min(reached, date)
        if cursor.began is None:
            cursor.began = (cursor.updated or None) if date is None else date
        if poll.changed and (poll.complete or self._first):
            cursor.listed = cursor.updated
        elif date is not None and not (poll.changed or self._state.jobs):
            cursor.listed = date  # where there is nothing, that is all there is
        elif date is not None and cursor.listed is not None:
            cursor.listed = min(cursor.listed, date)

    def _turnaround_bounds(self, owner: Owner) -> tuple[float, ...] | None:
        match owner.kind:
            case OwnerKind.TASK:
                return self._bounds.turnaround
            case OwnerKind.WORKFLOW:
                return self._bounds.workflow_turnaround
            case OwnerKind.OTHER:
                return None

    def _outcome(self, job: Job) -> Outcome:
        lifecycle, state = text(job.lifecycle), text(job.state)
        outcome = outcome_of(lifecycle, state)
        if outcome is Outcome.UNKNOWN:
            self.unknown.add((lifecycle, state))
        return outcome

    def _job(self, job_id: str) -> KnownJob | None:
        if job_id in self.changes.jobs:
            return self.changes.jobs[job_id]
        return self._state.jobs.get(job_id)

    def _own_job(self, job_id: str) -> KnownJob | None:
        """Return a job that may be changed."""
        if job_id not in self.changes.jobs:
            known = self._state.jobs.get(job_id)
            if known is None:
                return None
            self.changes.jobs[job_id] = copy.copy(known)
        return self.changes.jobs[job_id]

    def _account(self, owner: Owner) -> Account:
        """Return an account that may be changed."""
        account = self.changes.accounts.get(owner)
        if account is None:
            account = copy.deepcopy(self._state.accounts.get(owner)) or Account()
            self.changes.accounts[owner] = account
        return account
