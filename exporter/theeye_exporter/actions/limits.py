"""How many runs alerts may start. All functions here are pure; times are those of a clock that never steps.

Starts are counted from what is on the disk, so that restarts of the process do not allow more of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

__all__ = ["Limit", "Limits", "Rate", "Sent", "Wait", "wait_for"]

_HOUR: Final = 3600.0


class Limit(StrEnum):
    """What a start waits for; a decision has the name of the limit that it met."""

    COOLDOWN = "cooldown"
    RATE = "rate_limited"
    CONCURRENT = "waiting"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` starts in any period of `seconds` seconds."""

    count: int
    seconds: float = _HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one action.

    Attributes:
        cooldown: Seconds from one run to the next for the same alert.
        max_concurrent: Number of runs that may be open.
        rate: How often the action may start a run.
        max_wait: How many seconds a start may wait.
        suspend_after_failures: Number of failed runs in a row after which the action is suspended; 0 means never.
    """

    cooldown: float = 900.0
    max_concurrent: int = 1
    rate: Rate = Rate(10)
    max_wait: float = 300.0
    suspend_after_failures: int = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """A start that was sent, or is about to be.

    Attributes:
        at: When.
        action: The name of its action.
        alert: The identity of its alert.
        open: Whether it takes up a place among the runs of its action.
    """

    at: float
    action: str
    alert: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """What a start waits for, and for how many seconds; infinitely many if nobody knows."""

    limit: Limit
    seconds: float


def wait_for(  # noqa: PLR0913 - all of it decides
    action: str, alert: str, limits: Limits, *, together: Rate, sent: Sequence[Sent], now: float
) -> Wait | None:
    """Return what a start of an alert waits for longest; None if it may begin.

    Args:
        action: The name of the action.
        alert: The identity of the alert.
        limits: Those of the action.
        together: The rate of all actions.
        sent: The starts of all actions.
        now: The time.
    """
    own = [one for one in sent if one.action == action]
    last = max((one.at for one in own if one.alert == alert), default=-inf)
    waits = [
        Wait(Limit.COOLDOWN, last + limits.cooldown - now),
        Wait(Limit.RATE, _free_again((one.at for one in own), limits.rate, now)),
        Wait(Limit.RATE, _free_again((one.at for one in sent), together, now)),
        Wait(Limit.CONCURRENT, inf if sum(one.open for one in own) >= limits.max_concurrent else 0.0),
    ]
    # A wait that is known says more than one that is not.
    known = max(waits[:3], key=lambda wait: wait.seconds)
    if known.seconds > limits.max_wait or known.seconds > 0 >= waits[3].seconds:
        return known
    return waits[3] if waits[3].seconds > 0 else None


def _free_again(times: Iterable[float], rate: Rate, now: float) -> float:
    """Return the seconds until there is room for one more."""
    recent = sorted(at for at in times if at > now - rate.seconds)
    return recent[-rate.count] + rate.seconds - now if len(recent) >= rate.count else 0.0
