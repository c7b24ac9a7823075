"""Records how starts ended: for the counts, for people, and for the episodes that they belong to."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from theeye_exporter.actions.alert_records import AlertRecords, Draft
from theeye_exporter.actions.deciding import alert_key, count_end
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Decision, KnownEpisode, Order, PastRun, Said, count
from theeye_exporter.actions.rows import Phase, Row
from theeye_exporter.actions.starts import Starts
from theeye_exporter.actions.store import FileStore
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["Endings"]

_PAST_KEPT: Final = 1000
"""Number of past runs that are kept for people; those that count for limits are kept besides."""

_log: Final = structlog.get_logger(__name__)


class Endings:
    """Writes down what came of the starts of one organisation; each method raises `LedgerError` if it cannot.

    Args:
        plans: The actions of all organisations by name.
        records: What is kept.
        store: The rows of the organisation.
        starts: The starts that count for limits.
        clocks: The clocks to use.
    """

    def __init__(
        self, plans: Mapping[str, ActionPlan], records: AlertRecords, store: FileStore, starts: Starts, clocks: Clocks
    ) -> None:
        self._plans = plans
        self._records = records
        self._store = store
        self._starts = starts
        self._clocks = clocks

    def drop(self, order: Order, row: Row | None, decision: Decision | None = None, why: str = "") -> None:
        """Forget a start that was not sent, or that certainly never happened."""
        ids = [] if row is None else [row.id]
        with self._records.draft(lambda changes: self._store.settle(ids, changes)) as draft:
            current = draft.get(Order, order.id)
            if current is None:
                return
            if decision is not None:
                draft.say(order.action, Said(self._clocks.wall(), decision, order.labels, why))
            if current.ended is not None:
                count_end(draft.totals(order.action), current.ended, ran=False)
            self._release(draft, order, ran=False)

    def write_down(self, order: Order, row: Row) -> None:
        """Write down that a run was started, or that a start is over."""
        if row.phase is Phase.STARTED:
            if not order.told:
                with self._records.draft() as draft:
                    self._tell(draft, draft.get(Order, order.id) or order, row)
                self._report("run started", order, job=row.job_id)
            return
        with self._records.draft(lambda changes: self._store.settle([row.id], changes)) as draft:
            current = draft.get(Order, order.id) or order
            if row.phase is Phase.ENDED:
                current = self._tell(draft, current, row)
            outcome = self._end(draft, current, row)
        if row.phase is Phase.ENDED and not order.told:
            self._report("run started", order, job=row.job_id)
        self._report("run ended", order, outcome=outcome, **({"job": row.job_id} if row.job_id else {}))
        if row.phase is Phase.LOST:
            since = datetime.fromtimestamp(row.sent_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            advice = f"look in TheEye for a job of {row.target.kind} {row.target.id} created since {since}"
            self._report("nobody knows whether a run was started", order, why=row.why, advice=advice)

    def _report(self, event: str, order: Order, **more: str) -> None:
        """Log a step that is on the disk; the labels are in the same harmless line as on the page."""
        log = _log.warning if "advice" in more else _log.info
        log(event, organization=order.organization, action=order.action, alert=order.labels, **more)

    def _tell(self, draft: Draft, order: Order, row: Row) -> Order:
        """Write down once that a run was started."""
        if order.told:
            return order
        wall, totals = self._clocks.wall(), draft.totals(order.action)
        found = " (found after a lost answer)" if row.looks else ""
        draft.say(order.action, Said(wall, Decision.STARTED, order.labels, f"job {row.job_id}{found}"))
        totals.recovered += bool(row.looks)
        totals.to_start.observe(max(0.0, row.sent_at - order.episode))
        totals.last["start"] = row.sent_at
        if order.ended is not None:
            count_end(totals, order.ended, ran=True)
        order = replace(order, told=True, ended=None)
        draft.put(order.id, order)
        return order

    def _end(self, draft: Draft, order: Order, row: Row) -> str:
        """Write down how a run ended, and return its outcome."""
        wall, totals, plan = self._clocks.wall(), draft.totals(order.action), self._plans.get(order.action)
        outcome = str(row.outcome or row.phase)
        if order.cancelled_at is not None and outcome == Outcome.CANCELED:
            outcome = str(Outcome.TIMEOUT)
        count(totals.runs, outcome)
        totals.last_outcome = outcome
        totals.last["end"] = wall
        if row.phase is Phase.ENDED:
            totals.turnaround.observe(self._starts.age(row))
        if outcome == Outcome.SUCCESS:
            totals.last["success"] = wall
            totals.failures = 0
        elif row.phase is Phase.ENDED and Outcome(outcome).is_failed:
            totals.failures += 1
            totals.suspended |= plan is not None and 0 < plan.limits.suspend_after_failures <= totals.failures
        if order.ended is not None:
            count_end(totals, order.ended, ran=row.phase is not Phase.REFUSED)
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
        kept = sorted(self._records.all(PastRun).items(), key=lambda one: one[1].ended_at)
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
