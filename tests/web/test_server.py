"""Listening, limits and stopping."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import requests

from theeye_exporter.exposition.render import Format
from theeye_exporter.web import server
from theeye_exporter.web.server import BindError, bind, serve_in_background
from web.exporters import Exporter, Listen, Serve

TESTS = Path(__file__).parent.parent
DEADLINE = 20.0


def connect(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    with contextlib.ExitStack() as unfinished:
        sock = unfinished.enter_context(socket.socket())
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port))
        unfinished.pop_all()
    return sock


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def read_to_end(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


# Listening


def test_all_interfaces_mean_both_protocols(http: requests.Session, exporter: Exporter) -> None:
    sockets = bind([Listen("", 0)])
    port = sockets[0].getsockname()[1]
    hosts = ["127.0.0.1", "[::1]"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]

    with serve_in_background(exporter.app, sockets):
        answers = [http.get(f"http://{host}:{port}/-/healthy", timeout=10).text for host in hosts]

    assert len(sockets) == 1
    assert set(answers) == {"OK\n"}


def test_small_answers_are_not_held_back(
    exporter: Exporter, serve: Serve, http: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodelay = []
    made = server._LimitedProtocol.connection_made

    def connection_made(protocol: server._LimitedProtocol, transport: asyncio.Transport) -> None:
        sock = transport.get_extra_info("socket")
        nodelay.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(protocol, transport)

    monkeypatch.setattr(server._LimitedProtocol, "connection_made", connection_made)

    assert http.get(f"{serve(exporter.app)}/-/healthy", timeout=10).text == "OK\n"
    assert nodelay == [1]


def test_a_name_stands_for_all_its_addresses_on_one_port(
    http: requests.Session, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.2", "127.0.0.3", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    sockets = bind([Listen("two.example", 0)])
    monkeypatch.undo()
    port = sockets[0].getsockname()[1]

    with serve_in_background(exporter.app, sockets):
        answers = [http.get(f"http://{host}:{port}/-/healthy", timeout=10).text for host in ("127.0.0.2", "127.0.0.3")]

    assert len(sockets) == 2
    assert answers == ["OK\n", "OK\n"]


def test_addresses_of_a_name_that_this_machine_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    (sock,) = bind([Listen("partly.example", 0)])

    with sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(BindError) as failure:
            bind([Listen("127.0.0.1", port)])

    assert str(failure.value) == f"cannot listen on 127.0.0.1:{port}: address already in use"


def test_one_bad_address_frees_the_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(BindError, match=r"^cannot listen on 192\.0\.2\.1:0: cannot assign requested address$"):
        bind([Listen("127.0.0.1", port), Listen("192.0.2.1", 0)])

    (sock,) = bind([Listen("127.0.0.1", port)])
    sock.close()


@pytest.mark.parametrize(
    ("host", "error", "message"),
    [
        ("nowhere.example", socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        ("a" * 64, UnicodeError("label too long"), "not a valid host name"),
        ("fe80::1", PermissionError(13, "Permission denied"), "permission denied"),
    ],
)
def test_hosts_that_cannot_be_resolved(
    host: str, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    shown = f"[{host}]" if ":" in host else host

    with pytest.raises(BindError) as failure:
        bind([Listen(host, 9855)])

    assert str(failure.value) == f"cannot listen on {shown}:9855: {message}"


# Limits


def test_a_client_that_says_nothing_is_let_go(
    exporter: Exporter, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.2)
    port = port_of(serve(exporter.app))

    with connect(port) as silent, connect(port) as slow:
        slow.sendall(b"GET /metrics HT")

        # Whether by an end or by a reset; the deadline of the socket would be a TimeoutError.
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""


def test_a_client_that_does_not_read_is_let_go(
    exporter: Exporter, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter.publish_much()
    size = sum(map(len, exporter.store.current().identity(Format.TEXT_0_0_4)))
    monkeypatch.setattr(server, "_RESPONSE_SECONDS", 0.2)
    url = serve(exporter.app)
    received = 0

    with connect(port_of(url), receive_buffer=4096) as sock, connect(port_of(url)) as other:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        # The server is done with the one that does not read once it has ended this later one for its silence.
        monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.5)
        other.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            read_to_end(other)
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(1 << 20):
                received += len(data)

    assert received < size


def test_more_clients_than_allowed_are_told_to_come_back(
    http: requests.Session, exporter: Exporter, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 3)
    url = serve(exporter.app)

    with connect(port_of(url)), connect(port_of(url)):
        assert http.get(f"{url}/-/healthy", timeout=10).status_code == 503


def test_headers_are_limited(exporter: Exporter, serve: Serve) -> None:
    with connect(port_of(serve(exporter.app))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000)

        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(exporter: Exporter, serve: Serve) -> None:
    with connect(port_of(serve(exporter.app))) as sock:
        sock.sendall(
            b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answers = read_to_end(sock)

    assert answers.index(b"OK\n") < answers.index(b"ready\n")


# Stopping


@contextlib.contextmanager
def serving_process(drain_seconds: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "web" / "serving_process.py"), str(drain_seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            connect(port).close()
        except OSError:  # refused, or reset while it waited to be let in
            return
    pytest.fail("new connections are still let in")


def begin_scrape(port: int) -> socket.socket:
    """Ask for the exposition without compression and read only the first byte of the answer."""
    sock = connect(port, receive_buffer=4096)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(1) == b"H"
    return sock


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_running_scrape_finish(number: signal.Signals) -> None:
    with serving_process(drain_seconds=DEADLINE) as (process, port), begin_scrape(port) as sock:
        process.send_signal(number)
        wait_until_refused(port)
        head, _, body = read_to_end(sock).partition(b"\r\n\r\n")
        output, errors = process.communicate(timeout=DEADLINE)

    assert f"content-length: {len(body)}".encode() in head
    assert len(body) > 10_000_000
    assert (process.returncode, output, errors) == (0, "stopped\n", "")


def test_a_scrape_that_does_not_finish_is_cut_in_the_end() -> None:
    with serving_process(drain_seconds=0.2) as (process, port), begin_scrape(port):
        process.terminate()

        assert process.wait(DEADLINE) == 0


def test_idle_connections_do_not_delay_the_end(http: requests.Session) -> None:
    with serving_process(drain_seconds=DEADLINE * 2) as (process, port), connect(port):
        assert http.get(f"http://127.0.0.1:{port}/-/healthy", timeout=10).status_code == 200
        process.terminate()

        assert process.wait(DEADLINE) == 0
