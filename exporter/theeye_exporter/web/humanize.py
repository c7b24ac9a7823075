"""Formats times, numbers and names for people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

__all__ = ["age", "clean", "counted", "duration", "listed", "span", "utc"]

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_SHORT: Final = {"day": "d", "hour": "h", "minute": "min", "second": "s"}
_JOINERS: Final = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_PRECISE_BELOW: Final = 10


def age(seconds: float) -> str:
    """Say how long ago something was, in its largest unit; a time in the future (clocks step) is just now."""
    whole = int(seconds)
    for unit, size in _UNITS:
        if whole >= size:
            return f"{counted(whole // size, unit)} ago"
    return "just now"


def span(seconds: float) -> str:
    """Say a length of time in its two largest units, such as `2 min 30 s`."""
    rest = round(seconds)
    parts = []
    for unit, size in _UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount:,} {_SHORT[unit]}")
        if len(parts) == 2 or (parts and not amount):  # noqa: PLR2004 - as in the docstring
            break
    return " ".join(parts) or f"{seconds:.2g} s"


def duration(seconds: float) -> str:
    """Say how long something took, with the digits that matter."""
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if round(seconds, 1) < _PRECISE_BELOW else span(seconds)


def utc(seconds: float) -> datetime:
    """Return the moment of a Unix time, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC)


def counted(number: int, noun: str) -> str:
    """Say a number of things: `1 minute`, `1,234 minutes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], *, at_most: int) -> str:
    """List names, and say how many more there are."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more:,} more" if more > 0 else "")


def clean(text: str, limit: int = 512) -> str:
    """Make a foreign name safe for one line: printable characters only, at most `limit` of them.

    Other characters (control characters, lone surrogates, marks that change the direction of writing) become U+FFFD.
    The joiners that emoji and some scripts need are kept.
    """
    kept = text if len(text) <= limit else f"{text[:limit]}…"
    if kept.isprintable():
        return kept
    return "".join(char if char.isprintable() or char in _JOINERS else "\N{REPLACEMENT CHARACTER}" for char in kept)
