"""Writes and reads the rows of a state file, and repairs damaged ones.

A row is a key (organisation, kind, id), a value in JSON, and a checksum of both. An organisation's cursor also
contains the number of rows of jobs and of totals, because a row with a damaged key counts as missing.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from theeye_exporter.ledger.records import Cursor, KnownJob, Presence, ResultOf, RunKey, RunKind, RunTotals

__all__ = ["CURSOR", "JOB", "Damage", "Ledgers", "Row", "encode"]

CURSOR: Final = "cursor"
JOB: Final = "job"

_TYPES: Final[dict[bytes, type[Any]]] = {
    CURSOR.encode(): Cursor,
    JOB.encode(): KnownJob,
    **{kind.encode(): RunTotals for kind in RunKind},
}


class Row(NamedTuple):
    """A row from the file; every field may be damaged. Files of format 1 have no checksum."""

    organization: bytes
    kind: bytes
    id: bytes
    value: bytes
    checksum: int | None = None

    @property
    def is_sound(self) -> bool:
        """Whether the row is undamaged."""
        if self.checksum is not None:
            return self.checksum == _checksum(*self[:4])
        try:
            for text in self[:3]:
                text.decode()
            msgspec.json.decode(self.value, type=_TYPES[self.kind])
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
            return False
        return True


class Damage(NamedTuple):
    """What was damaged or missing for an organisation when the file was opened.

    Attributes:
        jobs: number of rows of jobs; the counts of their runs do not change.
        accounts: number of rows of totals; if there are any, all counters of the organisation start at 0.
        polls: number of lost polls at the end of the file's log, of all organisations.
    """

    jobs: int = 0
    accounts: int = 0
    polls: int = 0

    @property
    def consequence(self) -> str:
        """What happens to the counters."""
        if self.accounts:
            return "the organisation's counters begin at 0"
        return "no count changed"

    @property
    def advice(self) -> str:
        """What the operator can do about it."""
        if self.accounts:
            return "check the disk; to restore the counters, stop the exporter and restore a copy of the file"
        return "check the disk; nothing has to be done to the file"


@dataclass(slots=True)
class _Ledger:
    """The rows of one organisation."""

    cursor: Cursor | None = None
    jobs: int = 0
    accounts: int = 0
    bad_jobs: int = 0
    bad_accounts: int = 0
    strays: int = 0

    def add(self, row: Row) -> None:
        sound = row.is_sound
        if row.kind == JOB.encode():
            self.jobs += sound
            self.bad_jobs += not sound
        elif row.kind == CURSOR.encode():
            self.cursor = msgspec.json.decode(row.value, type=Cursor) if sound else None
        elif row.kind in _TYPES:
            self.accounts += sound
            self.bad_accounts += not sound
        else:
            self.strays += 1

    @property
    def is_sound(self) -> bool:
        bad = self.bad_jobs + self.bad_accounts + self.strays
        return self.cursor is not None and not bad and self.damage == Damage()

    @property
    def damage(self) -> Damage:
        if self.cursor is None:
            return Damage(0, 1 + self.bad_accounts)
        cursor = self.cursor
        if cursor.jobs is None or cursor.accounts is None:
            return Damage(self.bad_jobs, self.bad_accounts + self.strays)
        return Damage(abs(cursor.jobs - self.jobs), abs(cursor.accounts - self.accounts))


class Ledgers:
    """All ledgers in a file.

    Args:
        rows: all rows of the file.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._found: dict[bytes, _Ledger] = {}
        for row in rows:
            self._found.setdefault(row.organization, _Ledger()).add(row)

    @property
    def are_sound(self) -> bool:
        """Whether nothing is damaged."""
        return all(ledger.is_sound for ledger in self._found.values())

    @property
    def damage(self) -> dict[str, Damage]:
        """The damage, by organisation."""
        return {
            organization.decode(): ledger.damage
            for organization, ledger in self._found.items()
            # A row whose organisation is damaged belongs to no ledger, and is missing from its own.
            if ledger.damage != Damage() and (ledger.jobs or ledger.accounts or ledger.cursor is not None)
        }

    def mended(self, rows: Iterable[Row]) -> Iterator[tuple[object, ...]]:
        """Yield the rows to write instead of these, in today's format.

        Of a damaged job, only the id is kept. A ledger with damaged totals is left out.
        """
        kept = {organization: [0, 0] for organization in self._found}
        for row in rows:
            ledger = self._found[row.organization]
            if ledger.cursor is None or ledger.damage.accounts or row.kind == CURSOR.encode():
                continue
            value = row.value
            if not row.is_sound:
                if row.kind != JOB.encode() or not ledger.damage.jobs or not _is_text(row.id):
                    continue
                value = msgspec.json.encode(_damaged_job(ledger.cursor.updated or 0.0))
            kept[row.organization][row.kind != JOB.encode()] += 1
            yield encode(row.organization.decode(), row.kind.decode(), row.id.decode(), value)
        for organization, (jobs, accounts) in kept.items():
            ledger = self._found[organization]
            if ledger.cursor is not None and not ledger.damage.accounts:
                cursor = msgspec.structs.replace(ledger.cursor, jobs=jobs, accounts=accounts)
                if ledger.damage.jobs:
                    cursor.damaged_until = cursor.updated
                yield encode(organization.decode(), CURSOR, "", msgspec.json.encode(cursor))


def encode(organization: str, kind: str, key: str, value: bytes) -> tuple[str, str, str, bytes, int]:
    """Return a row with its checksum.

    Raises:
        ValueError: a name has lone surrogates.
    """
    return organization, kind, key, value, _checksum(organization.encode(), kind.encode(), key.encode(), value)


def _damaged_job(updated: float) -> KnownJob:
    nobody = RunKey(RunKind.OTHER, "")
    return KnownJob(nobody, "", updated, Presence.DAMAGED, ResultOf.NONE, counted=True)


def _checksum(*parts: bytes) -> int:
    return zlib.crc32(b"\0".join(parts))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
