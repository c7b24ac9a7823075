"""What a list shows of a job that is no news of it: it was hidden until now, or the list is older than the last one.

All times are Unix times in seconds, by TheEye's clock.
"""

from typing import Final

from theeye_exporter.ledger.records import Cursor, KnownJob

__all__ = ["CLOCK_TOLERANCE", "everything_listed_until", "is_outdated"]

CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which clocks of TheEye's may differ."""

_LONGEST_LAG: Final = 600.0
"""Seconds for which an answer may come from a copy of TheEye's database that has not got a change yet."""


def everything_listed_until(cursor: Cursor, date: float | None) -> float:
    """Return before when everything that ended was in the last list of all jobs, if it could be seen at all.

    Args:
        cursor: how far jobs are read.
        date: TheEye's time, if known; if it is before that list, the clock was set back, and nothing is certain.
    """
    set_back = cursor.listed is not None and date is not None and date < cursor.listed
    return float("-inf") if cursor.listed is None or set_back else cursor.listed - CLOCK_TOLERANCE


def is_outdated(known: KnownJob, updated: float, date: float | None) -> bool:
    """Return whether this is a job as it was before it was last seen, so that it is not open again if it seems so.

    A clock that was set back looks the same once it has caught up, so that this is not believed for long.

    Args:
        known: what is known of the job.
        updated: its `last_update` now, 0 without one.
        date: TheEye's time, if known.
    """
    if date is None or not 0 < updated < known.updated:
        return False
    return known.updated <= date <= known.updated + _LONGEST_LAG
