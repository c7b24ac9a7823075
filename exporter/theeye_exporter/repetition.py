"""How often something is told that happens again and again: at once, and then less and less often."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Repetition"]

_FIRST_GAP: Final = 300.0
_LONGEST_GAP: Final = 3600.0


@dataclass(slots=True)
class Repetition:
    """Decides when the next occurrence of one thing is told; all times are monotonic seconds.

    The first one is told at once, then one after 5, 10, 20 and 40 minutes, then one in an hour. What has not happened
    for as long as the next line would have to wait begins anew.

    Attributes:
        told: when it was last told, None before.
        gap: seconds until the next one may be told.
        suppressed: occurrences that were not told since.
        latest: when it last happened.
    """

    told: float | None = None
    gap: float = _FIRST_GAP
    suppressed: int = 0
    latest: float = 0.0

    def happens(self, now: float) -> int | None:
        """Return how many occurrences were not told before this one, or None if this is not to be told either."""
        if self.told is None or now - self.latest >= self.gap:
            self.gap = _FIRST_GAP
        elif now - self.told < self.gap:
            self.suppressed += 1
            self.latest = now
            return None
        else:
            self.gap = min(2 * self.gap, _LONGEST_GAP)
        self.told = self.latest = now
        suppressed, self.suppressed = self.suppressed, 0
        return suppressed
