"""Where rows are kept: in memory, or in a state file too. A file has one store for each organisation."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from theeye_exporter.actions.rows import Phase, Row
from theeye_exporter.actions.state_file import Change, StateFile

__all__ = ["FileStore", "FileStores", "MemoryStore", "Store", "Stores"]

S_co = TypeVar("S_co", covariant=True)

_JOBS_KEPT: Final = 1000
"""Number of job ids that are remembered for each task; TheEye lists far fewer."""


class Store(Protocol):
    """Keeps rows. Safe for threads. Each method happens as a whole or not at all, also if the process is killed meanwhile."""

    def open_rows(self) -> list[Row]:
        """Return the rows that are not over, in the order in which they wait."""

    def save(self, row: Row) -> None:
        """Save a row; those that are over may be forgotten later, but not their jobs."""

    def begin(self, row: Row) -> bool:
        """Save a row as sending, unless another row of the same task is sending; return whether it was saved."""

    def known_jobs(self, task_id: str) -> frozenset[str]:
        """Return the ids of the jobs of all starts of a task or of workflows that begin with it."""

    def user_id(self, token_mark: str) -> str | None:
        """Return the id of the user of the token with this mark, once it is known."""

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        """Remember the user of the token with this mark; those of other tokens as long as open rows need them."""


class MemoryStore:
    """Keeps rows as long as the process lives. Safe for threads."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._lock = threading.Lock()
        self._rows = {row.id: row for row in rows}
        self._jobs: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_JOBS_KEPT))
        self._users: dict[str, str] = {}

    def open_rows(self) -> list[Row]:
        """Return the rows that are not over, in the order in which they wait."""
        with self._lock:
            return sorted(self._rows.values(), key=lambda row: row.queued_at)

    def save(self, row: Row) -> None:
        """Save a row, or forget it if it is over."""
        with self._lock:
            jobs = self._jobs[row.target.task_id]
            if row.job_id and row.job_id not in jobs:
                jobs.append(row.job_id)
            if row.phase.over:
                self._rows.pop(row.id, None)
            else:
                self._rows[row.id] = row

    def begin(self, row: Row) -> bool:
        """Save a row as sending, unless another row of the same task is sending; return whether it was saved."""
        task_id = row.target.task_id
        with self._lock:
            for other in self._rows.values():
                if other.id != row.id and other.phase is Phase.SENDING and other.target.task_id == task_id:
                    return False
            self._rows[row.id] = row
            return True

    def row(self, row_id: str) -> Row | None:
        """Return a row that is not over."""
        return self._rows.get(row_id)

    def over_rows(self) -> list[Row]:
        """Return the rows that are over and not settled: none are kept."""
        return []

    def settle(self, row_ids: Iterable[str]) -> None:
        """Forget rows, whether over or not, but not their jobs."""
        with self._lock:
            for row_id in row_ids:
                self._rows.pop(row_id, None)

    def known_jobs(self, task_id: str) -> frozenset[str]:
        """Return the ids of the jobs of all starts of a task."""
        with self._lock:
            return frozenset(self._jobs[task_id])

    def user_id(self, token_mark: str) -> str | None:
        """Return the id of the user of the token with this mark, once it is known."""
        return self._users.get(token_mark) if token_mark else None

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        """Remember the user of the token with this mark; those of other tokens as long as open rows need them."""
        with self._lock:
            needed = {row.token_mark for row in self._rows.values()}
            kept = {mark: user for mark, user in self._users.items() if mark in needed}
            self._users = {**kept, token_mark: user_id}


class FileStore(MemoryStore):
    """Keeps rows in a state file, also those that are over: until `settle` forgets them.

    Each method that saves raises `LedgerError` if it cannot; then nothing has changed.

    Args:
        file: The file.
        organization: Whose rows these are.
    """

    def __init__(self, file: StateFile, organization: str) -> None:
        self._file = file
        self._starts, self._runs, self._named = (f"{kind}/{organization}" for kind in ("start", "job", "user"))
        super().__init__()
        self._writing = threading.RLock()
        self._over: dict[str, Row] = {}
        for row in file.load(self._starts, Row).values():
            if row.phase.over:
                self._over[row.id] = row
            else:
                self._rows[row.id] = row
        for task_id, jobs in file.load(self._runs, list[str]).items():
            self._jobs[task_id].extend(jobs)
        # A user without a mark, as in early files, may be that of any token; nobody asks for it.
        self._users = file.load(self._named, str)

    def save(self, row: Row) -> None:
        """Save a row, and its job."""
        task_id = row.target.task_id
        with self._writing:
            if self.row(row.id) == row:
                return
            written: list[Change] = [(self._starts, row.id, row)]
            if row.job_id and row.job_id not in self._jobs[task_id]:
                written.append((self._runs, task_id, [*self._jobs[task_id], row.job_id][-_JOBS_KEPT:]))
            self._file.write(written)
            if row.phase.over:
                self._over[row.id] = row
            super().save(row)

    def begin(self, row: Row) -> bool:
        """Save a row as sending, unless another row of the same task is sending; return whether it was saved."""
        with self._writing:
            sending = (other for other in self.open_rows() if other.phase is Phase.SENDING and other.id != row.id)
            if any(other.target.task_id == row.target.task_id for other in sending):
                return False
            self._file.write([(self._starts, row.id, row)])
            return super().begin(row)

    def row(self, row_id: str) -> Row | None:
        """Return a row that is not settled."""
        return self._rows.get(row_id) or self._over.get(row_id)

    def over_rows(self) -> list[Row]:
        """Return the rows that are over and not settled."""
        return list(self._over.values())

    def settle(self, row_ids: Iterable[str], changes: Iterable[Change] = ()) -> None:
        """Forget rows, whether over or not, and write what came of them."""
        row_ids = list(row_ids)
        with self._writing:
            self._file.write([*((self._starts, row_id, None) for row_id in row_ids), *changes])
            for row_id in row_ids:
                self._over.pop(row_id, None)
            super().settle(row_ids)

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        """Remember the user of the token with this mark; those of other tokens as long as open rows need them."""
        with self._writing:
            if self._users.get(token_mark) == user_id:
                return
            needed = {row.token_mark for row in self.open_rows()}
            old: list[Change] = [(self._named, mark, None) for mark in self._users if mark not in needed]
            self._file.write([*old, (self._named, token_mark, user_id)])
            super().learn_user_id(token_mark, user_id)


class Stores(Generic[S_co]):
    """The stores of all organisations. All parts that start tasks share them, so each sees the starts of the others. Safe for threads.

    Args:
        make: Makes the store of an organisation.
        known: The organisations that have rows already.
    """

    def __init__(self, make: Callable[[str], S_co], known: Iterable[str] = ()) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[str, S_co] = {name: make(name) for name in known}

    @property
    def organizations(self) -> list[str]:
        """The organisations that have, or had, rows."""
        with self._lock:
            return list(self._made)

    def of(self, organization: str) -> S_co:
        """Return the store of an organisation."""
        with self._lock:
            if organization not in self._made:
                self._made[organization] = self._make(organization)
            return self._made[organization]


class FileStores(Stores[FileStore]):
    """The stores in a state file.

    Args:
        file: The file.

    Attributes:
        file: The file.
    """

    def __init__(self, file: StateFile) -> None:
        self.file = file
        super().__init__(lambda name: FileStore(file, name), file.ends_of_kinds("start/"))
