"""Carries out what was decided: starts what may start, looks for lost answers, follows runs, and writes down what came of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from theeye_exporter.actions.book import Book, Draft
from theeye_exporter.actions.deciding import alert_key, count_end
from theeye_exporter.actions.limits import Rate, wait_for
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Decision, KnownEpisode, Order, PastRun, Said, count
from theeye_exporter.actions.rows import Phase, Row, Timing
from theeye_exporter.actions.starter import Starter, Upstream
from theeye_exporter.actions.starts import Starts
from theeye_exporter.actions.store import FileStore
from theeye_exporter.actions.targets import Found, TargetError, fitted
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["Connection", "Worker"]

_CANCEL_SECONDS: Final = 60.0
"""How long a run may go on after it was cancelled, before it no longer counts as open."""

_PAST_KEPT: Final = 1000
"""Number of past runs that are kept for people; those that count for limits are kept besides."""

_FOLLOW_SOON: Final = 30.0
"""Runs are read at each step for so many seconds, and then at every tenth."""

_FOLLOW_LATER: Final = 10.0

_log: Final = structlog.get_logger(__name__)


class Connection(Protocol):
    """An action's way to TheEye; each method raises `UpstreamError`."""

    @property
    def by_secret(self) -> bool:
        """Whether starts are sent with a secret key."""

    @property
    def upstream(self) -> Upstream:
        """TheEye, as starts need it."""

    def find(self, plan: ActionPlan, hostname: str) -> Found:
        """Return the one target; raise `TargetError` if there is none, or several."""

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job."""


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


class _GuardedStore:
    """The store as the starter sees it: a start begins only if its episode still fires, and is not saved without its order."""

    def __init__(self, store: FileStore, book: Book) -> None:
        self._store = store
        self._book = book

    def open_rows(self) -> list[Row]:
        with self._book.lock:
            return self._store.open_rows()

    def save(self, row: Row) -> None:
        with self._book.lock:
            if self._book.get(Order, row.id) is not None:  # otherwise its alert was resolved meanwhile
                self._store.save(row)

    def begin(self, row: Row) -> bool:
        with self._book.lock:
            order = self._book.get(Order, row.id)
            return order is not None and is_current(self._book, order) and self._store.begin(row)

    def known_jobs(self, task_id: str) -> frozenset[str]:
        with self._book.lock:
            return self._store.known_jobs(task_id)

    def user_id(self, token_mark: str) -> str | None:
        with self._book.lock:
            return self._store.user_id(token_mark)

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        with self._book.lock:
            self._store.learn_user_id(token_mark, user_id)


class Worker:
    """Works for the actions of one organisation. Use it from one thread.

    Args:
        plans: The actions of all organisations by name; the mapping may change.
        book: What is kept.
        store: The rows of the organisation.
        starts: The starts that count for limits.
        connect: Returns an action's way to TheEye.
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
        connect: Callable[[ActionPlan], Connection],
        together: Rate,
        clocks: Clocks,
        timing: Timing,
    ) -> None:
        self._plans = plans
        self._organization = organization
        self._book = book
        self._store = store
        self._guarded = _GuardedStore(store, book)
        self._starts = starts
        self._connect = connect
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
            orders = [one for one in self._book.all(Order).values() if self._is_ours(one)]
        for order in sorted(orders, key=self._queued_at):
            self._step(order)
        self._follow(orders)
        for order in orders:
            self._write_down(order)

    def _is_ours(self, order: Order) -> bool:
        plan = self._plans.get(order.action)
        return plan is not None and plan.organization == self._organization

    def _queued_at(self, order: Order) -> float:
        row = self.row_of(order)
        return order.queued_at if row is None else row.queued_at

    def row_of(self, order: Order) -> Row | None:
        """Return the row of an order, also if it is over."""
        return self._store.row(order.id)

    def _step(self, order: Order) -> None:
        plan, row = self._plans[order.action], self.row_of(order)
        if row is None or row.phase is Phase.DECIDED:
            self._wait_or_begin(plan, order, row)
        elif row.phase is Phase.SENDING:
            self._patience_of(order, plan).excuse(self._clocks.monotonic())
            self._starter(plan).advance(row)
        elif row.phase is Phase.STARTED and self._clocks.wall() - row.sent_at >= plan.timeout:
            self._stop(plan, order, row)

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
        by_secret = self._connect(plan).by_secret
        now_due = replace(
            row or Row(id=order.id, target=found.target, queued_at=order.queued_at),
            target=found.target,
            arguments=arguments,
            by_secret=by_secret,
        )
        if now_due != row:
            self._guarded.save(now_due)
        self._starter(plan).advance(now_due)

    def _starter(self, plan: ActionPlan) -> Starter:
        return Starter(self._connect(plan).upstream, self._guarded, self._clocks.wall, self._timing)

    def _follow(self, orders: Iterable[Order]) -> None:
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        rows = {order.id: (order, row) for order in orders if (row := self.row_of(order)) is not None}
        running = {key: (order, row) for key, (order, row) in rows.items() if row.phase is Phase.STARTED}
        young = any(wall - row.sent_at < _FOLLOW_SOON for _, row in running.values())
        if not running or (now < self._follow_at and not young):
            return
        self._follow_at = now + _FOLLOW_LATER
        for order, _ in running.values():
            if self._connect(self._plans[order.action]).upstream.can_look:
                self._starter(self._plans[order.action]).follow()
                return

    def _stop(self, plan: ActionPlan, order: Order, row: Row) -> None:
        wall = self._clocks.wall()
        if not self._connect(plan).upstream.can_look:
            why = "without a token, nobody can follow the run"
            self._guarded.save(replace(row, phase=Phase.ENDED, outcome=Outcome.UNKNOWN, ended_at=wall, why=why))
        elif order.cancelled_at is None:
            with self._book.draft() as draft:
                current = draft.get(Order, order.id) or order
                draft.put(order.id, replace(current, cancelled_at=wall))
            try:
                self._connect(plan).cancel(row.job_id)
            except UpstreamError as error:
                self._guarded.save(replace(row, why=error.detail))
        elif wall - order.cancelled_at >= _CANCEL_SECONDS:
            why = "it goes on although it was cancelled"
            self._guarded.save(replace(row, phase=Phase.ENDED, outcome=Outcome.TIMEOUT, ended_at=wall, why=why))

    # Writing down what came of it.

    def _drop(self, order: Order, row: Row | None, decision: Decision | None = None, why: str = "") -> None:
        """Forget a start that was not sent, or that certainly never happened."""
        ids = [] if row is None else [row.id]
        with self._book.draft(lambda changes: self._store.settle(ids, changes)) as draft:
            current = draft.get(Order, order.id)
            if current is None:
                return
            if decision is not None:
                draft.say(order.action, Said(self._clocks.wall(), decision, order.labels, why))
            if current.ended is not None:
                count_end(draft.account(order.action), current.ended, ran=False)
            self._release(draft, order, ran=False)
        self._patience.pop(order.id, None)

    def _write_down(self, order: Order) -> None:
        row = self.row_of(order)
        if row is None or row.phase in {Phase.DECIDED, Phase.SENDING}:
            return
        if row.phase is Phase.STARTED:
            if not order.told:
                with self._book.draft() as draft:
                    self._tell(draft, draft.get(Order, order.id) or order, row)
                self._report("run started", order, job=row.job_id)
            return
        with self._book.draft(lambda changes: self._store.settle([row.id], changes)) as draft:
            current = draft.get(Order, order.id) or order
            if row.phase is Phase.ENDED:
                current = self._tell(draft, current, row)
            outcome = self._end(draft, current, row)
        self._patience.pop(order.id, None)
        if row.phase is Phase.ENDED and not order.told:
            self._report("run started", order, job=row.job_id)
        self._report("run ended", order, outcome=outcome, **({"job": row.job_id} if row.job_id else {}))

    def _report(self, event: str, order: Order, **more: str) -> None:
        """Log a step that is on the disk; the labels are the harmless line of the page."""
        _log.info(event, organization=self._organization, action=order.action, alert=order.labels, **more)

    def _tell(self, draft: Draft, order: Order, row: Row) -> Order:
        """Write down once that a run was started."""
        if order.told:
            return order
        wall, account = self._clocks.wall(), draft.account(order.action)
        found = " (found after a lost answer)" if row.looks else ""
        draft.say(order.action, Said(wall, Decision.STARTED, order.labels, f"job {row.job_id}{found}"))
        account.recovered += bool(row.looks)
        account.to_start.observe(max(0.0, row.sent_at - order.episode))
        account.last["start"] = row.sent_at
        if order.ended is not None:
            count_end(account, order.ended, ran=True)
        order = replace(order, told=True, ended=None)
        draft.put(order.id, order)
        return order

    def _end(self, draft: Draft, order: Order, row: Row) -> str:
        """Write down how a run ended, and return its outcome."""
        wall, account, plan = self._clocks.wall(), draft.account(order.action), self._plans[order.action]
        outcome = str(row.outcome or row.phase)
        if order.cancelled_at is not None and outcome == Outcome.CANCELED:
            outcome = str(Outcome.TIMEOUT)
        count(account.runs, outcome)
        account.last_outcome = outcome
        account.last["end"] = wall
        if row.phase is Phase.ENDED:
            account.turnaround.observe(max(0.0, wall - row.sent_at))
        if outcome == Outcome.SUCCESS:
            account.last["success"] = wall
            account.failures = 0
        elif row.phase is Phase.ENDED and Outcome(outcome).is_failed:
            account.failures += 1
            account.suspended |= 0 < plan.limits.suspend_after_failures <= account.failures
        if order.ended is not None:
            count_end(account, order.ended, ran=row.phase is not Phase.REFUSED)
        past = PastRun(
            action=order.action,
            alert=order.alert,
            labels=order.labels,
            episode=order.episode,
            sent_at=0.0 if row.phase is Phase.REFUSED else row.sent_at,
            ended_at=wall,
            outcome=outcome,
            job_id=row.job_id,
            why=row.why,
        )
        draft.put(order.id, past)
        self._forget_old(draft)
        self._release(draft, order, ran=row.phase is not Phase.REFUSED)
        return outcome

    def _forget_old(self, draft: Draft) -> None:
        kept = sorted(self._book.all(PastRun).items(), key=lambda one: one[1].ended_at)
        old = kept[: max(0, len(kept) - _PAST_KEPT)]
        counted = self._starts.past(self._plans) if old else {}
        for key, _ in old:
            if key not in counted:
                draft.remove(PastRun, key)

    def _release(self, draft: Draft, order: Order, *, ran: bool) -> None:
        """Give the episode back what its order took; a later episode of the alert is not touched."""
        draft.remove(Order, order.id)
        key = alert_key(order.action, order.alert)
        episode = draft.get(KnownEpisode, key)
        if episode is not None and episode.order == order.id:
            draft.put(key, replace(episode, order="", ran=ran))


def is_current(book: Book, order: Order) -> bool:
    """Whether the episode of an order is the last known one of its alert, and fires."""
    episode = book.get(KnownEpisode, alert_key(order.action, order.alert))
    return episode is not None and episode.end is None and episode.order == order.id
