"""An HTTP adapter whose sockets obey one deadline for the whole response.

The timeouts of `requests` start again at every read from the socket, so a server that sends one byte per second is
never cut off. Here the timeout of each read is the time left until the deadline: for the status line, the headers, the
chunk sizes and the body. A thread that waits for a server checks every half second whether it was told to give up.
"""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

from theeye_exporter.theeye.trust import Trust

__all__ = ["DeadlineAdapter", "Progress", "Step", "Waiting", "deadline"]


Waiting = Callable[[bool], None]
"""Called while a thread waits for a server, with whether any of the response has come; an exception ends the request."""


class Step(Enum):
    """What a request is waiting for."""

    CONNECT = auto()
    """A connection to TheEye, or to the proxy."""
    PROXY_HANDSHAKE = auto()
    """TLS with the proxy."""
    TUNNEL = auto()
    """The proxy's connection to TheEye."""
    HANDSHAKE = auto()
    """TLS with TheEye."""
    RESPONSE = auto()


@dataclass(slots=True)
class Progress:
    """How far a request has come.

    Attributes:
        at: its deadline, by `time.monotonic`.
        waiting: what to call while it waits.
        step: what it is waiting for.
        connected: whether a connection was opened for it; if not, nothing was sent on a new one.
        socket: the socket of the last response; None before.
    """

    at: float
    waiting: Waiting
    step: Step = Step.RESPONSE
    connected: bool = False
    socket: Any = None

    def connection_opened(self) -> None:
        """Record that a new connection is ready for the request."""
        self.step, self.connected = Step.RESPONSE, True


class _Current(threading.local):
    """The request of this thread."""

    progress: Progress


_current: Final = _Current()

_INTERIM: Final = range(102, 200)

_LOOK_UP: Final = 0.5
"""Seconds between two calls of `Waiting`."""

_SOCKET_OPTIONS: Final = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *[
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", 15),
            ("TCP_KEEPINTVL", 5),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 30_000),
        )
        if hasattr(socket, name)
    ],
]
"""Half a minute after a firewall, or the server's machine, has forgotten a connection, waiting on it ends."""


@contextmanager
def deadline(at: float, waiting: Waiting = lambda _: None) -> Iterator[Progress]:
    """Make this thread's responses of a `DeadlineAdapter` fail with `TimeoutError` at `at` (`time.monotonic`).

    Args:
        at: the deadline.
        waiting: called again and again while a response does not come.

    Yields:
        how far the request has come.
    """
    former = getattr(_current, "progress", None)
    _current.progress = progress = Progress(at, waiting)
    try:
        yield progress
    finally:
        if former is None:
            del _current.progress
        else:
            _current.progress = former


class _DeadlineReader(io.RawIOBase):
    """Wraps the socket's own reader, and sets the remaining time as the timeout of each read."""

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        self._inner = inner
        self._sock = sock
        self._at, self._waiting = _current.progress.at, _current.progress.waiting
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        while not self._arrived():
            self._waiting(self._begun)
        self._sock.settimeout(self._left())
        count = self._inner.readinto(buffer)
        self._begun = True
        return count

    def _arrived(self) -> bool:
        """Wait for bytes, but not for long."""
        # TLS may already have decrypted bytes that the socket does not show any more.
        pending = getattr(self._sock, "pending", None)
        return bool(pending and pending()) or wait_for_read(self._sock, min(self._left(), _LOOK_UP))

    def _left(self) -> float:
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        return left

    def close(self) -> None:
        # The inner reader keeps the socket open until the response has been read.
        self._inner.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        _current.progress.socket = sock
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))

    def _read_status(self) -> tuple[str, int, str]:
        # The standard library skips only 100. After any other interim response (RFC 9110, section 15.2), the next
        # request on this connection would read the final response as its own.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc] # not public
            if status not in _INTERIM:
                return version, status, reason
            parse_headers(self.fp)

    def begin(self) -> None:
        super().begin()
        # urllib3 refuses this too, but leaves the response open.
        lengths = ",".join(self.headers.get_all("Content-Length", ["0"]))
        if len({length.strip() for length in lengths.split(",")}) > 1:
            raise HTTPException("more than one length for the body")

    def _read_next_chunk_size(self) -> int:
        # The standard library takes an invalid size for the end of the connection, and accepts a negative size.
        ended = not self.fp.peek(1)
        try:
            size: int = super()._read_next_chunk_size()  # type: ignore[misc] # not public
        except ValueError:
            if ended:
                raise
            raise HTTPException("a chunk's size is not a number") from None
        if size < 0:
            raise HTTPException("a chunk's size is negative")
        return size


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        _current.progress.step = Step.CONNECT
        super().connect()
        _current.progress.connection_opened()


class _TLSConnection(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        _current.progress.step = Step.CONNECT
        super().connect()
        _current.progress.connection_opened()
        self.is_verified = True  # as far as the settings demand; otherwise urllib3 would warn of each connection

    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().request(*args, **kwargs)
        except (ssl.SSLEOFError, ConnectionResetError):
            # With this exception, urllib3 reads what the server sent before: an alert that says why it closes.
            raise BrokenPipeError from None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        _current.progress.step = Step.TUNNEL if self.proxy_is_tunneling else Step.HANDSHAKE
        return sock

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> ssl.SSLSocket:
        _current.progress.step = Step.PROXY_HANDSHAKE
        wrapped = super()._connect_tls_proxy(hostname, sock)
        _current.progress.step = Step.TUNNEL
        return wrapped

    def _tunnel(self) -> None:
        super()._tunnel()
        _current.progress.step = Step.HANDSHAKE


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Transport adapter for a `requests` session; every request must be made inside `deadline`.

    Args:
        trust: whom to trust, and which certificate to show.
        server_name: the name to ask for, and to expect in the server's certificate, if it is not the host's.
    """

    def __init__(self, trust: Trust, server_name: str | None = None) -> None:
        self._trust = trust
        self._server_name = server_name
        self._contexts: object = None
        super().__init__(pool_maxsize=64)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build a pool manager whose connections obey the deadline."""
        super().init_poolmanager(*args, socket_options=_SOCKET_OPTIONS, **kwargs)
        self._prepare(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Build a pool manager for a proxy; its connections obey the deadline, too."""
        if proxy.startswith("https:"):
            kwargs["proxy_ssl_context"] = self._current_contexts()[1]
        return self._prepare(super().proxy_manager_for(proxy, socket_options=_SOCKET_OPTIONS, **kwargs))

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        """Use our own TLS context; once its files have changed, no connection with the former one is used again."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] != "https":
            return host, {}
        context = self._current_contexts()[0]
        tls = {"ssl_context": context, "cert_reqs": context.verify_mode}
        return host, tls | ({"server_hostname": self._server_name} if self._server_name else {})

    def _current_contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        contexts = self._trust.contexts()
        if contexts is not self._contexts:
            self._contexts = contexts
            self.close()
            self.proxy_manager.clear()
        return contexts

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: our TLS context contains everything already."""

    @staticmethod
    def _prepare(manager: PoolManager) -> PoolManager:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager
