"""Who gives way where there is no room for another connection."""

from collections.abc import Callable

__all__ = ["Idle"]

_STALL_SECONDS = 5.0
"""After which a client that does not read gives way to a new one, where there is no other room."""


class Idle:
    """Connections that do nothing, the longest first, and how to end each."""

    def __init__(self) -> None:
        self.silent: dict[object, Callable[[], object]] = {}
        """Those that ask for nothing."""
        self.stalled: dict[object, tuple[float, Callable[[], object]]] = {}
        """Those whose client does not read its answer, and since when, by the event loop's clock."""

    def longest(self, now: float) -> object | None:
        """Return the one that may be ended first."""
        if self.silent:
            return next(iter(self.silent))
        connection, (since, _) = next(iter(self.stalled.items()), (None, (now, None)))
        return connection if now - since >= _STALL_SECONDS else None

    def end(self, connection: object) -> None:
        """End a connection."""
        silent, (_, stalled) = self.silent.pop(connection, None), self.stalled.pop(connection, (0.0, None))
        end = silent or stalled
        if end is not None:
            end()

    def discard(self, connection: object) -> None:
        """Take note that a connection is busy, or gone."""
        self.silent.pop(connection, None)
        self.stalled.pop(connection, None)
