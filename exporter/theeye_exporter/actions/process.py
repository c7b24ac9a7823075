"""The actions process, built from its parts."""

import threading
from typing import Final

from theeye_exporter.actions.alert_actions import AlertActions
from theeye_exporter.actions.canaries import Canaries
from theeye_exporter.actions.connections import Connections
from theeye_exporter.actions.parts import Part
from theeye_exporter.actions.settings import ActionsSettings, TargetSettings
from theeye_exporter.actions.state_file import StateFile
from theeye_exporter.actions.store import FileStores, MemoryStore, Stores
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import ConfigError, Problem
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.troubles import Trouble, find_troubles

__all__ = ["ActionsProcess"]

_ALL: Final = Publisher("", "actions")
_NO_LIMIT: Final = 10**6
_FIRST_ACTION: Final = "the process was started without actions, and cannot receive alerts"


class ActionsProcess:
    """Everything between the configuration and TheEye.

    Args:
        settings: The configuration.
        clocks: The clocks to use.

    Raises:
        LedgerError: The state file cannot be used.

    Attributes:
        settings: The configuration in effect.
        parts: What it is made of.
        store: The metrics of the parts.
        telemetry: The metrics of the process.
    """

    def __init__(self, settings: ActionsSettings, clocks: Clocks | None = None) -> None:
        self.settings = settings
        self.clocks = clocks or Clocks()
        self._file = None if settings.state.file is None else StateFile(settings.state.file)
        stores = None if self._file is None else FileStores(self._file)
        # Canaries and actions share the rows: a task has one start at a time whose fate is unknown, whoever began it.
        self.parts: tuple[Part, ...] = (
            Canaries(self.clocks, stores or Stores(lambda _: MemoryStore())),
            AlertActions(settings, self.clocks, stores),
        )
        self.store = SnapshotStore([family for part in self.parts for family in part.families], self.clocks.monotonic)
        self.telemetry = Telemetry(self.store)
        self._connections = Connections(self.telemetry)
        self._renderer = Renderer(_NO_LIMIT)
        self._lock = threading.Lock()
        self._rendering = threading.Lock()
        self._take_over(settings)

    @property
    def receives(self) -> bool:
        """Whether requests can make it start something."""
        return any(part.routes for part in self.parts)

    def start(self) -> None:
        """Begin to work in the background."""
        for part in self.parts:
            part.start()

    def stop(self) -> None:
        """Begin nothing more, without waiting for what is running."""
        for part in self.parts:
            part.stop()
        if self._file is not None:
            self._file.close()

    def apply(self, settings: ActionsSettings) -> None:
        """Switch to another configuration; the sections `web` and `state` are those of the start.

        Raises:
            ConfigError: It has actions, and the process was started without any.
        """
        if settings.actions and not self.receives:
            raise ConfigError([Problem(str(settings.config_file), "actions", _FIRST_ACTION, "restart the process")])
        with self._lock:
            self._take_over(settings)
            kept = {"web": self.settings.web, "state": self.settings.state}
            self.settings = settings.model_copy(update=kept)

    def publish(self) -> None:
        """Render what the parts show now."""
        with self._rendering:
            samples = Samples()
            for part in self.parts:
                part.add_samples(samples)
            self.store.publish(_ALL, self._renderer.render(samples), float("inf"))

    def waiting(self) -> list[str]:
        """Return what has not had a first answer of TheEye."""
        return [name for part in self.parts for name in part.waiting()]

    def stalled_for(self) -> float | None:
        """Return the seconds for which nothing was looked at, if that is too long."""
        return max((seconds for part in self.parts if (seconds := part.stalled_for()) is not None), default=None)

    def troubles(self) -> tuple[Trouble, ...]:
        """Return problems of the process itself."""
        found = find_troubles(self.telemetry, self.store, None, check="theeye-exporter actions check")
        why = "" if self._file is None else self._file.trouble
        written = (
            f"The last attempt to write the state file failed: {why}. A run that cannot be saved there is not started."
        )
        return (*found, *([Trouble("the state file cannot be written", written)] if why else []))

    def changes(self, old: ActionsSettings, new: ActionsSettings) -> dict[str, int]:
        """Return how many canaries and actions a reload has added, removed and changed, and how many there are."""
        before, after = _by_name(old), _by_name(new)
        return {
            "added": len(after.keys() - before.keys()),
            "removed": len(before.keys() - after.keys()),
            "changed": sum(one != after[key] for key, one in before.items() if key in after),
            "canaries": len(new.canaries),
            "actions": len(new.actions),
        }

    def _take_over(self, settings: ActionsSettings) -> None:
        for part in reversed(self.parts):  # actions may fail, as they write; then nothing is switched
            part.apply(settings, self._connections)
        self.telemetry.loaded(at=self.clocks.wall())


def _by_name(settings: ActionsSettings) -> dict[tuple[str | None, str], TargetSettings]:
    """Return what starts something; a canary belongs to its organisation, and an action to the process."""
    found: dict[tuple[str | None, str], TargetSettings] = {(None, one.name): one for one in settings.actions}
    found.update({(one.organization or "", one.name): one for one in settings.canaries})
    return found
