"""What a collector is, and what all of them do alike."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import number, text, timestamp

__all__ = ["EXACT", "Checks", "Collection", "Collector", "EmptyListGuard", "join_tags", "server_time"]

_EMPTY_LISTS_DOUBTED: Final = 2
_NUMBERS: Final = frozenset({int, float})
EXACT: Final = 2**53
"""Up to here, every integer is one that a sample can hold."""


@dataclass(slots=True)
class Collection:
    """What one attempt brought.

    Attributes:
        samples: samples by family.
        objects: TheEye's objects that they come from.
        skipped: objects left out, by reason.
        dropped: values that gave no sample, by reason.
    """

    samples: Samples
    objects: int
    skipped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class Collector(Protocol):
    """One kind of TheEye's objects of one organisation; may keep state between attempts, which never overlap."""

    @property
    def name(self) -> str:
        """Name in configuration, metrics and logs."""

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """Ask TheEye and make samples of the answer.

        Args:
            client: the organisation's client.
            now: Unix time of this machine's clock, in seconds.

        Raises:
            UpstreamError: there is nothing to show; the last good samples stay for a while.
        """


class Checks:
    """Makes checked values of loose ones; counts in `dropped` what is no true value."""

    __slots__ = ("dropped",)

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()

    def number(self, value: object) -> float | None:
        """Return a number as it is."""
        if type(value) is int and -EXACT <= value <= EXACT:  # as good as always
            return value
        checked = number(value)
        if checked is None:
            self.dropped["null" if value is None else "impossible"] += 1
        return checked

    def amount(self, value: object) -> float | None:
        """Return a number that is not negative: a count, or a duration in any unit."""
        if type(value) in _NUMBERS and 0 <= value <= EXACT:  # type: ignore[operator] # as good as always
            return value  # type: ignore[return-value]
        checked = self.number(value)
        if checked is not None and checked < 0:
            self.dropped["impossible"] += 1
            return None
        return checked

    def ratio(self, percent: object, *, tolerance: float = 0) -> float | None:
        """Return a percentage as a share of 1; up to `tolerance` percent points too many are 1."""
        checked = self.amount(percent)
        if checked is None:
            return None
        if checked > 100 + tolerance:
            self.dropped["impossible"] += 1
            return None
        return min(checked, 100) / 100

    def timestamp(self, value: object) -> float | None:
        """Return the Unix time of an ISO 8601 string."""
        checked = timestamp(value)
        if checked is None:
            self.dropped["null" if value is None else "impossible"] += 1
        return checked


class EmptyListGuard:
    """Doubts an empty list where there were objects: TheEye answers `200 []` to some database errors.

    The third empty list in a row is believed.
    """

    def __init__(self) -> None:
        self._had_objects = False
        self._empty = 0

    def check(self, objects: int, skipped: Counter[str]) -> None:
        """Raise `UpstreamError` if a list of so many objects, and others that were left out, is not to be believed."""
        if objects:
            self._had_objects, self._empty = True, 0
            return
        if skipped["other_organization"]:
            raise UpstreamError(Reason.ORGANIZATION_CONFLICT, "TheEye lists objects of another organisation only")
        if skipped.total():
            raise UpstreamError(Reason.INVALID_RESPONSE, "TheEye lists no object that can be understood")
        if not self._had_objects:
            return
        self._empty += 1
        if self._empty <= _EMPTY_LISTS_DOUBTED:
            raise UpstreamError(Reason.EMPTY_LIST, "TheEye lists nothing where it listed objects before")
        self._had_objects = False


def server_time(now: float, date: float | None, newest: float | None) -> float:
    """Return the best guess of TheEye's clock, by which the age of its data is judged.

    Of this machine's clock and the answer's, the one that is nearer to the newest time in the data: one wrong clock
    alone makes no fresh data stale and no stale data fresh.

    Args:
        now: this machine's Unix time.
        date: the answer's Date header.
        newest: the newest timestamp that TheEye itself set in the data.
    """
    if date is None:
        return now
    if newest is None:
        return date
    return max((now, date), key=lambda clock: (-abs(clock - newest), clock))


def join_tags(tags: object) -> str:
    """Return an object's tags as a label value: sorted, so that an unchanged set stays the same series."""
    if not isinstance(tags, list):
        return ""
    return ",".join(sorted(filter(None, map(text, tags))))
