"""Which collector runs when."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from theeye_exporter.clocks import Clocks

__all__ = ["Polling", "Scheduler"]

_JITTER: Final = 0.1
"""Share of the interval by which a poll may be late, so that exporters started together do not ask together."""

_STEP: Final = 2.0
"""Seconds by which the time of day may drift from the monotonic clock between two looks."""

_LOOK: Final = 1.0
"""Seconds between two looks at the clock."""

_MOST_THREADS: Final = 100_000
"""More than there are pollings: threads are started as they are needed, and none may wait for another."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Polling:
    """Something to do again and again.

    Attributes:
        name: unique name.
        interval: seconds from one start to the next, not counting the jitter.
        run: what to do; it must not raise.
    """

    name: str
    interval: float
    run: Callable[[], None]


class Scheduler:
    """Runs pollings in threads: all at once when started, then each at its own interval.

    A polling that takes longer than its interval is not started a second time; what it missed is made up for by one
    run.

    Args:
        pollings: what to do.
        clocks: what time it is.
    """

    def __init__(self, pollings: Iterable[Polling], clocks: Clocks | None = None) -> None:
        clocks = clocks or Clocks()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._clocks = clocks
        self._offset = clocks.wall() - clocks.monotonic()
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_MOST_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for polling in pollings:
            self.add(polling)

    def add(self, polling: Polling) -> None:
        """Do something again and again, in place of what has the same name; from now on, or from the start."""
        trigger = IntervalTrigger(seconds=polling.interval, jitter=polling.interval * _JITTER, timezone=UTC)
        with self._lock:
            self._drop(polling.name)
            # No id of ours: a run of the former one that goes on would keep one of the same id from starting.
            self._jobs[polling.name] = self._scheduler.add_job(polling.run, trigger, next_run_time=datetime.now(UTC))

    def remove(self, name: str) -> None:
        """Do something no more; what runs goes on, and is not waited for."""
        with self._lock:
            self._drop(name)

    def _drop(self, name: str) -> None:
        if (job := self._jobs.pop(name, None)) is not None:
            job.remove()

    def start(self) -> None:
        """Start polling in the background."""
        self._scheduler.start()
        threading.Thread(target=self._watch_clock, name="clock-watch", daemon=True).start()

    def stop(self) -> None:
        """Start nothing more; what runs goes on, and is not waited for."""
        self._stopping.set()
        self._scheduler.shutdown(wait=False)

    def heed_clock(self) -> None:
        """Let everything run now if the clock was set.

        APScheduler reckons in the machine's time of day: after a step back it would wait for that time to come again.
        """
        offset = self._clocks.wall() - self._clocks.monotonic()
        if abs(offset - self._offset) > _STEP:
            _log.warning("the clock was set", seconds=round(offset - self._offset))
            for job in self._scheduler.get_jobs():
                with suppress(JobLookupError):  # removed meanwhile
                    job.modify(next_run_time=datetime.now(UTC))
        self._offset = offset

    def _watch_clock(self) -> None:
        while not self._stopping.is_set():
            time.sleep(_LOOK)
            if not self._stopping.is_set():
                self.heed_clock()
                self._scheduler.wakeup()
