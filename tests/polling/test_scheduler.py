"""Tests that polls start at once, in parallel, never overlap, and continue when the machine's clock steps."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo

import pytest
from apscheduler.schedulers import base

from processes import eventually
from theeye_exporter.clocks import Clocks
from theeye_exporter.polling.scheduler import DUTY, Polling, Scheduler, interval_in_force
from theeye_exporter.polling.workers import Workers

DEADLINE = 30
STEPS = [
    timedelta(seconds=1),
    timedelta(seconds=-1),
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(days=365 * 27),
    timedelta(days=-365 * 27),
]


class Clock:
    """Monotonic time, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ticking:
    """Counts runs of a polling."""

    def __init__(self) -> None:
        self.ran = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> None:
        self.ran.release()
        assert self.gate.wait(DEADLINE)

    def waited(self) -> bool:
        return self.ran.acquire(timeout=DEADLINE)

    def ended(self, scheduler: Scheduler, name: str) -> bool:
        """Wait until it ran and the scheduler knows that it has ended."""
        return self.waited() and eventually(lambda: name not in scheduler.running, f"the end of {name}")

    def ran_again(self) -> bool:
        return self.ran.acquire(blocking=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def started(clock: Clock) -> Iterator[Callable[..., Scheduler]]:
    made: list[Scheduler] = []

    def start(*pollings: Polling) -> Scheduler:
        scheduler = Scheduler(pollings, Clocks(monotonic=clock))
        made.append(scheduler)
        scheduler.start()
        return scheduler

    yield start
    for scheduler in made:
        scheduler.stop()


@pytest.fixture
def step_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Return a function that sets the time of day that APScheduler uses."""
    steps: list[timedelta] = []

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + sum(steps, timedelta())

    monkeypatch.setattr(base, "datetime", Stepped)
    return steps.append


def test_the_first_round_starts_at_once_and_side_by_side(started: Callable[..., Scheduler]) -> None:
    together = threading.Barrier(3)
    started(*(Polling(f"p{n}", 3600, lambda: (together.wait(DEADLINE), None)[1]) for n in range(2)))
    together.wait(DEADLINE)
    assert not together.broken


def test_a_poll_repeats_by_itself_and_never_overlaps_itself() -> None:
    running = threading.Lock()
    overlapped: list[bool] = []
    enough = threading.Event()
    runs: list[int] = []

    def run() -> None:
        if not running.acquire(blocking=False):
            overlapped.append(True)
            return
        runs.append(1)
        threading.Event().wait(0.05)  # longer than the interval
        running.release()
        if len(runs) == 4:
            enough.set()

    scheduler = Scheduler([Polling("p", 0.01, run)])
    scheduler.start()
    assert enough.wait(DEADLINE)
    scheduler.stop()
    assert not overlapped


def test_a_poll_comes_no_later_than_its_interval_and_little_earlier(
    started: Callable[..., Scheduler], clock: Clock
) -> None:
    poll = Ticking()
    scheduler = started(Polling("p", 100, poll))
    for _ in range(50):
        assert poll.ended(scheduler, "p")
        wait = scheduler.start_due()
        assert 90 <= wait <= 100
        clock.now += wait - 0.1
        scheduler.start_due()
        assert not poll.ran_again()
        clock.now += 0.1
        scheduler.start_due()


@pytest.mark.parametrize(("took", "following"), [(1, 10), (3, 16.5), (30, 165)])
def test_the_next_poll_begins_no_sooner_than_several_times_what_the_last_one_took(
    took: float, following: float, started: Callable[..., Scheduler], clock: Clock
) -> None:
    poll = Ticking()
    poll.gate.clear()
    scheduler = started(Polling("p", 10, poll))
    assert poll.waited()
    for _ in range(4):
        clock.now += took / 4
        scheduler.start_due()
    poll.gate.set()
    eventually(lambda: not scheduler.running, "its end")
    wait = scheduler.start_due() + took
    assert max(9, DUTY * took) <= wait <= following
    clock.now += wait - took - 0.1
    scheduler.start_due()
    assert not poll.ran_again()
    clock.now += 0.1
    scheduler.start_due()
    assert poll.waited()
    assert not poll.ran_again()
    assert interval_in_force(10, took) == following


def test_a_list_that_is_not_repeated_does_not_delay_the_next_poll(
    started: Callable[..., Scheduler], clock: Clock
) -> None:
    poll = Ticking()
    poll.gate.clear()
    scheduler = started(Polling("p", 10, poll, unrepeated=lambda: 28.0))
    assert poll.waited()
    clock.now += 30
    poll.gate.set()
    eventually(lambda: not scheduler.running, "its end")
    scheduler.start_due()
    assert poll.waited()


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_of_the_clock_while_idle_neither_delays_nor_repeats_a_poll(
    step: timedelta, started: Callable[..., Scheduler], clock: Clock, step_clock: Callable[[timedelta], None]
) -> None:
    polls = {interval: Ticking() for interval in (15, 60)}
    scheduler = started(*(Polling(f"p{interval}", interval, poll) for interval, poll in polls.items()))
    assert all(poll.ended(scheduler, f"p{interval}") for interval, poll in polls.items())
    step_clock(step)
    scheduler.start_due()
    for _ in range(3):
        clock.now += 15
        scheduler.start_due()
        assert polls[15].ended(scheduler, "p15")
    assert not any(poll.ran_again() for poll in polls.values())
    clock.now += 15
    scheduler.start_due()
    assert all(poll.waited() for poll in polls.values())
    assert scheduler.stalled_for() is None


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_of_the_clock_while_polling_neither_delays_nor_repeats_a_poll(
    step: timedelta, started: Callable[..., Scheduler], clock: Clock, step_clock: Callable[[timedelta], None]
) -> None:
    slow, fast = Ticking(), Ticking()
    slow.gate.clear()
    scheduler = started(Polling("slow", 60, slow), Polling("fast", 15, fast))
    assert slow.waited()
    assert fast.ended(scheduler, "fast")
    step_clock(step)
    clock.now += 15
    scheduler.start_due()
    assert fast.ended(scheduler, "fast")
    slow.gate.set()
    eventually(lambda: not scheduler.running, "the end of the slow one")
    clock.now += 75  # more than 5.5 times what it took
    scheduler.start_due()
    assert slow.waited()
    assert fast.waited()
    assert not slow.ran_again()
    assert not fast.ran_again()


def test_stopping_does_not_wait_for_a_poll() -> None:
    poll = Ticking()
    poll.gate.clear()
    scheduler = Scheduler([Polling("p", 1, poll)])
    scheduler.start()
    assert poll.waited()
    scheduler.stop()
    assert not poll.gate.is_set()
    poll.gate.set()


def test_nothing_starts_after_the_end(clock: Clock) -> None:
    poll = Ticking()
    scheduler = Scheduler([Polling("p", 10, poll)], Clocks(monotonic=clock))
    scheduler.start()
    assert poll.ended(scheduler, "p")
    scheduler.stop()
    clock.now += 10
    scheduler.start_due()
    assert not poll.ran_again()


def test_what_takes_a_name_over_runs_at_once_though_the_former_one_hangs(started: Callable[..., Scheduler]) -> None:
    former, latter = Ticking(), Ticking()
    former.gate.clear()
    scheduler = started(Polling("p", 3600, former))
    assert former.waited()
    scheduler.add(Polling("p", 3600, latter))
    assert latter.waited()
    former.gate.set()


def test_what_is_removed_runs_no_more_and_the_rest_goes_on(started: Callable[..., Scheduler], clock: Clock) -> None:
    gone, kept = Ticking(), Ticking()
    scheduler = started(Polling("gone", 3600, gone), Polling("kept", 3600, kept))
    assert gone.waited()
    assert kept.ended(scheduler, "kept")
    scheduler.remove("gone")
    scheduler.remove("gone")
    clock.now += 3600
    scheduler.start_due()
    assert kept.waited()
    assert not gone.ran_again()


def test_a_poll_that_cannot_be_started_has_its_turn_again_and_runs_once(
    started: Callable[..., Scheduler], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = Ticking()
    scheduler = started(Polling("p", 10, poll))
    assert poll.ended(scheduler, "p")
    refused = threading.Event()

    def refuse(*_: object) -> None:
        refused.set()
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Workers, "_do_submit_job", refuse)
        clock.now += 10
        scheduler.start_due()
        assert refused.wait(DEADLINE)
    clock.now += 10
    scheduler.start_due()
    assert poll.waited()
    assert not poll.ran_again()


def test_it_is_stalled_when_nothing_starts_for_three_of_the_longest_late_intervals(
    started: Callable[..., Scheduler], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = [Ticking(), Ticking(), Ticking()]
    scheduler = started(*(Polling(f"p{n}", n, poll) for n, poll in zip((15, 60, 3600), polls, strict=True)))
    assert all(poll.waited() for poll in polls)
    eventually(lambda: not scheduler.running, "the end of the first round")
    monkeypatch.setattr(Workers, "_do_submit_job", lambda *_: None)
    for _ in range(12):
        clock.now += 15
        scheduler.start_due()
        assert scheduler.stalled_for() is None
    clock.now += 1
    assert scheduler.stalled_for() == 181
    clock.now += 3600
    scheduler.start_due()
    assert scheduler.stalled_for() == 3781, "though an hour's polling is late as well now"
    monkeypatch.undo()
    clock.now += 15
    scheduler.start_due()
    assert polls[0].waited()
    assert scheduler.stalled_for() is None


def test_it_is_stalled_when_nobody_looks_what_is_due(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    poll = Ticking()
    monkeypatch.setattr(Scheduler, "start_due", lambda _: 3600.0)
    scheduler = Scheduler([Polling("p", 60, poll)], Clocks(monotonic=clock))
    scheduler.start()
    clock.now += 180
    assert scheduler.stalled_for() is None
    clock.now += 1
    assert scheduler.stalled_for() == 181
    scheduler.stop()


def test_polls_that_wait_for_theeye_are_no_stall_until_no_timeout_explains_it(
    started: Callable[..., Scheduler], clock: Clock
) -> None:
    poll = Ticking()
    poll.gate.clear()
    scheduler = started(Polling("p", 15, poll))
    assert poll.waited()
    clock.now += 3000
    scheduler.start_due()
    assert scheduler.stalled_for() is None
    clock.now += 601
    assert scheduler.stalled_for() == 3601
    poll.gate.set()
