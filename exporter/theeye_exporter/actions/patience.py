"""How long a start may still wait. The time that it has waited is saved with its order, so a restart does not change it."""

from dataclasses import dataclass, replace
from typing import Final

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.records import Order
from theeye_exporter.clocks import Clocks

__all__ = ["Patience"]

_WRITTEN_EVERY: Final = 10.0
"""Seconds that a kill may add to the waiting of a start."""


@dataclass(slots=True)
class _Waiting:
    seen: float
    excused: float = 0.0
    """What is not written down yet."""


class Patience:
    """Knows how long each start has waited for what counts towards `max_wait`. Use it from one thread.

    Args:
        records: Keeps the orders.
        moments: Converts Unix times to monotonic times.
        clocks: The clocks to use.
    """

    def __init__(self, records: AlertRecords, moments: Moments, clocks: Clocks) -> None:
        self._records = records
        self._moments = moments
        self._clocks = clocks
        self._waiting: dict[str, _Waiting] = {}

    def is_over(self, order: Order, max_wait: float, *, behind: bool) -> bool:
        """Whether a start has waited too long.

        Args:
            order: Its order.
            max_wait: How long it may wait, in seconds.
            behind: Whether it waits behind another start whose fate is unknown; this time does not count.

        Raises:
            LedgerError: The state file cannot be written.
        """
        now = self._clocks.monotonic()
        waiting = self._waiting.setdefault(order.id, _Waiting(now))
        if behind:
            waiting.excused += now - waiting.seen
        waiting.seen = now
        if waiting.excused >= (_WRITTEN_EVERY if behind else 1.0):
            self.excuse(order, waiting.excused)
            waiting.excused = 0.0
        current = self._records.get(Order, order.id) or order
        waited = self._moments.age(f"{order.id} asked", order.decided_at) - current.excused - waiting.excused
        return waited >= max_wait

    def excuse(self, order: Order, seconds: float) -> None:
        """Do not count so many seconds of its waiting.

        Raises:
            LedgerError: The state file cannot be written.
        """
        with self._records.draft() as draft:
            current = draft.get(Order, order.id)
            if current is not None:
                draft.put(order.id, replace(current, excused=current.excused + seconds))

    def forget(self, order_id: str) -> None:
        """Forget a start that does not wait any more."""
        self._waiting.pop(order_id, None)
