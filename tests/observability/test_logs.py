"""Log lines: one per event, parseable, without secrets or tracebacks."""

import asyncio
import io
import json
import logging
import string
from typing import Literal
from urllib.parse import quote, quote_plus, urlencode

import pytest
import requests
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from playback import Reply, http_server
from theeye_exporter.observability.logs import configure_logging, protect
from theeye_exporter.observability.redaction import Secrets


def logged(level: Literal["debug", "info", "warn", "error"], fmt: Literal["logfmt", "json"], **event: object) -> str:
    stream = io.StringIO()
    configure_logging(level, fmt, ["s3cret"], stream)
    structlog.get_logger("here").info("some event", **event)
    return stream.getvalue()


def test_logfmt() -> None:
    line = logged("info", "logfmt", organization="demo", words='with "quotes"\nand lines')
    assert line.count("\n") == 1
    assert line.startswith("ts=")
    assert 'level=info msg="some event"' in line
    assert "organization=demo" in line
    assert r'words="with \"quotes\"' in line


def test_json() -> None:
    event = json.loads(logged("debug", "json", number=3, nothing=None, words="ñ\n"))
    assert (event["msg"], event["level"], event["number"], event["nothing"]) == ("some event", "info", 3, None)


def test_the_level_is_kept() -> None:
    assert logged("warn", "logfmt") == ""


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
def test_known_secrets_are_redacted_wherever_they_come_from(fmt: Literal["logfmt", "json"]) -> None:
    stream = io.StringIO()
    configure_logging("debug", fmt, ["s3cret"], stream)
    structlog.get_logger().warning("the s3cret", url="/job?access_token=s3cret")
    logging.getLogger("some.library").warning("got %s", "s3cret")
    lines = stream.getvalue()
    assert lines.count("<redacted>") == 3
    assert "s3cret" not in lines


def test_urls_of_requests_are_not_logged_at_debug() -> None:
    stream = io.StringIO()
    configure_logging("debug", "logfmt", [], stream)
    logging.getLogger("urllib3.connectionpool").debug("GET /job?access_token=abc")
    assert stream.getvalue() == ""


def test_an_exception_is_its_type_and_place() -> None:
    stream = io.StringIO()
    configure_logging("info", "logfmt", [], stream)
    try:
        _ = {"a key": 1}["a secret key"]
    except KeyError:
        logging.getLogger("uvicorn.error").exception("it broke")
    (line,) = stream.getvalue().splitlines()
    assert "exception=KeyError at=test_logs.py:" in line
    assert "a secret key" not in line


SPECIAL = r"a.b*c[d]e(f|g)+h?^$\1{2}/%s&='\"~<k>"
"""A token of characters with a special meaning in regular expressions, formats, URLs, JSON and HTML."""

FORMS = {
    "as it is": SPECIAL,
    "percent-encoded": quote(SPECIAL, safe=""),
    "percent-encoded in a path": quote(SPECIAL),
    "in lower case": quote(SPECIAL, safe="").lower(),
    "twice": quote(quote(SPECIAL, safe="")),
    "in a query": urlencode({"access_token": SPECIAL}),
    "with pluses": quote_plus(SPECIAL),
    "in JSON": json.dumps({"token": SPECIAL}),
    "in code": repr({"token": SPECIAL}),
    "in bytes": repr(SPECIAL.encode()),
}


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_token_is_logged(form: str, fmt: Literal["logfmt", "json"]) -> None:
    stream = io.StringIO()
    configure_logging("debug", fmt, [SPECIAL], stream)
    structlog.get_logger().debug(f"before {FORMS[form]} after", value=FORMS[form], pair=(FORMS[form], 1))
    logging.getLogger("some.library").debug("got %s", FORMS[form])
    text = stream.getvalue()
    assert text.count("<redacted>") == 4
    assert FORMS[form] not in text
    assert SPECIAL not in text
    if form != "in lower case":
        assert "before" in text
        assert "after" in text


TOKENS = st.text(string.printable.strip(), min_size=6).filter(lambda token: token not in "<redacted>")


@example("ab12cd:secret/x", "100%", 1)
@example("ab12cd:secret/x", "100%", 2)
@example("ab12cd:secret/x", "100%25", 3)
@example("00000:", "%", 1)
@example("25252525%", "%", 2)
@example("2Fab'c\\d", "%", 1)
@given(TOKENS, st.text(max_size=20), st.integers(min_value=0, max_value=3))
def test_no_token_is_left_in_any_text(token: str, around: str, encoded: int) -> None:
    secrets = Secrets()
    secrets.add([token])
    text = token
    for _ in range(encoded):
        text = quote(text, safe="")
    redacted = secrets.redact(f"{around}{text}{around}")
    assert token not in redacted
    if text not in around:
        assert "<redacted>" in redacted


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("safe", ["", "/:"])
@pytest.mark.parametrize("encoded", [1, 2, 3, 4])
@pytest.mark.parametrize("token", ["ab12cd:secret/x", "2f%3a:2f/%", "5c\\5c'\"x", "c3ñ:e9é/", "25-25_25.25~:"])
def test_no_text_before_a_token_hides_it(token: str, encoded: int, safe: str, *, lower: bool) -> None:
    secrets = Secrets()
    secrets.add([token])
    text = token
    for _ in range(encoded):
        text = quote(text, safe=safe)
    text = text.lower() if lower else text
    for before in ("100%", "%2", "%25", "\\", "%5c"):
        assert secrets.redact(f"{before}{text} after").endswith("<redacted> after")


