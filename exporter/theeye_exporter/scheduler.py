"""Which collector runs when."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

__all__ = ["Polling", "Scheduler"]

_JITTER: Final = 0.1
"""Share of the interval by which a poll may be late, so that exporters started together do not ask together."""


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
    """

    def __init__(self, pollings: Iterable[Polling]) -> None:
        self._pollings = tuple(pollings)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(self._pollings)))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Start polling in the background."""
        now = datetime.now(UTC)
        for polling in self._pollings:
            trigger = IntervalTrigger(seconds=polling.interval, jitter=polling.interval * _JITTER, timezone=UTC)
            self._scheduler.add_job(polling.run, trigger, id=polling.name, next_run_time=now)
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more; what runs goes on, and is not waited for."""
        self._scheduler.shutdown(wait=False)
