"""The faults that can be switched on: their names and syntax."""

import difflib
import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from theeye_exporter.demo.routes import ROUTES

__all__ = [
    "CHANGE_FAULTS",
    "FAULTS",
    "KINDS",
    "SCHEDULE_FAULTS",
    "WORLD_FAULTS",
    "Fault",
    "FaultSwitch",
    "parse_fault",
    "parse_faults",
]

KINDS: Final = tuple(sorted({route.fault_kind for route in ROUTES}))
"""Kinds of endpoint to which a fault can be limited.

`job`, `task` and `monitor` return one object; `creation` starts a task or workflow; `action` changes a job.
"""

FAULTS: Final = {
    "latency": "latency=2s: every answer is delayed by this time (ms, s or m)",
    "error": "error=503: this status, from 400 to 599; error=429,retry-after=7 adds the header",
    "garbage": "garbage: 200 with HTML, called JSON",
    "truncate": "truncate: the connection closes after half of the announced body",
    "drip": "drip: the body comes a byte a second",
    "drip-headers": "drip-headers: the headers come a byte a second",
    "hang": "hang: never an answer",
    "drop": "drop: the connection closes without an answer",
    "bomb": "bomb: a gzip body of some megabytes that unpacks to gigabytes",
    "too-large": "too-large: a plain body of gigabytes without a length",
    "token-expired": "token-expired: 401, as for a token that is not valid (any more)",
    "forbidden": "forbidden: 403",
    "conflict": "conflict: 409, as for another organisation's token",
    "no-organization": "no-organization: 404, as for an unknown organisation",
    "empty": "empty: 200 with an empty list, as when the server hides a database error",
    "malformed": "malformed: every tenth object is null, a string, a number, {}, has wrong types or no id",
    "duplicates": "duplicates: every tenth object comes a second time, at the end, with 99 in its field `order`",
    "redirect": "redirect=URL: 302 to that URL",
    "applied-no-answer": "applied-no-answer: a change is made, and the connection closes without an answer",
    "applied-error": "applied-error=500: a change is made, and answered with this status, from 400 to 599",
    "applied-late": "applied-late=5s: the connection closes without an answer, and the change is made after this time",
    "invalid-members": "invalid-members: a request that starts a run with a token gets 400, as when the gateway fails",
    "monitor-failing": "monitor-failing=web-01/disk watch: that monitor is in failure; * and ? are wildcards",
    "trigger-missed": "trigger-missed=nightly report: that task's schedule is due, and no job is created; * and ? are wildcards",
    "schedule-failed": "schedule-failed=nightly report: that task's schedule has failed for good; * and ? are wildcards",
    "schedule-disabled": "schedule-disabled=nightly report: that task's schedule is disabled; * and ? are wildcards",
    "bot-silent": "bot-silent=web-01: that host's bot does not report, and TheEye has noticed; * and ? are wildcards",
    "clock-ahead": "clock-ahead=2m: TheEye's clock is ahead by this time (ms, s or m); after the fault, nothing happens until the real time has caught up",
    "server-version": "server-version=4.14.0: TheEye says that it has this version",
}
"""The faults by name, each with its syntax and what it does."""

