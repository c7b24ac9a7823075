"""The server of the simulated TheEye, on a real HTTP port."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from theeye_exporter.demo.access import auth_used
from theeye_exporter.demo.answers import Answer, Body, json_answer
from theeye_exporter.demo.api import Api, Request
from theeye_exporter.demo.cost import Supervisor
from theeye_exporter.demo.fault_injection import NOTHING, afflicted, delay_of
from theeye_exporter.demo.faults import CHANGE_FAULTS, Fault, FaultSwitch, parse_faults
from theeye_exporter.demo.query import parse_query
from theeye_exporter.demo.routes import Match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.wire import Sender, read_request
from theeye_exporter.demo.world import World

__all__ = ["RequestRecord", "SimulatedTheEye"]

_REMEMBERED: Final = 10_000
_BACKLOG: Final = 512
_FAULTS_PATH: Final = "/-/faults"
_EVERY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A received request, answered or not.

    Attributes:
        method: GET, HEAD, …
        path: Its path, still encoded.
        query: Its query string, without the token.
        auth: How it authenticated: by header, query, both or neither.
        kind: The kind of endpoint, as named in faults; empty for no endpoint.
    """

    method: str
    path: str
    query: str
    auth: str
    kind: str


class SimulatedTheEye:
    """A simulated TheEye server; a context manager that listens inside its block.

    Attributes:
        settings: Its settings.
        world: The world that it serves; tests change it.
        requests: The last requests, except those for `/-/faults`, oldest first.
        concurrent: Number of requests that are being answered.
        most_concurrent: Highest number of concurrent requests so far.
        drip_seconds: Pause between two bytes of a dripping response.
        supervisor: Counts what requests cost; None if they cost nothing.
    """

    def __init__(self, settings: DemoSettings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or DemoSettings()
        self.world = World(self.settings, clock)
        self.requests: deque[RequestRecord] = deque(maxlen=_REMEMBERED)
        self.concurrent = 0
        self.most_concurrent = 0
        self.drip_seconds = 1.0
        self._api = Api(self.world, self.settings)
        self.supervisor = Supervisor() if self.settings.cost == "supervisor" else None
        self._switch = FaultSwitch(self.settings.faults, self.settings.seed)
        self.world.afflict(self.settings.faults)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._connections: dict[socket.socket, threading.Thread] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The active faults; they can be set while the server runs."""
        return self._switch.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._switch.faults = tuple(faults)
        self.world.afflict(self._switch.faults)

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            RuntimeError: It does not listen.
        """
        if self._listener is None:
            raise RuntimeError("the simulated TheEye is not started")
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Its base URL, without a trailing slash.

        Raises:
            RuntimeError: It does not listen.
        """
        host = self.settings.host
        if host in _EVERY_ADDRESS:
            host = "127.0.0.1"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Starts listening and answering, in separate threads.

        Raises:
            OSError: The address is not available.
            RuntimeError: It is started already.
        """
        if self._listener is not None:
            raise RuntimeError("the simulated TheEye is started already")
        host, port = self.settings.host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._stopping.clear()
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), name="theeye", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Stops listening and ends every connection, even during a slow response; does nothing if not started."""
        if self._listener is None or self._accepting is None:
            return
        host = "::1" if ":" in self.settings.host else "127.0.0.1"
        self._stopping.set()
        own = self.settings.host if self.settings.host not in _EVERY_ADDRESS else host
        with socket.create_connection((own, self.port)):  # accept() waits for a connection: this wakes it up
            self._accepting.join()
        self._listener.close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            _shut(connection)
        for thread in connections.values():
            thread.join()
        self._listener = self._accepting = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Connections.

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._converse, args=(connection,), name="theeye-answer", daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sender = Sender(connection, self._wait, self._date, self.drip_seconds)
            with connection.makefile("rb") as stream:
                while (came := read_request(stream)) is not None and not self._stopping.is_set():
                    request, go_on = came
                    if not self._answer(request, sender, go_on=go_on):
                        break
        except (OSError, ValueError):
            pass  # the client went away, or does not speak HTTP: close the connection
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            _shut(connection)
            connection.close()

    def _answer(self, request: Request, sender: Sender, *, go_on: bool) -> bool:
        if request.path == _FAULTS_PATH:
            return sender.send(self._change_faults(request), request, go_on=go_on)
        found = self._api.find(request)
        kind = found.route.fault_kind if found is not None else ""
        with self._lock:
            self.requests.append(_record(request, kind))
            self.concurrent += 1
            self.most_concurrent = max(self.most_concurrent, self.concurrent)
        try:
            changes = found is not None and found.route.changes
            faults = [fault for fault in self._switch.hits(kind or None) if changes or fault.name not in CHANGE_FAULTS]
            delay = delay_of(faults)
            if delay and self._wait(delay):
                return False
            answer = afflicted(faults, lambda: self._carry_out(request, found, faults))
            if self.supervisor is not None and self._wait(self.supervisor.take(kind, answer.body.objects)):
                return False
            return sender.send(answer, request, go_on=go_on)
        finally:
            with self._lock:
                self.concurrent -= 1

    def _carry_out(self, request: Request, found: Match | None, faults: Iterable[Fault]) -> Answer:
        members_fail = any(fault.name == "invalid-members" for fault in faults)
        answer = partial(self._api.answer, request, found, members_fail=members_fail)
        late = next((fault for fault in faults if fault.name == "applied-late"), None)
        if late is None:
            return answer()
        self.world.later(late.seconds, answer)
        return NOTHING

    def _change_faults(self, request: Request) -> Answer:
        try:
            if request.method == "PUT":
                self.faults = parse_faults(request.body.decode())
            elif request.method == "DELETE":
                self.faults = ()
            elif request.method != "GET":
                return json_answer(HTTPStatus.METHOD_NOT_ALLOWED, "GET, PUT or DELETE", ("Allow", "GET, PUT, DELETE"))
        except ValueError as error:
            return Answer(HTTPStatus.BAD_REQUEST, Body([f"{error}\n".encode()]), content_type="text/plain")
        text = "".join(f"{fault}\n" for fault in self.faults)
        return Answer(HTTPStatus.OK, Body([text.encode()]), content_type="text/plain")

    def _wait(self, seconds: float) -> bool:
        return self._stopping.wait(seconds)

    def _date(self) -> str:
        return formatdate(self.world.now, usegmt=True)


def _record(request: Request, kind: str) -> RequestRecord:
    pairs = [pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] != "access_token"]
    auth = auth_used(request.headers, parse_query(request.query))
    return RequestRecord(request.method, request.path, urlencode(pairs), auth, kind)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)
