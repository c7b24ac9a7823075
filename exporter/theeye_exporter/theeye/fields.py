"""The types and the checked values of fields in TheEye's API.

Fields are as loose as the API: any value may be null, missing or of another type, and one bad field must not make its
object or the list unusable. So structs declare them as `Any`; `number`, `text` and `timestamp` return checked values.
"""

import math
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

__all__ = ["Junk", "Times", "number", "text", "timestamp"]

# What may appear in place of an object. A union can also contain one struct.
Junk = list[Any] | str | float | bool | None

_END_OF_TIME: Final = 253_402_214_400.0
"""9999-12-31: this leaves a day, so that a time with any offset from UTC is still a valid date."""


class Times(msgspec.Struct, gc=False):
    """Run time of a script."""

    seconds: Any = None
    nanoseconds: Any = None

    def total(self) -> float | None:
        """Return the run time in seconds, None if it is incomplete, infinite if it is too large for a sample."""
        if not {type(self.seconds), type(self.nanoseconds)} <= {int, float}:
            return None
        try:
            return float((self.seconds * 10**9 + self.nanoseconds) / 10**9)
        except OverflowError:
            return math.inf


def number(value: object) -> float | None:
    """Return a finite number, None for anything else; a bool does not count as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer that is too large for a sample
        return None


def text(value: object) -> str:
    """Return a string unchanged, a number as its digits, and an empty string for anything else."""
    if isinstance(value, str):
        return value
    return "" if number(value) is None else str(value)


def timestamp(value: object) -> float | None:
    """Return the Unix time, in seconds, of an ISO 8601 string (UTC if it has no offset); None for anything else."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type] # a TypeError is handled
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if 0 < seconds < _END_OF_TIME else None
