"""Logging: one line per event, logfmt or JSON, on standard error; no secret and no traceback at any level."""

import logging
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["configure_logging"]

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

_SHORTEST_SECRET: Final = 6

_QUIET: Final = {
    "urllib3": logging.ERROR,  # at debug it logs paths with their query, and so tokens
    "apscheduler": logging.ERROR,  # it warns whenever a poll takes longer than its interval
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
}


def configure_logging(
    level: Literal["debug", "info", "warn", "error"],
    fmt: Literal["logfmt", "json"],
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up logging for the process.

    Args:
        level: least level that is logged.
        fmt: how a line is written.
        secrets: texts that are replaced wherever they would appear, should one ever get this far.
        stream: where lines go, standard error if None.
    """
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], drop_missing=True)
    )
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _shorten_exception,
        structlog.processors.EventRenamer("msg"),
        _flatten,
        _Redactor(secrets),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


class _Redactor:
    def __init__(self, secrets: Iterable[str]) -> None:
        # Replacing a text this short would mangle lines rather than protect anything.
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if isinstance(value, str):
                for secret in self._secrets:
                    value = value.replace(secret, "<redacted>")  # noqa: PLW2901 - the same value, step by step
                event[key] = value
        return event


def _flatten(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Make every value a plain one-line string, number or bool."""
    for key, value in event.items():
        if not isinstance(value, bool | int | float | None):
            event[key] = str(value).replace("\n", "\\n").replace("\r", "\\r")
    return event


def _shorten_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Put the type and the place of an exception where its traceback would be.

    Its message is left out: it may quote what TheEye sent.
    """
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if isinstance(exc_info, tuple) and exc_info[0] is not None:
        event["exception"] = exc_info[0].__name__
        event["at"] = _places(exc_info[2])
    return event


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-5:]))
