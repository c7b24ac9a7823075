"""Runs a web application on uvicorn: listening, limits against slow and silent clients, and stopping without a cut."""

import asyncio
import contextlib
import errno
import functools
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import uvicorn
from starlette.types import ASGIApp

from theeye_exporter.web.connection import HEADER_BYTES, LimitedProtocol, Terms
from theeye_exporter.web.idle import Idle

__all__ = ["Address", "BindError", "Doorman", "bind", "serve", "serve_in_background"]

_BACKLOG: Final = 512
_CONNECTIONS = 256
_REFUSED_IN_WORDS: Final = 32
"""Connections above the limit that still get an answer; those beyond are closed without a word."""
_IDLE_SECONDS: Final = 5
_HANDSHAKE_SECONDS = 10.0
"""From a connection until TLS is established."""
_SHUTDOWN_SECONDS: Final = 30.0
"""From the end of a TLS connection until the client agrees, while it may still read what was sent: up to a megabyte."""
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_GIVE_WAY_AT_ONCE: Final = 8
"""Connections that end where there are too many open files: polls need some, too."""
_CLOSING_SECONDS: Final = 0.01
"""Until the sockets of these are closed."""

# An address of a name that this machine does not have, such as ::1 where IPv6 is off.
_NOT_OURS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


Doorman = Callable[[], Terms]
"""Is asked for each new connection."""


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


def serve(app: ASGIApp, sockets: Sequence[socket.socket], *, drain_seconds: float, doorman: Doorman = Terms) -> None:
    """Answer requests until SIGTERM or SIGINT; to be called in the main thread.

    Then no new connection is let in, and running responses have `drain_seconds` to finish. A second SIGINT ends the
    wait. The sockets are closed.
    """
    _Server(app, drain_seconds, doorman).run(list(sockets))


@contextlib.contextmanager
def serve_in_background(
    app: ASGIApp, sockets: Sequence[socket.socket], *, drain_seconds: float = 1.0, doorman: Doorman = Terms
) -> Iterator[None]:
    """Answer requests from a thread of its own while the `with` block runs, and stop as `serve` does."""
    server = _Server(app, drain_seconds, doorman)
    thread = threading.Thread(target=server.run_and_tell, args=(list(sockets),), name="web", daemon=True)
    thread.start()
    server.running.wait()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, drain_seconds: float, doorman: Doorman) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # scanners cause warnings, and the program itself says when it starts and stops
            access_log=False,
            proxy_headers=False,  # nothing depends on who asks
            server_header=False,
            workers=1,
            limit_concurrency=_CONNECTIONS + 1,  # uvicorn means one less than it says
            timeout_keep_alive=_IDLE_SECONDS,
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        # uvicorn's annotation wants whole seconds, its use does not.
        config.timeout_graceful_shutdown = drain_seconds  # type: ignore[assignment]
        super().__init__(config)
        self.running = threading.Event()
        self._doorman = doorman
        self._acceptors: list[asyncio.Task[None]] = []
        self._arriving: set[object] = set()
        self._idle = Idle()

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
        """Let connections in ourselves: uvicorn sets no limit to handshakes, neither to their number nor to their time."""
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
        await asyncio.sleep(0)  # for the transports to close their sockets

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError as error:  # too many open files, or the client has left already
                full = error.errno in _TOO_MANY_FILES
                ended = sum(self._end_longest() for _ in range(_GIVE_WAY_AT_ONCE)) if full else 0
                await asyncio.sleep(_CLOSING_SECONDS if ended else _ACCEPT_PAUSE_SECONDS)
                continue
            self._admit(sock)
            await asyncio.sleep(0)  # there may always be a next one

    def _admit(self, sock: socket.socket) -> None:
        """Begin a connection; when there are too many, those that have done nothing for longest give way."""
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
        """End the connection that has done nothing for longest, if there is one."""
        longest = self._idle.longest(asyncio.get_running_loop().time())
        if longest is None:
            return False
        self._idle.end(longest)
        self._arriving.discard(longest)
        self.server_state.connections.discard(longest)
        return True

    def _forget(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._arrived(task)
        if task.cancelled():  # maybe before there was a transport that would close it
            sock.close()

    def _arrived(self, task: object) -> None:
        self._arriving.discard(task)
        self._idle.discard(task)

    async def _establish(self, sock: socket.socket) -> None:
        task = asyncio.current_task()
        terms = self._doorman()
        limits = {"ssl_handshake_timeout": _HANDSHAKE_SECONDS, "ssl_shutdown_timeout": _SHUTDOWN_SECONDS}

        def admits(transport: asyncio.BaseTransport) -> bool:
            self._arrived(task)  # from now on the connection speaks for itself
            return terms.admits(transport)

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: LimitedProtocol(
                    self.config, self.server_state, idle=self._idle, terms=replace(terms, admits=admits)
                ),
                sock,
                ssl=terms.tls,
                **(limits if terms.tls else {}),
            )
        except (OSError, asyncio.CancelledError) as error:  # the handshake failed, took too long, or gave way
            # Otherwise it keeps the frames it passed through, and TLS in them, until the garbage collector comes.
            error.__traceback__ = None


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
