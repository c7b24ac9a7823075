"""The starts that count for limits: those that are open, and those of the past."""

from collections.abc import Callable, Mapping

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.limits import Rate, Sent
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Order, PastRun
from theeye_exporter.actions.rows import Phase, Row
from theeye_exporter.clocks import Clocks

__all__ = ["Starts"]


class Starts:
    """Knows when each start was sent, by a clock that never steps.

    Args:
        records: What is kept.
        row_of: Returns the row of an order; None if it has none.
        together: The rate of all actions.
        moments: Converts Unix times to monotonic times.
        clocks: The clocks to use.
    """

    def __init__(
        self,
        records: AlertRecords,
        row_of: Callable[[Order], Row | None],
        together: Rate,
        moments: Moments,
        clocks: Clocks,
    ) -> None:
        self._records = records
        self._row_of = row_of
        self._together = together
        self._moments = moments
        self._clocks = clocks

    def age(self, row: Row) -> float:
        """Return the seconds since the request of a start."""
        return self._moments.age(row.id, row.sent_at)

    def past(self, plans: Mapping[str, ActionPlan]) -> dict[str, Sent]:
        """Return the past starts that count for any limit, by the keys of their runs."""
        limits = [plan.limits for plan in plans.values()]
        # One period for all actions: the runs of one that was renamed or removed count for the rate of all.
        longest = max([self._together.seconds, *(max(one.cooldown, one.rate.seconds) for one in limits)])
        since = self._clocks.monotonic() - longest
        counted = {}
        for key, past in self._records.all(PastRun).items():
            if past.sent_at and (at := self._moments.when(key, past.sent_at)) > since:
                counted[key] = Sent(at, past.action, past.alert)
        return counted

    def sent(self, plans: Mapping[str, ActionPlan]) -> list[Sent]:
        """Return all starts that count, of all actions."""
        now = self._clocks.monotonic()
        counted = list(self.past(plans).values())
        for order in self._records.all(Order).values():
            row = self._row_of(order)
            if row is None or row.phase is Phase.DECIDED:
                continue
            at = self._moments.when(row.id, row.sent_at)
            # A start whose answer was lost may never be found: it takes up a place for as long as a run may last.
            stuck = row.phase is Phase.SENDING and now - at >= row.timeout
            counted.append(Sent(at, order.action, order.alert, open=not row.phase.over and not stuck))
        return counted
