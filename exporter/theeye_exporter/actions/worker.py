"""Carries out what was decided: starts what may start, looks for lost answers, and follows runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.cancelling import Cancelling
from theeye_exporter.actions.endings import Endings
from theeye_exporter.actions.finding import Finding, Way
from theeye_exporter.actions.guarded import GuardedStore, is_current
from theeye_exporter.actions.limits import Limit, Rate, wait_for
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.patience import Patience
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Decision, Order
from theeye_exporter.actions.rows import Phase, Row, Timing
from theeye_exporter.actions.starter import Starter, Upstream
from theeye_exporter.actions.starts import Starts
from theeye_exporter.actions.store import FileStore
from theeye_exporter.actions.targets import TargetError, fitted
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["Reach", "Worker"]

_CANCEL_FOR: Final = 3600.0
"""For so many seconds TheEye is asked to cancel a run; then the run no longer counts as open."""

_FOLLOW_SOON: Final = 30.0
"""So many seconds after the start of a run, its job is still read at each step."""

_FOLLOW_LATER: Final = 10.0
"""Seconds between two readings after that."""


class Reach(Upstream, Protocol):
    """The requests that follow and cancel runs of an organisation, whichever action started them."""

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job; raise `UpstreamError`."""


class Worker:
    """Carries out the starts of one organisation's actions, also those of removed actions. Use it from one thread.

    Args:
        plans: The actions of all organisations by name.
        organization: The name of the organisation.
        records: What is kept.
        store: The rows of the organisation.
        starts: The starts that count for limits.
        connect: Returns an action's way to TheEye.
        reach: The organisation's way to TheEye.
        together: The rate of all actions.
        clocks: The clocks to use.
        moments: Converts Unix times to monotonic times.
        timing: How patient a start is.
        leaves: Asked between two steps; if true, the remaining work is left for the next time.

    Attributes:
        finding: Looks for what is started.
    """

    def __init__(  # noqa: PLR0913 - what it needs from outside is passed in
        self,
        plans: Mapping[str, ActionPlan],
        *,
        organization: str,
        records: AlertRecords,
        store: FileStore,
        starts: Starts,
        connect: Callable[[ActionPlan], Way],
        reach: Reach,
        together: Rate,
        clocks: Clocks,
        moments: Moments,
        timing: Timing,
        leaves: Callable[[], bool],
    ) -> None:
        self._plans = plans
        self._organization = organization
        self._records = records
        self._store = store
        self._guarded = GuardedStore(store, records, self._may_begin, moments)
        self._starts = starts
        self._endings = Endings(plans, records, store, starts, clocks)
        self._connect = connect
        self._reach = reach
        self._together = together
        self._clocks = clocks
        self._timing = timing
        self._leaves = leaves
        self._patience = Patience(records, moments, clocks)
        self.finding = Finding(connect, clocks, timing.retry)
        self._cancelling: dict[str, Cancelling] = {}
        self._follow_at = 0.0
        self._full: set[str] = set()
        """The actions for which this round has found no room: all starts of one action wait for the same."""
        self._last: dict[tuple[str, str], float] = {}
        """When each action last started something for each alert, before this round."""
        self._undecided: list[Row] | None = None
        """Starts whose fate is unknown; None after a step that may have changed them."""

    def work(self) -> None:
        """Do once what is due, the oldest first.

        Raises:
            LedgerError: The state file cannot be written; what was not saved is not done.
        """
        with self._records.lock:
            orders = [one for one in self._records.all(Order).values() if one.organization == self._organization]
            sent = self._starts.sent(self._plans)
        self._full.clear()
        self._last = {(one.action, one.alert): one.at for one in sorted(sent, key=lambda one: one.at)}
        self._undecided = None
        self.finding.begin_round()
        for order in sorted(orders, key=lambda one: (self.finding.retry_at(one), self._queued_at(one))):
            if self._leaves():
                return
            self._step(order)
        self._follow(orders)
        for order in orders:
            row = self.row_of(order)
            if row is not None and row.phase not in {Phase.DECIDED, Phase.SENDING}:
                self._endings.write_down(order, row)
                if row.phase.over:
                    self._forget(order)

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
                why = f"the configuration of organisation {self._organization} no longer has this action"
                self._drop(order, row, Decision.EXPIRED, why)
            else:
                self._wait_or_begin(plan, order, row)
        elif row.phase is Phase.SENDING:
            self._undecided = None
            if self._starter(self._reach).advance(row).phase is Phase.DECIDED:
                self._patience.excuse(order, self._starts.age(row))
        elif row.phase is Phase.STARTED and self._starts.age(row) >= row.timeout:
            self._stop(order, row)

    def _wait_or_begin(self, plan: ActionPlan, order: Order, row: Row | None) -> None:
        with self._records.lock:
            if not is_current(self._records, order):
                self._drop(order, row)
                return
            if self._patience.is_over(order, plan.limits.max_wait, behind=self._is_behind(order, row)):
                trouble = self.finding.troubles.get(order.action) or (row.why if row is not None else "")
                asked = f"; requests to TheEye failed: {trouble}" if trouble else ""
                self._drop(order, row, Decision.EXPIRED, f"the start waited for {plan.limits.max_wait:.0f} s{asked}")
                return
            if order.action in self._full or self._cools_down(plan, order) or not self.finding.may_ask(order):
                return
            if self._is_busy(order) or not self._may_begin(order):
                return
        self._begin(plan, order, row)

    def _may_begin(self, order: Order) -> bool:
        """Whether the action starts something, and the limits leave room; hold the lock of the records."""
        plan = self._plan_of(order)
        if plan is None or not plan.live or self._records.totals(plan.name).suspended or self._leaves():
            return False
        sent, now = self._starts.sent(self._plans), self._clocks.monotonic()
        wait = wait_for(plan.name, order.alert, plan.limits, together=self._together, sent=sent, now=now)
        if wait is not None and wait.limit is not Limit.COOLDOWN:
            self._full.add(plan.name)
        return wait is None

    def _cools_down(self, plan: ActionPlan, order: Order) -> bool:
        """Whether its alert had a run too recently: saves looking at all starts for each order that waits."""
        last = self._last.get((plan.name, order.alert))
        return last is not None and last + plan.limits.cooldown > self._clocks.monotonic()

    def _others(self, order: Order) -> Iterable[Row]:
        """Return the other starts whose fate is unknown, also those of canaries."""
        if self._undecided is None:
            self._undecided = [row for row in self._store.open_rows() if row.phase is Phase.SENDING]
        return (other for other in self._undecided if other.id != order.id)

    def _is_busy(self, order: Order) -> bool:
        """Whether the fate of a start of its task is unknown, as far as its task is known."""
        return any(other.target.task_id == self.finding.task_of(order) for other in self._others(order))

    def _is_behind(self, order: Order, row: Row | None) -> bool:
        """Whether it waits for a start whose fate is unknown, of the same task or action."""
        task_id = self.finding.task_of(order) or (None if row is None else row.target.task_id)
        for other in self._others(order):
            waiting = self._records.get(Order, other.id)
            if other.target.task_id == task_id or (waiting is not None and waiting.action == order.action):
                return True
        return False

    def _begin(self, plan: ActionPlan, order: Order, row: Row | None) -> None:
        self._undecided = None
        try:
            found = self.finding.find(plan, order)
        except TargetError as error:
            self._drop(order, row, Decision.NO_TARGET, str(error))
            return
        if found is None:
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
        return Starter(upstream, self._guarded, self._clocks.wall, self._timing, self._leaves)

    def _drop(self, order: Order, row: Row | None, decision: Decision | None = None, why: str = "") -> None:
        self._endings.drop(order, row, decision, why)
        self._forget(order)

    def _forget(self, order: Order) -> None:
        self._patience.forget(order.id)
        self._cancelling.pop(order.id, None)

    def _follow(self, orders: Iterable[Order]) -> None:
        now = self._clocks.monotonic()
        rows = (self.row_of(order) for order in orders)
        running = [row for row in rows if row is not None and row.phase is Phase.STARTED]
        young = any(self._starts.age(row) < _FOLLOW_SOON for row in running)
        if running and (young or now >= self._follow_at):
            self._follow_at = now + _FOLLOW_LATER
            self._starter(self._reach).follow(running)

    def _stop(self, order: Order, row: Row) -> None:
        """Cancel a run: ask again and again until TheEye accepts that."""
        wall = self._clocks.wall()
        if order.cancelled_at is None:
            with self._records.draft() as draft:
                current = draft.get(Order, order.id) or order
                draft.put(order.id, replace(current, cancelled_at=wall))
        if order.id not in self._cancelling:
            cancel = partial(self._reach.cancel, row.job_id)
            self._cancelling[order.id] = Cancelling(cancel, self._clocks.monotonic, _CANCEL_FOR)
        cancelling = self._cancelling[order.id]
        cancelling.work()
        if why := cancelling.failed:
            self._guarded.save(replace(row, phase=Phase.ENDED, outcome=Outcome.TIMEOUT, ended_at=wall, why=why))
        elif row.why != cancelling.trouble:
            self._guarded.save(replace(row, why=cancelling.trouble))
