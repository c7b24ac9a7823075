"""The ledger on disk: SQLite, one transaction per poll.

A row is a key and a value in JSON, since the ledger reads everything at the start and then only writes what changed.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from theeye_exporter.ledger.records import Account, Cursor, KnownJob, Owner, OwnerKind

__all__ = ["Changes", "LedgerError", "State", "Storage"]

_APPLICATION_ID: Final = 0x7EE7E001
_VERSION: Final = 1


class LedgerError(Exception):
    """The state file cannot be used; the text says why in one line."""


@dataclass(slots=True)
class State:
    """An organisation's ledger.

    Attributes:
        cursor: how far its jobs are read.
        jobs: by id.
        accounts: by owner.
        open: ids of the jobs that have not ended.
        unclear: ids of the jobs that have to be looked at in full.
    """

    cursor: Cursor = field(default_factory=Cursor)
    jobs: dict[str, KnownJob] = field(default_factory=dict)
    accounts: dict[Owner, Account] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)

    def copy(self) -> "State":
        """Return a ledger of the same content; what is in it is replaced by changes, never changed itself."""
        return State(self.cursor, self.jobs.copy(), self.accounts.copy(), self.open.copy(), self.unclear.copy())

    def put_job(self, job_id: str, job: KnownJob | None) -> None:
        """Take a job in, or, if it is None, out."""
        if job is None:
            self.jobs.pop(job_id, None)
        else:
            self.jobs[job_id] = job
        for index, belongs in ((self.open, job and job.open), (self.unclear, job and job.needs_attention)):
            if belongs:
                index.add(job_id)
            else:
                index.discard(job_id)


@dataclass(slots=True)
class Changes:
    """What a poll changes in a ledger; None deletes.

    Attributes:
        cursor: the new cursor.
        jobs: by id.
        accounts: by owner.
    """

    cursor: Cursor
    jobs: dict[str, KnownJob | None] = field(default_factory=dict)
    accounts: dict[Owner, Account | None] = field(default_factory=dict)

    def apply(self, state: State) -> None:
        """Take the changes over."""
        state.cursor = self.cursor
        for job_id, job in self.jobs.items():
            state.put_job(job_id, job)
        for owner, account in self.accounts.items():
            if account is None:
                state.accounts.pop(owner, None)
            else:
                state.accounts[owner] = account


class Storage:
    """A state file. Safe for threads; no second process can use the file at the same time."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it.

        Raises:
            LedgerError: it is corrupt, of a newer version, of another program, in use, or cannot be written.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            # Absolute, since SQLite has its own idea of a name like `:memory:`.
            self._db = sqlite3.connect(path.absolute(), timeout=1, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise LedgerError(f"cannot open state file {path}: {_no_permission(path) or _reason(error)}") from None
        try:
            self._prepare()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._db.close()
            raise LedgerError(f"cannot use state file {path}: {_no_permission(path) or _reason(error)}") from None
        except LedgerError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def load(self, organization: str) -> State:
        """Read an organisation's ledger, an empty one if there is none.

        Raises:
            LedgerError: it cannot be read.
        """
        state = State()
        try:
            with self._lock:
                rows = self._db.execute(
                    "SELECT kind, id, value FROM ledger WHERE organization = ?", (organization,)
                ).fetchall()
            for kind, key, value in rows:
                match kind:
                    case "cursor":
                        state.cursor = msgspec.json.decode(value, type=Cursor)
                    case "job":
                        state.put_job(key, msgspec.json.decode(value, type=KnownJob))
                    case _:
                        owner = Owner(OwnerKind(kind), key)
                        state.accounts[owner] = msgspec.json.decode(value, type=Account)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise LedgerError(f"cannot read state file {self._path}: {_reason(error)}") from None
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise LedgerError(f"state file {self._path} is corrupt: {_one_line(str(error))}") from None
        return state

    def commit(self, organization: str, changes: Changes) -> None:
        """Write a poll's changes, all or none.

        Raises:
            LedgerError: nothing was written.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._write(organization, "cursor", {"": changes.cursor})
                self._write(organization, "job", changes.jobs)
                for kind in OwnerKind:
                    accounts = {owner.id: a for owner, a in changes.accounts.items() if owner.kind is kind}
                    self._write(organization, kind, accounts)
                self._db.execute("COMMIT")
            except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
                raise LedgerError(f"cannot write state file {self._path}: {_reason(error)}") from None
            finally:
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")

    def _write(self, organization: str, kind: str, values: Mapping[str, Any]) -> None:
        gone: Iterable[tuple[str, str, str]] = [
            (organization, kind, key) for key, value in values.items() if value is None
        ]
        kept = [
            (organization, kind, key, msgspec.json.encode(value)) for key, value in values.items() if value is not None
        ]
        self._db.executemany("DELETE FROM ledger WHERE organization = ? AND kind = ? AND id = ?", gone)
        self._db.executemany(
            "INSERT INTO ledger VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", kept
        )

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application_id != _APPLICATION_ID and (tables or application_id or version):
            raise LedgerError(f"{self._path} is no state file of this program")
        if version > _VERSION:
            raise LedgerError(
                f"state file {self._path} was written by a newer version (format {version}, this one knows {_VERSION})"
            )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise LedgerError(f"state file {self._path} is corrupt: {_one_line(verdict)}")
        db.execute("PRAGMA journal_mode = WAL")
        # A lost transaction (power, not process) takes cursor and counters back together: it is counted again.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "CREATE TABLE IF NOT EXISTS ledger ("
            "organization TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, "
            "PRIMARY KEY (organization, kind, id)) WITHOUT ROWID"
        )
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")


def _reason(error: Exception) -> str:
    if "locked" in str(error):
        return "another process uses it"
    if isinstance(error, UnicodeDecodeError):  # in SQLite's message, which quotes what is wrong
        return "it is corrupt"
    return _one_line(str(error))


def _no_permission(path: Path) -> str:
    """Return what is not permitted, in clearer words than SQLite's, empty if that is not the problem."""
    # Looked at, not tried: closing a file gives up this process's locks on it.
    effective = os.access in os.supports_effective_ids
    if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=effective):
        return "no permission to read and write it"
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=effective):
        return "no permission to write its folder"
    return ""


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))[:200]
