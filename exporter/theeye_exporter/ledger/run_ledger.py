"""An organisation's ledger: it counts each finished run once, although the lists of jobs do not show runs.

A list has no results. A restart reuses the job's id. An edit of a finished job looks like a new end: it changes
`last_update`, which is the only end time. TheEye deletes old jobs whenever it creates one. So the ledger remembers the
id of every job that TheEye may still have. The changes of a poll are worked out separately and applied as a whole.
"""

import copy
import threading
from collections.abc import Callable, Mapping

import msgspec

from theeye_exporter.ledger.records import Bounds, Histogram, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.rows import Damage
from theeye_exporter.ledger.state import Changes, State
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.ledger.update import LedgerUpdate, Poll

__all__ = ["RunLedger"]


class RunLedger:
    """Keeps an organisation's ledger in memory and, with a storage, on disk.

    A histogram whose buckets differ from `bounds` is dropped, on disk with the next poll: its observations cannot be
    sorted into other buckets, and if it came back later with its old buckets, all of them would look new.

    Args:
        organization: the organisation's name.
        storage: keeps the ledger over a restart; None to keep it in memory only.
        bounds: bucket bounds of the histograms.

    Raises:
        LedgerError: the storage cannot be read.
    """

    def __init__(self, organization: str, storage: Storage | None, bounds: Bounds) -> None:
        self._organization = organization
        self._storage = storage
        self._bounds = bounds
        self._lock = threading.Lock()
        self._closed = False
        self._unwritten: set[RunKey] = set()
        self.healthy: bool = True
        """Whether the last poll was saved."""
        self._state = storage.load(organization) if storage is not None else State()
        self.damage: Damage = storage.damage_of(organization) if storage is not None else Damage()
        """What was damaged in the storage when it was opened."""
        self._give_up_histograms()

    @property
    def bounds(self) -> Bounds:
        """Bucket bounds of the histograms."""
        return self._bounds

    @property
    def cursor(self) -> float | None:
        """The time up to which changes have been read; None before the first list."""
        return self._state.cursor.updated

    @property
    def began(self) -> float | None:
        """When counting began; None before the first list."""
        return self._state.cursor.began

    @property
    def totals(self) -> Mapping[RunKey, RunTotals]:
        """The totals by task, workflow or type of job."""
        return self._state.totals

    @property
    def known_jobs(self) -> int:
        """Jobs that TheEye has or may have."""
        return len(self._state.jobs)

    @property
    def backlog(self) -> int:
        """Number of jobs that have to be fetched in full, most of them for their result."""
        return len(self._state.unclear)

    def prepare(self, poll: Poll) -> LedgerUpdate:
        """Work out the changes of a poll; nothing is counted before `commit`."""
        return LedgerUpdate(self._state, self._bounds, poll)

    def commit(self, update: LedgerUpdate) -> None:
        """Apply a poll, on disk first.

        Raises:
            LedgerError: writing failed; the next poll works out the same changes again.
        """
        self._commit(update.changes)

    def drop_totals(self, may_drop: Callable[[RunKey], bool]) -> None:
        """Forget the totals of deleted tasks and workflows whose jobs TheEye has also deleted.

        Raises:
            LedgerError: writing failed; nothing is forgotten.
        """
        with_jobs = {job.run_key for job in self._state.jobs.values()}
        gone: dict[RunKey, RunTotals | None] = {
            run_key: None for run_key in self._state.totals.keys() - with_jobs if may_drop(run_key)
        }
        if gone:
            self._commit(Changes(copy.copy(self._state.cursor), totals=gone))

    def successor(self, bounds: Bounds) -> "RunLedger":
        """Close this ledger, and return one with these bucket bounds that continues with its counters."""
        self.close()
        successor = copy.copy(self)
        successor._go_on(bounds)  # noqa: SLF001 - an object of this class
        return successor

    def _go_on(self, bounds: Bounds) -> None:
        """Become independent of the closed ledger that this one was copied from."""
        self._lock, self._closed, self._bounds = threading.Lock(), False, bounds
        # Copies, because a running poll may still read those of the closed ledger.
        self._state, self._unwritten = self._state.copy(), self._unwritten.copy()
        self._give_up_histograms()

    def close(self) -> None:
        """Refuse further writes, even from a running poll."""
        with self._lock:
            self._closed = True

    def _commit(self, changes: Changes) -> None:
        with self._lock:
            if self._closed:
                raise LedgerError("the state file is closed; restart the process")
            for run_key in self._unwritten & self._state.totals.keys() - changes.totals.keys():
                changes.totals[run_key] = self._state.totals[run_key]
            # Every poll checks every open job, and TheEye may have thousands that never end.
            jobs = self._state.jobs
            changes.jobs = {job_id: job for job_id, job in changes.jobs.items() if job != jobs.get(job_id)}
            changes.count_rows(self._state)
            if self._storage is not None:
                try:
                    self._storage.commit(self._organization, changes)
                except LedgerError:
                    self.healthy = False
                    raise
            self.healthy = True
            self._unwritten = set()
            changes.apply(self._state)

    def _give_up_histograms(self) -> None:
        for run_key, totals in list(self._state.totals.items()):
            of_workflow = run_key.kind is RunKind.WORKFLOW
            turnaround = self._bounds.workflow_turnaround if of_workflow else self._bounds.turnaround
            kept = msgspec.structs.replace(
                totals,
                duration=_of_bounds(totals.duration, self._bounds.duration),
                turnaround=_of_bounds(totals.turnaround, turnaround),
            )
            if kept != totals:
                self._state.totals[run_key] = kept
                self._unwritten.add(run_key)


def _of_bounds(histogram: Histogram | None, bounds: tuple[float, ...] | None) -> Histogram | None:
    """Return the histogram if it has these bounds or no bounds are given; otherwise None."""
    return histogram if histogram is None or bounds is None or histogram.bounds == bounds else None
