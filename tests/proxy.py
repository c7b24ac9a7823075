"""An HTTP proxy that wants a password, or refuses."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import parse_headers
from selectors import EVENT_READ, DefaultSelector

USER = "exporter"
PASSWORD = "correct-horse/battery"


@dataclass
class Proxy:
    """A running proxy, and what it was asked to do."""

    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{USER}:correct-horse%2Fbattery@127.0.0.1:{self.port}"


@contextmanager
def proxy_server(refusal: int | None = None, target: tuple[str, int] | None = None) -> Iterator[Proxy]:
    """Serve CONNECT on a loopback port.

    Args:
        refusal: a status for everybody.
        target: where all connections lead, whatever was asked for.
    """
    proxy = Proxy()
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            file = connection.makefile("rb", buffering=0)
            line = file.readline(1000).decode("latin-1")
            headers = parse_headers(file)
            proxy.requests.append(line.rpartition(" ")[0])
            status = 407 if headers["Proxy-Authorization"] != expected else refusal
            if status is not None:
                connection.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            host, _, port = line.split()[1].rpartition(":")
            with socket.create_connection(target or (host, int(port))) as upstream:
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                join(connection, upstream)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if ending.is_set():
                connection.close()
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield proxy
        finally:
            ending.set()
            socket.create_connection(listener.getsockname()).close()
            acceptor.join()


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on until one side ends."""
    with DefaultSelector() as selector:
        selector.register(one, EVENT_READ, other)
        selector.register(other, EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr] # both are sockets
                if not data:
                    return
                key.data.sendall(data)
