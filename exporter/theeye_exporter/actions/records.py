"""What is kept about alerts and their runs: one document for each episode, order, past run, decision, and action."""

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from theeye_exporter.actions.episodes import Result

__all__ = [
    "BOUNDS",
    "DECISIONS_KEPT",
    "ActionTotals",
    "Begun",
    "Decision",
    "Histogram",
    "KnownEpisode",
    "Order",
    "PastRun",
    "Said",
    "count",
]

DECISIONS_KEPT: Final = 50
"""Number of decisions of each action that are kept."""

BOUNDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of the histograms, in seconds."""


class Decision(StrEnum):
    """What was decided about an alert, as in the label `decision`."""

    STARTED = "started"
    DRY_RUN = "dry_run"
    DUPLICATE = "duplicate"
    STALE = "stale"
    ALREADY_FIRING = "already_firing"
    RESOLVED = "resolved"
    NOT_MATCHED = "not_matched"
    BAD_ALERT = "bad_alert"
    BAD_ARGUMENTS = "bad_arguments"
    NO_TARGET = "no_target"
    WAITING = "waiting"
    EXPIRED = "expired"
    COOLDOWN = "cooldown"
    RATE_LIMITED = "rate_limited"
    SUSPENDED = "suspended"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Said:
    """A decision, for people.

    Attributes:
        at: Unix time.
        decision: What was decided.
        alert: The labels of the alert, in one harmless line.
        why: The reason.
    """

    at: float
    decision: Decision
    alert: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEpisode:
    """The last known episode of an alert; times are Unix times.

    Attributes:
        start: When it began, by Alertmanager's clock.
        end: When it ended; None while it fires.
        heard_at: When the last message arrived.
        ran: Whether it had its run, or may have had it.
        order: The order of its start, if that is not over.
        left: Whether an action that no longer exists knew this episode first; it may be this action under its old name.
    """

    start: float
    end: float | None = None
    heard_at: float = 0.0
    ran: bool = False
    order: str = ""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """When the configuration first had an action. This begins again if the action was removed, or moved to another organisation.

    Attributes:
        organization: The organisation of its target.
        at: Unix time.
    """

    organization: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A start that was decided on, until it is over. It waits as long as it has no row, or a row that is decided.

    Attributes:
        id: Its id, and that of its row.
        action: The name of its action.
        organization: In which organisation it starts something, whatever the configuration says later.
        alert: The identity of its alert.
        labels: The labels of the alert, in one harmless line.
        episode: The start of the episode that it belongs to.
        arguments: The values of the arguments.
        hostname: The host that the alert names; empty if the action names its target itself.
        decided_at: Unix time of the decision.
        queued_at: Unix time from which it waits; the oldest goes first.
        excused: Seconds since the decision that do not count towards `max_wait`.
        told: Whether the decision that it was started has been written down.
        cancelled_at: Unix time from which TheEye was asked to cancel its run.
        ended: How its episode ended while nobody knew whether there is a run.
    """

    id: str
    action: str
    organization: str
    alert: str
    labels: str
    episode: float
    arguments: tuple[str, ...] = ()
    hostname: str = ""
    decided_at: float = 0.0
    queued_at: float = 0.0
    excused: float = 0.0
    told: bool = False
    cancelled_at: float | None = None
    ended: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A start that is over.

    Attributes:
        action: The name of its action.
        alert: The identity of its alert.
        labels: The labels of the alert, in one harmless line.
        episode: The start of the episode that it belonged to.
        sent_at: Unix time of the request; 0 if TheEye refused it.
        ended_at: Unix time of its end.
        outcome: How it ended, as in the label `outcome`.
        job_id: The job; empty if there is none, or none is known.
        why: What went wrong, for people.
    """

    action: str
    alert: str
    labels: str
    episode: float
    sent_at: float
    ended_at: float
    outcome: str
    job_id: str = ""
    why: str = ""


@dataclass(slots=True)
class Histogram:
    """Observations by `BOUNDS`; the last count is of those above all bounds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.sum += value


@dataclass(slots=True)
class ActionTotals:
    """What is counted for one action, since the state file was made; times are Unix times.

    Attributes:
        decisions: Number of decisions of each kind.
        runs: Number of runs by outcome.
        alerts: Number of alerts received, by status.
        truncated: Number of alerts that Alertmanager left out.
        episodes: Number of episodes that ended, by result.
        to_start: From the start of an alert to that of its run.
        turnaround: From the request to the end of the run.
        failures: Number of failed runs in a row.
        suspended: Whether it starts nothing until somebody resumes it.
        orders: Number of orders so far.
        said: Number of decisions that were kept so far.
        recovered: Number of runs that were found after a lost answer.
        last: Times of the last start, end and success.
        last_outcome: How the last run ended.
    """

    decisions: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)
    truncated: int = 0
    episodes: dict[str, int] = field(default_factory=dict)
    to_start: Histogram = field(default_factory=Histogram)
    turnaround: Histogram = field(default_factory=Histogram)
    failures: int = 0
    suspended: bool = False
    orders: int = 0
    said: int = 0
    recovered: int = 0
    last: dict[str, float] = field(default_factory=dict)
    last_outcome: str = ""


def count(counts: dict[str, int], key: Any, by: int = 1) -> None:
    """Add to a count."""
    counts[str(key)] = counts.get(str(key), 0) + by
