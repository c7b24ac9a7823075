"""Logs what happens to many organisations at the same time as one line."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import structlog

__all__ = ["Digest"]

Level = Literal["info", "warning", "error"]

_ALONE: Final = 3
"""This many organisations have lines of their own."""

_WINDOW: Final = 60.0
"""Seconds for which the same event of further organisations is collected."""

_NAMED_AT_MOST: Final = 5

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Group:
    """An event that several organisations have for the same reason.

    Attributes:
        due: monotonic time, in seconds, at which what is collected is logged.
        alone: organisations that have lines of their own.
        collected: fields of the line of every other organisation.
    """

    level: Level
    due: float
    alone: set[str] = field(default_factory=set)
    collected: dict[str, dict[str, Any]] = field(default_factory=dict)


class Digest:
    """Logs events of organisations. Safe for threads.

    The first three organisations that have the same event for the same reason are logged at once. If more follow within
    a minute, they are logged together when it is over, with their number and some names.

    Args:
        monotonic: a clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, str], _Group] = {}

    def log(self, level: Level, event: str, organization: str, cause: str = "", /, **fields: Any) -> None:
        """Log an event of an organisation, at once or together with others.

        Args:
            level: the level of the line.
            event: what happens.
            organization: the organisation's name.
            cause: events are only logged together if they have the same cause.
            fields: further fields of the line. If lines are joined, numbers are added, and other fields stay if all lines
                have the same.
        """
        with self._lock:
            now = self.monotonic()
            # Keep the order of events: the beginning of failures is logged before their end.
            self._settle(lambda key, group: group.due <= now or (key[1] == cause and key[0] != event))
            group = self._groups.setdefault((event, cause), _Group(level, now + _WINDOW))
            if organization in group.alone or len(group.alone) < _ALONE:
                group.alone.add(organization)
                _write(level, event, organization=organization, **fields)
            else:
                fields.pop("exc_info", None)  # it would keep everything that the failed call had in memory
                former = group.collected.get(organization)
                group.collected[organization] = fields if former is None else _joined([former, fields])

    def settle(self) -> None:
        """Log what was collected for long enough; to be called whenever something has happened."""
        with self._lock:
            now = self.monotonic()
            self._settle(lambda _, group: group.due <= now)

    def close(self) -> None:
        """Log everything that was collected."""
        with self._lock:
            self._settle(lambda *_: True)

    def _settle(self, is_over: Callable[[tuple[str, str], _Group], bool]) -> None:
        for key in [key for key, group in self._groups.items() if is_over(key, group)]:
            group, event = self._groups.pop(key), key[0]
            if len(group.collected) <= _ALONE:
                for organization, fields in group.collected.items():
                    _write(group.level, event, organization=organization, **fields)
                continue
            names = list(group.collected)
            more = len(names) - _NAMED_AT_MOST
            shown = ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
            _write(group.level, event, organizations=len(names), names=shown, **_joined(list(group.collected.values())))


def _write(level: Level, event: str, **fields: Any) -> None:
    getattr(_log, level)(event, **fields)


def _joined(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of one line in place of several."""
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for line in lines for key in line):
        values = [line[key] for line in lines if key in line]
        if all(isinstance(value, int) for value in values):
            joined[key] = sum(values)
        elif len(values) == len(lines) and all(value == values[0] for value in values):
            joined[key] = values[0]
    return joined
