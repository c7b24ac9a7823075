"""Carries out starts: reads the target, sends the request, looks for the run if the answer was lost, follows the run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from theeye_exporter.actions.rows import (
    Before,
    ByArguments,
    Look,
    Own,
    Phase,
    Row,
    Target,
    Timing,
    answered,
    begun,
    candidates,
    followed,
    looked,
    unanswered,
)
from theeye_exporter.actions.store import Store
from theeye_exporter.theeye.creations import Creation
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.run_models import RunJob
from theeye_exporter.theeye.starting import MOST_IDS

__all__ = ["Starter", "Upstream"]


class Upstream(Protocol):
    """TheEye, as starts need it; every method but `create` raises `UpstreamError`."""

    can_look: bool
    """Whether jobs can be listed; not without a token."""

    def before(self, target: Target) -> Before | None:
        """Return the record of a task before the request; None if it is gone, or does not belong to the organisation."""

    def token_mark(self) -> str:
        """Return the mark of the token that starts are sent with now; empty without a token."""

    def create(self, target: Target, arguments: Sequence[tuple[int, Any]], token_mark: str) -> Creation:
        """Send the request."""

    def look(self, target: Target, before: Before) -> Look:
        """Return the count of the task, and then its jobs since."""

    def runs(self, job_ids: Sequence[str]) -> Mapping[str, RunJob]:
        """Return the jobs that TheEye lists."""

    def run(self, job_id: str) -> RunJob | None:
        """Return a job in full; None if TheEye has deleted it."""


class Starter:
    """Moves rows to their next phase. A row has at most one run, even if the process ends between two steps.

    Args:
        upstream: TheEye.
        store: Keeps the rows.
        wall: Unix time.
        timing: How patient to be.
        leaves: Whether to leave the next rows for later.
        by_arguments: Whether a run counts as ours by its arguments while our user is unknown.
    """

    def __init__(  # noqa: PLR0913 - what it needs from outside is passed in
        self,
        upstream: Upstream,
        store: Store,
        wall: Callable[[], float],
        timing: Timing,
        leaves: Callable[[], bool] = lambda: False,
        *,
        by_arguments: ByArguments = ByArguments.IF_SENT,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._wall = wall
        self._timing = timing
        self._leaves = leaves
        self._by_arguments = by_arguments

    def work(self) -> None:
        """Do once what is due for each open row, in the order in which they wait."""
        for row in self._store.open_rows():
            self.advance(row)
        self.follow(self._store.open_rows())

    def is_due(self, row: Row) -> bool:
        """Whether `advance` has something to do."""
        now, timing = self._wall(), self._timing
        # A time that lies further ahead than the longest pause was saved before the clock was set back, and does not count.
        if row.phase is Phase.DECIDED:
            return not now < row.not_before <= now + timing.retry
        return row.phase is Phase.SENDING and not now < row.next_look <= now + max(timing.looks)

    def advance(self, row: Row) -> Row:
        """Send what is decided, or look for what was sent, if it is due; return the row."""
        if not self.is_due(row):
            return row
        return self._send(row, self._wall()) if row.phase is Phase.DECIDED else self._look(row)

    def follow(self, rows: Iterable[Row]) -> None:
        """Read the jobs of those rows that are open runs, and save how they ended; a run ends whether we look or not."""
        open_rows = {row.job_id: row for row in rows if row.phase is Phase.STARTED}
        ids = list(open_rows)
        for start in range(0, len(ids), MOST_IDS):
            some = ids[start : start + MOST_IDS]
            with suppress(UpstreamError):
                listed = self._upstream.runs(some)
                for job_id in some:
                    if self._leaves():
                        return
                    self.follow_one(open_rows[job_id], listed.get(job_id))

    def follow_one(self, row: Row, job: RunJob | None = None) -> Row:
        """Save what a job shows; one that is missing in the list is read itself, and if that fails, nothing is saved."""
        with suppress(UpstreamError):
            job = job or self._upstream.run(row.job_id)
            return self._save(followed(row, job, self._wall()))
        return row

    def _send(self, row: Row, now: float) -> Row:
        busy = (other for other in self._store.open_rows() if other.phase is Phase.SENDING)
        if any(other.target.task_id == row.target.task_id for other in busy):
            return row
        try:
            before = self._upstream.before(row.target)
            token_mark = "" if row.by_secret else self._upstream.token_mark()
        except UpstreamError as error:
            return self._save(replace(row, not_before=now + self._timing.retry, why=error.detail))
        if before is None:
            gone = f"the organisation has no such {row.target.kind}"
            return self._save(replace(row, phase=Phase.REFUSED, why=gone, ended_at=now))
        row = begun(row, before, token_mark, self._wall())
        if not self._store.begin(row):
            return replace(row, phase=Phase.DECIDED)
        creation = self._upstream.create(row.target, row.arguments, token_mark)
        if token_mark and creation.job is not None and (user_id := text(creation.job.user_id)):
            self._store.learn_user_id(token_mark, user_id)
        return self._save(answered(row, creation, self._wall(), self._timing, can_look=self._upstream.can_look))

    def _look(self, row: Row) -> Row:
        before = row.before or Before(None, None, 0)
        try:
            look = self._upstream.look(row.target, before)
            known = self._store.known_jobs(row.target.task_id)
            own = Own(known, self._store.user_id(row.token_mark), self._by_arguments)
            if own.user_id is None or row.by_secret:
                look = self._in_full(look, candidates(row, look, own))
        except UpstreamError as error:
            return self._save(unanswered(row, error.detail, self._wall(), self._timing))
        return self._save(looked(row, look, own, self._wall(), self._timing))

    def _in_full(self, look: Look, fresh: Sequence[RunJob]) -> Look:
        """Read a single fresh job itself: lists do not show arguments."""
        if len(fresh) != 1:
            return look
        full = self._upstream.run(fresh[0].id)
        return replace(look, jobs=[full if job is fresh[0] and full is not None else job for job in look.jobs])

    def _save(self, row: Row) -> Row:
        self._store.save(row)
        return row