def test_a_token_that_was_replaced_is_still_not_logged() -> None:
    stream = io.StringIO()
    configure_logging("info", "logfmt", ["first-token"], stream)
    protect("second-token")
    configure_logging("info", "logfmt", [], stream)
    structlog.get_logger().info("first-token second-token")
    assert "token" not in stream.getvalue()


def test_libraries_that_log_urls_at_debug_show_no_token() -> None:
    stream = io.StringIO()
    configure_logging("debug", "json", [SPECIAL], stream)
    quiet = logging.getLogger("urllib3")
    level = quiet.level
    quiet.setLevel(logging.DEBUG)
    try:
        with http_server(lambda _: Reply(b"[]")) as server:
            requests.get(f"{server.url}/{quote(SPECIAL, safe='')}", params={"access_token": SPECIAL}, timeout=10)
    finally:
        quiet.setLevel(level)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {event["logger"] for event in events} == {"urllib3.connectionpool"}
    assert stream.getvalue().count("<redacted>") == 2


NASTY = [
    *(chr(code) for code in (*range(32), 127, 0x85, 0xA0, 0x2028, 0x2029, 0x202E, 0xFEFF, 0xD800)),
    "\r\n",
    'say "so"=1 \\',
]


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_an_event_is_one_line_whatever_is_in_it(text: str, fmt: Literal["logfmt", "json"]) -> None:
    stream = io.StringIO()
    configure_logging("info", fmt, [], stream)
    structlog.get_logger().info(f"msg{text}msg", value=f"value{text}value", several=[text, text])
    logging.getLogger("uvicorn.error").error("foreign %s", text, stack_info=True, extra={"more": text})
    written = stream.getvalue()
    assert len(written.splitlines()) == written.count("\n") == 2
    assert all(line.isprintable() for line in written.splitlines())
    if fmt == "json":
        assert [json.loads(line)["level"] for line in written.splitlines()] == ["info", "error"]
    written.encode()


def test_a_line_that_cannot_be_made_is_told_without_what_was_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure_logging("info", "logfmt", [], stream)
    logging.getLogger("some.library").warning("%d of s3cret", "s3cret")
    (line,) = stream.getvalue().splitlines()
    assert 'msg="a log line could not be written" source=some.library' in line
    assert "exception=TypeError" in line
    assert "s3cret" not in line
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("logger", ["uvicorn.error", "asyncio", "theeye_exporter.web.app"])
def test_warnings_that_clients_can_cause_are_throttled(logger: str) -> None:
    now = [0.0]
    stream = io.StringIO()
    configure_logging("info", "logfmt", [], stream, lambda: now[0])
    logging.getLogger(logger).setLevel(logging.NOTSET)  # a server that ran in this process may have raised it
    for number in range(1001):
        logging.getLogger(logger).warning("a bad request from %s", number)
        structlog.get_logger(logger).warning("another bad request", number=number)
        now[0] += 0.5
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert 'msg="a bad request from 600"' in lines[2]
    assert lines[2].endswith("suppressed=599")
    assert "number=600 " in lines[3]
    assert lines[3].endswith("suppressed=599")


def test_other_warnings_are_all_logged() -> None:
    stream = io.StringIO()
    configure_logging("info", "logfmt", [], stream)
    for _ in range(3):
        structlog.get_logger("theeye_exporter.collectors.jobs").warning("unknown outcome")
    assert len(stream.getvalue().splitlines()) == 3


def test_libraries_write_the_same_lines_as_we_do() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", [], stream)
    logging.getLogger("apscheduler.scheduler").error("Error notifying listener")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n")
    loop = asyncio.new_event_loop()
    try:
        loop.call_exception_handler({"message": "SSL handshake failed", "exception": ValueError("s3cret")})
    finally:
        loop.close()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["logger"] for event in events] == ["apscheduler.scheduler", "uvicorn.error", "asyncio"]
    assert {frozenset(event) & {"ts", "level", "msg", "logger"} for event in events} == {
        frozenset({"ts", "level", "msg", "logger"})
    }
    assert events[2]["exception"] == "ValueError"
