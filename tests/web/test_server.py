"""Listening and stopping."""

import asyncio
import asyncio.sslproto
import contextlib
import signal
import socket
import time
from typing import NoReturn

import pytest
import requests

from theeye_exporter.web import connection, server
from theeye_exporter.web.server import BindError, bind, serve_in_background
from web.certificates import Authority
from web.conftest import served
from web.exporters import Exporter, Listen, Serve
from web.server_processes import serving_process
from web.sockets import DEADLINE, begin_scrape, connect, port_of, read_to_end

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
    made = connection.LimitedProtocol.connection_made

    def connection_made(protocol: connection.LimitedProtocol, transport: asyncio.Transport) -> None:
        sock = transport.get_extra_info("socket")
        nodelay.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(protocol, transport)

    monkeypatch.setattr(connection.LimitedProtocol, "connection_made", connection_made)

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


def test_a_successor_can_listen_although_connections_of_its_predecessor_linger(exporter: Exporter) -> None:
    with served(exporter.app) as url, connect(port_of(url)) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(sock).endswith(b"OK\n")  # who closes first is in TIME_WAIT for a minute

    (sock,) = bind([Listen("127.0.0.1", port_of(url))])
    sock.close()


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


# Stopping


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            connect(port).close()
        except OSError:  # refused, or reset while it waited to be let in
            return
    pytest.fail("new connections are still let in")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_running_scrape_finish(number: signal.Signals, scheme: str, authority: Authority) -> None:
    with (
        serving_process(DEADLINE, authority.files(scheme)) as (process, port),
        begin_scrape(port, authority.client(scheme)) as sock,
    ):
        process.send_signal(number)
        wait_until_refused(port)
        head, _, body = read_to_end(sock).partition(b"\r\n\r\n")
        sock.close()
        output, errors = process.communicate(timeout=DEADLINE)

    assert f"content-length: {len(body)}".encode() in head
    assert len(body) > 10_000_000
    assert (process.returncode, output, errors) == (0, "stopped\n", "")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_scrape_that_does_not_finish_is_cut_in_the_end(scheme: str, authority: Authority) -> None:
    with (
        serving_process(0.2, authority.files(scheme)) as (process, port),
        begin_scrape(port, authority.client(scheme)),
    ):
        process.terminate()

        assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_idle_connections_do_not_delay_the_end(scheme: str, authority: Authority) -> None:
    with (
        serving_process(DEADLINE * 2, authority.files(scheme)) as (process, port),
        connect(port),
        connect(port, authority.client(scheme)) as served_before,
    ):
        served_before.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in served_before.recv(1 << 16)
        process.terminate()
        with contextlib.suppress(OSError):
            read_to_end(served_before)
        served_before.close()

        assert process.wait(DEADLINE) == 0


def test_a_client_that_connects_at_the_same_moment_is_no_error(exporter: Exporter) -> None:
    wrong = []

    async def stop() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        stopping = server._Server(exporter.app, 1.0, connection.ConnectionTerms)
        stopping.config.load()
        stopping.lifespan = stopping.config.lifespan_class(stopping.config)
        (sock,) = bind([Listen("127.0.0.1", 0)])
        await stopping.startup([sock])
        await asyncio.sleep(0)  # accepts
        with socket.create_connection(sock.getsockname(), timeout=DEADLINE):
            # Its first step is in the same round of the loop as what the connection causes.
            await asyncio.create_task(stopping.shutdown([sock]))

    asyncio.run(stop())
    assert wrong == []
