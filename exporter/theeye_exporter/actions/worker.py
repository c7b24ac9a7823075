"""Carries out what was decided: starts what may start, looks for lost answers, and follows runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from theeye_exporter.actions.book import Book
from theeye_exporter.actions.endings import Endings
from theeye_exporter.actions.guarded import GuardedStore, is_current
from theeye_exporter.actions.limits import Rate, wait_for
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Decision, Order
from theeye_exporter.actions.rows import Phase, Row, Timing
from theeye_exporter.actions.starter import Starter, Upstream
from theeye_exporter.actions.starts import Starts
from theeye_exporter.actions.store import FileStore
from theeye_exporter.actions.targets import Found, TargetError, fitted
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["Reach", "Way", "Worker"]

_CANCEL_SECONDS: Final = 60.0
"""How long a run may go on after it was cancelled, before it no longer counts as open."""

_FOLLOW_SOON: Final = 30.0
"""Runs are read at each step for so many seconds, and then at every tenth."""

_FOLLOW_LATER: Final = 10.0


class Way(Protocol):
    """How an action starts something."""

    @property
    def by_secret(self) -> bool:
        """Whether starts are sent with a secret key."""

    @property
    def upstream(self) -> Upstream:
        """TheEye, as its starts need it."""

    def find(self, plan: ActionPlan, hostname: str) -> Found:
        """Return the one target; raise `UpstreamError`, or `TargetError` if there is none, or several."""


class Reach(Upstream, Protocol):
    """TheEye as what was started in an organisation needs it, whatever started it."""

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job; raise `UpstreamError`."""


@dataclass(slots=True)
class _Patience:
    """How long a start has waited for something that counts towards `max_wait`."""

    until: float
    seen: float
    retry_at: float = 0.0

    def excuse(self, now: float) -> None:
        """Do not count the time since it was last seen."""
        self.until += now - self.seen
        self.seen = now


