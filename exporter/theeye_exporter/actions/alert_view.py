"""What is shown of actions: to Prometheus, and to people."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter.actions import alert_families as families
from theeye_exporter.actions.alert_runs import AlertRuns
from theeye_exporter.actions.deciding import alert_key
from theeye_exporter.actions.parts import Line, LineState, View
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.receiver import CODES
from theeye_exporter.actions.records import (
    BOUNDS,
    DECISIONS_KEPT,
    ActionTotals,
    Decision,
    Histogram,
    KnownEpisode,
    Order,
    PastRun,
)
from theeye_exporter.actions.rows import Phase
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.web import humanize

__all__ = ["add_samples", "views_of"]

_COLUMNS: Final = ("Mode", "Target", "Open runs", "Firing alerts", "Succeeded", "Not successful", "Last decision")
_RUNS: Final = ("Action", "Alert", "Job", "Reason")
_DECISIONS: Final = ("Action", "Alert", "Reason")
_NONE: Final = "\N{EN DASH}"
_SHOWN: Final = 20
_HELPS_WITHIN: Final = 900.0
_HEARD_WITHIN: Final = 3600.0
_PHASES: Final = {Phase.DECIDED: "deciding", Phase.SENDING: "sending"}


@dataclass(slots=True)
class _Now:
    """What is open for an action."""

    phases: Counter[str] = field(default_factory=Counter)
    oldest: float | None = None
    episodes: int = 0
    unhelped: int = 0


def add_samples(samples: Samples, runs: AlertRuns, answers: Mapping[tuple[str, int], int], wall: float) -> None:
    """Add the samples of all actions; what is not known has none."""
    with runs.records.lock:
        now = _now(runs, wall)
        for plan in runs.plans.values():
            _add(samples, plan, runs.records.totals(plan.name), now[plan.name])
            for code in CODES:
                labels = format_labels(families.REQUESTS.labels, (plan.organization, plan.name, str(code)))
                samples[families.REQUESTS].add(labels, float(answers.get((plan.name, code), 0)))


def _add(samples: Samples, plan: ActionPlan, totals: ActionTotals, now: _Now) -> None:
    own = plan.organization, plan.name

    def add(family: Family, value: float | None, *more: str) -> None:
        if value is not None:
            samples[family].add(format_labels(family.labels, (*own, *more)), float(value))

    def histogram(family: Family, value: Histogram) -> None:
        labels = format_labels(family.labels, own)
        samples.histograms[family].add(labels, HistogramValue(BOUNDS, value.counts, value.sum, {}))

    add(families.INFO, 1, "live" if plan.live else "dry_run", plan.kind, plan.target)
    for status in ("firing", "resolved", "bad"):
        add(families.ALERTS, totals.alerts.get(status, 0), status)
    add(families.TRUNCATED, totals.truncated)
    for decision in Decision:
        add(families.DECISIONS, totals.decisions.get(decision, 0), decision)
    for outcome in families.OUTCOMES:
        add(families.RUNS, totals.runs.get(outcome, 0), outcome)
    for phase in families.PHASES:
        add(families.OPEN_RUNS, now.phases[phase], phase)
    add(families.OLDEST, now.oldest)
    add(families.OPEN_LIMIT, plan.limits.max_wait + plan.timeout)
    add(families.RECOVERED, totals.recovered)
    histogram(families.TO_START, totals.to_start)
    histogram(families.TURNAROUND, totals.turnaround)
    add(families.LAST_START, totals.last.get("start"))
    add(families.LAST_END, totals.last.get("end"))
    add(families.LAST_SUCCESS, totals.last.get("success"))
    if totals.last_outcome:
        labels = format_labels(families.LAST_OUTCOME.labels[:-1], own)
        samples[families.LAST_OUTCOME].add(labels, float(families.OUTCOMES.index(totals.last_outcome)))
    add(families.SUSPENDED, totals.suspended)
    for result in families.RESULTS:
        add(families.EPISODES, totals.episodes.get(result, 0), result)
    add(families.OPEN_EPISODES, now.episodes)
    add(families.UNHELPED, now.unhelped)


def _now(runs: AlertRuns, wall: float) -> defaultdict[str, _Now]:
    found: defaultdict[str, _Now] = defaultdict(_Now)
    for order in runs.records.all(Order).values():
        one, row = found[order.action], runs.row_of(order)
        one.phases["deciding" if row is None else _PHASES.get(row.phase, "running")] += 1
        one.oldest = order.decided_at if one.oldest is None else min(one.oldest, order.decided_at)
    for key, episode in runs.records.all(KnownEpisode).items():
        found[key.rpartition("/")[0]].episodes += episode.end is None
    for run in runs.records.all(PastRun).values():
        if run.outcome != Outcome.SUCCESS or run.ended_at > wall - _HELPS_WITHIN:
            continue
        known = runs.records.get(KnownEpisode, alert_key(run.action, run.alert))
        if known is not None and known.end is None and known.start == run.episode:
            found[run.action].unhelped += known.heard_at >= wall - _HEARD_WITHIN
    return found


def views_of(runs: AlertRuns, wall: float) -> list[View]:
    """Return the tables of the page: the actions, the last runs, the last decisions."""
    with runs.records.lock:
        now = _now(runs, wall)
        lines = [_line(runs, plan, now[plan.name], wall) for plan in runs.plans.values()]
        said = sorted(
            ((one.at, name, one) for name in runs.plans for one in runs.records.said(name)),
            key=lambda entry: entry[0],
            reverse=True,
        )
        past = sorted(runs.records.all(PastRun).values(), key=lambda run: run.ended_at, reverse=True)[:_SHOWN]
    decisions = [Line("wait", _ago(at, wall), one.decision, (name, one.alert, one.why)) for at, name, one in said]
    ended = [
        Line(_state(run.outcome), _ago(run.ended_at, wall), run.outcome, (run.action, run.labels, run.job_id, run.why))
        for run in past
    ]
    tables = [View("Actions", "action", "actions", _COLUMNS, tuple(lines))] if lines else []
    if ended:
        tables.append(View("Last runs", "run", "", _RUNS, tuple(ended)))
    if decisions:
        tables.append(View("Last decisions", "decision", "", _DECISIONS, tuple(decisions[:DECISIONS_KEPT])))
    return tables


def _line(runs: AlertRuns, plan: ActionPlan, now: _Now, wall: float) -> Line:
    totals = runs.records.totals(plan.name)
    succeeded = totals.runs.get(Outcome.SUCCESS, 0)
    state: LineState = "ok"
    label, note = "live" if plan.live else "dry run", ""
    if totals.suspended:
        state, label = "bad", "suspended"
        note = f"{totals.failures} runs in a row failed; POST /-/resume/{plan.name} resumes the action"
    elif trouble := runs.trouble_of(plan):
        state, label, note = "warn", "waits", f"starts have to wait, because requests to TheEye fail: {trouble}"
    elif totals.last_outcome not in {"", Outcome.SUCCESS}:
        state, label = "warn", f"last: {totals.last_outcome}"
    last = runs.records.said(plan.name)[:1]
    cells = (
        "live" if plan.live else "dry run",
        plan.sends,
        ", ".join(f"{count} {phase}" for phase, count in now.phases.items()) or _NONE,
        f"{now.episodes:,}",
        f"{succeeded:,}",
        f"{sum(totals.runs.values()) - succeeded:,}",
        f"{last[0].decision}, {_ago(last[0].at, wall)}" if last else _NONE,
    )
    return Line(state, plan.name, label, cells, note)


def _state(outcome: str) -> LineState:
    return "ok" if outcome == Outcome.SUCCESS else "bad"


def _ago(at: float, wall: float) -> str:
    return humanize.age(max(0.0, wall - at))
