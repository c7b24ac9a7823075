"""Polls start at once, side by side, never overlap, and go on."""

import threading

from theeye_exporter.clocks import Clocks
from theeye_exporter.scheduler import Polling, Scheduler

DEADLINE = 30


def test_the_first_round_starts_at_once_and_side_by_side() -> None:
    together = threading.Barrier(3)
    scheduler = Scheduler(Polling(f"p{n}", 3600, lambda: (together.wait(DEADLINE), None)[1]) for n in range(2))
    scheduler.start()
    together.wait(DEADLINE)
    scheduler.stop()
    assert not together.broken


def test_a_poll_repeats_and_never_overlaps_itself() -> None:
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


def test_stopping_does_not_wait_for_a_poll() -> None:
    started, release = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        release.wait(DEADLINE)

    scheduler = Scheduler([Polling("p", 1, run)])
    scheduler.start()
    assert started.wait(DEADLINE)
    scheduler.stop()
    assert not release.is_set()
    release.set()


def test_a_clock_that_is_set_back_does_not_stop_polling() -> None:
    now = [1000.0]
    ran = threading.Semaphore(0)
    scheduler = Scheduler(
        [Polling("p", 3600, ran.release)],
        Clocks(wall=lambda: now[0], monotonic=lambda: 0.0),
    )
    scheduler.start()
    assert ran.acquire(timeout=DEADLINE)
    now[0] -= 3600
    scheduler.heed_clock()
    assert ran.acquire(timeout=DEADLINE)
    scheduler.heed_clock()
    scheduler.stop()
    assert not ran.acquire(blocking=False)


def test_what_takes_a_name_over_runs_at_once_though_the_former_one_hangs() -> None:
    started, release, ran = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(DEADLINE)

    scheduler = Scheduler([Polling("p", 3600, hang)])
    scheduler.start()
    assert started.wait(DEADLINE)
    scheduler.add(Polling("p", 3600, ran.set))
    assert ran.wait(DEADLINE)
    assert not release.is_set()
    release.set()
    scheduler.stop()


def test_what_is_removed_runs_no_more_and_the_rest_goes_on() -> None:
    now = [1000.0]
    gone, kept = threading.Semaphore(0), threading.Semaphore(0)
    scheduler = Scheduler(
        [Polling("gone", 3600, gone.release), Polling("kept", 3600, kept.release)],
        Clocks(wall=lambda: now[0], monotonic=lambda: 0.0),
    )
    scheduler.start()
    assert gone.acquire(timeout=DEADLINE)
    assert kept.acquire(timeout=DEADLINE)
    scheduler.remove("gone")
    scheduler.remove("gone")
    now[0] += 3600  # everything is due
    scheduler.heed_clock()
    assert kept.acquire(timeout=DEADLINE)
    scheduler.stop()
    assert not gone.acquire(blocking=False)
