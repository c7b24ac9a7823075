"""What a list shows that is no news: what ended long before, and was hidden until now.

All times are Unix times in seconds, by TheEye's clock.
"""

from typing import Final

from theeye_exporter.ledger.records import Cursor

__all__ = ["CLOCK_TOLERANCE", "everything_listed_until"]

CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which clocks of TheEye's may differ."""


def everything_listed_until(cursor: Cursor, date: float | None) -> float:
    """Return before when everything that ended was in the last list of all jobs, if it could be seen at all.

    Args:
        cursor: how far jobs are read.
        date: TheEye's time, if known; if it is before that list, the clock was set back, and nothing is certain.
    """
    set_back = cursor.listed is not None and date is not None and date < cursor.listed
    return float("-inf") if cursor.listed is None or set_back else cursor.listed - CLOCK_TOLERANCE
