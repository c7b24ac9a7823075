"""Tests requests over real sockets: deadlines, limits, statuses, headers, retries, redirects and secrets."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from answers import answered
from playback import T0, TOKEN, Asked, Reply, http_server, raw_server
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.patience import interruptible
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import TokenSource, fixed_token, token_from_file
from theeye_exporter.theeye.transport import Transport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def transport(
    url: str,
    *,
    auth: Literal["header", "query"] = "header",
    timeout: float = 20,
    list_timeout: float = 0,
    max_bytes: int = 10**6,
    token: TokenSource | None = None,
    observed: list[tuple[str, str, int]] | None = None,
    **network: Any,
) -> Iterator[Transport]:
    def observe(endpoint: str, status: str, seconds: float, size: int) -> None:
        assert seconds >= 0
        if observed is not None:
            observed.append((endpoint, status, size))

    made = Transport(
        TransportSettings(
            url=url,
            auth=auth,
            timeout=timeout,
            list_timeout=list_timeout,
            max_bytes=max_bytes,
            user_agent="tests/1",
            **network,
        ),
        token or fixed_token(TOKEN),
        observe,
    )
    try:
        yield made
    finally:
        made.close()


def failure(made: Transport, path: str = "/demo/job", *, single: bool = False) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        made.get("/{customer}/job", path, single=single)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_the_token_goes_into_the_header_and_nowhere_else() -> None:
    with answered(lambda _: Reply(b"[]")) as server, transport(server.url) as made:
        made.get("/monitor", "/monitor", {"limit": "1"})
        (asked,) = server.asked
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.query == "limit=1"
    assert asked.headers["User-Agent"] == "tests/1"
    assert asked.headers["Accept-Encoding"] == "gzip"


def test_the_token_goes_into_the_query_and_nowhere_else_if_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine theeye.example login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answered(lambda _: Reply(b"[]")) as server, transport(server.url, auth="query") as made:
        made.get("/monitor", "/monitor", {"where[lifecycle][$in][]": ["ready", "onhold"]})
        (asked,) = server.asked
    assert "Authorization" not in asked.headers
    assert asked.query == (
        f"where%5Blifecycle%5D%5B%24in%5D%5B%5D=ready&where%5Blifecycle%5D%5B%24in%5D%5B%5D=onhold&access_token={TOKEN}"
    )


def test_connections_are_kept_and_cookies_are_not() -> None:
    cookies: list[str] = []

    def answer(asked: Asked) -> Reply:
        cookies.append(asked.headers.get("Cookie", ""))
        return Reply(b"[]", headers={"Set-Cookie": "session=1"})

    with http_server(answer) as server, transport(server.url) as made:
        for _ in range(3):
            made.get("/monitor", "/monitor")
        pools = made._session.get_adapter(server.url).poolmanager.pools  # type: ignore[attr-defined] # of requests
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - no dict
    assert cookies == ["", "", ""]


def drip_body(connection: socket.socket, ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n[")
    while not ending.wait(0.02):
        connection.sendall(b" ")


def drip_chunks(connection: socket.socket, ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not ending.wait(0.02):
        connection.sendall(b"1\r\n \r\n")


def drip_chunk_size(connection: socket.socket, ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not ending.wait(0.02):
        connection.sendall(b"0")


def drip_headers(connection: socket.socket, ending: threading.Event) -> None:
    connection.sendall(HEAD + b"X-Long: ")
    while not ending.wait(0.02):
        connection.sendall(b"x")


def never_answer(connection: socket.socket, ending: threading.Event) -> None:
    assert connection.fileno() >= 0
    ending.wait()


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("talk", [drip_body, drip_chunks, drip_chunk_size, drip_headers, never_answer])
def test_an_answer_that_never_ends_is_cut_at_the_deadline(
    talk: Callable[[socket.socket, threading.Event], None], *, single: bool
) -> None:
    observed: list[tuple[str, str, int]] = []
    with raw_server(talk) as url, transport(url, timeout=0.5, observed=observed) as made:
        made.patience.is_alive = lambda _: True
        assert failure(made, single=single).reason is Reason.TIMEOUT
    assert observed == [("/{customer}/job", "timeout", 0)]


@pytest.mark.parametrize("alive", [True, False])
def test_a_list_of_which_nothing_comes_is_waited_for_as_long_as_other_requests_are_answered(*, alive: bool) -> None:
    asked: list[str] = []

    def look(endpoint: str) -> bool:
        asked.append(endpoint)
        return alive

    def answer_late(connection: socket.socket, ending: threading.Event) -> None:
        while not asked and not ending.wait(0.02):
            pass
        if alive:
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n[]")

    with raw_server(answer_late) as url, transport(url, timeout=0.1, list_timeout=60) as made:
        made.patience.is_alive = look
        if alive:
            assert made.get("/{customer}/task", "/demo/task").body == b"[]"
        else:
            error = failure(made)
            assert (error.reason, error.timed_out) == (Reason.SILENT, True)
    assert len(asked) == 1


def test_who_waits_for_a_list_is_interrupted_by_others_or_when_it_is_closed() -> None:
    with raw_server(never_answer) as url:
        for reason in (Reason.TIMEOUT, Reason.DISCONNECTED):
            with transport(url, timeout=60) as made, interruptible(threading.Event()) as event:
                threading.Timer(0.05, event.set if reason is Reason.TIMEOUT else made.close).start()
                assert failure(made).reason is reason


def bomb(size: int) -> bytes:
    compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    block = b" " * 2**20
    return b"".join(compressor.compress(block) for _ in range(size // 2**20)) + compressor.flush()


def test_a_gzip_bomb_is_cut() -> None:
    reply = Reply(bomb(256 * 2**20), headers={"Content-Encoding": "gzip"})
    with http_server(lambda _: reply) as server, transport(server.url, max_bytes=10**6) as made:
        error = failure(made)
    assert (error.reason, error.detail) == (
        Reason.TOO_LARGE,
        "the response has more than 1000000 bytes (`limits.max_response_bytes`)",
    )
    assert len(server.asked) == 1


def test_a_body_at_the_limit_passes_compressed_or_not() -> None:
    body = b"[" + b" " * 998 + b"]"
    replies = [Reply(body), Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})]
    with http_server(lambda _: replies.pop()) as server, transport(server.url, max_bytes=1000) as made:
        assert made.get("/monitor", "/monitor").body == body
        assert made.get("/monitor", "/monitor").body == body


def truncate(connection: socket.socket, _ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n[{}")


def truncate_chunk(connection: socket.socket, _ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n[{}")


def close_at_once(connection: socket.socket, _ending: threading.Event) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def speak_something_else(connection: socket.socket, _ending: threading.Event) -> None:
    connection.sendall(b"220 mail ready\r\n\r\n")


def break_compression(connection: socket.socket, _ending: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!")


@pytest.mark.parametrize(
    ("talk", "reason", "attempts"),
    [
        (truncate, Reason.TRUNCATED, 3),
        (truncate_chunk, Reason.TRUNCATED, 3),
        (close_at_once, Reason.DISCONNECTED, 3),
        (speak_something_else, Reason.INVALID_RESPONSE, 1),
        (break_compression, Reason.INVALID_RESPONSE, 1),
    ],
)
def test_broken_answers(talk: Callable[[socket.socket, threading.Event], None], reason: Reason, attempts: int) -> None:
    observed: list[tuple[str, str, int]] = []
    with raw_server(talk) as url, transport(url, observed=observed) as made:
        assert failure(made).reason is reason
    assert observed == [("/{customer}/job", reason, 0)] * attempts


@pytest.mark.parametrize(
    "rest",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\n[]\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n\r\n[]\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 70_000 + b"\r\n[]\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
        b"Content-Length: 2, 3\r\n\r\n[]",
        b"Content-Length: abc\r\n\r\n[]",
        b"Content-Length: -2\r\n\r\n[]",
        b"Content-Length: +2\r\n\r\n[]",
        b"Content-Length: " + b"2" * 5000 + b"\r\n\r\n[]",
        b"A: " + b"b" * 70_000 + b"\r\n\r\n[]",
        b"".join(b"A%d: b\r\n" % number for number in range(200)) + b"\r\n[]",
    ],
    ids=lambda rest: rest[:40].decode(),
)
def test_what_breaks_the_rules_of_http_is_an_invalid_response(rest: bytes) -> None:
    def talk(connection: socket.socket, _ending: threading.Event) -> None:
        connection.sendall(HEAD + rest)

    with raw_server(talk) as url, transport(url) as made:
        error = failure(made)
    assert (error.reason, error.detail) == (Reason.INVALID_RESPONSE, "the response is not valid HTTP")


def test_a_closed_port_is_unreachable_and_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with transport(f"http://127.0.0.1:{port}") as made:
        error = failure(made)
    assert (error.reason, error.detail) == (Reason.UNREACHABLE, f"connection refused by 127.0.0.1:{port}")
    assert error.reason.concerns_everything


def test_a_name_that_does_not_resolve_is_a_fault_of_dns() -> None:
    with transport("http://theeye.invalid") as made:
        error = failure(made)
    assert error.reason is Reason.DNS
    assert error.detail in {
        "the host name of theeye.invalid:80 does not resolve",
        "no DNS server answers for the host name of theeye.invalid:80",
    }


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, (T0 / "error_bad_token.json").read_bytes(), Reason.UNAUTHORIZED),
        (401, (T0 / "error_no_token.json").read_bytes(), Reason.UNAUTHORIZED),
        (403, b'"forbidden"', Reason.FORBIDDEN),
        (407, b"<html>", Reason.PROXY),
        (404, (T0 / "wrong_customer_job.json").read_bytes(), Reason.ORGANIZATION_NOT_FOUND),
        (404, (T0 / "error_unknown_path.json").read_bytes(), Reason.NOT_FOUND),
        (404, (T0 / "error_job_unknown.json").read_bytes(), Reason.NOT_FOUND),
        (409, b'{"message":"Incorrect Organizations. Session conflict","stack":"x"}', Reason.ORGANIZATION_CONFLICT),
        (400, b'"host is required"', Reason.AGENT_TOKEN),
        (400, (T0 / "error_job_bad_id.json").read_bytes(), Reason.REJECTED),
        (406, b"", Reason.REJECTED),
        (418, b"<html>", Reason.REJECTED),
    ],
)
def test_refusals_are_told_apart_and_not_repeated(status: int, body: bytes, reason: Reason) -> None:
    observed: list[tuple[str, str, int]] = []
    with answered(lambda _: Reply(body, status)) as server, transport(server.url, observed=observed) as made:
        error = failure(made)
    assert error.reason is reason
    assert error.detail.startswith(("TheEye answered", "TheEye treated this as a bot's token", "the proxy answered"))
    assert error.reason.advice
    label = "4xx" if status == 418 else str(status)
    assert observed == [("/{customer}/job", label, len(body))]


def test_a_passing_fault_is_retried() -> None:
    replies = [Reply(b"[1]"), Reply(b"", 500), Reply(b'"x"', 503, {"Retry-After": "0"})]
    observed: list[tuple[str, str, int]] = []
    with answered(lambda _: replies.pop()) as server, transport(server.url, observed=observed) as made:
        assert made.get("/monitor/1", "/monitor/1", single=True).body == b"[1]"
    assert [status for _, status, _ in observed] == ["503", "500", "200"]


def test_a_lasting_fault_ends_after_three_attempts() -> None:
    with answered(lambda _: Reply(b"", 500)) as server, transport(server.url) as made:
        assert failure(made, single=True).reason is Reason.SERVER_ERROR
        assert len(server.asked) == 3
        assert failure(made).reason is Reason.SERVER_ERROR
        assert len(server.asked) == 4, "TheEye may still work on the list"


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (503, {"Retry-After": "86400"}, 300),
        (503, {"Retry-After": "9" * 400}, 300),
        (429, {"Retry-After": "Sun, 22 Nov 2026 13:10:04 GMT", "Date": "Sun, 22 Nov 2026 13:09:04 GMT"}, 60),
        (503, {"Retry-After": "soon"}, None),
        (401, {"Retry-After": "3600"}, None),
    ],
)
def test_retry_after_is_obeyed_within_reason(status: int, headers: dict[str, str], pause: float | None) -> None:
    with answered(lambda _: Reply(b"", status, headers)) as server, transport(server.url, timeout=5) as made:
        assert failure(made).retry_after == pause


@pytest.mark.parametrize(("status", "label"), [(418, "4xx"), (599, "5xx"), (503, "503")])
def test_a_server_cannot_make_series_up(status: int, label: str) -> None:
    observed: list[tuple[str, str, int]] = []
    with answered(lambda _: Reply(b"", status)) as server, transport(server.url, observed=observed) as made:
        failure(made)
    assert {seen for _, seen, _ in observed} == {label}


def test_the_token_is_not_told_as_the_host_of_a_redirect() -> None:
    away = Reply(b"", 302, {"Location": f"http://{TOKEN}.example/"})
    with answered(lambda _: away) as server, transport(server.url) as made:
        assert failure(made).detail == "TheEye redirects to another host"


def test_retry_after_beyond_the_deadline_is_handed_on_instead_of_waited_for() -> None:
    with (
        answered(lambda _: Reply(b"", 429, {"Retry-After": "120"})) as server,
        transport(server.url, timeout=5) as made,
    ):
        error = failure(made)
    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, 120)
    assert len(server.asked) == 1


def test_a_retry_that_would_only_run_out_of_time_is_not_made() -> None:
    with (
        answered(lambda _: Reply(b"", 503, {"Retry-After": "1"})) as server,
        transport(server.url, timeout=1.6) as made,
    ):
        assert failure(made).reason is Reason.SERVER_ERROR
    assert len(server.asked) == 1


def test_another_host_is_not_followed_and_never_sees_the_token() -> None:
    with http_server(lambda _: Reply(b"[]")) as other:
        away = Reply(b"", 302, {"Location": f"{other.url}/demo/job"})
        with http_server(lambda _: away) as server, transport(server.url) as made:
            error = failure(made)
        assert not other.asked
    assert (error.reason, error.detail) == (Reason.REDIRECTED, f"TheEye redirects to {other.url}")


def test_the_body_of_a_redirect_is_not_read() -> None:
    def talk(connection: socket.socket, ending: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 1000000\r\n\r\n")
        ending.wait()

    with raw_server(talk) as url, transport(url) as made:
        assert failure(made).reason is Reason.REDIRECTED


def test_a_redirect_to_nowhere() -> None:
    nowhere = Reply(b"", 302, {"Location": "http://[::1:99999/"})
    with answered(lambda _: nowhere) as server, transport(server.url) as made:
        assert failure(made).reason is Reason.REDIRECTED


def test_a_redirect_on_the_same_host_is_followed_with_the_token() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(b"[2]") if asked.path == "/api/job" else Reply(b"", 307, {"Location": "/api/job"})

    with answered(answer) as server, transport(server.url) as made:
        assert made.get("/{customer}/job", "/demo/job").body == b"[2]"
    assert [asked.headers["Authorization"] for asked in server.asked] == [f"Bearer {TOKEN}"] * 2


def test_no_redirect_is_followed_if_told_so() -> None:
    away = Reply(b"", 307, {"Location": "/api/job"})
    with answered(lambda _: away) as server, transport(server.url, follow_redirects=False) as made:
        error = failure(made)
    assert (error.reason, len(server.asked)) == (Reason.REDIRECTED, 1)
    assert error.detail == "TheEye redirects, and `follow_redirects` is false"


def test_a_circle_of_redirects_ends() -> None:
    with answered(lambda _: Reply(b"", 302, {"Location": "/demo/job"})) as server, transport(server.url) as made:
        assert failure(made).reason is Reason.REDIRECTED
    assert len(server.asked) == 3


def test_a_token_file_is_read_anew_for_each_request(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    with answered(lambda _: Reply(b"[]")) as server, transport(server.url, token=token_from_file(path)) as made:
        made.get("/monitor", "/monitor")
        path.write_text("second\n")
        made.get("/monitor", "/monitor")
        assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]
        for content, words in (
            (b"", "does not contain a valid token"),
            (b"two words", "valid"),
            (b"\xff\xfe", "not plain text"),
        ):
            path.write_bytes(content)
            error = failure(made)
            assert error.reason is Reason.TOKEN_UNREADABLE
            assert words in error.detail
        path.unlink()
        assert "No such file" in failure(made).detail


def test_the_date_header_is_the_servers_clock() -> None:
    dates = ["no date", "Sun, 22 Nov 2026 13:09:04 GMT"]
    with (
        http_server(lambda _: Reply(b"[]", headers={"Date": dates.pop()})) as server,
        transport(server.url) as made,
    ):
        assert made.get("/monitor", "/monitor").date == 1795352944.0
        assert made.get("/monitor", "/monitor").date is None


@pytest.mark.parametrize("location", ["/b?access_token={token}", "/b?x=1&access_token=other", "/b", "?"])
def test_a_redirect_that_repeats_the_token_gets_one_only(location: str) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/b" or asked.query.count("access_token") != 1:
            return Reply(b"[]")
        return Reply(b"", 302, {"Location": location.format(token=TOKEN)})

    with http_server(answer) as server, transport(server.url, auth="query") as made:
        if location == "?":
            assert failure(made).reason is Reason.REDIRECTED
        else:
            made.get("/a", "/a")
        assert {asked.query.count(f"access_token={TOKEN}") for asked in server.asked} == {1}
        assert {asked.query.count("access_token") for asked in server.asked} == {1}


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_answers_are_none(status: int) -> None:
    def talk(connection: socket.socket, ending: threading.Event) -> None:
        interim = f"HTTP/1.1 {status} Wait\r\nLink: </a>; rel=preload\r\n\r\n".encode()
        connection.sendall(interim * 3 + HEAD + b"Content-Length: 2\r\n\r\n[]")
        ending.wait()

    with raw_server(talk) as url, transport(url) as made:
        assert made.get("/a", "/a").body == b"[]"
