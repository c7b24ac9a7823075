"""Reads jobs in state files of format 1, which had seven booleans instead of today's two states."""

from typing import Any

import msgspec

from theeye_exporter.ledger.records import KnownJob, Presence, ResultOf

__all__ = ["job_of_format_1"]


def job_of_format_1(value: bytes) -> bytes:
    """Return a job in today's form.

    Raises:
        ValueError: it cannot be read.
    """
    old: dict[str, Any] = msgspec.json.decode(value, type=dict[str, Any])
    states = {
        "presence": _presence(old),
        "result": ResultOf.READ if old["result_known"] else ResultOf.WANTED if old["wants_result"] else ResultOf.NONE,
        "counted": old["counted"] if old["runs"] else not old["before"],
    }
    return msgspec.json.encode(msgspec.convert(old | states, KnownJob))


def _presence(old: dict[str, Any]) -> Presence:
    if old["open"]:
        return Presence.MISSING if old["missing"] else Presence.OPEN
    if not old["runs"]:
        return Presence.UNLISTED
    return Presence.CHANGED if old["suspect"] else Presence.ENDED
