"""The canaries of one organisation: when each does something, and in which thread."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NoReturn

import structlog

from theeye_exporter.actions.aims import find_target, upstream_of
from theeye_exporter.actions.canary import Canary, Found, canary_of
from theeye_exporter.actions.canary_state import CanaryPlan
from theeye_exporter.actions.connections import Connection
from theeye_exporter.actions.rows import ByArguments, Timing
from theeye_exporter.actions.settings import CanarySettings
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.store import MemoryStore
from theeye_exporter.actions.targets import TargetError
from theeye_exporter.actions.upstream import HttpUpstream, NoUpstream
from theeye_exporter.clocks import Clocks
from theeye_exporter.ledger.failures import LedgerError
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.run_models import RunJob
from theeye_exporter.theeye.starting import MOST_IDS

__all__ = ["Flock"]

_FOLLOW: Final = 5.0
"""Seconds between two lists of open runs; the times of a run are TheEye's, so that this does not change them."""

_SPREAD: Final = 1.0
"""At most this many seconds lie between the first start of one canary of an organisation and that of the next."""

_THREADS: Final = 8
"""How many canaries of an organisation wait for answers of TheEye at the same time."""

_log: Final = structlog.get_logger(__name__)


class Flock:
    """The canaries of one organisation. Safe for threads.

    Args:
        organization: The name of the organisation.
        store: Its rows.
        clocks: The clocks to use.
    """

    def __init__(self, organization: str, store: MemoryStore, clocks: Clocks) -> None:
        self._organization = organization
        self._store = store
        self._clocks = clocks
        self._kept: dict[str, _Kept] = {}
        self._retired: dict[str, _Kept] = {}
        self._connection: Connection | None = None
        self._reach: HttpUpstream | NoUpstream = NoUpstream(organization)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="canary")
        self._followed = clocks.monotonic()
        self._following = threading.Lock()

    @property
    def canaries(self) -> list[Canary]:
        """The canaries, in the order of the configuration."""
        return [kept.canary for kept in list(self._kept.values())]

    @property
    def has_work(self) -> bool:
        """Whether there is a canary, or a run of one that is gone."""
        return bool(self._kept or self._retired)

    def apply(self, connection: Connection | None, chosen: Sequence[CanarySettings]) -> None:
        """Switch to these canaries and this connection; there are none if the configuration no longer has the organisation."""
        former = self._kept | self._retired
        kept: dict[str, _Kept] = {}
        retired: dict[str, _Kept] = {}
        former_connection, self._connection = self._connection, connection
        self._reach = NoUpstream(self._organization) if connection is None else HttpUpstream(connection.client)
        for index, settings in enumerate(chosen):
            assert connection is not None  # noqa: S101 - a canary has an organisation
            one = former.get(settings.name)
            if one is not None and one.settings == settings and connection is former_connection:
                kept[settings.name] = one
                continue
            delay = index * min(_SPREAD, settings.interval / len(chosen))
            kept[settings.name] = self._in_place_of(one, settings, self._canary(settings, connection, delay))
        owners = [name for row in self._store.open_rows() if (name := canary_of(row)) is not None]
        for name in dict.fromkeys([*former, *owners]):
            if name not in kept:
                one = self._in_place_of(former.get(name), None, self._follower(name))
                if one.canary.open_since is not None:
                    retired[name] = one
        self._kept, self._retired = kept, retired

    def _in_place_of(self, former: "_Kept | None", settings: CanarySettings | None, canary: Canary) -> "_Kept":
        if former is None:
            canary.resume()
        else:
            with former.lock:
                canary.replace(former.canary)
                former.gone = True
        return _Kept(settings, canary)

    def tick(self) -> None:
        """Do what is due, in other threads."""
        for name in [name for name, one in self._retired.items() if one.canary.open_since is None]:
            self._retired.pop(name, None)  # a reload may have done so
        with suppress(RuntimeError):  # the pool is shut down
            for kept in self._all:
                if kept.canary.is_due and not kept.lock.locked():
                    self._pool.submit(kept.work)
            if self._clocks.monotonic() - self._followed >= _FOLLOW:
                self._followed = self._clocks.monotonic()
                self._pool.submit(self._follow)

    @property
    def _all(self) -> "list[_Kept]":
        return [*list(self._kept.values()), *list(self._retired.values())]

    def _canary(self, settings: CanarySettings, connection: Connection, delay: float) -> Canary:
        name, interval, timeout = settings.name, settings.interval, settings.timeout
        plan = CanaryPlan(organization=self._organization, name=name, interval=interval, timeout=timeout)
        return self._made(plan, upstream_of(settings, connection), lambda: find_target(settings, connection), delay)

    def _follower(self, name: str) -> Canary:
        """Return what follows the run of a canary that is gone, by what its row says."""
        timeouts = [row.timeout for row in self._store.open_rows() if canary_of(row) == name]
        plan = CanaryPlan(organization=self._organization, name=name, timeout=max(timeouts, default=0.0))
        canary = self._made(plan, self._reach, _nothing)
        canary.retired = True
        return canary

    def _made(
        self, plan: CanaryPlan, upstream: HttpUpstream | NoUpstream, find: Callable[[], Found], delay: float = 0.0
    ) -> Canary:
        starter = Starter(upstream, self._store, self._clocks.wall, Timing(), by_arguments=ByArguments.NEVER)
        return Canary(
            plan, find=find, starter=starter, store=self._store, upstream=upstream, clocks=self._clocks, delay=delay
        )

    def stop(self) -> None:
        """Do nothing more."""
        for kept in self._all:
            kept.gone = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self) -> None:
        """Look at all open runs with as few requests as possible."""
        if not self._following.acquire(blocking=False):
            return
        try:
            open_runs = {kept.canary.job_id: kept for kept in self._all if kept.canary.job_id}
            ids = list(open_runs)
            for start in range(0, len(ids), MOST_IDS):
                with suppress(UpstreamError):
                    some = ids[start : start + MOST_IDS]
                    listed = self._reach.runs(some)
                    for job_id in some:
                        open_runs[job_id].follow(job_id, listed)
        finally:
            self._following.release()


class _Kept:
    """A canary with its settings, if it has any, used by one thread at a time."""

    def __init__(self, settings: CanarySettings | None, canary: Canary) -> None:
        self.settings = settings
        self.canary = canary
        self.lock = threading.Lock()
        self.gone = False

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
            if not self.gone:
                self.canary.work(listed)
        except LedgerError as error:
            plan = self.canary.plan
            if not self.gone:  # otherwise the file is closed
                _log.error("canary cannot start", organization=plan.organization, canary=plan.name, error=str(error))
        except Exception:  # noqa: BLE001 - the others go on, and so does this one at its next turn
            plan = self.canary.plan
            _log.exception("canary failed with an internal error", organization=plan.organization, canary=plan.name)
        finally:
            self.lock.release()


def _nothing() -> NoReturn:
    raise TargetError("the configuration has no such canary any more")
