"""Runs a web application on uvicorn: listening, limits against slow and silent clients, and stopping without a cut."""

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["Address", "BindError", "bind", "serve", "serve_in_background"]

_BACKLOG: Final = 512
_CONNECTIONS: Final = 256
_HEADER_BYTES: Final = 16 * 1024
_IDLE_SECONDS: Final = 5
_REQUEST_SECONDS: Final = 10.0
"""From the connection, or from the last answer, until a request's head is complete."""
_RESPONSE_SECONDS: Final = 120.0
"""From a request until its answer has left: longer than any scrape may sensibly take."""

# An address of a name that this machine does not have, such as ::1 where IPv6 is off.
_NOT_OURS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Address(Protocol):
    """Where to listen: a host, empty for all interfaces, and a port, 0 for any free one."""

    @property
    def host(self) -> str:
        """Name or IP address."""

    @property
    def port(self) -> int:
        """TCP port."""


class BindError(Exception):
    """An address cannot be listened on; the text says which and why, in one line."""


def bind(addresses: Iterable[Address]) -> list[socket.socket]:
    """Listen on every address; clients are let in as soon as `serve` runs.

    An empty host and `::` mean all interfaces, IPv6 and IPv4 alike. A name stands for all of its addresses that this machine
    has, on one port.

    Raises:
        BindError: one of them cannot be listened on; none is then.
    """
    with contextlib.ExitStack() as opened:
        sockets = [sock for address in addresses for sock in _listen(address, opened)]
        opened.pop_all()
    return sockets


def serve(app: ASGIApp, sockets: Sequence[socket.socket], *, drain_seconds: float) -> None:
    """Answer requests until SIGTERM or SIGINT; to be called in the main thread.

    Then no new connection is let in, and running responses have `drain_seconds` to finish. A second SIGINT ends the
    wait. The sockets are closed.
    """
    _Server(app, drain_seconds).run(list(sockets))


@contextlib.contextmanager
def serve_in_background(
    app: ASGIApp, sockets: Sequence[socket.socket], *, drain_seconds: float = 1.0
) -> Iterator[None]:
    """Answer requests from a thread of its own while the `with` block runs, and stop as `serve` does."""
    server = _Server(app, drain_seconds)
    thread = threading.Thread(target=server.run_and_tell, args=(list(sockets),), name="web", daemon=True)
    thread.start()
    server.running.wait()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, drain_seconds: float) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # scanners cause warnings, and the program itself says when it starts and stops
            access_log=False,
            proxy_headers=False,  # nothing depends on who asks
            server_header=False,
            workers=1,
            backlog=_BACKLOG,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_IDLE_SECONDS,
            h11_max_incomplete_event_size=_HEADER_BYTES,
        )
        # uvicorn's annotation wants whole seconds, its use does not.
        config.timeout_graceful_shutdown = drain_seconds  # type: ignore[assignment]
        super().__init__(config)
        self.running = threading.Event()

    def run_and_tell(self, sockets: list[socket.socket]) -> None:
        """Run, and let nobody wait for a server that could not start."""
        try:
            self.run(sockets)
        finally:
            self.running.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop on signals, without raising them again afterwards: a stop that was asked for is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.running.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # for the transports to close their sockets


class _LimitedProtocol(H11Protocol):
    """Ends connections whose client takes too long, to send a request or to take its answer.

    uvicorn itself only limits the time between an answer and the next byte, so that 256 clients who say nothing would
    shut everybody else out.
    """

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(_REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        answering = self._answering
        super().data_received(data)
        if self._answering and not answering:
            self._arm(_RESPONSE_SECONDS)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # What the kernel has not taken yet is still to be sent, and pipelined requests are already being answered.
        self._arm(_RESPONSE_SECONDS if self._answering or self._unsent else _REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def _arm(self, seconds: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self.loop.call_later(seconds, self.transport.abort)


def _listen(address: Address, opened: contextlib.ExitStack) -> list[socket.socket]:
    """Listen on one address, by sockets that `opened` closes."""
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    port = address.port
    try:
        for family, host in _resolve(address.host):
            try:
                sock = _listening_socket(family, (host[0], port, *host[2:]), dual_stack=address.host in {"", "::"})
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise
                missing = error
            else:
                sockets.append(opened.enter_context(sock))
                port = sock.getsockname()[1]
        if missing and not sockets:
            raise missing
    except (OSError, UnicodeError) as error:
        host_shown = f"[{address.host}]" if ":" in address.host else address.host
        raise BindError(f"cannot listen on {host_shown}:{address.port}: {_reason(error)}") from error
    return sockets


def _resolve(host: str) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Yield the socket addresses, each once, that a host stands for; their ports mean nothing."""
    if not host:
        if socket.has_dualstack_ipv6():
            yield socket.AF_INET6, ("::", 0)
        else:
            yield socket.AF_INET, ("0.0.0.0", 0)  # noqa: S104 - no host means all interfaces
        return
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    yield from dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found)


def _listening_socket(family: socket.AddressFamily, sockaddr: tuple[Any, ...], *, dual_stack: bool) -> socket.socket:
    with contextlib.ExitStack() as unfinished:
        # Without the protocol's number asyncio sees no TCP, sets no TCP_NODELAY, and each small answer takes 40 ms.
        sock = unfinished.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        # Connections of a predecessor may be in TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual_stack))
        sock.bind(sockaddr)
        # Two sockets can be bound to one port as long as none listens: only now it is certain.
        sock.listen(_BACKLOG)
        unfinished.pop_all()
    return sock


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "not a valid host name"
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
