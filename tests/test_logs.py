"""Log lines: one per event, parseable, without secrets or tracebacks."""

import io
import json
import logging
from typing import Literal

import pytest
import structlog

from theeye_exporter.logs import configure_logging


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
