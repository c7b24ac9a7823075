"""An organisation's ledger: each finished run is counted once, out of lists that tell less than that.

A list has no results. A restart reuses the job's id, and an edit of a finished job looks like a new end: its
`last_update`, the only end time there is, moves. Old jobs are deleted whenever one is created. So every job that
TheEye may still have is known here by its id, and a poll is worked out beside the ledger and taken over as a whole.
"""

import threading
from collections.abc import Callable, Mapping

import msgspec

from theeye_exporter.ledger.cycle import Cycle, Poll
from theeye_exporter.ledger.records import Account, Bounds, Histogram, Owner, OwnerKind
from theeye_exporter.ledger.storage import Changes, LedgerError, State, Storage

__all__ = ["Book"]


class Book:
    """Keeps an organisation's ledger in memory and, with a storage, on disk.

    A histogram of other buckets than `bounds` says is given up, on disk with the next poll: its observations cannot be
    told apart any more, and if it came back with its buckets, all of them would look new.

    Args:
        organization: its name.
        storage: where it survives a restart, None to keep it in memory only.
        bounds: buckets of the histograms.
        former: the book that this one takes over from; nothing can be written by that one any more.

    Raises:
        LedgerError: the storage cannot be read; never with a former book.
    """

    def __init__(
        self, organization: str, storage: Storage | None, bounds: Bounds, former: "Book | None" = None
    ) -> None:
        self._organization = organization
        self._storage = storage
        self._bounds = bounds
        self._lock = threading.Lock()
        self._closed = False
        self._unwritten: set[Owner] = set()
        self.healthy: bool = True
        """Whether the last poll could be written."""
        if former is not None:
            self._state, self._unwritten = former.close()
            self.healthy = former.healthy
        else:
            self._state = storage.load(organization) if storage is not None else State()
        self._give_up_histograms()

    @property
    def cursor(self) -> float | None:
        """Up to when changes are read, None before the first list."""
        return self._state.cursor.updated

    @property
    def began(self) -> float | None:
        """When counting began, None before the first list."""
        return self._state.cursor.began

    @property
    def accounts(self) -> Mapping[Owner, Account]:
        """What is counted, by owner."""
        return self._state.accounts

    @property
    def known_jobs(self) -> int:
        """Jobs that TheEye has or may have."""
        return len(self._state.jobs)

    @property
    def backlog(self) -> int:
        """Jobs that have to be looked at in full, which most are for their result."""
        return len(self._state.unclear)

    def cycle(self, poll: Poll) -> Cycle:
        """Work out what a poll means; nothing is counted before `commit`."""
        return Cycle(self._state, self._bounds, poll)

    def commit(self, cycle: Cycle) -> None:
        """Take a poll over, on disk first.

        Raises:
            LedgerError: it could not be written; the next poll works the same out again.
        """
        self._commit(cycle.changes)

    def close_accounts(self, may_close: Callable[[Owner], bool]) -> None:
        """Forget what was counted for owners that are gone, and of which TheEye has no job any more.

        Raises:
            LedgerError: it could not be written; nothing is forgotten.
        """
        with_jobs = {job.owner for job in self._state.jobs.values()}
        gone: dict[Owner, Account | None] = {
            owner: None for owner in self._state.accounts.keys() - with_jobs if may_close(owner)
        }
        if gone:
            self._commit(Changes(self._state.cursor, accounts=gone))

    def close(self) -> tuple[State, set[Owner]]:
        """Let nothing be written any more, not even by a poll under way.

        Returns:
            What is known by now, and the owners of which the storage knows something else.
        """
        with self._lock:
            self._closed = True
            # A copy, since a poll under way may still read.
            return self._state.copy(), self._unwritten

    def _commit(self, changes: Changes) -> None:
        with self._lock:
            if self._closed:
                raise LedgerError("the ledger is closed")
            for owner in self._unwritten & self._state.accounts.keys() - changes.accounts.keys():
                changes.accounts[owner] = self._state.accounts[owner]
            # Every open job is looked at in every poll, and TheEye may have thousands that never end.
            jobs = self._state.jobs
            changes.jobs = {job_id: job for job_id, job in changes.jobs.items() if job != jobs.get(job_id)}
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
        for owner, account in list(self._state.accounts.items()):
            of_workflow = owner.kind is OwnerKind.WORKFLOW
            turnaround = self._bounds.workflow_turnaround if of_workflow else self._bounds.turnaround
            kept = msgspec.structs.replace(
                account,
                duration=_of_bounds(account.duration, self._bounds.duration),
                turnaround=_of_bounds(account.turnaround, turnaround),
            )
            if kept != account:
                self._state.accounts[owner] = kept
                self._unwritten.add(owner)


def _of_bounds(histogram: Histogram | None, bounds: tuple[float, ...] | None) -> Histogram | None:
    """Return the histogram if it has these bounds, or is not asked for; None without one that does."""
    return histogram if histogram is None or bounds is None or histogram.bounds == bounds else None
