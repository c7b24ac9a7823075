"""Reloads the configuration while the exporter runs: on SIGHUP, or on request."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog

from theeye_exporter import signals
from theeye_exporter.config import ConfigError, LogSettings, Problem, ReloadError, secrets_in
from theeye_exporter.config.sections import OrganizationSettings
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.values.settings import SettingsModel, settings_in, value_at

__all__ = ["Reloadable", "Reloader", "log_file_problems", "needs_restart"]

_log: Final = structlog.get_logger(__name__)

_REJECTED: Final = "configuration rejected; the old one stays in effect"
_KEPT: Final = (
    "reloaded, except for organisation files with mistakes; their last valid content, if any, stays in effect"
)


class ReloadableSettings(Protocol):
    """A configuration that can be reloaded."""

    @property
    def organizations(self) -> Sequence[OrganizationSettings]:
        """The organisations."""

    @property
    def log(self) -> LogSettings:
        """The settings of the log."""

    @property
    def problems(self) -> Sequence[Problem]:
        """Mistakes in organisation files; of each such file, the last valid content, if any, is in effect."""


S = TypeVar("S", bound=ReloadableSettings)


class Reloadable(Protocol[S]):
    """What runs with a configuration."""

    settings: S
    """The configuration in effect."""

    telemetry: Telemetry

    def apply(self, settings: S) -> None:
        """Switch to another configuration."""

    def changes(self, old: S, new: S) -> Mapping[str, int]:
        """Return what a reload has changed, in numbers for the log."""


class Reloader(Generic[S]):
    """Reloads the configuration and applies it to what is running, one reload at a time.

    Args:
        load: returns the current configuration, or raises `ConfigError`.
        exporter: what is running: the exporter, or another process of ours.
    """

    def __init__(self, load: Callable[[], S], exporter: Reloadable[S]) -> None:
        self._load = load
        self._exporter = exporter
        self._lock = threading.Lock()
        self._hangups: queue.SimpleQueue[None] = queue.SimpleQueue()

    def reload(self) -> tuple[str, ...]:
        """Reload the configuration.

        Returns:
            The changes that need a restart, in words.

        Raises:
            ReloadError: nothing has changed, or organisation files have mistakes and only the rest is in effect.
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
            except Exception:  # noqa: BLE001 - polling and serving continue after any error
                _log.exception("reload failed with an internal error")
                problems = ["internal error; see the log"]
            else:
                return self._applied(old, settings)
            self._exporter.telemetry.refused()
            for problem in problems:
                _log.error(_REJECTED, problem=problem)
            raise ReloadError(problems, _REJECTED)

    def reload_on_sighup(self) -> None:
        """Reload on SIGHUP from now on, and at once if one has arrived since the start."""
        threading.Thread(target=self._wait_for_hangups, name="reload", daemon=True).start()
        signals.at_hangup(lambda: self._hangups.put(None))

    def _wait_for_hangups(self) -> None:
        while True:
            self._hangups.get()
            while not self._hangups.empty():
                self._hangups.get()  # one reload covers all signals so far
            try:
                self.reload()
            except ReloadError:
                continue  # already logged

    def _applied(self, old: S, settings: S) -> tuple[str, ...]:
        configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
        kept = needs_restart(old, settings)
        for change in kept:
            _log.warning("change takes effect after a restart", change=change)
        _log.info("configuration reloaded", **self._exporter.changes(old, settings))
        log_file_problems(settings, "its last valid content, if any, stays in effect")
        if settings.problems:
            raise ReloadError([str(problem) for problem in settings.problems], _KEPT)
        return kept


def log_file_problems(settings: ReloadableSettings, effect: str) -> None:
    """Log the mistakes in organisation files, and what they do to the organisations of the file."""
    for problem in settings.problems:
        _log.error(f"organisation file rejected; {effect}", problem=str(problem))


def needs_restart(old: ReloadableSettings, new: ReloadableSettings) -> tuple[str, ...]:
    """Return the changed settings that are only read when the process starts, as keys of the file."""
    if not isinstance(old, SettingsModel) or not isinstance(new, SettingsModel):
        return ()
    places = [place for place, _ in settings_in(type(old)) if place[0] in {"web", "state"}]
    return tuple(".".join(place) for place in places if value_at(old, place) != value_at(new, place))
