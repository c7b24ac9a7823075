"""What responses show about TheEye's server beside their bodies: its clock and its certificate."""

import ssl
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

__all__ = ["ServerSight", "Sighting"]

_HALF_A_SECOND: Final = 0.5
"""A Date header has whole seconds: on average, the server's time was this much later."""


class Sighting(NamedTuple):
    """What was seen of a server.

    Attributes:
        clock_skew: seconds by which the server's clock is ahead of this machine's; None if no response had a date.
        certificate_expiry: Unix time at which its certificate expires; None without TLS, or if it is not verified.
    """

    clock_skew: float | None
    certificate_expiry: float | None


class ServerSight:
    """Collects what responses show. Safe for threads.

    Args:
        wall: this machine's Unix time, in seconds.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._skew: tuple[float, float] | None = None
        self._expiry: float | None = None

    def note(self, date: float | None, seconds: float, connection: Any) -> None:
        """Take note of a response whose headers have just arrived.

        Args:
            date: Unix time in its Date header.
            seconds: time since the request was sent.
            connection: the socket.
        """
        expiry = _expiry_of(connection)
        skew = None if date is None else date + _HALF_A_SECOND - (self._wall() - seconds / 2)
        with self._lock:
            self._expiry = self._expiry if expiry is None else expiry
            if skew is not None and (self._skew is None or seconds < self._skew[0]):
                self._skew = seconds, skew  # the response that took least time is the most exact

    def take(self) -> Sighting:
        """Return what was seen since the last call, and the expiry that was seen last."""
        with self._lock:
            skew, self._skew = self._skew, None
            return Sighting(None if skew is None else skew[1], self._expiry)


def _expiry_of(connection: Any) -> float | None:
    if not hasattr(connection, "getpeercert"):
        return None
    certificate = connection.getpeercert()  # it is empty if it was not verified
    return float(ssl.cert_time_to_seconds(certificate["notAfter"])) if certificate else None
