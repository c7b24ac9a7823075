"""A queue of future events."""

import heapq
from collections.abc import Callable

__all__ = ["EventQueue"]


class EventQueue:
    """Actions with their times, in order."""

    __slots__ = ("_due", "_order", "now_ms")

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = 0

    def at(self, due_ms: int, action: Callable[[int], None]) -> None:
        """Schedules an action; it is called with its time."""
        self._order += 1
        heapq.heappush(self._due, (due_ms, self._order, action))

    def run(self, until_ms: int) -> None:
        """Runs the actions that are due, in order, each at its time; the time never goes back."""
        while self._due and self._due[0][0] <= until_ms:
            due_ms, _, action = heapq.heappop(self._due)
            self.now_ms = max(self.now_ms, due_ms)
            action(self.now_ms)
        self.now_ms = max(self.now_ms, until_ms)
