"""Tests the limits of requests in size and time, with and without TLS."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from theeye_exporter.exposition.render import Format
from theeye_exporter.web import connection
from web.certificates import Authority
from web.conftest import served
from web.exporters import Exporter
from web.sockets import DEADLINE, connect, ended, port_of, read_to_end

HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(scheme: str, exporter: Exporter, authority: Authority) -> Iterator[str]:
    with served(exporter.app, authority.policy(scheme)) as result:
        yield result


def ask(url: str, authority: Authority, sent: bytes) -> bytes:
    """Send something and return all that comes back until the end of the connection."""
    with connect(port_of(url), authority.client(url.partition(":")[0])) as sock:
        sock.sendall(sent)
        return read_to_end(sock)


def patient(sock: socket.socket, seconds: float) -> bytes | None:
    """Return what comes within some time, None if that is nothing; b"" is the end."""
    sock.settimeout(seconds)
    try:
        return sock.recv(1 << 16)
    except TimeoutError:
        return None


# Size


# One of them over TLS is enough, see below: the end of the connection takes two seconds there.
@pytest.mark.parametrize("scheme", ["http"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3_000 + b"\r\n", 431),
        (b"GET /" + b"x" * 8_192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"x" * 100_000, 414),
        (b"x" * 1_000_000, 414),
        (b"no HTTP at all\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/0.9\nHost: x\n\n", 505),
        (b"GET / HTTP/3\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/11\r\nHost: x\r\n\r\n", 400),
        (b"GET / http/2.0\r\nHost: x\r\n\r\n", 400),
    ],
    ids=[
        *("one header", "unfinished header", "many headers", "first line", "unfinished line", "a megabyte"),
        *("no request", "empty lines", "TLS within", "no Host"),
        *("HTTP/2.0", "HTTP/0.9", "HTTP/3", "HTTP/2 from the start", "no version", "small letters"),
    ],
)
def test_too_large_and_invalid_requests_are_rejected_with_a_reason(
    sent: bytes, status: int, url: str, authority: Authority
) -> None:
    head, _, text = ask(url, authority, sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    assert f"content-length: {len(text)}".encode() in head


@pytest.mark.parametrize("scheme", ["http"])
@pytest.mark.parametrize("control", [b"\0", b"\x0b", b"\x1f", b"\x7f", b"\r", b"\r\r"])
def test_control_characters_are_no_http(control: bytes, url: str, authority: Authority) -> None:
    for place in (b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: a%sb\r\n\r\n"):
        assert ask(url, authority, place % control).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("scheme", ["http"])
def test_a_head_that_is_slow_in_h11_delays_nobody(url: str) -> None:
    """Each of these takes h11 most of a second, in which nobody else would be answered."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX:" + b" " * 15_000 + b"\0\r\n\r\n"

    with contextlib.ExitStack() as opened:
        socks = [opened.enter_context(connect(port_of(url))) for _ in range(150)]
        for sock in socks:
            sock.sendall(head)
        with connect(port_of(url)) as other:  # in time, or its socket says so
            other.sendall(LAST)
            assert read_to_end(other).endswith(b"\r\n\r\nready\n")
        for sock in socks:
            assert read_to_end(sock).startswith(b"HTTP/1.1 400 ")


def test_a_head_may_have_sixteen_kibibytes(url: str, authority: Authority) -> None:
    def head(size: int) -> bytes:
        rest = LAST[:-2] + b"X: "
        return rest + b"x" * (size - len(rest) - 4) + b"\r\n\r\n"

    assert ask(url, authority, head(16_384)).startswith(b"HTTP/1.1 200 ")
    assert ask(url, authority, head(16_385)).startswith(b"HTTP/1.1 431 ")


def test_a_head_may_arrive_byte_by_byte(url: str, authority: Authority) -> None:
    with connect(port_of(url), authority.client(url.partition(":")[0])) as sock:
        for byte in LAST:
            sock.sendall(bytes([byte]))

        assert read_to_end(sock).endswith(b"\r\n\r\nready\n")


