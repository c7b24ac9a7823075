"""An episode has one run at most, whatever happens to messages, and one that goes on firing gets one."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theeye_exporter.actions.episodes import Episode, Heard, Message, Result, Use, Verdict, covers, hear, horizon

MINUTE = 60.0
BORN = 1000 * MINUTE
NOW = 5000 * MINUTE
S, T = 2000 * MINUTE, 2100 * MINUTE
OPEN, CLOSED = Episode(S), Episode(S, T)


def heard(known: Episode | None, message: Message, use: Use = Use.NOTHING) -> Heard:
    """Return what comes of a message, without the time of hearing."""
    result = hear(known, message, use, BORN, NOW)
    if result.episode is not None:
        assert result.episode.heard_at == NOW
        return Heard(Episode(result.episode.start, result.episode.end), result.verdict, result.ended)
    return result


def firing(minutes: float) -> Message:
    """Return a message about an alert that fires since so many minutes after S."""
    return Message(firing=True, start=S + minutes * MINUTE)


def resolved(start: float, end: float) -> Message:
    return Message(firing=False, start=S + start * MINUTE, end=S + end * MINUTE)


def at(start: float, end: float | None = None) -> Episode:
    return Episode(S + start * MINUTE, None if end is None else S + end * MINUTE)


TABLE = [
    (None, firing(-1000), Heard(None, Verdict.STALE)),
    (None, firing(-999), Heard(at(-999), Verdict.DECIDE)),
    (None, resolved(-2000, -1500), Heard(at(-2000, -1500), Verdict.RESOLVED)),
    (OPEN, firing(5.1), Heard(at(5.1), Verdict.DECIDE, Result.SUPERSEDED)),
    (OPEN, resolved(5.1, 9), Heard(at(5.1, 9), Verdict.RESOLVED, Result.SUPERSEDED)),
    (OPEN, firing(5), Heard(OPEN, Verdict.DECIDE)),
    (OPEN, firing(-5), Heard(OPEN, Verdict.DECIDE)),
    (OPEN, resolved(5, 9), Heard(at(0, 9), Verdict.RESOLVED, Result.RESOLVED)),
    (OPEN, resolved(-5, 1), Heard(at(0, 1), Verdict.RESOLVED, Result.RESOLVED)),
    (OPEN, firing(-5.1), Heard(OPEN, Verdict.STALE)),
    (OPEN, resolved(-5.1, 5), Heard(OPEN, Verdict.STALE)),
    (OPEN, resolved(-5.1, 5.1), Heard(at(0, 5.1), Verdict.RESOLVED, Result.RESOLVED)),
    (CLOSED, firing(95.1), Heard(at(95.1), Verdict.DECIDE)),
    (CLOSED, firing(95), Heard(CLOSED, Verdict.STALE)),
    (Episode(S, S), firing(5), Heard(Episode(S, S), Verdict.STALE)),
    (Episode(S, S), firing(5.1), Heard(at(5.1), Verdict.DECIDE)),
    (CLOSED, resolved(5.1, 50), Heard(at(5.1, 100), Verdict.RESOLVED)),
    (CLOSED, resolved(200, 250), Heard(at(200, 250), Verdict.RESOLVED)),
    (CLOSED, resolved(5, 250), Heard(CLOSED, Verdict.STALE)),
]


@pytest.mark.parametrize(("known", "message", "expected"), TABLE)
def test_the_table(known: Episode | None, message: Message, expected: Heard) -> None:
    assert heard(known, message) == expected


def test_an_episode_that_had_its_run_is_not_decided_again() -> None:
    verdicts = [heard(OPEN, firing(0), use).verdict for use in (Use.NOTHING, Use.WAITING, Use.RUN)]
    assert verdicts == [Verdict.DECIDE, Verdict.WAITING, Verdict.DUPLICATE]


def test_the_horizon_moves_with_time() -> None:
    assert horizon(1000.0, 2000.0) == 1000.0
    assert horizon(1000.0, 1000.0 + 31 * 86_400) == 1000.0 + 86_400


@pytest.mark.parametrize("known", [OPEN, CLOSED])
@pytest.mark.parametrize("minutes", [-1000, -5, 0, 5, 50, 95])
def test_what_starts_nothing_more_does_not_start_again_once_it_is_forgotten(known: Episode, minutes: float) -> None:
    if hear(known, firing(minutes), Use.RUN, BORN, NOW).verdict is not Verdict.DECIDE:
        assert hear(None, firing(minutes), Use.NOTHING, covers(known, NOW), NOW).verdict is Verdict.STALE


def test_an_end_in_the_distant_future_does_not_keep_everything_from_starting() -> None:
    assert covers(Episode(S, NOW * 1000), NOW) == NOW


@dataclass(frozen=True)
class Truth:
    """A period in which the alert really fired."""

    start: float
    end: float


@st.composite
def truths(draw: st.DrawFn) -> list[Truth]:
    """Draw periods; what starts again sooner than two episodes can be told apart is one."""
    periods, now = [], BORN + 10 * MINUTE
    for _ in range(draw(st.integers(1, 5))):
        start = now + draw(st.floats(7, 200)) * MINUTE
        end = start + draw(st.floats(0, 200)) * MINUTE
        periods.append(Truth(start, end))
        now = end
    return periods


messages = st.lists(
    # Which period, whether it fires, how far its start moved, how late its end is: a timed-out alert's is.
    st.tuples(st.integers(0, 4), st.booleans(), st.floats(-30, 30), st.floats(0, 240), st.booleans()),
    max_size=40,
)


@settings(max_examples=1000)
@given(periods=truths(), received=messages)
def test_one_run_an_episode_in_any_order_and_none_is_passed_over(
    periods: list[Truth], received: list[tuple[int, bool, float, float, bool]]
) -> None:
    episode: Episode | None = None
    use = Use.NOTHING
    opened: list[int] = []
    runs: list[int] = []

    def receive(index: int, message: Message, *, runs_at_once: bool) -> Verdict:
        nonlocal episode, use
        result = hear(episode, message, use, BORN, NOW)
        if result.episode is not None and (episode is None or result.episode.start != episode.start):
            use = Use.NOTHING
            opened.append(index)
        episode = result.episode
        if result.verdict is Verdict.DECIDE and runs_at_once:
            use = Use.RUN
            runs.append(opened[-1])
        return result.verdict

    for which, fires, moved, late, runs_at_once in received:
        index = min(which, len(periods) - 1)
        truth = periods[index]
        message = Message(fires, truth.start + moved, truth.end + late)
        receive(index, message, runs_at_once=runs_at_once)
    assert all(runs.count(index) == 1 for index in runs)

    # Then the last one goes on firing, unless its end was heard already.
    last = len(periods) - 1
    ended = any(min(which, last) == last and not fires for which, fires, *_ in received)
    if not ended:
        verdict = receive(last, Message(firing=True, start=periods[-1].start), runs_at_once=True)
        assert verdict in {Verdict.DECIDE, Verdict.DUPLICATE}
        assert runs[-1] == last
        assert all(runs.count(index) == 1 for index in runs)
