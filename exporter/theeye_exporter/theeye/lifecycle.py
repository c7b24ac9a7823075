"""The meaning of a job's lifecycle and state."""

from enum import StrEnum
from typing import Final

__all__ = ["ENDED_LIFECYCLES", "OPEN_LIFECYCLES", "Outcome", "outcome_of"]

OPEN_LIFECYCLES: Final = ("ready", "assigned", "onhold", "syncing", "locked", "started")
"""Lifecycles of a job that has not ended."""

ENDED_LIFECYCLES: Final = ("finished", "terminated", "canceled", "expired", "completed")
"""Lifecycles of a job that has ended; a restart sets it back to ready. TheEye knows the last two but sets neither."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    ERROR = "error"
    UNKNOWN = "unknown"

    @property
    def is_failed(self) -> bool:
        """Whether the run should have succeeded but did not; nobody knows that of a canceled one."""
        return self in {Outcome.FAILURE, Outcome.TIMEOUT, Outcome.ERROR}


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
    """Return how an ended job ended."""
    return _OUTCOMES.get((lifecycle, state), Outcome.UNKNOWN)
