"""Tests arbitrary requests: there is no internal error and no hang, and the next request is served."""

import os
import re
import socket
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from samples import parse
from theeye_exporter.exposition.render import Format
from web.conftest import served
from web.exporters import Exporter

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")))

_PATIENCE = 30.0

_bytes = st.binary(max_size=40)
_words = st.sampled_from(
    [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"get", b"GET GET", b"", b"\x00", b"G" * 9000]
)
_names = st.sampled_from(
    [b"theeye_up", b"monitors", b"jobs", b"exporter", b"%00", b"\xff", b"theeye_job_duration_seconds"]
)
_queries = st.lists(
    st.tuples(st.sampled_from([b"collect[]", b"exclude[]", b"name[]", b"collect%5B%5D", b"x"]), _names | _bytes).map(
        b"=".join
    ),
    max_size=5,
).map(b"&".join)
_paths = st.one_of(
    st.sampled_from(
        [b"/", b"/metrics", b"/-/healthy", b"/-/ready", b"/-/reload", b"//metrics", b"/metrics/", b"*", b""]
    ),
    st.sampled_from([b"http://x/metrics", b"/%2e%2e/metrics", b"/metrics#x", b"/\xc3\xa4", b"/" + b"a" * 9000]),
    _bytes.map(lambda path: b"/" + path),
)
_versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.11", b"", b"X"])
_fields = st.one_of(
    st.sampled_from(
        [
            b"Host: x",
            b"Host: x\r\nHost: y",
            b"Connection: close",
            b"Connection: upgrade\r\nUpgrade: websocket",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 3",
            b"Expect: 100-continue",
            b"Accept-Encoding: gzip",
            b"Range: bytes=0-5",
            b" folded",
            b"X: " + b"y" * 20_000,
        ]
    ),
    st.tuples(_bytes, _bytes).map(b": ".join),
)
_heads = st.builds(
    lambda method, path, query, version, fields, end: b"\r\n".join(
        [b" ".join([method, path + (b"?" + query if query else b""), version]), *fields, b"", end]
    ),
    st.just(b"GET") | _words,
    _paths,
    _queries,
    st.just(b"HTTP/1.1") | _versions,
    st.lists(_fields, max_size=6).map(lambda fields: [b"Host: x", *fields]) | st.lists(_fields, max_size=150),
    st.just(b"") | _bytes,
)
_conversations = st.lists(_heads | _bytes | st.binary(max_size=2000), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with served(Exporter.ready().app) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        yield parts.hostname, parts.port


def talk(server: tuple[str, int], sent: bytes) -> bytes:
    """Send bytes, end our side, and return all that is answered until the server ends its own."""
    with socket.create_connection(server, timeout=_PATIENCE) as sock:
        try:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may have said its word and hung up
        answer = bytearray()
        try:
            while received := sock.recv(1 << 16):
                answer += received
        except ConnectionResetError:
            pass
        return bytes(answer)


def get(server: tuple[str, int], *fields: str) -> tuple[bytes, bytes]:
    """Return the head and the body of a scrape."""
    head = "\r\n".join(["GET /metrics HTTP/1.1", "Host: x", *fields, "Connection: close", "", ""])
    first, _, body = talk(server, head.encode("latin-1")).partition(b"\r\n\r\n")
    return first, body


@fuzzed
@given(conversation=_conversations)
def test_no_request_is_an_error_of_ours(conversation: list[bytes], server: tuple[str, int]) -> None:
    with capture_logs() as logs:
        answer = talk(server, b"".join(conversation))
    assert not [entry for entry in logs if entry["log_level"] in {"error", "critical"} or "exc_info" in entry]
    if answer:
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
        assert status is not None, answer[:200]
        # 503 above a limit, 505 for another version.
        assert not re.search(rb"HTTP/1\.1 5(?!0[35] )\d\d ", answer)
    assert b"Traceback" not in answer
    assert get(server)[0].startswith(b"HTTP/1.1 200 ")


_weights = st.sampled_from(["", ";q=0", ";q=1", ";q=0.5", ";q=x", ";q=2", ";q=", ";q=0.0001"])
_types = st.sampled_from(
    [
        "*/*",
        "text/*",
        "text/plain",
        "application/openmetrics-text",
        "text/html",
        "application/json",
        "",
        "x",
        "text/plain x",
    ]
)
_parameters = st.sampled_from(
    [
        "",
        ";version=0.0.4",
        ";version=1.0.0",
        ";version=9",
        ";escaping=allow-utf-8",
        ';x="a,b;c"',
        ';x="',
        ";;",
        ";charset=utf-8",
    ]
)
_accepts = st.lists(st.tuples(_types, _parameters, _weights).map("".join), max_size=6).map(",".join)
_odd = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
_codings = st.lists(
    st.tuples(st.sampled_from(["gzip", "identity", "*", "br", "x-gzip", "", "GZIP"]), _weights).map("".join), max_size=4
).map(",".join)


@fuzzed
@given(accept=_accepts | _odd, encoding=_codings | _odd)
def test_every_wish_gets_one_of_our_formats(accept: str, encoding: str, server: tuple[str, int]) -> None:
    head, body = get(server, f"Accept: {accept}", f"Accept-Encoding: {encoding}")
    assert head.startswith(b"HTTP/1.1 200 ")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
    assert len(body) == int(fields[b"content-length"])
    if b"content-encoding" in fields:
        assert fields[b"content-encoding"] == b"gzip"
        body = zlib.decompress(body, wbits=16 + zlib.MAX_WBITS)
    content_type = fields[b"content-type"].decode()
    (fmt,) = [
        fmt for fmt in Format if fmt.value.partition(";")[0] in content_type and version(fmt.value) in content_type
    ]
    assert parse(body.decode(), fmt)


def version(content_type: str) -> str:
    return content_type.split(";")[1].strip()