class Worker:
    """Works for the actions of one organisation, and for what those started that it has no more. Use it from one thread.

    Args:
        plans: The actions of all organisations by name.
        organization: The name of the organisation.
        book: What is kept.
        store: The rows of the organisation.
        starts: The starts that count for limits.
        connect: Returns an action's way to TheEye.
        reach: The organisation's way to TheEye.
        together: The rate of all actions.
        clocks: The clocks to use.
        timing: How patient a start is.
    """

    def __init__(  # noqa: PLR0913 - what it needs from outside is passed in
        self,
        plans: Mapping[str, ActionPlan],
        *,
        organization: str,
        book: Book,
        store: FileStore,
        starts: Starts,
        connect: Callable[[ActionPlan], Way],
        reach: Reach,
        together: Rate,
        clocks: Clocks,
        timing: Timing,
    ) -> None:
        self._plans = plans
        self._organization = organization
        self._book = book
        self._store = store
        self._guarded = GuardedStore(store, book)
        self._starts = starts
        self._endings = Endings(plans, book, store, starts, clocks)
        self._connect = connect
        self._reach = reach
        self._together = together
        self._clocks = clocks
        self._timing = timing
        self._patience: dict[str, _Patience] = {}
        self._follow_at = 0.0

    def work(self) -> None:
        """Do once what is due, the oldest first.

        Raises:
            LedgerError: The state file cannot be written; what was not written down is not done.
        """
        with self._book.lock:
            orders = [one for one in self._book.all(Order).values() if one.organization == self._organization]
        for order in sorted(orders, key=self._queued_at):
            self._step(order)
        self._follow(orders)
        for order in orders:
            row = self.row_of(order)
            if row is not None and row.phase not in {Phase.DECIDED, Phase.SENDING}:
                self._endings.write_down(order, row)
                if row.phase.over:
                    self._patience.pop(order.id, None)

    def _plan_of(self, order: Order) -> ActionPlan | None:
        """Return the action of an order, if the organisation still has it."""
        plan = self._plans.get(order.action)
        return plan if plan is not None and plan.organization == self._organization else None

    def _queued_at(self, order: Order) -> float:
        row = self.row_of(order)
        return order.queued_at if row is None else row.queued_at

    def row_of(self, order: Order) -> Row | None:
        """Return the row of an order, also if it is over."""
        return self._store.row(order.id)

    def _step(self, order: Order) -> None:
        plan, row = self._plan_of(order), self.row_of(order)
        if row is None or row.phase is Phase.DECIDED:
            if plan is None:
                why = f"organisation {self._organization} has no such action any more"
                self._drop(order, row, Decision.EXPIRED, why)
            else:
                self._wait_or_begin(plan, order, row)
        elif row.phase is Phase.SENDING:
            if plan is not None:
                self._patience_of(order, plan).excuse(self._clocks.monotonic())
            self._starter(self._reach).advance(row)
        elif row.phase is Phase.STARTED and self._clocks.wall() - row.sent_at >= row.timeout:
            self._stop(order, row)

    def _wait_or_begin(self, plan: ActionPlan, order: Order, row: Row | None) -> None:
        now = self._clocks.monotonic()
        with self._book.lock:
            if not is_current(self._book, order):
                self._drop(order, row)
                return
            patience = self._patience_of(order, plan)
            if self._is_behind(order, row):
                patience.excuse(now)
            patience.seen = now
            if now >= patience.until:
                self._drop(order, row, Decision.EXPIRED, f"it waited for {plan.limits.max_wait:.0f} s")
                return
            account = self._book.account(plan.name)
            sent = self._starts.sent(self._plans)
        if not plan.live or account.suspended or now < patience.retry_at:
            return
        wait = wait_for(plan.name, order.alert, plan.limits, together=self._together, sent=sent, now=now)
        if wait is None:
            self._begin(plan, order, row)

    def _patience_of(self, order: Order, plan: ActionPlan) -> _Patience:
        if order.id not in self._patience:
            since = self._starts.when(f"{order.id} waits", self._queued_at(order))
            self._patience[order.id] = _Patience(since + plan.limits.max_wait, self._clocks.monotonic())
        return self._patience[order.id]

    def _is_behind(self, order: Order, row: Row | None) -> bool:
        """Whether it waits for a start whose fate is unknown, of the same task or action."""
        for other in self._store.open_rows():
            if other.phase is Phase.SENDING and other.id != order.id:
                waiting = self._book.get(Order, other.id)
                if waiting is not None and waiting.action == order.action:
                    return True
                if row is not None and other.target.task_id == row.target.task_id:
                    return True
        return False

    def _begin(self, plan: ActionPlan, order: Order, row: Row | None) -> None:
        try:
            found = self._connect(plan).find(plan, order.hostname)
        except TargetError as error:
            self._drop(order, row, Decision.NO_TARGET, str(error))
            return
        except UpstreamError:
            self._patience[order.id].retry_at = self._clocks.monotonic() + self._timing.retry
            return
        try:
            arguments = fitted(found, order.arguments)
        except TargetError as error:
            self._drop(order, row, Decision.BAD_ARGUMENTS, str(error))
            return
        # The configuration may have changed since it was decided, and a look must expect what is really sent.
        way = self._connect(plan)
        now_due = replace(
            row or Row(id=order.id, target=found.target, queued_at=order.queued_at),
            target=found.target,
            arguments=arguments,
            by_secret=way.by_secret,
            timeout=plan.timeout,
        )
        if now_due != row:
            self._guarded.save(now_due)
        self._starter(way.upstream).advance(now_due)

    def _starter(self, upstream: Upstream) -> Starter:
        return Starter(upstream, self._guarded, self._clocks.wall, self._timing)

    def _drop(self, order: Order, row: Row | None, decision: Decision | None = None, why: str = "") -> None:
        self._endings.drop(order, row, decision, why)
        self._patience.pop(order.id, None)

    def _follow(self, orders: Iterable[Order]) -> None:
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        rows = (self.row_of(order) for order in orders)
        running = [row for row in rows if row is not None and row.phase is Phase.STARTED]
        young = any(wall - row.sent_at < _FOLLOW_SOON for row in running)
        if running and (young or now >= self._follow_at):
            self._follow_at = now + _FOLLOW_LATER
            self._starter(self._reach).follow(running)

    def _stop(self, order: Order, row: Row) -> None:
        wall = self._clocks.wall()
        if order.cancelled_at is None:
            with self._book.draft() as draft:
                current = draft.get(Order, order.id) or order
                draft.put(order.id, replace(current, cancelled_at=wall))
            try:
                self._reach.cancel(row.job_id)
            except UpstreamError as error:
                self._guarded.save(replace(row, why=error.detail))
        elif wall - order.cancelled_at >= _CANCEL_SECONDS:
            why = "it goes on although it was cancelled"
            self._guarded.save(replace(row, phase=Phase.ENDED, outcome=Outcome.TIMEOUT, ended_at=wall, why=why))
