"""Starts a task at an interval and measures its runs, to show whether TheEye runs tasks, and how fast."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

import structlog

from theeye_exporter.actions.canary_state import CanaryPlan, CanaryState, OpenRun, Phases, phases_of
from theeye_exporter.actions.cancelling import Cancelling
from theeye_exporter.actions.rows import Phase, Row, Target, sent_arguments
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.store import MemoryStore
from theeye_exporter.actions.targets import TargetError
from theeye_exporter.clocks import Clocks
from theeye_exporter.ledger.failures import LedgerError
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.fields import timestamp
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, Outcome
from theeye_exporter.theeye.run_models import RunJob

__all__ = ["Canary", "CanaryUpstream", "Found", "canary_of"]

_CANCEL_FOR: Final = 60.0
"""For so many seconds TheEye is asked to cancel a run; the next start finds it again if it goes on."""

_LOOK_BACK: Final = 86_400.0
"""How old a run of an earlier process can be, in seconds, to be found again."""

_RETRY: Final = 5.0

_OWN: Final = "canary:"
"""The ids of its rows begin so; those of actions have no colon."""

_log: Final = structlog.get_logger(__name__)

Found = tuple[Target, tuple[tuple[int, Any], ...]]
"""What is started, and the order and the value of each argument."""


class CanaryUpstream(Protocol):
    """TheEye, as a canary needs it; each method raises `UpstreamError`."""

    by_secret: bool
    """Whether it starts with a secret key; TheEye then knows no user."""

    def token_mark(self) -> str:
        """Return the mark of the token that starts are sent with now; empty without a token."""

    def run(self, job_id: str) -> RunJob | None:
        """Return a job in full; None if TheEye has deleted it."""

    def open_runs(self, target: Target, since: float) -> Sequence[RunJob]:
        """Return the runs of a target that were created after a Unix time and have not ended."""

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job."""


