"""Decides when each collector runs, and which organisation has to wait for which."""

import heapq
import itertools
import random
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import structlog
from apscheduler.schedulers.base import BaseScheduler

from theeye_exporter.clocks import Clocks
from theeye_exporter.polling.queues import Entry, Group, Polling, Queues
from theeye_exporter.polling.workers import Workers

__all__ = ["DUTY", "Polling", "Scheduler", "interval_in_force"]

DUTY: Final = 5.5
"""After a poll has begun, the next one waits for this many times its duration: TheEye needs most of its time for others."""

_JITTER: Final = 0.1
"""Share of the interval by which a poll may be early, so that exporters started together do not poll together."""

_INTERVALS_UNTIL_STALLED: Final = 3

_LONGEST_WAIT: Final = 3600.0

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A job with this time is always due, whatever the machine's clock says."""

_log: Final = structlog.get_logger(__name__)


def interval_in_force(interval: float, took: float) -> float:
    """Return the seconds from the start of a poll to the next one.

    Args:
        interval: seconds between polls that take no time.
        took: seconds that the poll took, without lists that the next polls do not request again.
    """
    return max(interval, DUTY * took)


class _AtOnce(BaseScheduler):  # type: ignore[misc] # the library has no types
    """Hands a job to the pool in the call that adds it: APScheduler does not decide when it is due."""

    def wakeup(self) -> None:
        """Process a job that was added."""
        self._process_jobs()

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - APScheduler's signature
        """Accept no more jobs."""
        super().shutdown(wait)