SCHEDULE_FAULTS: Final = ("schedule-disabled", "schedule-failed", "trigger-missed")
WORLD_FAULTS: Final = frozenset({"monitor-failing", "bot-silent", *SCHEDULE_FAULTS, "clock-ahead", "server-version"})
"""Faults of what TheEye monitors and starts, of its clock and its version. All others affect requests."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
_STATUS: Final = re.compile(r"[45]\d\d")
_OPTIONS: Final = ("p", "retry-after")
_DURATIONS: Final = frozenset({"latency", "applied-late", "clock-ahead"})
_STATUSES: Final = frozenset({"error", "applied-error"})
_WITH_VALUE: Final = frozenset({"redirect", *_DURATIONS, *_STATUSES, *WORLD_FAULTS})
CHANGE_FAULTS: Final = frozenset({"applied-no-answer", "applied-error", "applied-late", "invalid-members"})
"""Faults that affect only requests that change something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: One of `FAULTS`.
        kind: The kind of endpoint to which it is limited, one of `KINDS`; None means every request.
        value: Status of `error` and `applied-error`, URL of `redirect`, pattern or version of those in `WORLD_FAULTS`; or empty.
        seconds: Delay of `latency` and `applied-late`, lead of `clock-ahead`.
        p: Probability that a request is affected.
        retry_after: Seconds in a Retry-After header, for `error`.
    """

    name: str
    kind: str | None = None
    value: str = ""
    seconds: float = 0.0
    p: float = 1.0
    retry_after: int | None = None

    def __str__(self) -> str:
        """The fault in the syntax of `parse_fault`."""
        scope = f"{self.kind}:" if self.kind else ""
        value = f"{self.seconds:g}s" if self.name in _DURATIONS else self.value
        text = f"{scope}{self.name}={value}" if value else f"{scope}{self.name}"
        if self.retry_after is not None:
            text += f",retry-after={self.retry_after}"
        return text if self.p == 1.0 else f"{text},p={self.p:g}"


def parse_fault(text: str) -> Fault:
    """Reads a fault: `[KIND:]NAME[=VALUE][,retry-after=SECONDS][,p=PROBABILITY]`.

    Raises:
        ValueError: The text is not a fault; the message lists the valid ones.
    """
    scope, colon, rest = text.strip().partition(":")
    kind, body = (scope, rest) if colon and "=" not in scope and "," not in scope else (None, text.strip())
    if kind is not None and kind not in KINDS:
        raise ValueError(f"unknown kind of endpoint{_nearest(kind, KINDS)}; the kinds are {', '.join(KINDS)}")
    head, options = _split_options(body)
    name, equals, value = head.partition("=")
    if name not in FAULTS:
        known = "\n".join(f"  {line}" for line in FAULTS.values())
        raise ValueError(
            f"unknown fault{_nearest(name, FAULTS)}. The faults are:\n{known}\n"
            "A fault of requests can be limited to one kind of endpoint (monitors:error=503) and to some requests (,p=0.2)."
        )
    if name in WORLD_FAULTS and (kind is not None or options):
        raise ValueError(f"{text!r}: {name} is not about requests, so it takes neither a kind of endpoint nor options")
    if bool(equals) != (name in _WITH_VALUE) or (equals and not value):
        raise ValueError(f"{text!r}: expected {FAULTS[name]}")
    if name in _STATUSES and not _STATUS.fullmatch(value):
        raise ValueError(f"{text!r}: expected {FAULTS[name]}")
    if "retry-after" in options and name != "error":
        raise ValueError(f"{text!r}: retry-after is allowed only with error")
    return Fault(
        name=name,
        kind=kind,
        value="" if name in _DURATIONS else value,
        seconds=_seconds(text, value, FAULTS[name]) if name in _DURATIONS else 0.0,
        p=_probability(text, options.get("p", "1")),
        retry_after=_retry_after(text, options.get("retry-after")),
    )


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Reads one fault per line; empty lines and lines that start with # are ignored.

    Raises:
        ValueError: One of the lines is not a fault.
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(parse_fault(line) for line in lines if line and not line.startswith("#"))


def _nearest(word: str, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.7)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _split_options(body: str) -> tuple[str, dict[str, str]]:
    # From the end: a URL may contain commas.
    options: dict[str, str] = {}
    while True:
        head, comma, last = body.rpartition(",")
        key, equals, value = last.partition("=")
        if not comma or not equals or key not in _OPTIONS:
            return body, options
        options[key] = value
        body = head


def _seconds(text: str, value: str, syntax: str) -> float:
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"{text!r}: expected {syntax}")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _probability(text: str, value: str) -> float:
    try:
        p = float(value)
    except ValueError:
        p = -1.0
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{text!r}: p is a probability from 0 to 1")
    return p


def _retry_after(text: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise ValueError(f"{text!r}: retry-after is a number of seconds")
    return int(value)


class FaultSwitch:
    """The active faults, and the random choice of the requests that they affect. Safe for threads."""

    __slots__ = ("_chance", "_faults", "_lock")

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._chance = random.Random(f"{seed} faults")
        self._lock = threading.Lock()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The active faults."""
        return self._faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)

    def hits(self, kind: str | None) -> tuple[Fault, ...]:
        """The faults that affect a request for this kind of endpoint (None: no endpoint at all)."""
        with self._lock:
            return tuple(
                fault
                for fault in self._faults
                if fault.kind in {None, kind} and (fault.p == 1.0 or self._chance.random() < fault.p)
            )
