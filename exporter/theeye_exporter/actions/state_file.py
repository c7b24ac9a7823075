"""The state file of the actions process: SQLite, each change on the disk before anything follows from it.

It keeps documents by kind and key. Everything is read at the start, and after that only changes are written. A damaged
file is not used: a run that is missing in it could be started twice.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from theeye_exporter.ledger.failures import LedgerError, failure, one_line
from theeye_exporter.ledger.sqlite_file import SqliteFile, identity, log_of
from theeye_exporter.ledger.wal import lost_commits

__all__ = ["Change", "StateFile", "copied"]

T = TypeVar("T")
Change = tuple[str, str, Any]
"""Kind, key and document; None deletes it."""

_ANEW: Final = "move the file away (alerts that are firing then start nothing)"
_APPLICATION_ID: Final = 0x7EE7E002
_VERSION: Final = 1
_COPIES: Final = 3
_TABLE: Final = (
    "CREATE TABLE documents (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL, "
    "PRIMARY KEY (kind, key)) WITHOUT ROWID"
)
_PUT: Final = (
    "INSERT INTO documents VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET value = excluded.value, checksum = excluded.checksum"
)

_log: Final = structlog.get_logger(__name__)


class StateFile(SqliteFile):
    """A state file. Safe for threads; no second process can use the file at the same time.

    Attributes:
        trouble: Why the last writing failed; empty if it succeeded.
    """

    trouble = ""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it.

        Raises:
            LedgerError: it is damaged, in use, or not writable, or it comes from a newer version or another program.
        """
        super().__init__(path, anew=_ANEW)

    def load(self, kind: str, form: type[T]) -> dict[str, T]:
        """Return the documents of a kind by key.

        Raises:
            LedgerError: they cannot be read, or have another form.
        """
        try:
            with self._lock:
                rows = self._db.execute(
                    "SELECT key, value FROM documents WHERE kind = ? ORDER BY key", (kind,)
                ).fetchall()
            return {key: msgspec.json.decode(value, type=form) for key, value in rows}
        except sqlite3.Error as error:
            raise failure("read", self._path, error, anew=_ANEW) from None
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise self._damaged(one_line(str(error))) from None

    def ends_of_kinds(self, beginning: str) -> list[str]:
        """Return what follows this beginning in the names of kinds, for each kind that has documents.

        Raises:
            LedgerError: they cannot be read.
        """
        try:
            with self._lock:
                kinds = self._db.execute("SELECT DISTINCT kind FROM documents ORDER BY kind").fetchall()
        except sqlite3.Error as error:
            raise failure("read", self._path, error, anew=_ANEW) from None
        return [kind.removeprefix(beginning) for (kind,) in kinds if kind.startswith(beginning)]

    def write(self, changes: Iterable[Change]) -> None:
        """Write all changes, or none of them; they are on the disk when this returns.

        Raises:
            LedgerError: writing failed, and nothing was written.
        """
        try:
            with self._transaction() as db:
                for kind, key, document in changes:
                    if document is None:
                        db.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
                    else:
                        value = msgspec.json.encode(document)
                        db.execute(_PUT, (kind, key, value, _checksum(kind, key, value)))
        except LedgerError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        new = not (tables or application_id or version)
        if application_id != _APPLICATION_ID and not new:
            raise LedgerError(
                f"{self._path} is not a state file of theeye-exporter actions; name another one, or {_ANEW}"
            )
        if version > _VERSION:
            raise LedgerError(f"state file {self._path} was written by a newer version; use that version, or {_ANEW}")
        ((verdict,),) = db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise self._damaged(one_line(verdict))
        ((_, frames, _),) = db.execute("PRAGMA wal_checkpoint").fetchall()
        if frames >= 0 and lost_commits(self._log_path, frames):
            raise self._damaged("its write-ahead log cannot be read to the end")
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        # Not even a power cut may lose a start: it would be sent again.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        if new:
            db.execute(_TABLE)
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        for kind, key, value, checksum in db.execute("SELECT kind, key, value, checksum FROM documents"):
            if checksum != _checksum(kind, key, value):
                raise self._damaged("a document was changed")
        db.execute("COMMIT")

    def _damaged(self, how: str) -> LedgerError:
        return LedgerError(f"state file {self._path} is damaged: {how}; {_ANEW}")

    def _stay_in_place(self) -> None:
        """Write everything to the path again if the file, or its log, was deleted.

        Raises:
            LedgerError: another file is at the path.
        """
        place = identity(self._path)
        if place is None:
            self._say_deleted()
            with suppress(OSError):
                self._log_path.unlink()  # SQLite would apply it to the new file
            self._copy()
        elif place != self._place:
            raise LedgerError(f"another file was put in the place of state file {self._path}; restart the process")
        elif identity(self._log_path) != self._log_place:
            self._say_deleted()
            self._begin_log_anew()

    def _say_deleted(self) -> None:
        _log.error(
            "the state file was deleted while in use; it is written again",
            file=str(self._path),
            advice="keep other programs away from the file; move it only while the process is stopped",
        )


def copied(path: Path, to: Path) -> StateFile:
    """Return a copy of a state file that another process may use. Its changes may spoil a copy, so there are several attempts.

    Raises:
        LedgerError: the file cannot be read, or cannot be used.
    """
    for attempt in range(1, _COPIES + 1):
        try:
            for found, copy in ((path, to), (log_of(path), log_of(to))):
                if found.exists():
                    shutil.copy(found, copy)
            return StateFile(to)
        except OSError as error:
            if path.is_dir():
                raise failure("read", path, error) from None
            raise LedgerError(
                f"cannot copy state file {path}: {(error.strerror or '').lower()}; run this as a user who may read the file, "
                "and with room for a copy in the folder for temporary files"
            ) from None
        except LedgerError as error:
            if attempt == _COPIES:
                raise LedgerError(str(error).replace(str(to), str(path))) from None
    raise AssertionError


def _checksum(kind: Any, key: Any, value: Any) -> int:
    # A damaged cell may have another type.
    content = value if isinstance(value, bytes) else repr(value).encode()
    return zlib.crc32(f"{kind}\0{key}\0".encode() + content)
