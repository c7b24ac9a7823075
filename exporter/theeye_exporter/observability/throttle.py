"""How often a repeated event is logged: immediately, and then less and less often."""

from dataclasses import dataclass
from typing import Final

__all__ = ["LogThrottle"]

_FIRST_GAP: Final = 300.0
_LONGEST_GAP: Final = 3600.0


@dataclass(slots=True)
class LogThrottle:
    """Decides whether an occurrence of one event is logged; all times are monotonic seconds.

    The first one is logged immediately, then one after 5, 10, 20 and 40 minutes, then one per hour. If the event does
    not occur for as long as the current gap, it starts again from the beginning.

    Attributes:
        told: when it was last logged; None if never.
        gap: seconds until it may be logged again.
        suppressed: number of occurrences since then that were not logged.
        latest: when it last occurred.
    """

    told: float | None = None
    gap: float = _FIRST_GAP
    suppressed: int = 0
    latest: float = 0.0

    def allow(self, now: float) -> int | None:
        """Return the number of occurrences that were suppressed before this one; None to suppress this one, too."""
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
