"""Decides about each alert of a request. All decisions are on the disk, and in the records, before anybody is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from theeye_exporter.actions.alert_records import AlertRecords, Draft
from theeye_exporter.actions.alerts import BadAlert, Payload, ReceivedAlert
from theeye_exporter.actions.arguments import BadArgumentError, arguments_of
from theeye_exporter.actions.episodes import TOLERANCE, Episode, Heard, Result, Use, Verdict, hear, horizon
from theeye_exporter.actions.limits import Limit, Rate, Sent, wait_for
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import ActionTotals, Begun, Decision, KnownEpisode, Order, Said, count
from theeye_exporter.actions.report import harmless
from theeye_exporter.actions.rows import Phase, Row

__all__ = ["Decider", "World", "alert_key", "count_end", "labels_line"]

_OURS: Final = ("TheEyeAction", "TheEyeCanary")
_LONGEST_LABELS: Final = 400
_OF_VERDICTS: Final = {
    Verdict.DUPLICATE: (Decision.DUPLICATE, "the alert has already had its run in this episode"),
    Verdict.WAITING: (Decision.WAITING, "its start is already waiting"),
    Verdict.STALE: (
        Decision.STALE,
        "the message is about an episode that is over, or that began before the state file was created",
    ),
    Verdict.RESOLVED: (Decision.RESOLVED, "the alert is resolved"),
}


@dataclass(frozen=True, slots=True)
class World:
    """What decisions depend on besides the records."""

    together: Rate
    sent: Sequence[Sent]
    row_of: Callable[[Order], Row | None]
    left: Mapping[str, float]
    """For each alert that a removed action knew: when the alert last began."""
    wall: float
    monotonic: float


class _NoStartError(Exception):
    def __init__(self, decision: Decision, why: str) -> None:
        super().__init__(why)
        self.decision = decision
        self.why = why


class Decider:
    """Decides about the alerts of one request; use it within a draft.

    Args:
        records: What is kept.
        draft: Where changes go.
        plan: The action.
        world: What decisions depend on besides.

    Attributes:
        dropped: The rows of starts whose episodes are over; forget them together with what the draft changes.
    """

    def __init__(self, records: AlertRecords, draft: Draft, plan: ActionPlan, world: World) -> None:
        self._records = records
        self._draft = draft
        self._plan = plan
        self._world = world
        self.dropped: list[str] = []
        # Those that wait already will be sent first.
        self._waiting = {
            one.id: Sent(world.monotonic, one.action, one.alert)
            for one in records.all(Order).values()
            if self._waits(one)
        }

    def decide(self, payload: Payload) -> list[Said]:
        """Return the decision about each alert."""
        totals = self._draft.totals(self._plan.name)
        totals.truncated += payload.truncated
        said = []
        for alert in payload.alerts:
            if isinstance(alert, BadAlert):
                status, decision, why = "bad", Decision.BAD_ALERT, alert.why
            else:
                status = "firing" if alert.message.firing else "resolved"
                decision, why = self._decide(totals, alert)
            count(totals.alerts, status)
            said.append(Said(self._world.wall, decision, labels_line(alert.labels), why))
            self._draft.say(self._plan.name, said[-1])
        return said

    def _decide(self, totals: ActionTotals, alert: ReceivedAlert) -> tuple[Decision, str]:
        if alert.labels.get("alertname", "").startswith(_OURS):
            return Decision.LOOP, "alerts about actions and canaries start nothing"
        key = alert_key(self._plan.name, alert.id)
        known = self._draft.get(KnownEpisode, key)
        failed = [one for one in self._plan.matchers if not one.matches(alert.labels)]
        if failed and (known is None or alert.message.firing):
            if known is not None:  # the matchers have changed
                self._draft.put(key, self._drop(known))
            return Decision.NOT_MATCHED, f"{failed[0]} does not match"
        heard = self._hear(known, alert)
        if heard.ended is not None and known is not None:
            known = self._end(totals, known, heard.ended)
        if heard.episode is None:
            return _OF_VERDICTS[heard.verdict]
        episode = self._kept(known, heard.episode, alert.id)
        self._draft.put(key, episode)
        if heard.verdict is not Verdict.DECIDE:
            return _OF_VERDICTS[heard.verdict]
        try:
            why, order = self._start(totals, alert, episode)
        except _NoStartError as error:
            return error.decision, error.why
        self._draft.put(order.id, order)
        self._draft.put(key, replace(episode, order=order.id))
        return Decision.WAITING, why

    def _hear(self, known: KnownEpisode | None, alert: ReceivedAlert) -> Heard:
        use, episode = Use.NOTHING, None
        if known is not None:
            episode = Episode(known.start, known.end, known.heard_at)
            order = self._draft.get(Order, known.order) if known.order else None
            if known.ran or (order is not None and not self._waits(order)):
                use = Use.RUN
            elif order is not None:
                use = Use.WAITING
        now = self._world.wall
        return hear(episode, alert.message, use, horizon(self._records.born, now), now)

    def _waits(self, order: Order) -> bool:
        row = self._world.row_of(order)
        return row is None or row.phase is Phase.DECIDED

    def _end(self, totals: ActionTotals, known: KnownEpisode, ended: Result) -> KnownEpisode:
        """Count how an episode ended, and drop what waits for it; while nobody knows whether it has a run, count later."""
        order = self._draft.get(Order, known.order) if known.order else None
        row = None if order is None else self._world.row_of(order)
        if order is not None and row is not None and row.phase is Phase.SENDING:
            self._draft.put(order.id, replace(order, ended=ended))
            return known
        ran = known.ran or (row is not None and row.phase not in {Phase.DECIDED, Phase.REFUSED})
        count_end(totals, ended, ran=ran)
        return self._drop(known)

    def _drop(self, known: KnownEpisode) -> KnownEpisode:
        """Drop what waits for an episode, if anything does."""
        order = self._draft.get(Order, known.order) if known.order else None
        if order is None or not self._waits(order) or order.organization != self._plan.organization:
            return known
        self._draft.remove(Order, order.id)
        self._waiting.pop(order.id, None)
        if (row := self._world.row_of(order)) is not None:
            self.dropped.append(row.id)
        return replace(known, order="")

    def _kept(self, known: KnownEpisode | None, heard: Episode, alert: str) -> KnownEpisode:
        if known is not None and heard.start == known.start:
            return replace(known, end=heard.end, heard_at=heard.heard_at)
        left = self._world.left.get(alert, -inf) + TOLERANCE  # only Alertmanager's times; a start may move a little
        return KnownEpisode(start=heard.start, end=heard.end, heard_at=heard.heard_at, left=heard.start <= left)

    def _start(self, totals: ActionTotals, alert: ReceivedAlert, episode: KnownEpisode) -> tuple[str, Order]:
        """Return the order of a start, and what it will do.

        Raises:
            _NoStartError: It starts nothing now.
        """
        plan, world = self._plan, self._world
        begun = self._records.get(Begun, plan.name)
        if episode.left or (begun is not None and episode.start <= begun.at):
            raise _NoStartError(Decision.ALREADY_FIRING, "the alert was already firing when the action was added")
        try:
            arguments = arguments_of(plan.rules, alert.labels)
        except BadArgumentError as error:
            raise _NoStartError(Decision.BAD_ARGUMENTS, str(error)) from None
        hostname = self._hostname(alert)
        target = f"{plan.kind} {plan.target}{f'@{harmless(hostname)}' if hostname else ''}"
        if not plan.live:
            values = f" with {' '.join(map(repr, arguments))}" if arguments else ""
            raise _NoStartError(Decision.DRY_RUN, f"would start {target}{values}")
        if totals.suspended:
            raise _NoStartError(Decision.SUSPENDED, f"{totals.failures} runs in a row failed")
        sent = [*world.sent, *self._waiting.values()]
        wait = wait_for(plan.name, alert.id, plan.limits, together=world.together, sent=sent, now=world.monotonic)
        if wait is not None and wait.limit is not Limit.CONCURRENT and wait.seconds > plan.limits.max_wait:
            why = f"a start would have to wait for {wait.seconds:.0f} s"
            raise _NoStartError(Decision(str(wait.limit)), why)
        totals.orders += 1
        order = Order(
            id=f"{plan.name}/{totals.orders}",
            action=plan.name,
            organization=plan.organization,
            alert=alert.id,
            labels=labels_line(alert.labels),
            episode=episode.start,
            arguments=arguments,
            hostname=hostname,
            decided_at=world.wall,
            queued_at=world.wall,
        )
        self._waiting[order.id] = Sent(world.monotonic, plan.name, alert.id)
        return f"{target} will be started", order

    def _hostname(self, alert: ReceivedAlert) -> str:
        if self._plan.hostname_from is None:
            return ""
        try:
            if hostname := self._plan.hostname_from.text(alert.labels):
                return hostname
        except BadArgumentError as error:
            raise _NoStartError(Decision.NO_TARGET, f"hostname_from: {error}") from None
        raise _NoStartError(Decision.NO_TARGET, "the alert names no host")


def count_end(totals: ActionTotals, ended: Result, *, ran: bool) -> None:
    """Count how an episode ended."""
    result = str(ended) if ended is Result.SUPERSEDED else f"resolved_{'after' if ran else 'without'}_run"
    count(totals.episodes, result)


def alert_key(action: str, alert: str) -> str:
    """Return the key of an alert's episode."""
    return f"{action}/{alert}"


def labels_line(labels: Mapping[str, str]) -> str:
    """Return labels in one harmless line, the name of the alert first."""
    name = labels.get("alertname", "")[:_LONGEST_LABELS]
    rest = (f"{key}={value[:_LONGEST_LABELS]!r}" for key, value in sorted(labels.items()) if key != "alertname")
    others = ", ".join(rest)
    return harmless(f"{name}{{{others}}}"[:_LONGEST_LABELS])
