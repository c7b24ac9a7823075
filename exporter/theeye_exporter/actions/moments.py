"""Converts Unix times from the state file to times of a clock that never steps."""

from typing import Final

from theeye_exporter.clocks import Clocks

__all__ = ["Moments"]

_KEPT: Final = 100_000


class Moments:
    """Converts each Unix time once in the life of the process, so later steps of the machine's clock change nothing.

    Args:
        clocks: The clocks to use.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._known: dict[tuple[str, float], float] = {}

    def when(self, key: str, wall: float) -> float:
        """Return the monotonic time of an event; an event in the future counts as happening now."""
        known = self._known.get((key, wall))
        if known is None:
            known = self._known[key, wall] = self._clocks.monotonic() - max(0.0, self._clocks.wall() - wall)
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
        return known

    def age(self, key: str, wall: float) -> float:
        """Return the seconds since an event."""
        return self._clocks.monotonic() - self.when(key, wall)
