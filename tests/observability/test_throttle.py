"""Tests that a repeated event is logged immediately, and then less and less often."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.observability.throttle import LogThrottle


def told(times: list[float]) -> list[tuple[float, int]]:
    """Return when an event at these times is logged, with the number of suppressed ones."""
    repetition = LogThrottle()
    return [(time, n) for time in times if (n := repetition.allow(time)) is not None]


def test_a_persistent_event_is_logged_at_growing_intervals() -> None:
    every_15_seconds = [float(15 * number) for number in range(4 * 60 * 4 + 1)]
    assert told(every_15_seconds) == [
        (0, 0),
        (300, 19),
        (900, 39),
        (2100, 79),
        (4500, 159),
        (8100, 239),
        (11700, 239),
    ]


def test_an_event_after_a_long_pause_is_logged_at_once() -> None:
    assert told([0, 10, 20, 320]) == [(0, 0), (320, 2)]
    assert told([0, 10, 20, 310]) == [(0, 0), (310, 2)]
    assert told([0, 100, 301, 302, 700, 902]) == [(0, 0), (301, 1), (902, 2)]


@given(st.lists(st.floats(min_value=0, max_value=10**6), max_size=200).map(sorted))
def test_nothing_is_told_twice_in_five_minutes_and_everything_is_told_or_numbered(times: list[float]) -> None:
    lines = told(times)
    assert all(later - earlier >= 300 for (earlier, _), (later, _) in pairwise(lines))
    if times:
        assert lines[0] == (times[0], 0)
        last = max(time for time, _ in lines)
        unnumbered = len([time for time in times if time >= last]) - 1
        assert len(lines) + sum(n for _, n in lines) + unnumbered >= len(times)
