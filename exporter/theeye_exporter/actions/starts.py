"""The starts that count for limits: those that are open, and those of the past."""

from collections.abc import Callable, Mapping

from theeye_exporter.actions.book import Book
from theeye_exporter.actions.limits import Rate, Sent
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Order, PastRun
from theeye_exporter.actions.rows import Phase, Row
from theeye_exporter.clocks import Clocks

__all__ = ["Starts"]


class Starts:
    """Knows when each start was sent, by a clock that never steps: that of the disk is translated once, at the start.

    Args:
        book: What is kept.
        row_of: Returns the row of an order; None if it has none.
        together: The rate of all actions.
        clocks: The clocks to use.
    """

    def __init__(self, book: Book, row_of: Callable[[Order], Row | None], together: Rate, clocks: Clocks) -> None:
        self._book = book
        self._row_of = row_of
        self._together = together
        self._clocks = clocks
        self._known: dict[str, float] = {}

    def when(self, key: str, wall: float) -> float:
        """Return the monotonic time of an event; what lies in the future happened now."""
        if key not in self._known:
            self._known[key] = self._clocks.monotonic() - max(0.0, self._clocks.wall() - wall)
        return self._known[key]

    def past(self, plans: Mapping[str, ActionPlan]) -> dict[str, Sent]:
        """Return the past starts that count for any limit, by the keys of their runs."""
        limits = [plan.limits for plan in plans.values()]
        # One period for all actions: the runs of one that was renamed or removed count for the rate of all.
        longest = max([self._together.seconds, *(max(one.cooldown, one.rate.seconds) for one in limits)])
        since = self._clocks.monotonic() - longest
        counted = {}
        for key, past in self._book.all(PastRun).items():
            if past.sent_at and (at := self.when(f"{key} {past.sent_at}", past.sent_at)) > since:
                counted[key] = Sent(at, past.action, past.alert)
        return counted

    def sent(self, plans: Mapping[str, ActionPlan]) -> list[Sent]:
        """Return all starts that count, of all actions."""
        now = self._clocks.monotonic()
        counted = list(self.past(plans).values())
        for order in self._book.all(Order).values():
            row = self._row_of(order)
            if row is None or row.phase is Phase.DECIDED:
                continue
            at = self.when(f"{order.id} {row.sent_at}", row.sent_at)
            # A start whose answer was lost may never be found: it takes up a place for as long as a run may last.
            stuck = row.phase is Phase.SENDING and now - at >= row.timeout
            counted.append(Sent(at, order.action, order.alert, open=not row.phase.over and not stuck))
        return counted
