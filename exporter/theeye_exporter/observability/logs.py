"""Logging: one line per event, logfmt or JSON, on standard error, without secrets or tracebacks at any level."""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from theeye_exporter.observability.redaction import Secrets
from theeye_exporter.observability.throttle import LogThrottle

__all__ = ["configure_logging", "protect"]

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

_QUIET: Final = {
    "urllib3": logging.ERROR,  # at debug level it logs paths with their query, which can contain tokens
    "apscheduler": logging.ERROR,  # it warns whenever a poll takes longer than its interval
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
}

_FROM_OUTSIDE: Final = ("uvicorn", "asyncio", "theeye_exporter.web")
"""Loggers whose warnings any client can cause, as often as it likes."""

_REPETITIONS: Final = 1000

_secrets: Final = Secrets()


def protect(*secrets: str) -> None:
    """Keep these texts out of all further log lines of the process."""
    _secrets.add(secrets)


def configure_logging(
    level: Literal["debug", "info", "warn", "error"],
    fmt: Literal["logfmt", "json"],
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Set up logging for the process; this replaces any earlier setup.

    Args:
        level: lowest level that is logged.
        fmt: format of a line.
        secrets: texts that are replaced wherever they would appear.
        stream: where lines go, standard error if None.
        monotonic: a clock, in seconds, for events that are throttled.
    """
    protect(*secrets)
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
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream or sys.stderr)
    handler.addFilter(_LessOften(monotonic))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # Every log line passes through here, whichever library logged it.
            processors=[_add_suppressed, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _clean, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; leaves out lines that cannot be written, which `logging` would print with a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of `logging`
        error = sys.exc_info()[1]
        if isinstance(error, OSError | UnicodeError) or record.name == __name__:
            return
        structlog.get_logger(__name__).error("a log line could not be written", source=record.name, exc_info=error)


class _LessOften(logging.Filter):
    """Throttles warnings that any client can cause: the first is logged at once, further ones less and less often."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._repetitions: dict[tuple[str, str], LogThrottle] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not record.name.startswith(_FROM_OUTSIDE):
            return True
        what = record.msg.get("msg") if isinstance(record.msg, dict) else record.msg
        key = (record.name, str(what)[:200])
        with self._lock:
            repetition = self._repetitions.pop(key, None) or LogThrottle()
            self._repetitions[key] = repetition  # as the newest
            if len(self._repetitions) > _REPETITIONS:
                del self._repetitions[next(iter(self._repetitions))]
            suppressed = repetition.allow(self._monotonic())
        record.suppressed = suppressed
        return suppressed is not None


def _add_suppressed(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Add how many events of this kind were not logged since the last line."""
    if suppressed := getattr(event["_record"], "suppressed", None):
        event["suppressed"] = suppressed
    return event


def _clean(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Convert every value to a number, a bool, or one line of text without secrets."""
    for key, value in event.items():
        if not isinstance(value, bool | int | float | None):
            event[key] = _one_line(_secrets.redact(str(value)))
    return event


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shorten_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Log the type and the place of an exception instead of its traceback.

    Its message is left out: it may quote what TheEye sent.
    """
    event.pop("stack_info", None)
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
