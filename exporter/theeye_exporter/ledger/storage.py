"""The ledger on disk: SQLite, one transaction per poll.

The ledger reads everything at the start, and then only writes what changed. `rows.py` describes the rows.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from theeye_exporter.ledger.failures import BEGIN_ANEW, LedgerError, failure, one_line, require_permission
from theeye_exporter.ledger.format_1 import job_of_format_1
from theeye_exporter.ledger.records import Cursor, KnownJob, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.rows import CURSOR, JOB, Damage, Ledgers, Row, encode
from theeye_exporter.ledger.sqlite_file import SqliteFile, identity, log_of, read_header
from theeye_exporter.ledger.state import Changes, State
from theeye_exporter.ledger.wal import lost_commits

__all__ = ["LedgerError", "Storage", "refusal"]

_APPLICATION_ID: Final = 0x7EE7E001
_VERSION: Final = 2
_TABLE: Final = (
    "CREATE TABLE ledger ("
    "organization TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL, "
    "PRIMARY KEY (organization, kind, id)) WITHOUT ROWID"
)
_COLUMN_TYPES: Final = {"organization": "text", "kind": "text", "id": "text", "value": "blob"}

_log: Final = structlog.get_logger(__name__)


class Storage(SqliteFile):
    """A state file. Safe for threads; no second process can use the file at the same time."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it.

        Raises:
            LedgerError: it is corrupt, in use, or not writable, or it comes from a newer version or another program.
        """
        self._damage: dict[str, Damage] = {}
        self._lost_polls = 0
        self._displaced = False
        super().__init__(path)

    def damage_of(self, organization: str) -> Damage:
        """Return an organisation's damage from when the file was opened; it is repaired and logged by now."""
        return self._damage.get(organization, Damage())._replace(polls=self._lost_polls)

    def load(self, organization: str) -> State:
        """Read an organisation's ledger; it is empty if there is none.

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
                        run_key = RunKey(RunKind(kind), key)
                        state.totals[run_key] = msgspec.json.decode(value, type=RunTotals)
        except sqlite3.Error as error:
            raise failure("read", self._path, error) from None
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise LedgerError(f"state file {self._path} is corrupt: {one_line(str(error))}; {BEGIN_ANEW}") from None
        return state

    def commit(self, organization: str, changes: Changes) -> None:
        """Write all changes of a poll, or none of them.

        Raises:
            LedgerError: writing failed, and nothing was written.
        """
        with self._transaction():
            self._write(organization, CURSOR, {"": changes.cursor})
            self._write(organization, JOB, changes.jobs)
            for kind in RunKind:
                totals = {run_key.id: value for run_key, value in changes.totals.items() if run_key.kind is kind}
                self._write(organization, kind, totals)

    def _write(self, organization: str, kind: str, values: Mapping[str, Any]) -> None:
        gone = ((organization, kind, key) for key, value in values.items() if value is None)
        kept = (
            encode(organization, kind, key, msgspec.json.encode(value))
            for key, value in values.items()
            if value is not None
        )
        self._db.executemany("DELETE FROM ledger WHERE organization = ? AND kind = ? AND id = ?", gone)
        self._db.executemany(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
            kept,
        )

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        new = not (tables or application_id or version)
        if not new:
            _accept(self._path, application_id, version)
        ((verdict,),) = db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise LedgerError(f"state file {self._path} is corrupt: {one_line(verdict)}; {BEGIN_ANEW}")
        self._look_at_log(db)
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        # A power cut can lose a transaction: cursor and counters go back together, and its runs are counted again.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        if new:
            db.execute(_TABLE)
        else:
            self._mend(db, version)
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")

    def _look_at_log(self, db: sqlite3.Connection) -> None:
        ((_, frames, _),) = db.execute("PRAGMA wal_checkpoint").fetchall()
        self._lost_polls = lost_commits(self._log_path, frames) if frames >= 0 else 0
        if self._lost_polls:
            _log.error(
                "the write-ahead log of the state file is damaged; the last polls in it are lost",
                file=str(self._path),
                polls=self._lost_polls,
                advice="check the disk; runs that ended since are counted again if TheEye still has them",
            )

    def _mend(self, db: sqlite3.Connection, version: int) -> None:
        """Convert a file of format 1 to the current format, and repair damaged rows."""
        ledgers = Ledgers(_rows(db, version))
        if version == _VERSION and ledgers.are_sound:
            return
        self._damage = ledgers.damage
        # Rewrite everything: rows with damaged keys are not where SQLite looks for them.
        rows = list(ledgers.mended(_rows(db, version)))
        db.execute("DROP TABLE ledger")
        db.execute(_TABLE)
        db.executemany("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?)", rows)
        for organization, damage in self._damage.items():
            _log.error(
                f"rows of the state file were damaged; {damage.consequence}",
                file=str(self._path),
                organization=organization,
                rows=damage.jobs + damage.accounts,
                advice=damage.advice,
            )

    def _stay_in_place(self) -> None:
        """Rewrite everything if the file at the path, or its log, is not the one that is open.

        Raises:
            LedgerError: it is another file, whether rewriting it succeeded or not.
        """
        is_there = identity(self._path) == self._place
        if is_there and identity(self._log_path) == self._log_place:
            return
        if not self._displaced:
            self._displaced = True
            _log.error(
                "the state file was deleted or replaced while in use; the exporter tries to write it again",
                file=str(self._path),
                advice="keep other programs away from the file; move it only while the exporter is stopped",
            )
        if is_there:
            self._begin_log_anew()
        else:
            self._copy()
        raise LedgerError(f"state file {self._path} was deleted or replaced while in use; it is written again")

    def _copy(self) -> None:
        if identity(self._log_path) == self._log_place:  # SQLite would apply it to the other file
            with suppress(OSError):
                self._log_path.unlink()
        super()._copy()

    def _take(self, db: sqlite3.Connection) -> None:
        super()._take(db)
        self._displaced = False


def refusal(path: Path) -> str:
    """Return why a file cannot be the state file, as far as its header shows; empty if it can. It may be in use."""
    try:
        require_permission(path)
        header = read_header(path)
        has_log = log_of(path).exists()
        # What is still in the log is not in the header.
        if header is not None and header.pages > 1 and (header.application_id or not has_log):
            _accept(path, header.application_id, header.version)
    except LedgerError as error:
        return str(error)
    return ""


def _accept(path: Path, application_id: int, version: int) -> None:
    """Raise `LedgerError` if a file that is not new comes from another program, or a newer version."""
    if application_id != _APPLICATION_ID:
        raise LedgerError(f"{path} is not a theeye-exporter state file; name another one, or {BEGIN_ANEW}")
    if version > _VERSION:
        raise LedgerError(
            f"state file {path} was written by a newer version (format {version}, this one knows {_VERSION}); "
            f"use that version, or {BEGIN_ANEW}"
        )
    if version < 1:
        raise LedgerError(f"state file {path} is corrupt: it has no format; {BEGIN_ANEW}")


def _rows(db: sqlite3.Connection, version: int) -> Iterator[Row]:
    """Yield every row as bytes, even if it is damaged."""
    # A flipped bit can turn a key into a BLOB: SQLite does not find it then, although its bytes are right.
    types = "typeof(organization) || typeof(kind) || typeof(id) || typeof(value)"
    sound = f"CASE {types} WHEN 'texttexttextblob' THEN COALESCE(checksum, -1) ELSE -1 END"
    checksum = sound if version == _VERSION else "NULL"
    columns = ", ".join(f"CAST({name} AS BLOB)" for name in _COLUMN_TYPES)
    as_written = " AND ".join(f"typeof({name}) = '{kind}'" for name, kind in _COLUMN_TYPES.items())
    query = f"SELECT {columns}, CASE WHEN {as_written} THEN {checksum} ELSE -1 END FROM ledger"  # noqa: S608 - our own SQL
    for row in db.execute(query):
        organization, kind, key, value = (column or b"" for column in row[:4])
        if version != _VERSION and kind == JOB.encode():
            with suppress(msgspec.MsgspecError, ValueError, KeyError):
                value = job_of_format_1(value)
        yield Row(organization, kind, key, value, row[4])