class Canary:
    """Has at most one open run, and starts at most one in an interval. Use it from one thread at a time.

    Args:
        plan: What it does.
        find: Returns what it starts; raises `TargetError` or `UpstreamError`.
        starter: Carries out its starts.
        store: Keeps its rows.
        upstream: TheEye.
        clocks: The clocks to use.
        delay: Seconds until its first start.

    Attributes:
        plan: What it does.
        state: What is known about it.
        since: Unix time from which it exists.
        retired: Whether it starts nothing more, and only follows what it has started.
    """

    def __init__(  # noqa: PLR0913 - what it needs from outside is passed in
        self,
        plan: CanaryPlan,
        *,
        find: Callable[[], Found],
        starter: Starter,
        store: MemoryStore,
        upstream: CanaryUpstream,
        clocks: Clocks,
        delay: float = 0.0,
    ) -> None:
        self.plan = plan
        self.retired = False
        self.state = CanaryState()
        self.since = clocks.wall()
        self._find = find
        self._starter = starter
        self._store = store
        self._upstream = upstream
        self._wall = clocks.wall
        self._monotonic = clocks.monotonic
        self._next = clocks.monotonic() + delay
        self._number = 0
        self._found: Found | None = None
        self._looked_back = False
        self._left = ""
        """The last run, if it may go on although its timeout is over."""
        self._open: OpenRun | None = None

    @property
    def open_since(self) -> float | None:
        """When the open run was decided; None without one."""
        return None if self._open is None else self._open.decided_at

    @property
    def job_id(self) -> str:
        """The job of the open run, if it is started; empty otherwise."""
        row = None if self._open is None else self._open.row
        return row.job_id if row is not None and row.phase is Phase.STARTED else ""

    @property
    def phase(self) -> str:
        """How far the open run is, in a word for people; empty without one."""
        if self._open is None:
            return ""
        row = self._open.row
        return "preparing" if row is None else row.lifecycle or str(row.phase)

    @property
    def is_answered(self) -> bool:
        """Whether TheEye has answered anything, or a run has ended."""
        return self._found is not None or self.state.success is not None

    @property
    def is_due(self) -> bool:
        """Whether `work` has something to do without a list of jobs."""
        now, run = self._monotonic(), self._open
        if run is None:
            return now >= self._next and not self.retired
        if now - run.began >= self.plan.timeout:
            return run.cancelling is None or run.cancelling.is_due
        return now >= run.not_before if run.row is None else self._starter.is_due(run.row)

    def replace(self, other: "Canary") -> None:
        """Take the place of another canary, with its counts and its open run."""
        self.state, self.since = other.state, other.since
        self._open, self._looked_back, self._left = other._open, other._looked_back, other._left  # noqa: SLF001
        self._number = other._number  # noqa: SLF001
        self._next = min(other._next, self._monotonic() + self.plan.interval)  # noqa: SLF001
        if self._open is not None:
            self._open.inherited = True

    def resume(self) -> None:
        """Go on with what an earlier process has started, if that was written down."""
        over = [row.id for row in self._store.over_rows() if canary_of(row) == self.plan.name]
        with suppress(LedgerError):  # the next process can do it too
            if over:
                self._store.settle(over)  # their ends were counted by the process before this one, or by nobody
        for row in self._store.open_rows():
            if canary_of(row) == self.plan.name:
                self._number = int(row.id.rpartition("/")[2])
                began = self._monotonic() - max(0.0, self._wall() - row.queued_at)
                self._open = OpenRun(row.queued_at, began, row=row, found_again=True, inherited=True)
                self._next = max(self._next, began + self.plan.interval)
                _log.info("an earlier run is still open", **self._labels, job=row.job_id)

    def work(self, listed: Mapping[str, RunJob] | None = None) -> None:
        """Do what is due.

        Args:
            listed: The jobs of open runs that TheEye has just listed, by id; None if nobody has asked.
        """
        now = self._monotonic()
        if self._open is None and now >= self._next and not self.retired:
            # Starts that were due meanwhile are left out, not made up for.
            following = self._next + self.plan.interval
            self._next = following if following > now else now + self.plan.interval
            self._open = OpenRun(self._wall(), now)
        run = self._open
        if run is None:
            return
        if run.row is not None:  # the store has a newer one if a step saved it, and then the disk was full
            run.row = self._store.row(run.row.id) or run.row
        if run.inherited and not self.retired and run.row is not None and run.row.phase is Phase.DECIDED:
            # By now, the configuration may name another task or another secret key.
            self._store.settle([run.row.id])
            run.row, run.inherited = None, False
        if self.retired and (run.row is None or run.row.phase is Phase.DECIDED):
            self._forget(run)
        if self._open is run and run.row is None and now >= run.not_before:
            self._prepare(run, now)
        if self._open is run and run.row is not None:
            self._advance(run, run.row, listed)
        if self._open is run and self._monotonic() - run.began >= self.plan.timeout:
            self._overdue(run)

    def _prepare(self, run: OpenRun, now: float) -> None:
        """Find out what to start, and whether a run of an earlier process is still open."""
        try:
            target, arguments = self._found = self._found or self._find()
            job = self._left_open(target, arguments)
        except TargetError as error:
            self._end(run, "refused", str(error))
            return
        except UpstreamError as error:
            run.why, run.not_before = error.detail, now + _RETRY
            return
        self._left = ""
        self._number += 1
        run.row = Row(
            id=f"{_OWN}{self.plan.name}/{self._number}",
            target=target,
            arguments=arguments,
            by_secret=self._upstream.by_secret,
            timeout=self.plan.timeout,
            queued_at=run.decided_at,
        )
        if job is not None:
            age = max(0.0, self._wall() - (timestamp(job.creation_date) or self._wall()))
            run.decided_at, run.began = self._wall() - age, now - age
            run.row = replace(run.row, phase=Phase.STARTED, job_id=job.id, queued_at=run.decided_at)
            run.found_again = True
            _log.info("an earlier run is still open", **self._labels, job=job.id)
        self._store.save(run.row)

    def _left_open(self, target: Target, arguments: Sequence[tuple[int, Any]]) -> RunJob | None:
        """Return a run that must end before the next one starts; one of an earlier process is known by user and arguments."""
        if self._left:
            job = self._upstream.run(self._left)
            if job is not None and job.lifecycle not in ENDED_LIFECYCLES:
                return job
        user_id = None if self._upstream.by_secret else self._store.user_id(self._upstream.token_mark())
        if self._looked_back or user_id is None:  # it may be a run of anybody
            return None
        followed = {row.job_id for row in self._store.open_rows()}
        jobs = self._upstream.open_runs(target, self._wall() - _LOOK_BACK)
        jobs = [job for job in jobs if job.id not in followed and job.origin == "user" and job.user_id == user_id]
        self._looked_back = True
        read = (self._upstream.run(job.id) for job in jobs)
        return next((job for job in read if job is not None and sent_arguments(job, arguments)), None)

    def _advance(self, run: OpenRun, row: Row, listed: Mapping[str, RunJob] | None) -> None:
        if row.phase is not Phase.STARTED:
            row = self._starter.advance(row)
        elif listed is not None:
            row = self._starter.follow_one(row, listed.get(row.job_id))
        run.row = row
        if run.submitted_at is None and row.phase not in {Phase.DECIDED, Phase.SENDING}:
            run.submitted_at = self._monotonic()
        if row.phase.over:
            self._end(run, str(row.outcome or row.phase), row.why)
            if row.phase is Phase.REFUSED:
                self._found = None  # it may have another id by now

    def _overdue(self, run: OpenRun) -> None:
        row = run.row
        if row is None or row.phase is Phase.DECIDED:
            self._end(
                run,
                "refused",
                (row.why if row is not None else run.why) or "the start had to wait for longer than the timeout",
            )
        elif row.phase is Phase.SENDING:
            self._looked_back = False  # it may still turn up
            self._end(run, "lost", row.why)
        else:
            cancel = partial(self._upstream.cancel, row.job_id)
            cancelling = run.cancelling = run.cancelling or Cancelling(cancel, self._monotonic, _CANCEL_FOR)
            cancelling.work()
            if why := cancelling.failed:
                self._left = row.job_id
                self._end(run, str(Outcome.TIMEOUT), why)

    def _end(self, run: OpenRun, outcome: str, why: str) -> None:
        now = self._wall()
        if run.cancelling is not None and outcome in {Outcome.CANCELED, Outcome.UNKNOWN}:
            outcome, why = (
                str(Outcome.TIMEOUT),
                f"the run had not ended after {self.plan.timeout:.0f} s, and was cancelled",
            )
        succeeded = outcome == Outcome.SUCCESS
        phases = self._phases(run) if succeeded else None  # takes a request, and the rest must show at once
        self._forget(run)  # before it is counted: if the disk is full, it ends again
        state, was = self.state, self.state.success
        state.runs[outcome] += 1
        state.last_run_at = now
        if succeeded:
            state.last_success_at = now
            state.measured(phases)
        state.why = "" if succeeded else why or outcome
        state.success = succeeded
        if not succeeded:
            _log.warning("canary failed", **self._labels, outcome=outcome, why=state.why, **_where(run.row))
        elif was is False:
            _log.info("canary works again", **self._labels)

    def _forget(self, run: OpenRun) -> None:
        if run.row is not None:
            self._store.settle([run.row.id])
        self._open = None

    @property
    def _labels(self) -> dict[str, str]:
        return {"organization": self.plan.organization, "canary": self.plan.name}

    def _phases(self, run: OpenRun) -> Phases | None:
        if run.row is None or run.submitted_at is None or run.found_again:
            return None
        try:
            job = self._upstream.run(run.row.job_id)
        except UpstreamError:
            return None
        return None if job is None else phases_of(job, run.submitted_at - run.began)


def canary_of(row: Row) -> str | None:
    """Return the name of the canary whose start it is; None if it is that of an alert."""
    name = row.id.rpartition("/")[0]
    return name.removeprefix(_OWN) if name.startswith(_OWN) else None


def _where(row: Row | None) -> dict[str, str]:
    """Return what to look at in TheEye, for the log."""
    if row is None:
        return {}
    job = {"job": row.job_id} if row.job_id else {}
    return {row.target.kind: row.target.id, **job}
