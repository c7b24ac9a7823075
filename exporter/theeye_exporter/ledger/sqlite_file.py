"""A SQLite file of one process: how it is opened and written to, and where it is on the disk."""

import sqlite3
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from theeye_exporter.ledger.failures import BEGIN_ANEW, LedgerError, failure

__all__ = ["Header", "SqliteFile", "identity", "log_of", "read_header"]

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER: Final = struct.Struct(">16s12xI28xI4xI28x")


class Header(NamedTuple):
    """What the first bytes of a file say (SQLite's file format, 1.3); newer numbers may still be in its log."""

    pages: int
    version: int
    application_id: int


class SqliteFile(ABC):
    """A file that is open. Safe for threads; no second process can use it at the same time.

    Args:
        path: the file; it is created if it does not exist.
        anew: what to do with a file that cannot be read any more.

    Raises:
        LedgerError: it cannot be used.
    """

    def __init__(self, path: Path, *, anew: str = BEGIN_ANEW) -> None:
        self._path = path.absolute()  # because SQLite treats names like `:memory:` specially
        self._log_path = log_of(self._path)
        self._anew = anew
        self._lock = threading.Lock()
        self._closed = False
        self._take(self._open())

    def close(self) -> None:
        """Close the file, once what is being written is on the disk. Then its log is gone, and it can be copied alone."""
        with self._lock:
            self._closed = True
            self._db.close()

    @abstractmethod
    def _prepare(self, db: sqlite3.Connection) -> None:
        """Check what was just opened, and lock it."""

    @abstractmethod
    def _stay_in_place(self) -> None:
        """Do what is necessary if the file at the path, or its log, is not the one that is open."""

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that the block writes, or nothing.

        Raises:
            LedgerError: writing failed, and nothing was written.
        """
        with self._lock:
            if self._closed:  # its log is gone, but nobody deleted it
                raise LedgerError(f"state file {self._path} is closed; restart the process")
            try:
                self._stay_in_place()
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
                raise failure("write", self._path, error, anew=self._anew) from None
            finally:
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self._path, timeout=1, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise failure("open", self._path, error, anew=self._anew) from None
        try:
            self._prepare(db)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            db.close()
            raise failure("use", self._path, error, anew=self._anew) from None
        except LedgerError:
            db.close()
            raise
        return db

    def _copy(self) -> None:
        """Write everything to the path again."""
        db = self._open()
        try:
            self._db.backup(db)
        except sqlite3.Error:
            db.close()
            raise
        self._db.close()
        self._take(db)

    def _begin_log_anew(self) -> None:
        for mode in ("DELETE", "WAL"):  # this applies the log, and begins a new one
            self._db.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        self._take(self._db)

    def _take(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute("COMMIT")  # creates the log
        self._db = db
        self._place, self._log_place = identity(self._path), identity(self._log_path)


def log_of(path: Path) -> Path:
    """Return the path of a file's write-ahead log, without which its newest transactions are missing."""
    return path.with_name(f"{path.name}-wal")


def identity(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at the path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def read_header(path: Path) -> Header | None:
    """Return a file's header without opening the database, since another process may use it; None if it is new.

    Raises:
        LedgerError: it cannot be read, or is no database.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER.size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("open", path, error) from None
    if not start:
        return None
    if len(start) < _HEADER.size or not start.startswith(_MAGIC):
        raise LedgerError(f"cannot use state file {path}: file is not a database; {BEGIN_ANEW}")
    return Header(*_HEADER.unpack(start)[1:])