class Scheduler:
    """Runs pollings in threads: all at once when started, then each at its own interval.

    This class decides what is due, by the monotonic clock, and APScheduler only runs it. APScheduler's triggers use the
    time of day. After the clock is set back, they would wait until it catches up; after it is set forward, they would
    work out every run that was missed.

    A polling never runs twice at the same time. After a run has begun, the next one waits for at least 5.5 times
    the duration of that run. `queues.py` says which polling waits for which.

    Args:
        pollings: the pollings to run.
        clocks: the clocks to use.
    """

    def __init__(self, pollings: Iterable[Polling], clocks: Clocks | None = None) -> None:
        self._monotonic = (clocks or Clocks()).monotonic
        self._changed = threading.Condition()
        self._entries: dict[str, Entry] = {}
        self._groups: dict[str, Group] = {}
        self._queues = Queues()
        self._due: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._last_start = self._monotonic()
        self._stalled = False
        self._stopped = False
        self._executor = _AtOnce(
            timezone=UTC,
            executors={"default": Workers()},
            job_defaults={"misfire_grace_time": None},
        )
        for polling in pollings:
            self.add(polling)

    def add(self, polling: Polling) -> None:
        """Add a polling, or replace the one with the same name; it runs from now on, or from `start` on."""
        with self._changed:
            now = self._monotonic()
            self._remove(polling.name)
            name = polling.organization or polling.name
            group = self._groups.get(name)
            if group is None or group.probe.polling.run != polling.probe:
                if group is not None:
                    group.probe.plan = None
                group = self._groups[name] = Group(polling, now)
            entry = self._entries[polling.name] = group.add(polling, now)
            self._plan(entry, now)
            self._changed.notify_all()

    def remove(self, name: str) -> None:
        """Remove a polling; if it is running, it continues, and this call does not wait for it."""
        with self._changed:
            self._remove(name)

    def start(self) -> None:
        """Start polling in the background."""
        self._last_start = self._monotonic()
        self._executor.start()
        threading.Thread(target=self._work, name="scheduler", daemon=True).start()

    def stop(self) -> None:
        """Start nothing more; running pollings continue, and this call does not wait for them."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            self._executor.shutdown(wait=False)

    def start_due(self) -> float:
        """Start the pollings that are due and for which there is a thread.

        Returns:
            Seconds until there may be more to start, unless a polling ends before.
        """
        with self._changed:
            now = self._monotonic()
            while self._due and self._due[0][0] <= now:
                _, plan, entry = heapq.heappop(self._due)
                if entry.plan == plan and entry.is_planned:
                    self._queues.admit(entry, now)
                    if entry.unready_until > now and entry in entry.group.parked:
                        heapq.heappush(self._due, (entry.unready_until, plan, entry))
                elif entry.plan == plan and entry in entry.group.parked:
                    self._queues.readmit(entry.group, now)
            if not self._stopped:
                lost = [e for e in self._queues.running if e.ordered is not None and e.ordered + e.interval <= now]
                for entry in (*[e for e in lost if e.began is None], *self._queues.start()):
                    self._start(entry, now)
                self._queues.relieve(now)
            soonest = [at for at in self._queues.looks() if at > now] + [at for at, _, _ in self._due[:1]]
            return min(soonest, default=now + _LONGEST_WAIT) - now

    @property
    def running(self) -> frozenset[str]:
        """Names of the running pollings."""
        with self._changed:
            return frozenset(entry.polling.name for entry in self._queues.running if entry.began is not None)

    def stalled_for(self) -> float | None:
        """Seconds since a polling last started, or None if that is less than three times the longest overdue interval.

        A polling that waits for TheEye is not overdue. Once stalled, the scheduler stays so until a polling starts,
        even if a longer interval becomes overdue.
        """
        with self._changed:
            now = self._monotonic()
            late = [entry.interval for entry in self._entries.values() if entry.is_late(now)]
            idle = now - self._last_start
            self._stalled = self._stalled or bool(late and idle > _INTERVALS_UNTIL_STALLED * max(late))
            return idle if self._stalled else None

    def _plan(self, entry: Entry, due: float) -> None:
        entry.due, entry.plan, entry.is_planned = due, next(self._numbers), True
        heapq.heappush(self._due, (due, entry.plan, entry))

    def _remove(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        self._queues.forget(entry)
        if not entry.group.entries:
            entry.group.probe.plan = None
            if self._groups.get(entry.group.name) is entry.group:
                del self._groups[entry.group.name]

    def _start(self, entry: Entry, now: float) -> None:
        entry.order += 1
        entry.ordered = now
        try:
            self._executor.add_job(self._run, args=(entry, entry.order), next_run_time=_LONG_AGO)
        except Exception:  # noqa: BLE001 - such as a lack of memory or threads; try again after the interval
            _log.exception("cannot start a poll", polling=entry.polling.name)

    def _run(self, entry: Entry, order: int) -> None:
        with self._changed:
            if self._stopped or entry.order != order:
                return
            if entry.plan is None:
                self._queues.end(entry, 0.0)
                return
            entry.began = self._last_start = self._monotonic()
            self._stalled = False
        is_absent = False
        try:
            is_absent = bool(entry.polling.run())
        finally:
            with self._changed:
                self._end(entry, is_absent=is_absent)
                self._changed.notify_all()

    def _end(self, entry: Entry, *, is_absent: bool) -> None:
        now, began, group = self._monotonic(), entry.began or 0.0, entry.group
        took = now - began
        if entry.plan is not None:
            if entry is not group.probe and is_absent and not group.is_absent:
                self._plan(group.probe, now)
            group.is_absent = is_absent if entry is group.probe else group.is_absent or is_absent
        self._queues.end(entry, took)
        if entry.plan is None:
            return
        if entry is not group.probe:
            # A probe, and not the time that was lost, decides when to ask an absent TheEye again.
            repeated = took - entry.polling.unrepeated()
            entry.interval = (
                entry.polling.interval if is_absent else interval_in_force(entry.polling.interval, repeated)
            )
            jitter = entry.polling.interval * random.uniform(1 - _JITTER, 1)  # noqa: S311 - jitter, no secret
            self._plan(entry, began + (jitter if is_absent else interval_in_force(jitter, repeated)))
        elif is_absent:
            self._plan(entry, max(now, began + entry.interval))
        self._queues.readmit(group, now)

    def _work(self) -> None:
        with self._changed:
            while not self._stopped:
                self._changed.wait(min(max(self.start_due(), 0), _LONGEST_WAIT))