def test_pipelined_requests_are_answered_in_order_and_each_is_measured(url: str, authority: Authority) -> None:
    large = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"

    answers = ask(url, authority, HEALTHY * 50 + HEALTHY.replace(b"healthy", b"ready") + large)

    statuses = [line for line in answers.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert answers.count(b"OK\n") == 50
    assert answers.index(b"OK\n") < answers.index(b"ready\n") < answers.index(b" 431 ")
    assert len(statuses) == 52


@pytest.mark.parametrize(
    "announcement", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked", b"Content-Length: 3"]
)
def test_a_body_is_not_read_and_ends_the_connection(announcement: bytes, url: str, authority: Authority) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n" + announcement + b"\r\n\r\n"

    answer = ask(url, authority, request + b"x" * 1_000_000)

    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in head
    assert text == b"OK\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("announcement", [b"Content-Length: 10000000000", b"Transfer-Encoding: chunked"])
def test_of_a_body_that_is_not_read_only_some_mebibytes_are_taken(
    announcement: bytes, url: str, authority: Authority
) -> None:
    largest, sent = 256 << 20, 0
    with connect(port_of(url), authority.client(url.partition(":")[0])) as sock:
        sock.sendall(b"POST /-/healthy HTTP/1.1\r\nHost: x\r\n" + announcement + b"\r\n\r\n")
        block = memoryview(bytes(1 << 20))
        with contextlib.suppress(OSError):  # it is cut off in the end
            while sent < largest:
                sent += sock.send(block)
    assert sent < largest


def test_what_follows_a_minor_version_that_nobody_knows_is_answered(url: str, authority: Authority) -> None:
    assert ask(url, authority, LAST.replace(b"HTTP/1.1", b"HTTP/1.9")).endswith(b"\r\n\r\nready\n")


def test_a_body_that_never_comes_is_not_waited_for(
    url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LINGER_SECONDS", 0.1)
    request = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"

    answer = ask(url, authority, request)

    assert answer.startswith(b"HTTP/1.1 405 ")


def test_a_body_of_nothing_is_none(url: str, authority: Authority) -> None:
    empty = HEALTHY.replace(b"Host", b"Content-Length: 0\r\nHost")

    assert ask(url, authority, empty + LAST).endswith(b"\r\n\r\nready\n")


# Time


def test_a_silent_client_is_disconnected(url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = authority.client(url.partition(":")[0])
    monkeypatch.setattr(connection, "_REQUEST_SECONDS", 0.5)
    with connect(port_of(url), tls) as silent, connect(port_of(url), tls) as slow:
        slow.sendall(b"GET /metrics HT")
        assert ask(url, authority, LAST).endswith(b"\r\n\r\nready\n")  # meanwhile

        assert ended(silent)
        assert ended(slow)


def test_a_head_that_never_ends_is_not_waited_for(
    url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_REQUEST_SECONDS", 0.5)
    with connect(port_of(url), authority.client(url.partition(":")[0])) as sock, contextlib.suppress(OSError):
        sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(int(DEADLINE / 0.05)):
            sock.sendall(b"x")
            if patient(sock, 0.05) == b"":
                return
        pytest.fail("it could go on like that for ever")


def test_a_client_that_does_read_has_a_deadline_all_the_same(
    url: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter.publish_much()
    size = sum(map(len, exporter.store.current().identity(Format.TEXT_0_0_4)))
    monkeypatch.setattr(connection, "_RESPONSE_SECONDS", 0.5)
    tls = authority.client(url.partition(":")[0])
    received = 0

    with connect(port_of(url), tls) as sock, connect(port_of(url), tls) as other:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1) == b"H"
        monkeypatch.setattr(connection, "_REQUEST_SECONDS", 1.0)
        other.sendall(HEALTHY)
        with contextlib.suppress(OSError):
            while patient(other, 0.05) != b"":  # as above, but meanwhile there is room to write, again and again
                received += sum(len(sock.recv(1 << 16)) for _ in range(8))
        with contextlib.suppress(OSError):
            while data := sock.recv(1 << 20):
                received += len(data)

    assert received < size


def test_a_client_that_does_not_read_is_disconnected(
    url: str, exporter: Exporter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter.publish_much()
    size = sum(map(len, exporter.store.current().identity(Format.TEXT_0_0_4)))
    monkeypatch.setattr(connection, "_RESPONSE_SECONDS", 0.5)
    tls = authority.client(url.partition(":")[0])
    received = 0

    with connect(port_of(url), tls, receive_buffer=4096) as sock, connect(port_of(url), tls) as other:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1) == b"H"
        # The server is done with the one that does not read once it has ended this later one for its silence.
        monkeypatch.setattr(connection, "_REQUEST_SECONDS", 1.0)
        other.sendall(HEALTHY)
        assert ended(other)
        with contextlib.suppress(OSError):
            while data := sock.recv(1 << 20):
                received += len(data)

    assert received < size


@pytest.mark.parametrize("blocks", [0, 10])
def test_a_client_that_aborts_a_response_is_not_logged(blocks: int, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (blocks + 1))]}
        )
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()  # by a reset
        for _ in range(blocks):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        done.set()

    with served(app) as url, connect(port_of(url)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert done.wait(DEADLINE)

    assert [record.getMessage() for record in caplog.records] == []


def test_after_an_answer_a_connection_stays_for_the_next_request(url: str, authority: Authority) -> None:
    with connect(port_of(url), authority.client(url.partition(":")[0])) as sock:
        for _ in range(3):
            sock.sendall(HEALTHY)
            answer = b""
            while not answer.endswith(b"OK\n"):
                answer += sock.recv(1 << 16)
        sock.sendall(LAST)

        assert read_to_end(sock).endswith(b"ready\n")


@pytest.mark.parametrize("scheme", ["http"])
@pytest.mark.parametrize(
    ("requests", "end"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"</html>"),  # made in another thread
        (HEALTHY + LAST.replace(b"Connection: close\r\n", b""), b"ready\n"),
        (HEALTHY + LAST[:-1], b"OK\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12", b"use GET or HEAD\n"),
    ],
    ids=["slow answer", "pipelined", "one and a half", "half a body"],
)
def test_a_client_that_closes_its_side_still_gets_its_responses(requests: bytes, end: bytes, url: str) -> None:
    with connect(port_of(url)) as sock:
        sock.sendall(requests)
        sock.shutdown(socket.SHUT_WR)

        assert read_to_end(sock).endswith(end)
