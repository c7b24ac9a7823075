"""What requests cost a real supervisor, as measured, and how they make each other wait.

A supervisor has one thread. A list occupies it for about a millisecond for each object, and also waits for the database.
The supervisor continues with a list after the client has left.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["Cost", "Supervisor", "cost_of"]


class Cost(NamedTuple):
    """What a request takes if nothing else happens.

    Attributes:
        busy: seconds for which it occupies the supervisor.
        seconds: until its response is complete.
    """

    busy: float
    seconds: float


_Points = tuple[tuple[int, Cost], ...]

_REQUEST: Final = Cost(0.01, 0.02)
"""A request that lists nothing."""

_LISTS: Final[dict[str, _Points]] = {
    # Measured with indexes that an administrator has to add; in between, the cost grows evenly.
    "monitors": (
        (0, _REQUEST),
        (500, Cost(0.4, 0.8)),
        (1_000, Cost(0.8, 1.3)),
        (5_000, Cost(3.2, 6.5)),
        (10_000, Cost(7.6, 18.0)),
    ),
    "tasks": (
        (0, _REQUEST),
        (100, Cost(0.16, 0.5)),
        (500, Cost(0.85, 2.7)),
        (5_000, Cost(9.0, 27.0)),
        (10_000, Cost(26.0, 144.0)),
    ),
    "jobs": ((0, _REQUEST), (1_000, Cost(0.4, 0.7)), (10_000, Cost(3.3, 7.0))),
    "hosts": ((0, _REQUEST), (500, Cost(0.9, 1.8))),
}
_SINGLE: Final = Cost(0.005, 0.02)
"""A request for one object, or for a kind of list that was not measured."""


def cost_of(kind: str, objects: int) -> Cost:
    """Return what a request costs.

    Args:
        kind: the kind of the route, as named in faults.
        objects: number of objects in the response.
    """
    points = _LISTS.get(kind)
    if points is None:
        return _SINGLE
    sizes = [size for size, _ in points]
    last = min(max(bisect_left(sizes, objects), 1), len(points) - 1)
    (size, cost), (next_size, next_cost) = list(pairwise(points))[last - 1]
    share = (objects - size) / (next_size - size)
    busy, seconds = (before + (after - before) * share for before, after in zip(cost, next_cost, strict=True))
    return Cost(busy, seconds)


class Supervisor:
    """Carries out requests, one at a time. Safe for threads.

    Args:
        monotonic: a clock, in seconds.

    Attributes:
        busy: seconds for which requests have occupied it, those that are not finished included.
        longest: the longest time for which one request of a kind occupied it, by kind.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.busy = 0.0
        self.longest: dict[str, float] = {}
        self._monotonic = monotonic
        self._free_at = float("-inf")
        self._lock = threading.Lock()

    def take(self, kind: str, objects: int) -> float:
        """Begin a request, whether or not its client waits; return the seconds until its response is complete."""
        cost = cost_of(kind, objects)
        with self._lock:
            now = self._monotonic()
            begins = max(now, self._free_at)
            self._free_at = begins + cost.busy
            self.busy += cost.busy
            self.longest[kind] = max(cost.busy, self.longest.get(kind, 0.0))
            return begins + cost.seconds - now
