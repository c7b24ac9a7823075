"""An organisation's ledger: each finished run is counted once, out of lists that tell less than that.

A list has no results. A restart reuses the job's id, and an edit of a finished job looks like a new end: its
`last_update`, the only end time there is, moves. Old jobs are deleted whenever one is created. So every job that
TheEye may still have is known here by its id, and a poll is worked out beside the ledger and taken over as a whole.
"""

from collections.abc import Callable, Mapping

from theeye_exporter.ledger.cycle import Cycle, Poll
from theeye_exporter.ledger.records import Account, Bounds, Owner
from theeye_exporter.ledger.storage import Changes, LedgerError, State, Storage

__all__ = ["Book"]


class Book:
    """Keeps an organisation's ledger in memory and, with a storage, on disk.

    Args:
        organization: its name.
        storage: where it survives a restart, None to keep it in memory only.
        bounds: buckets of the histograms.

    Raises:
        LedgerError: the storage cannot be read.
    """

    def __init__(self, organization: str, storage: Storage | None, bounds: Bounds) -> None:
        self._organization = organization
        self._storage = storage
        self._bounds = bounds
        self._state = storage.load(organization) if storage is not None else State()
        self.healthy = True
        """Whether the last poll could be written."""

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

    def _commit(self, changes: Changes) -> None:
        if self._storage is not None:
            try:
                self._storage.commit(self._organization, changes)
            except LedgerError:
                self.healthy = False
                raise
        self.healthy = True
        changes.apply(self._state)
