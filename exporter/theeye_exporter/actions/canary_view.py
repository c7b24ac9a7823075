"""What is shown of a canary: to Prometheus, and to people."""

from collections.abc import Sequence
from typing import Final

from theeye_exporter.actions import families
from theeye_exporter.actions.canary import Canary
from theeye_exporter.actions.canary_state import BOUNDS, OUTCOMES
from theeye_exporter.actions.parts import Line, LineState, View
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.web import humanize

__all__ = ["add_samples", "view_of"]

_COLUMNS: Final = ("Last run", "Last success", "Submit", "Queue", "Run", "Succeeded", "Not successful", "Open run")
_NONE: Final = "\N{EN DASH}"


def add_samples(samples: Samples, canary: Canary) -> None:
    """Add the samples of a canary; what is not known has none."""
    plan, state = canary.plan, canary.state

    def add(family: Family, value: float | None, *more: str) -> None:
        if value is not None:
            samples[family].add(format_labels(family.labels, (plan.organization, plan.name, *more)), +value)

    add(families.SUCCESS, state.success)
    for outcome in OUTCOMES:
        add(families.RUNS, state.runs[outcome], outcome)
    phases = state.phases
    if phases is not None:
        for phase, seconds in (("submit", phases.submit), ("queue", phases.queue), ("run", phases.run)):
            add(families.LAST_DURATION, seconds, phase)
        add(families.LAST_TURNAROUND, phases.turnaround)
    labels = format_labels(families.TURNAROUND.labels, (plan.organization, plan.name))
    turnarounds = HistogramValue(BOUNDS, state.turnarounds, state.turnaround_sum, {})
    samples.histograms[families.TURNAROUND].add(labels, turnarounds)
    add(families.INTERVAL, plan.interval)
    add(families.LAST_RUN, state.last_run_at)
    add(families.LAST_SUCCESS, state.last_success_at)
    add(families.OPEN_RUN, canary.open_since)
    add(families.CONFIGURED, canary.since)


def view_of(organization: str, canaries: Sequence[Canary], now: float) -> View:
    """Return the table of an organisation's canaries, those that fail first."""
    lines = sorted((_line(canary, now) for canary in canaries), key=lambda line: line.state != "bad")
    return View(f"Canaries of {organization}", "canary", "canaries", _COLUMNS, tuple(lines))


def _line(canary: Canary, now: float) -> Line:
    state = canary.state
    known: tuple[LineState, str] = {None: ("wait", "waiting"), True: ("ok", "ok"), False: ("bad", "failing")}[  # type: ignore[assignment]
        state.success
    ]
    phases = state.phases
    times = (phases.submit, phases.queue, phases.run) if phases is not None else (None, None, None)
    succeeded = state.runs[Outcome.SUCCESS]
    since = canary.open_since
    cells = (
        _age(state.last_run_at, now),
        _age(state.last_success_at, now),
        *(_NONE if seconds is None else humanize.duration(seconds) for seconds in times),
        f"{succeeded:,}",
        f"{state.runs.total() - succeeded:,}",
        _NONE if since is None else f"{canary.phase}, {humanize.span(max(0.0, now - since))}",
    )
    return Line(known[0], canary.plan.name, known[1], cells, state.why)


def _age(at: float | None, now: float) -> str:
    return _NONE if at is None else humanize.age(now - at)
