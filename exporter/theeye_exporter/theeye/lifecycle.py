"""What a job's lifecycle and state mean."""

from enum import StrEnum
from typing import Final

__all__ = ["ENDED_LIFECYCLES", "OPEN_LIFECYCLES", "Outcome", "outcome_of"]

OPEN_LIFECYCLES: Final = ("ready", "assigned", "onhold", "syncing", "locked", "started")
"""Lifecycles of a job that has not ended."""

ENDED_LIFECYCLES: Final = ("finished", "terminated", "canceled", "expired", "completed")
"""Lifecycles of a job that has ended; a restart takes it back to ready. TheEye knows the last two but sets neither."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    ERROR = "error"
    UNKNOWN = "unknown"


_OUTCOMES: Final[dict[tuple[str, str], Outcome]] = {
    ("finished", "success"): Outcome.SUCCESS,
    ("finished", "normal"): Outcome.SUCCESS,  # old data; today's servers store success for it
    ("finished", "failure"): Outcome.FAILURE,
    ("terminated", "timeout"): Outcome.TIMEOUT,
    ("terminated", "canceled"): Outcome.CANCELED,
    ("canceled", "canceled"): Outcome.CANCELED,
    ("terminated", "error"): Outcome.ERROR,
}


def outcome_of(lifecycle: str, state: str) -> Outcome:
    """Return how a job that has ended did so."""
    return _OUTCOMES.get((lifecycle, state), Outcome.UNKNOWN)
