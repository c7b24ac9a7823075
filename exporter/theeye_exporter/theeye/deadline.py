"""An HTTP adapter whose sockets obey one deadline for the whole response.

The timeouts of `requests` start anew at every read from the socket, so that a server that drips a byte a second is
never cut. Here each read gets what is left until the deadline: for the status line, headers, chunk sizes and body.
"""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse, parse_headers
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["DeadlineAdapter", "deadline"]

_current: Final = threading.local()

_INTERIM: Final = range(102, 200)


@contextmanager
def deadline(at: float) -> Iterator[None]:
    """Let this thread's responses of a `DeadlineAdapter` end with `TimeoutError` at `at` (`time.monotonic`)."""
    _current.at = at
    try:
        yield
    finally:
        del _current.at


class _DeadlineReader(io.RawIOBase):
    """The socket's own reader, with the time left as the timeout of each read."""

    def __init__(self, inner: io.RawIOBase, sock: Any, at: float) -> None:
        self._inner = inner
        self._sock = sock
        self._at = at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        self._sock.settimeout(left)
        return self._inner.readinto(buffer)

    def close(self) -> None:
        # The inner reader holds the socket open until the response is done with it.
        self._inner.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        reader = _DeadlineReader(self.fp.detach(), sock, _current.at)
        self.fp = io.BufferedReader(reader)

    def _read_status(self) -> tuple[str, int, str]:
        # The standard library skips 100 only. After any other interim answer (RFC 9110, section 15.2) the real one
        # would be read by whoever uses the connection next, as the answer to another question.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc] # has no public face
            if status not in _INTERIM:
                return version, status, reason
            parse_headers(self.fp)


class _Connection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Transport adapter for a `requests` session; every request must run inside `deadline`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pool manager with connections that know the deadline."""
        super().init_poolmanager(*args, **kwargs)
        self._prepare(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Build the pool manager for a proxy, likewise."""
        return self._prepare(super().proxy_manager_for(*args, **kwargs))

    @staticmethod
    def _prepare(manager: PoolManager) -> PoolManager:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager
