"""Runs a web application on uvicorn: listens, limits slow and silent clients, and stops gracefully."""

import asyncio
import contextlib
import errno
import functools
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp

from theeye_exporter import signals
from theeye_exporter.web.connection import HEADER_BYTES, ConnectionTerms, LimitedProtocol
from theeye_exporter.web.idle_connections import IdleConnections

__all__ = ["Address", "BindError", "ConnectionPolicy", "bind", "serve", "serve_in_background"]

_BACKLOG: Final = 512
_CONNECTIONS = 256
_REFUSED_IN_WORDS: Final = 32
"""This many connections above the limit still get a response; any more are closed without one."""
_IDLE_SECONDS: Final = 5
_HANDSHAKE_SECONDS = 10.0
"""Seconds from a connection until TLS must be established."""
_SHUTDOWN_SECONDS: Final = 30.0
"""Seconds for the client to agree to the end of TLS; it may still have to read up to a megabyte."""
_THREADS: Final = 4
"""Maximum number of threads that render pages and reload."""

_END_SECONDS: Final = 2.0
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_GIVE_WAY_AT_ONCE: Final = 8
"""Number of connections to end if there are too many open files: polls need some, too."""
_CLOSING_SECONDS: Final = 0.01
"""Seconds until the sockets of these connections are closed."""

# The name has an address that this machine does not have, such as ::1 if IPv6 is off.
_NOT_OURS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


ConnectionPolicy = Callable[[], ConnectionTerms]
"""Called for each new connection."""


class Address(Protocol):
    """Where to listen: a host, empty for all interfaces, and a port, 0 for any free one."""

    @property
    def host(self) -> str:
        """Name or IP address."""

    @property
    def port(self) -> int:
        """TCP port."""


class BindError(Exception):
    """The server cannot listen on an address; the text says which and why, in one line.

    Attributes:
        taken: the port, if another program listens there.
    """

    def __init__(self, message: str, taken: int | None) -> None:
        super().__init__(message)
        self.taken = taken


def bind(addresses: Iterable[Address]) -> list[socket.socket]:
    """Listen on every address; clients are admitted as soon as `serve` runs.

    An empty host and `::` mean all interfaces, with IPv6 and IPv4. A host name means all of its addresses that this
    machine has, all with the same port.

    Raises:
        BindError: listening on one of them failed; in this case the server listens on none.
    """
    with contextlib.ExitStack() as opened:
        sockets = [sock for address in addresses for sock in _listen(address, opened)]
        opened.pop_all()
    return sockets


def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    *,
    drain_seconds: float,
    policy: ConnectionPolicy = ConnectionTerms,
    reads_bodies: bool = False,
) -> None:
    """Answer requests until SIGTERM or SIGINT; bodies of requests are thrown away unless `reads_bodies`.

    Then no new connection is admitted, and running responses have `drain_seconds` to finish. A second SIGINT ends the
    wait. Then the sockets are closed. The process ends at most `_END_SECONDS` later, whatever else is still running.
    """
    server = _Server(app, drain_seconds, policy, reads_bodies=reads_bodies)
    signals.at_end(lambda number: server.handle_exit(number, None), drain_seconds + _END_SECONDS)
    server.run(list(sockets))


