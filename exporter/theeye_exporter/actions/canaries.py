"""All canaries of the process: a part of `theeye-exporter actions`."""

import threading
from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from theeye_exporter.actions.canary_view import add_samples, view_of
from theeye_exporter.actions.connections import Connections
from theeye_exporter.actions.families import CANARY_FAMILIES
from theeye_exporter.actions.flock import Flock
from theeye_exporter.actions.parts import View
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.actions.store import MemoryStore, Stores
from theeye_exporter.actions.ticking import keep_ticking
from theeye_exporter.clocks import Clocks
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.samples import Samples

__all__ = ["Canaries"]

_STALLED: Final = 60.0


class Canaries:
    """The canaries of all organisations.

    Args:
        clocks: The clocks to use.
        stores: The rows of each organisation.
    """

    families: Sequence[Family] = CANARY_FAMILIES
    routes: Sequence[Route] = ()

    def __init__(self, clocks: Clocks, stores: Stores[MemoryStore]) -> None:
        self._clocks = clocks
        self._stores = stores
        self._flocks: dict[str, Flock] = {}
        self._ended = threading.Event()
        self._ticked = clocks.monotonic()

    @property
    def flocks(self) -> Sequence[Flock]:
        """The canaries by organisation."""
        return list(self._flocks.values())

    def apply(self, settings: ActionsSettings, connections: Connections) -> None:
        """Switch to a configuration; canaries without changed settings go on as they were."""
        known = {one.name: connections.of(one) for one in settings.organizations}
        flocks = {}
        # Also those that only have runs to follow.
        for name in dict.fromkeys([*known, *self._flocks, *self._stores.organizations]):
            chosen = [one for one in settings.canaries if one.organization == name]
            flock = self._flocks.get(name) or Flock(name, self._stores.of(name), self._clocks)
            flock.apply(known.get(name), chosen)
            if flock.has_work:
                flocks[name] = flock
            else:
                flock.stop()
        self._flocks = flocks

    def start(self) -> None:
        """Begin to start runs."""
        threading.Thread(target=keep_ticking, args=(self.tick, self._ended), name="canaries", daemon=True).start()

    def stop(self) -> None:
        """Start nothing more."""
        self._ended.set()
        for flock in self._flocks.values():
            flock.stop()

    def waiting(self) -> Sequence[str]:
        """Return the organisations of which no canary has had an answer."""
        return [
            name
            for name, flock in self._flocks.items()
            if flock.canaries and not any(canary.is_answered for canary in flock.canaries)
        ]

    def stalled_for(self) -> float | None:
        """Return the seconds since a canary could last start, if that is too long ago."""
        seconds = self._clocks.monotonic() - self._ticked
        return seconds if seconds > _STALLED else None

    def add_samples(self, samples: Samples) -> None:
        """Add the samples of all canaries."""
        for flock in self._flocks.values():
            for canary in flock.canaries:
                add_samples(samples, canary)

    def views(self) -> Sequence[View]:
        """Return a table for each organisation."""
        now = self._clocks.wall()
        return [view_of(name, flock.canaries, now) for name, flock in self._flocks.items() if flock.canaries]

    def tick(self) -> None:
        """Let each canary do what is due, in other threads."""
        for flock in list(self._flocks.values()):
            flock.tick()
        self._ticked = self._clocks.monotonic()
