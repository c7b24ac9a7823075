"""Which messages about an alert belong together. All functions here are pure.

An episode is the time from an alert's start to its end; it has one run at most. Alertmanager sends messages again, in two copies, late,
and in another order. It sends no end if the alert was silenced meanwhile, or fired again soon; and the start of an alert moves
by half a minute if two Prometheus servers send it. So only what a message says about start and end decides, not when it arrives:

| known | firing since s | resolved, from s to t |
| --- | --- | --- |
| nothing | s <= H: `stale`; else open(s): decide | closed(s, t), no run |
| open(S), s > S + 5 min | the old one is superseded, and what waits for it is dropped; open(s): decide | closed(s, t); the old one is superseded |
| open(S), s within S ± 5 min | `duplicate` if it had its run, `waiting` if its start waits, else decide again | closed(S, t), and what waits is dropped |
| open(S), s < S - 5 min | `stale` | t > S + 5 min: closed(S, t), else `stale` |
| closed(S, T), s > S + 5 min and s > T - 5 min | open(s): decide | closed(s, later of T and t) |
| closed(S, T), else | `stale` | s > S + 5 min: closed(s, later of T and t), else `stale` |

H is when the state file was made, or 30 days ago if that is later. What began before may have had its run. The clock may jump
forwards and back, so H never becomes earlier than the start of the latest episode that was forgotten.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

__all__ = [
    "FORGET_AFTER",
    "TOLERANCE",
    "Episode",
    "Heard",
    "Message",
    "Result",
    "Use",
    "Verdict",
    "covers",
    "hear",
    "horizon",
]

TOLERANCE: Final = 300.0
"""Two starts that are this close, in seconds, are those of one episode."""

FORGET_AFTER: Final = 30 * 86_400.0
"""An episode of which nothing was heard for so many seconds is forgotten."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says about one alert, in Unix time by Alertmanager's clock; `end` counts only if it is resolved."""

    firing: bool
    start: float
    end: float = 0.0


@dataclass(frozen=True, slots=True)
class Episode:
    """The last known episode of an alert.

    Attributes:
        start: When it began.
        end: When it ended; None while it fires.
        heard_at: When the last message about the alert arrived, by our clock.
    """

    start: float
    end: float | None = None
    heard_at: float = 0.0

    @property
    def open(self) -> bool:
        """Whether it fires."""
        return self.end is None


class Use(StrEnum):
    """What an episode has had."""

    NOTHING = "nothing"
    WAITING = "waiting"
    """Its start waits for its turn."""
    RUN = "run"
    """It has, or had, or may have a run."""


class Verdict(StrEnum):
    """What a message means."""

    DECIDE = "decide"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    STALE = "stale"
    RESOLVED = "resolved"


class Result(StrEnum):
    """How an episode ended."""

    RESOLVED = "resolved"
    SUPERSEDED = "superseded"
    """A later one began, and no end was heard."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message leads to.

    Attributes:
        episode: The last known episode now.
        verdict: What the message means.
        ended: How the episode that was open ended; None if none did. What waits for it is dropped.
    """

    episode: Episode | None
    verdict: Verdict
    ended: Result | None = None


_AGAIN: Final = {Use.NOTHING: Verdict.DECIDE, Use.WAITING: Verdict.WAITING, Use.RUN: Verdict.DUPLICATE}


def horizon(born: float, now: float) -> float:
    """Return H: what began until then may be forgotten, so it is not started.

    Args:
        born: Unix time at which the state file was made, or until which episodes were forgotten if that is later.
        now: Unix time.
    """
    return max(born, now - FORGET_AFTER)


def covers(episode: Episode, limit: float) -> float:
    """Return the Unix time below which H may not fall once an episode is forgotten: no message about it has a later start.

    Args:
        episode: The episode.
        limit: H. A later end is not believed: otherwise, nothing would start until then.
    """
    return max(episode.start + TOLERANCE, min(episode.end or 0.0, limit))


def hear(known: Episode | None, message: Message, use: Use, horizon_at: float, now: float) -> Heard:
    """Return what comes of a message, as the table of this module says.

    Args:
        known: The last known episode of the alert.
        message: The message.
        use: What that episode has had.
        horizon_at: H, from `horizon`.
        now: Unix time.
    """
    heard = _firing(known, message, use, horizon_at) if message.firing else _resolved(known, message)
    episode = heard.episode
    return heard if episode is None else replace(heard, episode=replace(episode, heard_at=now))


def _firing(known: Episode | None, message: Message, use: Use, horizon_at: float) -> Heard:
    start = message.start
    if known is None:
        begins = start > horizon_at
    else:
        begins = start > known.start + TOLERANCE and (known.end is None or start > known.end - TOLERANCE)
    if known is None or known.end is not None:
        return Heard(Episode(start), Verdict.DECIDE) if begins else Heard(known, Verdict.STALE)
    if begins:
        return Heard(Episode(start), Verdict.DECIDE, Result.SUPERSEDED)
    if start < known.start - TOLERANCE:
        return Heard(known, Verdict.STALE)
    return Heard(known, _AGAIN[use])


def _resolved(known: Episode | None, message: Message) -> Heard:
    start, end = message.start, message.end
    if known is None:
        return Heard(Episode(start, end), Verdict.RESOLVED)
    later = start > known.start + TOLERANCE
    if known.end is not None:
        if later:
            return Heard(Episode(start, max(known.end, end)), Verdict.RESOLVED)
        return Heard(known, Verdict.STALE)
    if later:
        return Heard(Episode(start, end), Verdict.RESOLVED, Result.SUPERSEDED)
    if start < known.start - TOLERANCE and end <= known.start + TOLERANCE:
        return Heard(known, Verdict.STALE)
    return Heard(replace(known, end=end), Verdict.RESOLVED, Result.RESOLVED)
