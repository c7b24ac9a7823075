"""Ids, times and smooth numbers that are the same in every run."""

import math
import random
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["ID_DIGITS", "MS", "Ids", "Organization", "iso", "parse_time", "uuid_like", "wave"]

ID_DIGITS: Final = 24
"""Number of hexadecimal digits in a MongoDB object id."""

MS: Final = 1000
"""Milliseconds in a second."""
_COUNTER: Final = 1 << 24


class Organization(NamedTuple):
    """The organisation that owns all objects; TheEye calls it customer."""

    id: str
    name: str


class Ids:
    """Creates object ids like MongoDB: seconds, a machine's number and a counter, so that they sort by age."""

    __slots__ = ("_counter", "_machine")

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"{seed} ids")
        self._machine = f"{chance.getrandbits(40):010x}"
        self._counter = chance.getrandbits(20)

    def __call__(self, at_ms: int) -> str:
        """The next id for an object created at a time in milliseconds since the epoch."""
        self._counter = (self._counter + 1) % _COUNTER
        return f"{at_ms // MS & 0xFFFFFFFF:08x}{self._machine}{self._counter:06x}"


@lru_cache(maxsize=8192)
def _second(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))


def iso(at_ms: int) -> str:
    """Formats a time in milliseconds since the epoch like JavaScript: UTC, with milliseconds and Z."""
    seconds, ms = divmod(at_ms, MS)
    return f"{_second(seconds)}.{ms:03d}Z"


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of a date, as the server's database layer reads it: ISO 8601 or a number.

    Raises:
        ValueError: It is not a date.
    """
    if text.lstrip("-").isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * MS)


def uuid_like(chance: random.Random) -> str:
    """Random digits in the form of a UUID of version 5."""
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def wave(seed: int, at_ms: int, low: float, high: float) -> float:
    """A value between low and high that drifts over minutes and varies by the second; only the arguments decide it."""
    seconds = at_ms / MS
    slow = math.sin(seconds / (90 + seed % 240) + seed % 628 / 100)
    quick = math.sin(seconds / (5 + seed % 17) + seed % 97)
    grain = ((seed * 2654435761 + at_ms // MS * 40503) & 0xFFFF) / 0xFFFF
    share = 0.5 + 0.3 * slow + 0.1 * quick + 0.2 * (grain - 0.5)
    return low + (high - low) * min(max(share, 0.0), 1.0)
