"""Lists in several requests, so that no single one keeps TheEye busy for long.

The result is also right if a server ignores `where` or `limit`.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, Protocol, TypeVar

from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import timestamp

__all__ = ["PageSize", "Query", "iso", "pages_by_change", "pages_by_id"]

Query = Mapping[str, str | list[str]]


class _Changing(Protocol):
    id: Any
    last_update: Any


T = TypeVar("T", bound=_Changing)

_LEAST: Final = 50
"""The smallest page: with fewer objects, requests would cost more than objects."""

_FAST: Final = 1 / 8
"""The part of the patience within which a page must come before pages grow; twice as many objects then come in time."""

_OBJECT_ID: Final = re.compile("[0-9a-f]{24}")


class PageSize:
    """How many objects to request at once: half as many after a timeout, until TheEye is fast again.

    Args:
        most: the number for a server that is not overloaded.
        patience: seconds that a list may take.
        monotonic: the clock.

    Attributes:
        now: the number for the next request.
    """

    def __init__(self, most: int, patience: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = most
        self._most = most
        self._fast = patience * _FAST
        self._monotonic = monotonic

    @contextmanager
    def adjusted(self) -> Iterator[None]:
        """Adjust the size to how a request with it ends."""
        began = self._monotonic()
        try:
            yield
        except UpstreamError as error:
            if error.reason is Reason.TIMEOUT:
                self.now = max(_LEAST, self.now // 2)
            raise
        if self._monotonic() - began < self._fast:
            self.now = min(self._most, self.now * 2)


def pages_by_change(get: Callable[[Query], Listing[T]], since: float | None, limit: int) -> Iterator[Listing[T]]:
    """List the objects that changed, oldest change first; some come more than once, the newest version last.

    Args:
        get: requests one list.
        since: Unix time; objects whose `last_update` is before it may be left out.
        limit: number of objects per request.
    """
    while True:
        query = {"sort[last_update]": "1", "limit": str(limit)}
        if since is not None:
            query["where[last_update][$gte]"] = iso(since)
        page = get(query)
        yield page
        if _size(page) != limit:
            return  # the last page, or everything from a server that ignores the limit
        times = [timestamp(item.last_update) or 0 for item in page.items]
        last = max(times, default=0)
        if (since is not None and last <= since) or not _ascends(times):
            limit *= 2  # all objects on the page have the same time, or the server ignores the order
        else:
            since = last


def pages_by_id(
    get: Callable[[Query], Listing[T]], after: str, limit: int, is_enough: Callable[[], bool] = lambda: False
) -> Iterator[Listing[T]]:
    """List all objects whose ids are above `after`, in the order of their ids; or all objects, if a server cannot do that.

    Args:
        get: requests one list.
        after: an id; empty for all objects.
        limit: number of objects per request.
        is_enough: called after each page but the last one; returns whether to request no more.
    """
    while True:
        query = {"sort[_id]": "1", "limit": str(limit)}
        if after:
            query["where[_id][$gt]"] = after
        page = get(query)
        ids = [item.id for item in page.items]
        if _size(page) != limit:
            yield page  # the last page, or everything from a server that ignores the limit
            return
        if not ids or ids[0] <= after or not _ascends(ids) or not _OBJECT_ID.fullmatch(ids[-1]):
            yield get({})  # the next page could leave out objects
            return
        yield page
        if is_enough():
            return
        after = ids[-1]


def _size(page: Listing[Any]) -> int:
    return len(page.items) + page.skipped.total()


def _ascends(values: list[Any]) -> bool:
    return all(before <= after for before, after in pairwise(values))


def iso(seconds: float) -> str:
    """Return a Unix time as TheEye writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
