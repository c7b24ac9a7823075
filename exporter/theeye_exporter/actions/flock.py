"""The canaries of one organisation: when each does something, and in which thread."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import structlog

from theeye_exporter.actions.aims import find_target, upstream_of
from theeye_exporter.actions.canary import Canary
from theeye_exporter.actions.canary_state import CanaryPlan
from theeye_exporter.actions.connections import Connection
from theeye_exporter.actions.rows import Timing
from theeye_exporter.actions.settings import CanarySettings
from theeye_exporter.actions.starter import Starter
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.starting import MOST_IDS, RunJob

__all__ = ["Flock"]

_FOLLOW: Final = 5.0
"""Seconds between two lists of open runs; the times of a run are TheEye's, so that this does not change them."""

_SPREAD: Final = 1.0
"""At most this many seconds lie between the first starts of two canaries of an organisation."""

_THREADS: Final = 8
"""How many canaries of an organisation wait for answers of TheEye at the same time."""

_log: Final = structlog.get_logger(__name__)


class Flock:
    """The canaries of one organisation. Safe for threads.

    Args:
        clocks: The clocks to use.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._kept: dict[str, _Kept] = {}
        self._connection: Connection | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="canary")
        self._followed = clocks.monotonic()
        self._following = threading.Lock()

    @property
    def canaries(self) -> list[Canary]:
        """The canaries, in the order of the configuration."""
        return [kept.canary for kept in list(self._kept.values())]

    def apply(self, connection: Connection, chosen: Sequence[CanarySettings]) -> None:
        """Switch to other canaries, or to another connection."""
        kept: dict[str, _Kept] = {}
        for index, settings in enumerate(chosen):
            former = self._kept.get(settings.name)
            if former is not None and former.settings == settings and connection is self._connection:
                kept[settings.name] = former
                continue
            delay = index * min(_SPREAD, settings.interval / len(chosen))
            made = _Kept(settings, _canary(settings, connection, self._clocks, delay))
            if former is not None:
                with former.lock:
                    made.canary.replace(former.canary)
                    former.retired = True
            kept[settings.name] = made
        for name in self._kept.keys() - kept.keys():
            self._kept[name].retired = True
        self._kept, self._connection = kept, connection

    def tick(self) -> None:
        """Do what is due, in other threads."""
        with suppress(RuntimeError):  # the pool is shut down
            for kept in list(self._kept.values()):
                if kept.canary.is_due and not kept.lock.locked():
                    self._pool.submit(kept.work)
            if self._clocks.monotonic() - self._followed >= _FOLLOW:
                self._followed = self._clocks.monotonic()
                self._pool.submit(self._follow)

    def stop(self) -> None:
        """Do nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self) -> None:
        """Look at all open runs with as few requests as possible."""
        connection = self._connection
        if connection is None or not self._following.acquire(blocking=False):
            return
        try:
            open_runs = {kept.canary.job_id: kept for kept in list(self._kept.values()) if kept.canary.job_id}
            ids = list(open_runs)
            for start in range(0, len(ids), MOST_IDS):
                with suppress(UpstreamError):
                    some = ids[start : start + MOST_IDS]
                    listed = connection.client.runs(some)
                    for job_id in some:
                        open_runs[job_id].follow(job_id, listed)
        finally:
            self._following.release()


class _Kept:
    """A canary with its settings, used by one thread at a time."""

    def __init__(self, settings: CanarySettings, canary: Canary) -> None:
        self.settings = settings
        self.canary = canary
        self.lock = threading.Lock()
        self.retired = False

    def work(self) -> None:
        """Let the canary do what is due, unless another thread does."""
        if self.lock.acquire(blocking=False):
            self._attempt(None)

    def follow(self, job_id: str, listed: Mapping[str, RunJob]) -> None:
        """Let the canary look at its run, unless another thread does, or it has another run by now."""
        if self.lock.acquire(blocking=False):
            self._attempt(listed if self.canary.job_id == job_id else None)

    def _attempt(self, listed: Mapping[str, RunJob] | None) -> None:
        try:
            if not self.retired:
                self.canary.work(listed)
        except Exception:  # noqa: BLE001 - the others go on, and so does this one at its next turn
            plan = self.canary.plan
            _log.exception("canary failed with an internal error", organization=plan.organization, canary=plan.name)
        finally:
            self.lock.release()


def _canary(settings: CanarySettings, connection: Connection, clocks: Clocks, delay: float) -> Canary:
    upstream = upstream_of(settings, connection)
    name = connection.organization.name
    return Canary(
        CanaryPlan(organization=name, name=settings.name, interval=settings.interval, timeout=settings.timeout),
        find=lambda: find_target(settings, connection),
        starter=Starter(upstream, connection.store, clocks.wall, Timing()),
        store=connection.store,
        upstream=upstream,
        clocks=clocks,
        delay=delay,
    )
