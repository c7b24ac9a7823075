"""Faults of an upstream that can be switched on: what each is called, and how it is written."""

import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["FAULTS", "KINDS", "WORLD_FAULTS", "Fault", "FaultSwitch", "parse_fault", "parse_faults"]

KINDS: Final = (
    "monitors",
    "monitor",
    "jobs",
    "job",
    "running",
    "running_count",
    "tasks",
    "task",
    "workflows",
    "hosts",
    "indicators",
    "usage",
    "status",
)
"""Kinds of endpoint a fault can be limited to; `job`, `task` and `monitor` are the answers for one object."""

FAULTS: Final = {
    "latency": "latency=2s: the answer starts that much later (ms, s or m)",
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
    "duplicates": "duplicates: every tenth object comes a second time, at the end, with order 99",
    "redirect": "redirect=URL: 302 to that URL",
    "monitor-failing": "monitor-failing=web-01/disk watch: that monitor is in failure; * and ? stand for others",
    "bot-silent": "bot-silent=web-01: that host's bot does not report, and TheEye has noticed; * and ? stand for others",
}
"""The faults by name, each with its syntax and what it does."""

WORLD_FAULTS: Final = frozenset({"monitor-failing", "bot-silent"})
"""Faults of what TheEye watches. The others are TheEye's own, and hit requests."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
_STATUS: Final = re.compile(r"[45]\d\d")
_OPTIONS: Final = ("p", "retry-after")
_WITH_VALUE: Final = frozenset({"latency", "error", "redirect", *WORLD_FAULTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: One of `FAULTS`.
        kind: The kind of endpoint it is limited to, one of `KINDS`; None is every request.
        value: Status of `error`, URL of `redirect`, pattern of `monitor-failing` and `bot-silent`; or empty.
        seconds: Delay of `latency`.
        p: Probability that a request is hit.
        retry_after: Seconds in a Retry-After header, for `error`.
    """

    name: str
    kind: str | None = None
    value: str = ""
    seconds: float = 0.0
    p: float = 1.0
    retry_after: int | None = None

    def __str__(self) -> str:
        """The fault as `parse_fault` reads it."""
        scope = f"{self.kind}:" if self.kind else ""
        value = f"{self.seconds:g}s" if self.name == "latency" else self.value
        text = f"{scope}{self.name}={value}" if value else f"{scope}{self.name}"
        if self.retry_after is not None:
            text += f",retry-after={self.retry_after}"
        return text if self.p == 1.0 else f"{text},p={self.p:g}"


def parse_fault(text: str) -> Fault:
    """Reads a fault: `[KIND:]NAME[=VALUE][,retry-after=SECONDS][,p=PROBABILITY]`.

    Raises:
        ValueError: It is no fault; the message lists those that exist.
    """
    scope, colon, rest = text.strip().partition(":")
    kind, body = (scope, rest) if colon and "=" not in scope and "," not in scope else (None, text.strip())
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{text!r}: {kind!r} is no kind of endpoint; there are {', '.join(KINDS)}")
    head, options = _split_options(body)
    name, equals, value = head.partition("=")
    if name not in FAULTS:
        known = "\n".join(f"  {line}" for line in FAULTS.values())
        raise ValueError(
            f"{text!r}: there is no fault {name!r}. There are:\n{known}\n"
            f"Each can be limited to one kind of endpoint (monitors:{head or 'error=503'}) and to some requests (,p=0.2)."
        )
    if name in WORLD_FAULTS and (kind is not None or options):
        raise ValueError(f"{text!r}: {name} is not about requests, so it takes neither a kind of endpoint nor options")
    if bool(equals) != (name in _WITH_VALUE) or (equals and not value):
        raise ValueError(f"{text!r}: expected {FAULTS[name]}")
    if name == "error" and not _STATUS.fullmatch(value):
        raise ValueError(f"{text!r}: expected {FAULTS[name]}")
    if "retry-after" in options and name != "error":
        raise ValueError(f"{text!r}: retry-after goes with error only")
    return Fault(
        name=name,
        kind=kind,
        value="" if name == "latency" else value,
        seconds=_seconds(text, value) if name == "latency" else 0.0,
        p=_probability(text, options.get("p", "1")),
        retry_after=_retry_after(text, options.get("retry-after")),
    )


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Reads one fault a line; empty lines and lines that start with # do not count.

    Raises:
        ValueError: One of the lines is no fault.
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(parse_fault(line) for line in lines if line and not line.startswith("#"))


def _split_options(body: str) -> tuple[str, dict[str, str]]:
    # From the end: a URL may hold commas of its own.
    options: dict[str, str] = {}
    while True:
        head, comma, last = body.rpartition(",")
        key, equals, value = last.partition("=")
        if not comma or not equals or key not in _OPTIONS:
            return body, options
        options[key] = value
        body = head


def _seconds(text: str, value: str) -> float:
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"{text!r}: expected {FAULTS['latency']}")
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
    """The faults that are on, and the chance that decides which requests they hit. Safe to use from many threads."""

    __slots__ = ("_chance", "_faults", "_lock")

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._chance = random.Random(f"{seed} faults")
        self._lock = threading.Lock()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)

    def hits(self, kind: str | None) -> tuple[Fault, ...]:
        """The faults that hit a request for this kind of endpoint (None: no endpoint at all)."""
        with self._lock:
            return tuple(
                fault
                for fault in self._faults
                if fault.kind in {None, kind} and (fault.p == 1.0 or self._chance.random() < fault.p)
            )
