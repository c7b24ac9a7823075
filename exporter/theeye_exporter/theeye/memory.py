"""Limits the memory that responses take: few large ones at a time, and none while the process is at its limit.

A limit for each response does not limit the process: it polls many servers at the same time, and decoded JSON takes
several times its size.
"""

import errno
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeVar

from theeye_exporter.machine import return_memory
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = [
    "LARGE",
    "LARGE_ANSWERS",
    "UNBOUNDED",
    "Crowded",
    "LargeAnswers",
    "Place",
    "Room",
    "lacking",
    "resident",
    "resident_at_start",
]

T = TypeVar("T")

LARGE: Final = 8 * 2**20
"""A response of more bytes than this is large."""

_AT_ONCE: Final = 4

_SMALL: Final = 2**20
"""Bytes of samples (some 400 monitors) that are always allowed, so that one bad server does not harm the others."""

_RESPONSES: Final = 9
"""The process may take this many times the size limit of a response."""

_LEAST_RESPONSES: Final = 4
"""Responses may always take this many times the size limit, on top of what the process itself takes."""

_STEP: Final = 50
"""After this many objects, the memory is checked again: with the longest names, they take a few megabytes."""

_FEW: Final = 500
"""Up to this many objects of a list need no spare memory, so that one bad server does not harm the others."""

_SPARE_FOR_SAMPLES: Final = 0.4
"""Share of the memory for responses that samples must leave free; more than the other steps, because samples stay."""

_SPARE_FOR_OBJECTS: Final = 0.2

_NO_MEMORY: Final = frozenset({errno.ENOMEM, errno.ENOBUFS})
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Crowded(Exception):  # noqa: N818 - not an error; the request is repeated
    """A response turned out to be large, and no place was free."""


class LargeAnswers:
    """The places for large responses. Safe for threads."""

    def __init__(self, places: int = _AT_ONCE) -> None:
        self.free = threading.BoundedSemaphore(places)
        self._decoding = threading.Lock()

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        """Decode only one response at a time: two at a time would not be faster."""
        with self._decoding:
            yield


LARGE_ANSWERS: Final = LargeAnswers()
"""The places of this process."""


class Place:
    """The place of one response, once it has taken one.

    Args:
        places: all places of the process.
    """

    def __init__(self, places: LargeAnswers) -> None:
        self._places = places
        self._taken = False

    def wait(self, seconds: float) -> None:
        """Take a place before the request; raise `UpstreamError` if none becomes free in time."""
        self._taken = self._taken or self._places.free.acquire(timeout=seconds)
        if not self._taken:
            raise UpstreamError(Reason.OUT_OF_RESOURCES, "other large responses took too long to read")

    def enter(self) -> None:
        """Take a place for a response that turned out to be large; raise `Crowded` if none is free."""
        self._taken = self._taken or self._places.free.acquire(blocking=False)
        if not self._taken:
            raise Crowded

    def leave(self) -> None:
        """Give the place back if one was taken."""
        if self._taken:
            self._taken = False
            self._places.free.release()


class Room:
    """Refuses whatever would take more memory than the process may use.

    Args:
        max_bytes: size limit of a response. The process may take nine times as much, or four times as much on top of
            what it took when its memory was first checked, whichever is more.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._samples = 2 * max_bytes

    def need_for_samples(self, size: int) -> None:
        """Raise `UpstreamError` if `size` bytes of samples are too many for one collector, or if there is no room.

        Samples stay in memory, so they must leave room for responses, and for the scrapes that copy them.
        """
        if size > self._samples:
            mebibytes = self._samples // 2**20
            raise UpstreamError(
                Reason.TOO_LARGE,
                f"the samples would take more than {mebibytes} MiB (twice `limits.max_response_bytes`)",
            )
        if size > _SMALL:
            self.need(spare=_SPARE_FOR_SAMPLES)

    def watched(self, items: Sequence[T]) -> Iterator[T]:
        """Yield the items; raise `UpstreamError` if what is made of them on the way leaves no room.

        Whoever makes something of each object in a list iterates like this, because nothing else limits how much
        memory that takes: a short text in a response can become part of many labels.
        """
        for start in range(0, len(items), _STEP):
            self.need(spare=_SPARE_FOR_OBJECTS if start >= _FEW else 0.0)
            yield from items[start : start + _STEP]

    def need(self, size: int = 0, *, spare: float = 0.0) -> None:
        """Raise `UpstreamError` if there is no room for `size` more bytes.

        Args:
            size: bytes.
            spare: share of the memory for all responses that must stay free: a response that has only just begun must
                leave room for the rest.
        """
        began_with = resident_at_start()
        limit = max(_RESPONSES * self._max_bytes, began_with + _LEAST_RESPONSES * self._max_bytes)
        size += int((limit - began_with) * spare)
        if resident() + size > limit and _after_trimming() + size > limit:
            mebibytes = limit // 2**20
            raise UpstreamError(Reason.OUT_OF_RESOURCES, f"the process would use more than {mebibytes} MiB of memory")


UNBOUNDED: Final = Room(sys.maxsize)
"""Refuses nothing."""


@cache
def resident_at_start() -> int:
    """Return the bytes of memory that the process took when its memory was first checked."""
    return resident()


def resident() -> int:
    """Return the bytes of memory that the process takes; 0 if the system does not say."""
    try:
        return int(os.pread(_statm(), 100, 0).split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


@cache
def _statm() -> int:
    # It stays open, because opening takes most of the time.
    return os.open("/proc/self/statm", os.O_RDONLY)


def lacking(error: BaseException | None) -> str | None:
    """Return which resource the system refused, if an exception, or one of its causes, says so."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NO_MEMORY):
            return "the system gives the exporter no more memory"
        if isinstance(error, OSError) and error.errno in _NO_FILES:
            return "the system lets the exporter open no more files and connections"
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return "the system lets the exporter start no more threads"
        error = error.__cause__ or error.__context__
    return None


def _after_trimming() -> int:
    return_memory()
    return resident()