@contextlib.contextmanager
def serve_in_background(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    *,
    drain_seconds: float = 1.0,
    policy: ConnectionPolicy = ConnectionTerms,
) -> Iterator[None]:
    """Answer requests in a separate thread while the `with` block runs, and stop as `serve` does."""
    server = _Server(app, drain_seconds, policy)
    thread = threading.Thread(target=server.run_and_tell, args=(list(sockets),), name="web", daemon=True)
    thread.start()
    server.running.wait()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    def __init__(
        self, app: ASGIApp, drain_seconds: float, policy: ConnectionPolicy, *, reads_bodies: bool = False
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # scanners cause warnings, and the exporter itself logs when it starts and stops
            access_log=False,
            proxy_headers=False,  # the client address in proxy headers is not used
            server_header=False,
            workers=1,
            limit_concurrency=_CONNECTIONS + 1,  # uvicorn's limit is one less than its documentation says
            timeout_keep_alive=_IDLE_SECONDS,
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        # uvicorn's annotation says whole seconds, but fractions work.
        config.timeout_graceful_shutdown = drain_seconds  # type: ignore[assignment]
        super().__init__(config)
        self.running = threading.Event()
        self._policy = policy
        self._reads_bodies = reads_bodies
        self._acceptors: list[asyncio.Task[None]] = []
        self._arriving: set[object] = set()
        self._idle = IdleConnections()

    def run_and_tell(self, sockets: list[socket.socket]) -> None:
        """Run, and wake up callers that wait for the start, even if it fails."""
        try:
            self.run(sockets)
        finally:
            self.running.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture no signals: `serve` handles them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections ourselves: uvicorn limits neither the number of handshakes nor their time."""
        current_default_thread_limiter().total_tokens = _THREADS
        self.servers = []
        for sock in sockets or []:
            sock.setblocking(False)
            self._acceptors.append(asyncio.create_task(self._accept(sock)))
        self.started = True
        self.running.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        leaving = [*self._acceptors, *(task for task in self._arriving if isinstance(task, asyncio.Task))]
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # so that the transports can close their sockets

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
                sock.setblocking(False)
            except BlockingIOError:
                await _readable(listening)
                continue
            except OSError as error:  # too many open files, or the client has left already
                full = error.errno in _TOO_MANY_FILES
                ended = sum(self._end_longest() for _ in range(_GIVE_WAY_AT_ONCE)) if full else 0
                await asyncio.sleep(_CLOSING_SECONDS if ended else _ACCEPT_PAUSE_SECONDS)
                continue
            self._admit(sock)
            await asyncio.sleep(0)  # there may always be a next one

    def _admit(self, sock: socket.socket) -> None:
        """Begin a connection; if there are too many, end those that have been idle for longest."""
        connections = self.server_state.connections
        while len(self._arriving) + len(connections) >= _CONNECTIONS:
            if self._end_longest():
                continue
            if len(connections) >= _CONNECTIONS + _REFUSED_IN_WORDS:
                sock.close()
                return
            break
        task = asyncio.create_task(self._establish(sock))
        self._arriving.add(task)
        self._idle.silent[task] = task.cancel
        task.add_done_callback(functools.partial(self._forget, sock))

    def _end_longest(self) -> bool:
        """End the connection that has been idle for longest, if there is one."""
        longest = self._idle.longest(asyncio.get_running_loop().time())
        if longest is None:
            return False
        self._idle.end(longest)
        self._arriving.discard(longest)
        self.server_state.connections.discard(longest)
        return True

    def _forget(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._arrived(task)
        if task.cancelled():  # maybe before there was a transport to close it
            sock.close()

    def _arrived(self, task: object) -> None:
        self._arriving.discard(task)
        self._idle.discard(task)

    async def _establish(self, sock: socket.socket) -> None:
        task = asyncio.current_task()
        terms = self._policy()
        limits = {"ssl_handshake_timeout": _HANDSHAKE_SECONDS, "ssl_shutdown_timeout": _SHUTDOWN_SECONDS}

        def admits(transport: asyncio.BaseTransport) -> bool:
            self._arrived(task)  # from now on the connection keeps track of itself
            return terms.admits(transport)

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: LimitedProtocol(
                    self.config,
                    self.server_state,
                    idle=self._idle,
                    terms=replace(terms, admits=admits),
                    reads_bodies=self._reads_bodies,
                ),
                sock,
                ssl=terms.tls,
                **(limits if terms.tls else {}),
            )
        except (OSError, asyncio.CancelledError) as error:  # the handshake failed, took too long, or lost its place
            # Otherwise the error keeps its frames, and TLS in them, until the garbage collector runs.
            error.__traceback__ = None


async def _readable(sock: socket.socket) -> None:
    """Wait until a socket can be read. This may be cancelled; a cancelled `sock_accept` of asyncio can lose a connection."""
    loop, number, readable = asyncio.get_running_loop(), sock.fileno(), asyncio.Event()
    loop.add_reader(number, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(number)


def _listen(address: Address, opened: contextlib.ExitStack) -> list[socket.socket]:
    """Listen on one address; `opened` closes the sockets."""
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
        taken = address.port if isinstance(error, OSError) and error.errno == errno.EADDRINUSE else None
        raise BindError(f"cannot listen on {host_shown}:{address.port}: {_reason(error)}", taken) from error
    return sockets


def _resolve(host: str) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Yield each socket address of a host once; ignore the ports."""
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
        # Without the protocol number, asyncio does not set TCP_NODELAY, and each small response takes 40 ms.
        sock = unfinished.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        # Connections of a previous process may be in TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual_stack))
        sock.bind(sockaddr)
        # Two sockets can be bound to one port as long as neither listens, so only now a conflict shows.
        sock.listen(_BACKLOG)
        unfinished.pop_all()
    return sock


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "not a valid host name"
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
