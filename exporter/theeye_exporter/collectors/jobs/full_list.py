"""Decides at which polls all jobs are listed, and not only those that changed."""

from typing import Final

__all__ = ["FullListSchedule"]

_PATIENCE: Final = 10.0
"""An early list waits for this many times the duration of the last one: TheEye spends less than a tenth of its time on them."""


class FullListSchedule:
    """Repeats the list of all jobs at an interval, or earlier as long as none could be compared with TheEye's counts.

    Without that comparison, runs that no poll saw are only found after the next list of all jobs. A list cannot be compared
    if the tasks had not been listed yet, or if one of its jobs was unreadable.

    Args:
        interval: seconds from one list to the next.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._listed_at: float | None = None
        self._compared = False
        self._wait = 0.0

    def is_due(self, now: float, *, comparable: bool) -> bool:
        """Return whether to list all jobs now; `comparable` says whether the tasks have been listed."""
        early = comparable and not self._compared
        return self._listed_at is None or now - self._listed_at >= (self._wait if early else self._interval)

    def listed(self, began: float, took: float, *, compared: bool) -> None:
        """Record a list: when it began, how many seconds it took, and whether it could be compared."""
        self._listed_at, self._compared = began, self._compared or compared
        self._wait = min(self._interval, max(_PATIENCE * took, 2 * self._wait))
