"""A server that plays recorded responses, and a small one for invalid responses."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

RECORDINGS = Path(__file__).parent / "recordings"
T0 = RECORDINGS / "supervisor-4.15.3-t0"
T1 = RECORDINGS / "supervisor-4.15.3-t1"
MORE = RECORDINGS / "supervisor-4.15.3-more"
RECORDED_AT = {
    T0: datetime(2026, 11, 22, 13, 9, 5, tzinfo=UTC),
    T1: datetime(2026, 11, 22, 13, 16, 10, tzinfo=UTC),
}
TOKEN = "a-valid-token"


@dataclass
class Reply:
    """An answer."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A received request."""

    path: str
    query: str
    headers: dict[str, str]
    method: str = "GET"


@dataclass
class Server:
    """A running server and what it was asked."""

    url: str
    port: int = 0
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def http_server(answer: Callable[[Asked], Reply], context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve `answer` on a loopback port, with TLS if there is a context for it."""
    server = Server("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer takes 40 ms

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, parts.query, dict(self.headers), self.command)
            server.asked.append(asked)
            reply = answer(asked)
            self.send_response_only(reply.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
            if self.close_connection:
                headers["Connection"] = "close"
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_GET  # noqa: N815 - the base class wants it so; a body is left

        def log_message(self, *_args: object) -> None:
            pass

    class HTTPServer(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no news."""

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        server.port = httpd.server_port
        if context:
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()


@contextmanager
def raw_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serve connections byte by byte: `talk` gets each one after its request, and an event that tells it to end."""
    ending = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def converse(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                received = b""
                while b"\r\n\r\n" not in received:
                    chunk = connection.recv(4096)
                    if not chunk:
                        return
                    received += chunk
                talk(connection, ending)

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                if ending.is_set():
                    connection.close()
                    return
                threads.append(threading.Thread(target=converse, args=(connection,)))
                threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ending.set()
            socket.create_connection(listener.getsockname()).close()
            acceptor.join()
            for thread in threads:
                thread.join()


@dataclass
class Recording:
    """The recorded answers of one moment; `folder` can be changed while they are played.

    Lists that were recorded at another moment only, are played from there.
    """

    folder: Path
    changes: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        """Answer as the recorded server did, whatever the query."""
        date = {"Date": format_datetime(RECORDED_AT[self.folder], usegmt=True)}
        token = {None: None, f"Bearer {TOKEN}": "valid"}.get(asked.headers.get("Authorization"), "invalid")
        query = dict(parse_qsl(asked.query))
        recorded = [(folder, e) for folder in (self.folder, MORE) for e in _index(folder)]
        for folder, entry in recorded:
            recorded_query = {} if "customer" in entry["query"] else entry["query"]
            if entry["path"] == asked.path and entry["token"] == token and recorded_query in ({}, query):
                body = json.loads((folder / entry["file"]).read_text())
                if asked.path in self.changes:
                    body = self.changes[asked.path](body)
                return Reply(json.dumps(body).encode(), entry["status"], date)
        if token != "valid":
            return Reply(b'"Unauthorized"', 401, date)
        return Reply(b'{"code":"ResourceNotFound","message":"does not exist"}', 404, date)


def _index(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "index.json").read_text())  # type: ignore[no-any-return] # JSON
