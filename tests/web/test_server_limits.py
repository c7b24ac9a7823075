"""Tests which connection is closed when there are too many, and which limits hold."""

import asyncio
import asyncio.sslproto
import contextlib
import functools
import gc
import itertools
import resource
import socket
from pathlib import Path

import pytest

from processes import eventually
from theeye_exporter.web import connection, idle_connections, server
from web.certificates import Authority
from web.conftest import served
from web.exporters import Exporter
from web.server_processes import serving_process
from web.sockets import DEADLINE, begin_scrape, connect, ended, port_of, read_to_end


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silent_connections_are_closed_when_there_are_too_many(
    scheme: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 3)

    with served(exporter.app, authority.policy(scheme)) as url, contextlib.ExitStack() as opened:
        silent = [opened.enter_context(connect(port_of(url))) for _ in range(20)]
        with connect(port_of(url), authority.client(scheme)) as sock:
            sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = read_to_end(sock)
        assert ended(silent[0])

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_when_too_many_are_being_answered_the_next_is_told_to_come_back(
    scheme: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter.publish_much()
    monkeypatch.setattr(server, "_CONNECTIONS", 2)

    with served(exporter.app, authority.policy(scheme)) as url, contextlib.ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(begin_scrape(port_of(url), authority.client(scheme)))
        with connect(port_of(url), authority.client(scheme)) as sock:
            sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_to_end(sock).startswith(b"HTTP/1.1 503 ")
        monkeypatch.setattr(server, "_REFUSED_IN_WORDS", 0)
        with connect(port_of(url)) as unheard:
            assert ended(unheard)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connections_that_do_not_read_are_closed_at_last(
    scheme: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter.publish_much()
    monkeypatch.setattr(server, "_CONNECTIONS", 2)

    def ask() -> bool:
        with connect(port_of(url), authority.client(scheme)) as sock:
            sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return read_to_end(sock).startswith(b"HTTP/1.1 200 ")

    with served(exporter.app, authority.policy(scheme)) as url, contextlib.ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(begin_scrape(port_of(url), authority.client(scheme)))
        assert not ask()
        monkeypatch.setattr(idle_connections, "_STALL_SECONDS", 0.0)
        eventually(ask, "there is room")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[connection.LimitedProtocol]:
    """Note each connection, and let the kernel take little of what is written to it."""
    noted = []
    make = connection.LimitedProtocol.connection_made

    def connection_made(protocol: connection.LimitedProtocol, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        noted.append(protocol)
        make(protocol, transport)

    monkeypatch.setattr(connection.LimitedProtocol, "connection_made", connection_made)
    return noted


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_asks_and_does_not_read_is_listened_to_no_longer(
    scheme: str, exporter: Exporter, authority: Authority
) -> None:
    exporter.publish_much()

    with (
        served(exporter.app, authority.policy(scheme)) as url,
        begin_scrape(port_of(url), authority.client(scheme)) as sock,
    ):
        sock.settimeout(1.0)
        try:
            for _ in range(1_000):  # more than the kernel keeps
                sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000)
        except TimeoutError:
            return
    pytest.fail("all of it was taken")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_body_is_neither_kept_nor_taken_for_ever_while_the_answer_is_under_way(
    scheme: str, exporter: Exporter, authority: Authority, made: list[connection.LimitedProtocol]
) -> None:
    exporter.publish_much()

    with (
        served(exporter.app, authority.policy(scheme)) as url,
        connect(port_of(url), authority.client(scheme), receive_buffer=4096) as sock,
    ):
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert sock.recv(1) == b"H"
        sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            sock.sendall(bytes(256 << 20))  # more than the kernel keeps
        kept, taken = len(made[0]._input), made[0]._thrown_away

    assert kept < 1 << 20
    assert taken < 5 << 20


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_leaves_only_the_end_of_its_answers_unread_gives_way_too(
    scheme: str,
    exporter: Exporter,
    authority: Authority,
    made: list[connection.LimitedProtocol],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So little that writing never had to wait for the client."""
    monkeypatch.setattr(server, "_CONNECTIONS", 1)
    tls = authority.client(scheme)

    def answered(count: int) -> bool:
        return bool(made) and made[0].server_state.total_requests == count

    with (
        served(exporter.app, authority.policy(scheme)) as url,
        connect(port_of(url), tls, receive_buffer=4096) as sock,
    ):
        for number in itertools.count(1):
            sock.sendall(b"GET /metrics?name[]=theeye_monitor_info HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(functools.partial(answered, number), "it is answered")
            if made[0].raw.get_write_buffer_size():
                break
        assert not made[0].flow.write_paused
        with connect(port_of(url), tls) as early:
            early.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_to_end(early).startswith(b"HTTP/1.1 503 ")  # five seconds are not over
        monkeypatch.setattr(idle_connections, "_STALL_SECONDS", 0.0)
        with connect(port_of(url), tls) as late:
            late.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_to_end(late).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_does_not_agree_to_the_end_of_tls_gives_way(
    scheme: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 2)
    last = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    with served(exporter.app, authority.policy(scheme)) as url, contextlib.ExitStack() as opened:
        for _ in range(10):
            sock = opened.enter_context(connect(port_of(url), authority.client(scheme)))
            sock.sendall(last)
            assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_who_reads_slowly_over_tls_gets_the_end_of_its_last_answer(
    exporter: Exporter,
    authority: Authority,
    made: list[connection.LimitedProtocol],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter.publish(monitors=100, padding=400)

    with (
        served(exporter.app, authority.policy("https")) as url,
        connect(port_of(url), authority.context(), receive_buffer=4096) as sock,
    ):
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: bool(made) and made[0].raw.is_closing(), "all is written, though not to the kernel")
        monkeypatch.setattr(connection, "_REQUEST_SECONDS", 6.0)  # five are what asyncio would often do with
        with connect(port_of(url), authority.context()) as other:
            assert ended(other)
        head, _, body = read_to_end(sock).partition(b"\r\n\r\n")

    assert len(body) > 500_000
    assert f"content-length: {len(body)}".encode() in head


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_says_nothing_gives_way_when_there_are_too_many_open_files(scheme: str, authority: Authority) -> None:
    with serving_process(1.0, authority.files(scheme)) as (process, port), contextlib.ExitStack() as opened:
        open_now = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open_now + 10, open_now + 10))
        for _ in range(400):  # more than what ten places can get rid of by their silence until the deadline
            opened.enter_context(connect(port))
        with connect(port, authority.client(scheme)) as sock:
            sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_to_end(sock).startswith(b"HTTP/1.1 200 ")


def test_who_was_refused_and_stays_gives_way_like_everybody(
    exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections above the limit would otherwise keep it exceeded, and everybody after them out."""
    exporter.publish_much()
    monkeypatch.setattr(server, "_CONNECTIONS", 2)
    tls = authority.context()

    with served(exporter.app, authority.policy("https")) as url, contextlib.ExitStack() as opened:
        busy = [opened.enter_context(begin_scrape(port_of(url), tls)) for _ in range(2)]
        for _ in range(3):
            refused = opened.enter_context(connect(port_of(url), tls))
            refused.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert refused.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
        busy[0].close()
        with connect(port_of(url), tls) as sock:
            sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_to_end(sock).startswith(b"HTTP/1.1 200 ")


def test_a_handshake_that_is_not_finished_is_ended_while_others_are_served(
    exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = authority.client_hello()
    with served(exporter.app, authority.policy("https")) as url:
        # Those who come first have little time, those who come later have enough.
        monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 0.5)
        with connect(port_of(url)) as silent, connect(port_of(url)) as half, connect(port_of(url)) as stopped:
            half.sendall(hello[: len(hello) // 2])
            stopped.sendall(hello)
            assert stopped.recv(1)  # the server's part of the handshake
            monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", DEADLINE)
            with connect(port_of(url), authority.client("https")) as sock:
                sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert read_to_end(sock).startswith(b"HTTP/1.1 200 ")
            assert ended(silent)
            assert ended(half)
            assert ended(stopped)


def test_connections_leave_nothing_to_the_garbage_collector(
    exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes late, and each connection with TLS holds a quarter of a megabyte."""

    def alive() -> int:
        return sum(isinstance(thing, asyncio.sslproto.SSLProtocol) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        with served(exporter.app, authority.policy("https")) as url, contextlib.ExitStack() as opened:
            for request in (b"no HTTP", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"):
                with connect(port_of(url), authority.context()) as sock:
                    sock.sendall(request + b"\r\n\r\n")
                    sock.recv(1 << 16)
            with connect(port_of(url)) as junk:
                junk.sendall(b"x" * 1_000)
                assert ended(junk)
            monkeypatch.setattr(server, "_CONNECTIONS", 1)
            monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 0.1)
            silent = [opened.enter_context(connect(port_of(url))) for _ in range(20)]
            assert all(map(ended, silent))
            eventually(lambda: alive() == 0, "all are gone")
    finally:
        gc.enable()


def test_the_limits_are_those_of_the_documentation() -> None:
    assert server._CONNECTIONS == 256
    assert server._HANDSHAKE_SECONDS == 10.0
    assert server._IDLE_SECONDS == 5
    assert connection._REQUEST_SECONDS == 10.0
    assert connection._RESPONSE_SECONDS == 120.0
    assert idle_connections._STALL_SECONDS == 5.0
