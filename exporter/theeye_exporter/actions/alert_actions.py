"""Actions that alerts start: a part of `theeye-exporter actions`."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.routing import Route

from theeye_exporter.actions.aims import find, find_on, upstream_of
from theeye_exporter.actions.alert_families import ALERT_FAMILIES
from theeye_exporter.actions.alert_runs import AlertRuns
from theeye_exporter.actions.alert_view import add_samples, views_of
from theeye_exporter.actions.connections import Connection, Connections
from theeye_exporter.actions.loading_actions import plan_of
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.parts import View
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.receiver import Receiver
from theeye_exporter.actions.rows import Timing
from theeye_exporter.actions.settings import ActionSettings, ActionsSettings
from theeye_exporter.actions.starter import Upstream
from theeye_exporter.actions.store import FileStores
from theeye_exporter.actions.targets import Found
from theeye_exporter.actions.ticking import keep_ticking
from theeye_exporter.actions.upstream import HttpUpstream, NoUpstream
from theeye_exporter.clocks import Clocks
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.ledger.failures import LedgerError

__all__ = ["AlertActions"]

_STALLED: Final = 60.0
_THREADS: Final = 8

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Way:
    """An action's way to TheEye."""

    settings: ActionSettings
    connection: Connection
    upstream: Upstream

    @property
    def by_secret(self) -> bool:
        return self.settings.secret_file is not None

    def find(self, plan: ActionPlan, hostname: str) -> Found:
        if plan.hostname_from is not None:
            return find_on(self.settings, self.connection, hostname)
        return find(self.settings, self.connection)


class AlertActions:
    """The actions of all organisations.

    Args:
        settings: The configuration at the start; it says whether there is anything to receive.
        clocks: The clocks to use.
        stores: The rows in the state file; None without one.
    """

    families: Sequence[Family] = ALERT_FAMILIES

    def __init__(self, settings: ActionsSettings, clocks: Clocks, stores: FileStores | None) -> None:
        self._clocks = clocks
        self._stores = stores
        self._moments = Moments(clocks)
        self._runs: AlertRuns | None = None
        self._in_use = threading.Lock()
        self._receiver = Receiver(self._current, clocks.wall, self._in_use)
        self.routes: Sequence[Route] = self._receiver.routes if settings.actions else ()
        self._applied: tuple[object, ...] = ()
        self._gate = threading.Lock()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="alert-runs")
        self._working: dict[str, Future[None]] = {}
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        """Held while the work of an organisation runs. If there is no thread for it, the pool does it later, perhaps twice."""
        self._ticked = clocks.monotonic()

    def apply(self, settings: ActionsSettings, connections: Connections) -> None:
        """Switch to a configuration; the state file is that of the start."""
        if self._stores is None:
            return
        known = {one.name: connections.of(one) for one in settings.organizations}
        applied = (settings.actions, settings.rate_limit, settings.settle, *known.values())
        if applied == self._applied:
            return
        ways = {
            one.name: _Way(one, known[one.organization or ""], upstream_of(one, known[one.organization or ""]))
            for one in settings.actions
        }
        with self._gate, self._left():
            for turn in self._turns.values():
                with turn:  # what is running still uses the rows; what has not begun sees that it must leave
                    pass
            with self._in_use:
                self._runs = AlertRuns(
                    {one.name: plan_of(one) for one in settings.actions},
                    stores=self._stores,
                    connect=lambda plan: ways[plan.name],
                    reach=lambda name: HttpUpstream(known[name].client) if name in known else NoUpstream(name),
                    together=settings.rate_limit,
                    clocks=self._clocks,
                    moments=self._moments,
                    timing=Timing(settle=settings.settle),
                )
            self._applied = applied

    @contextmanager
    def _left(self) -> Iterator[None]:
        """Make the work end after the request that is running; let it go on if the new configuration cannot be applied."""
        runs = self._runs
        if runs is not None:
            runs.leaving.set()
        try:
            yield
        except LedgerError:
            if runs is not None:
                runs.leaving.clear()
            raise

    def start(self) -> None:
        """Begin to start runs."""
        if self._stores is not None:
            threading.Thread(target=keep_ticking, args=(self.tick, self._ended), name="alert-runs", daemon=True).start()

    def stop(self) -> None:
        """Start nothing more, and wait for no answer of TheEye; the next process looks for the runs whose answers are lost."""
        self._ended.set()
        if self._runs is not None:
            self._runs.leaving.set()

    def waiting(self) -> Sequence[str]:
        """Return nothing: alerts are received although TheEye does not answer."""
        return ()

    def stalled_for(self) -> float | None:
        """Return the seconds since a run could last start, if that is too long ago."""
        seconds = self._clocks.monotonic() - self._ticked
        return seconds if self._stores is not None and seconds > _STALLED else None

    def add_samples(self, samples: Samples) -> None:
        """Add the samples of all actions."""
        if self._runs is not None:
            add_samples(samples, self._runs, self._receiver.answers, self._clocks.wall())

    def views(self) -> Sequence[View]:
        """Return the tables of the actions."""
        return [] if self._runs is None else views_of(self._runs, self._clocks.wall())

    def tick(self) -> None:
        """Let each organisation do what is due, in other threads."""
        with self._gate:
            runs = self._runs
            works = {} if runs is None else {**runs.works, "": runs.forget}
            for name, work in works.items():
                former = self._working.get(name)
                if runs is not None and (former is None or former.done()):
                    self._working[name] = self._pool.submit(self._work, runs, self._turns[name], work)
        self._ticked = self._clocks.monotonic()

    def _work(self, runs: AlertRuns, turn: threading.Lock, work: Callable[[], None]) -> None:
        if not turn.acquire(blocking=False):
            return
        try:
            if not runs.leaving.is_set():
                work()
        except LedgerError as error:
            if not self._ended.is_set():  # then the file is closed
                _log.error("nothing can be started", error=str(error))
        except Exception:  # noqa: BLE001 - the next tick may do better
            _log.exception("starting runs failed with an internal error")
        finally:
            turn.release()

    def _current(self) -> AlertRuns:
        if self._runs is None:
            raise LedgerError("the configuration is not in effect yet; Alertmanager sends the alerts again")
        return self._runs
