"""Decides which connection is closed when there is no room for another one."""

from collections.abc import Callable

__all__ = ["IdleConnections"]

_STALL_SECONDS = 5.0
"""Seconds after which a client that does not read can lose its connection to a new one, if there is no other room."""


class IdleConnections:
    """Idle connections, the longest idle first, and how to end each."""

    def __init__(self) -> None:
        self.silent: dict[object, Callable[[], object]] = {}
        """Connections without a request."""
        self.stalled: dict[object, tuple[float, Callable[[], object]]] = {}
        """Connections whose client does not read its response, and since when, by the event loop's clock."""

    def longest(self, now: float) -> object | None:
        """Return the connection to end first."""
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
        """Record that a connection is busy, or gone."""
        self.silent.pop(connection, None)
        self.stalled.pop(connection, None)
