"""Tests when `theeye_up` becomes 0 and 1, in simulated time."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.polling.status import Attempt, CollectorStatus, StatusBoard
from theeye_exporter.theeye.errors import Reason

INTERVALS = {"monitors": 30.0, "tasks": 60.0, "workflows": 60.0, "jobs": 15.0}
TIMEOUT = 10.0
HOUR = 3600.0

Outcome = Callable[[str, float], Reason | None]
"""Why an attempt of a collector that starts at a time fails, if it does."""


@dataclass(frozen=True)
class Verdict:
    """What was shown after an attempt."""

    at: float
    up: bool | None
    successful: bool


def play(
    outcome: Outcome, *, intervals: dict[str, float], until: float, seed: int = 0, timeout: float = TIMEOUT
) -> list[Verdict]:
    """Let collectors make attempts of any length up to the timeout; return the status after each."""
    chance = random.Random(seed)  # noqa: S311 - chance, no secret
    board = StatusBoard()
    board.register(
        "http://theeye",
        [CollectorStatus(organization="o", collector=c, interval=i, max_age=5 * i) for c, i in intervals.items()],
    )
    ends: list[tuple[float, float, str]] = []

    def begin(collector: str, at: float) -> None:
        heapq.heappush(ends, (at + chance.uniform(0, timeout), at, collector))

    for collector, interval in intervals.items():
        begin(collector, chance.uniform(0, interval))
    shown = []
    while ends[0][0] < until:
        ended, began, collector = heapq.heappop(ends)
        reason = outcome(collector, began)
        board.record(
            Attempt(
                organization="o", collector=collector, ended=ended, moment=ended, duration=ended - began, reason=reason
            )
        )
        shown.append(Verdict(ended, board.up("o"), reason is None))
        while began < ended:  # what falls due meanwhile is left out
            began += intervals[collector] * chance.uniform(0.9, 1)
        begin(collector, began)
    return shown


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("reason", [Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.INVALID_RESPONSE, Reason.FORBIDDEN])
@pytest.mark.parametrize("broken", INTERVALS)
def test_each_route_broken_alone_for_an_hour_never_takes_it_down(broken: str, reason: Reason, seed: int) -> None:
    def outcome(collector: str, at: float) -> Reason | None:
        return reason if collector == broken and at >= HOUR else None

    shown = play(outcome, intervals=INTERVALS, until=2 * HOUR, seed=seed)
    assert len(shown) > 600
    assert {verdict.up for verdict in shown[1:]} == {True}


@given(
    intervals=st.lists(st.floats(5, 600), min_size=1, max_size=6),
    timeout=st.floats(0.1, 60),
    begins=st.floats(0, 300),
    reason=st.sampled_from([Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.TRUNCATED, Reason.REDIRECTED]),
    seed=st.integers(0, 1000),
)
def test_an_outage_shows_within_the_second_shortest_interval_and_its_timeout(
    intervals: list[float], timeout: float, begins: float, reason: Reason, seed: int
) -> None:
    second = sorted(intervals)[:2][-1]
    shown = play(
        lambda _, at: reason if at >= begins else None,
        intervals={f"c{number}": interval for number, interval in enumerate(intervals)},
        until=begins + 3 * (max(intervals) + timeout),
        seed=seed,
        timeout=timeout,
    )
    last_answer = max((verdict.at for verdict in shown if verdict.successful), default=begins)
    bound = max(last_answer, begins) + second + timeout
    assert {verdict.up for verdict in shown if verdict.at > bound} == {False}
    assert False not in {verdict.up for verdict in shown if verdict.at <= begins}


def board(**intervals: float) -> StatusBoard:
    made = StatusBoard()
    made.register(
        "http://theeye",
        [CollectorStatus(organization="o", collector=c, interval=i, max_age=5 * i) for c, i in intervals.items()],
    )
    return made


def record(made: StatusBoard, collector: str, reason: Reason | None = None) -> bool | None:
    made.record(Attempt(organization="o", collector=collector, ended=0, moment=0, duration=0, reason=reason))
    return made.up("o")


def test_the_old_success_of_a_slow_collector_counts_for_nothing() -> None:
    made = board(**INTERVALS)
    for collector in INTERVALS:
        assert record(made, collector) is True
    assert record(made, "jobs", Reason.SERVER_ERROR) is True
    assert record(made, "jobs", Reason.SERVER_ERROR) is True
    assert record(made, "monitors", Reason.SERVER_ERROR) is False
    assert record(made, "tasks") is True
    assert record(made, "monitors", Reason.SERVER_ERROR) is True
    assert record(made, "workflows", Reason.SERVER_ERROR) is True, "the most frequent one was not asked since"
    assert record(made, "jobs", Reason.SERVER_ERROR) is False


def test_what_says_nothing_of_theeye_changes_nothing_and_is_not_waited_for() -> None:
    made = board(**INTERVALS)
    assert record(made, "jobs", Reason.INTERNAL) is None
    assert record(made, "tasks") is True
    assert record(made, "monitors", Reason.TIMEOUT) is True
    assert record(made, "jobs", Reason.INTERNAL) is True
    assert record(made, "tasks", Reason.TIMEOUT) is False
    assert record(made, "jobs", Reason.INTERNAL) is False
    assert record(made, "jobs", Reason.LEDGER) is True, "TheEye answered"


def test_one_that_theeye_asked_to_wait_is_not_waited_for() -> None:
    made = board(jobs=15, monitors=30, tasks=60)
    assert record(made, "jobs", Reason.RATE_LIMITED) is None
    assert record(made, "monitors") is True
    assert record(made, "tasks") is True
    assert record(made, "monitors", Reason.SERVER_ERROR) is True
    assert record(made, "tasks", Reason.SERVER_ERROR) is False


def test_a_failed_collector_that_is_switched_off_does_not_count() -> None:
    made = board(jobs=15, monitors=30, tasks=60)
    for collector in ("jobs", "monitors", "tasks"):
        record(made, collector)
    record(made, "jobs", Reason.SERVER_ERROR)
    made.forget("o", "jobs")
    assert record(made, "tasks", Reason.SERVER_ERROR) is True
    assert record(made, "monitors", Reason.SERVER_ERROR) is False
