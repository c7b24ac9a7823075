"""Recognises jobs that appear in a list for the first time, but ended long ago: they were hidden until now.

All times are Unix times in seconds, by TheEye's clock.
"""

from typing import Final

from theeye_exporter.ledger.records import Cursor

__all__ = ["CLOCK_TOLERANCE", "everything_listed_until"]

CLOCK_TOLERANCE: Final = 300.0
"""Maximum difference between clocks of TheEye's servers, in seconds."""


def everything_listed_until(cursor: Cursor, date: float | None) -> float:
    """Return the time before which every ended job was in the last list of all jobs, if the token could see it.

    Args:
        cursor: how far jobs have been read.
        date: TheEye's time, if known; if it is before that list, the clock was set back, and no time is certain.
    """
    set_back = cursor.listed is not None and date is not None and date < cursor.listed
    return float("-inf") if cursor.listed is None or set_back else cursor.listed - CLOCK_TOLERANCE
