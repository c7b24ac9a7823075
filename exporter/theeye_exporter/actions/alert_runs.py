"""Connects the parts for runs that alerts start: takes alerts, returns decisions, and lets workers carry them out."""

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.alerts import Payload
from theeye_exporter.actions.deciding import Decider, World
from theeye_exporter.actions.episodes import FORGET_AFTER, Episode, covers, horizon
from theeye_exporter.actions.finding import Way
from theeye_exporter.actions.limits import Rate
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Begun, KnownEpisode, Order, Said
from theeye_exporter.actions.rows import Row, Timing
from theeye_exporter.actions.starts import Starts
from theeye_exporter.actions.store import FileStores
from theeye_exporter.actions.worker import Reach, Worker
from theeye_exporter.clocks import Clocks

__all__ = ["AlertRuns"]

_FORGET_EVERY: Final = 3600.0


class AlertRuns:
    """Receives alerts in any thread; each organisation's work runs in one thread at a time.

    Args:
        plans: The actions.
        stores: The rows of each organisation, and the state file.
        connect: Returns an action's way to TheEye.
        reach: Returns an organisation's way to TheEye.
        together: The rate of all actions.
        clocks: The clocks to use.
        moments: Converts Unix times to monotonic times; one object for the life of the process.
        timing: How patient a start is.

    Attributes:
        plans: The actions.
        records: What is kept.
        leaving: Set to make the work end after the request that is running.
        works: The function to call repeatedly for each organisation; calls for one organisation must not overlap.

    Raises:
        LedgerError: The state file cannot be read.
    """

    def __init__(  # noqa: PLR0913 - what it needs from outside is passed in
        self,
        plans: Mapping[str, ActionPlan],
        *,
        stores: FileStores,
        connect: Callable[[ActionPlan], Way],
        reach: Callable[[str], Reach],
        together: Rate,
        clocks: Clocks,
        moments: Moments,
        timing: Timing,
    ) -> None:
        self.plans = MappingProxyType(dict(plans))
        self.records = AlertRecords(stores.file, clocks.wall())
        self.leaving = threading.Event()
        self._clocks = clocks
        self._together = together
        self._stores = stores
        self._starts = Starts(self.records, self.row_of, together, moments, clocks)
        self._forget_at = clocks.monotonic()
        self._begin(clocks.wall())
        self._left = self._starts_left()
        organizations = {plan.organization for plan in plans.values()}
        organizations |= {order.organization for order in self.records.all(Order).values()}
        self._workers = {
            name: Worker(
                self.plans,
                organization=name,
                records=self.records,
                store=stores.of(name),
                starts=self._starts,
                connect=connect,
                reach=reach(name),
                together=together,
                clocks=clocks,
                moments=moments,
                timing=timing,
                leaves=self.leaving.is_set,
            )
            for name in sorted(organizations)
        }
        self.works: Mapping[str, Callable[[], None]] = {name: one.work for name, one in self._workers.items()}

    def trouble_of(self, plan: ActionPlan) -> str:
        """Return why TheEye could not be asked for the target of an action; empty if it could."""
        return self._workers[plan.organization].finding.troubles.get(plan.name, "")

    def row_of(self, order: Order) -> Row | None:
        """Return the row of an order; None if it waits for its turn."""
        return self._stores.of(order.organization).row(order.id)

    def receive(self, action: str, payload: Payload) -> list[Said]:
        """Decide about each alert; the decisions are on the disk when this returns.

        Raises:
            KeyError: There is no such action.
            LedgerError: The decisions cannot be written, and nothing has changed.
        """
        plan = self.plans[action]
        store = self._stores.of(plan.organization)
        with self.records.draft(lambda changes: store.settle(decider.dropped, changes)) as draft:
            decider = Decider(self.records, draft, plan, self._world())
            return decider.decide(payload)

    def work(self) -> None:
        """Do once what is due.

        Raises:
            LedgerError: The state file cannot be written.
        """
        for work in self.works.values():
            work()
        self.forget()

    def forget(self) -> None:
        """Forget old episodes, once in a while.

        Raises:
            LedgerError: The state file cannot be written.
        """
        now = self._clocks.monotonic()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._forget()

    def resume(self, action: str) -> bool:
        """End the suspension of an action; return whether it was suspended.

        Raises:
            KeyError: There is no such action.
            LedgerError: The state file cannot be written.
        """
        name = self.plans[action].name
        with self.records.draft() as draft:
            totals = draft.totals(name)
            was, totals.suspended, totals.failures = totals.suspended, False, 0
        return was

    def _begin(self, now: float) -> None:
        """Note which actions are new: nothing is known of the alerts that fire already."""
        begun = self.records.all(Begun)
        with self.records.draft() as draft:
            for name, plan in self.plans.items():
                if name not in begun or begun[name].organization != plan.organization:
                    draft.put(name, Begun(plan.organization, now))
            for name in begun.keys() - self.plans.keys():
                draft.remove(Begun, name)

    def _starts_left(self) -> dict[str, float]:
        """Return, for each alert that a removed action knew, when it last began; that action may have a new name now."""
        left: dict[str, float] = {}
        for key, one in self.records.all(KnownEpisode).items():
            action, _, alert = key.rpartition("/")
            if action not in self.plans:
                left[alert] = max(one.start, left.get(alert, one.start))
        return left

    def _world(self) -> World:
        sent = self._starts.sent(self.plans)
        return World(self._together, sent, self.row_of, self._left, self._clocks.wall(), self._clocks.monotonic())

    def _forget(self) -> None:
        now = self._clocks.wall()
        with self.records.lock:
            known = self.records.all(KnownEpisode)
            limit = horizon(self.records.born, now)
            old = [key for key, one in known.items() if one.start <= limit and one.heard_at <= now - FORGET_AFTER]
            old = [key for key in old if not known[key].order]
            if not old:
                return
            episodes = [Episode(known[key].start, known[key].end) for key in old]
            with self.records.draft() as draft:
                draft.forget_until(max(covers(one, limit) for one in episodes))
                for key in old:
                    draft.remove(KnownEpisode, key)
