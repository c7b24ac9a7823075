"""Another configuration while the exporter runs: on SIGHUP, or when a request asks for it."""

import queue
import signal
import threading
from collections.abc import Callable
from typing import Final

import structlog

from theeye_exporter.assembly import Exporter
from theeye_exporter.config import ConfigError, Settings
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.logs import configure_logging
from theeye_exporter.organization import Plan
from theeye_exporter.web.lifecycle import ReloadError

__all__ = ["Reloader", "needs_restart"]

_log: Final = structlog.get_logger(__name__)


class Reloader:
    """Loads the configuration anew and lets the exporter go on with it, one reload after the other.

    Args:
        load: returns the configuration as it is now, or raises `ConfigError`.
        exporter: the exporter.
    """

    def __init__(self, load: Callable[[], Settings], exporter: Exporter) -> None:
        self._load = load
        self._exporter = exporter
        self._lock = threading.Lock()
        # A lock could be held by the very code that a signal interrupts; this queue has none.
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()

    def reload(self) -> tuple[str, ...]:
        """Reload.

        Returns:
            The changes that need a restart, in words.

        Raises:
            ReloadError: nothing has changed.
        """
        with self._lock:
            old = self._exporter.settings
            try:
                settings = self._load()
                self._exporter.apply(settings)
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
            except LedgerError as error:
                problems = [str(error)]
            except Exception:  # noqa: BLE001 - whatever it is, polling and serving go on
                _log.exception("reloading met a bug")
                problems = ["internal error; the exporter's log says more"]
            else:
                return self._applied(old, settings)
            self._exporter.telemetry.refused()
            for problem in problems:
                _log.error("the configuration cannot be used; the old one stays", problem=problem)
            raise ReloadError(problems)

    def heed_signals(self) -> None:
        """Reload on SIGHUP from now on; to be called in the main thread."""
        threading.Thread(target=self._wait_for_signals, name="reload", daemon=True).start()
        signal.signal(signal.SIGHUP, lambda _signal, _frame: self._signals.put(None))

    def _wait_for_signals(self) -> None:
        while True:
            self._signals.get()
            while not self._signals.empty():
                self._signals.get()  # one reload that begins now will do for all of them
            try:
                self.reload()
            except ReloadError:
                continue  # it is logged

    def _applied(self, old: Settings, settings: Settings) -> tuple[str, ...]:
        configure_logging(settings.log.level, settings.log.format)
        kept = needs_restart(old, settings)
        for change in kept:
            _log.warning("a change needs a restart", change=change)
        before, after = Plan.of(old), Plan.of(settings)
        _log.info(
            "the configuration is reloaded",
            added=len(after.keys() - before.keys()),
            removed=len(before.keys() - after.keys()),
            changed=sum(plan != after[name] for name, plan in before.items() if name in after),
            organizations=len(after),
        )
        return kept


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return what differs and is only looked at when the process starts, as keys of the file."""
    pairs = {
        "web.listen_address": (old.web.listen_addresses, new.web.listen_addresses),
        "web.telemetry_path": (old.web.telemetry_path, new.web.telemetry_path),
        "web.enable_lifecycle": (old.web.enable_lifecycle, new.web.enable_lifecycle),
        "state.file": (old.state.file, new.state.file),
    }
    return tuple(key for key, (before, after) in pairs.items() if before != after)
