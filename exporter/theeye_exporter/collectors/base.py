"""What a collector is, and what all collectors have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.faults import FAULT, Faults
from theeye_exporter.collectors.name_index import Entry, NameIndex
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Family, Query
from theeye_exporter.exposition.labels import LabelCache
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Identified, Listing
from theeye_exporter.theeye.fields import number, text, timestamp
from theeye_exporter.theeye.memory import Room

__all__ = [
    "EXACT",
    "Checks",
    "Collection",
    "Collector",
    "CollectorKind",
    "Context",
    "ListCollector",
    "Memory",
    "join_tags",
    "server_time",
]

S = TypeVar("S", bound=CollectorSettings)
T = TypeVar("T", bound=Identified)

_NUMBERS: Final = frozenset({int, float})
_ALL: Final = 100
"""Percent."""
EXACT: Final = 2**53
"""A sample can hold every integer up to this one."""


@dataclass(slots=True)
class Collection:
    """The result of one attempt.

    Attributes:
        samples: samples by family.
        objects: number of TheEye's objects that the samples come from.
        complete: whether these are all objects that the token sees, and not just the changed ones.
        skipped: objects left out, by reason.
        dropped: values without a sample, by reason.
        names: what other collectors need to know about the objects, by id.
        date: TheEye's Unix time, in seconds, if it said.
        unrepeated: seconds that the attempt took for a list that the next attempts do not request again.
    """

    samples: Samples
    objects: int
    skipped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    names: Mapping[str, Entry] | None = None
    date: float | None = None
    unrepeated: float = 0.0


class Collector(Protocol):
    """Collects one kind of object of one organisation; may keep state between attempts; attempts never overlap."""

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """Request the objects from TheEye and make samples of them.

        Args:
            client: the organisation's client.
            now: this machine's Unix time, in seconds.

        Raises:
            UpstreamError: the attempt failed; the last good samples stay for a while.
        """


class Memory(Protocol):
    """What a collector has to keep over a reload."""

    def copy(self) -> Self:
        """Return a copy that does not change with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Generic[S]):
    """What a collector of one organisation is built from.

    Attributes:
        organization: the organisation's name, the first label of every series.
        settings: the collector's.
        tags: whether `_info` series carry the label `tags`.
        timeout: seconds that one response of TheEye may take.
        clocks: the clocks to use.
        names: the names of the objects of other kinds that this collector needs, by name of the kind.
        ledger: the organisation's.
        room: checks whether there is memory; a collector iterates over what it lists with `watched`.
        memory: what the collector remembers, made by its kind; an attempt may change it, and it is kept when the
            attempt ends.
    """

    organization: str
    settings: S
    tags: bool
    timeout: float
    clocks: Clocks
    names: Mapping[str, NameIndex]
    ledger: RunLedger
    room: Room
    memory: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorKind(Generic[S]):
    """A kind of object, and all that the rest of the exporter has to know about it; each collector's module has one.

    Attributes:
        name: one word in lower-case letters: a key, a flag and a label value.
        title: the heading that people see.
        families: its metric families, in the order of the exposition.
        make: returns the collector of an organisation.
        settings: the class of its settings.
        interval: seconds from one poll to the next, unless settings say otherwise.
        enabled: whether it is polled, unless settings say otherwise.
        needs: the kinds whose object names it needs.
        memory: creates what it remembers from poll to poll and over a reload, if anything.
        keeps_ledger: whether it counts in the organisation's ledger.
        may_hide_errors_as_empty: whether an empty list can hide an error of TheEye, so that it is not accepted at once.
        implies: the kinds of which there is at least one object if there is one of this kind.
        filtered_by_access: whether TheEye lists to a token only what is shared with its user.
        cardinality: how many series it has, in words.
        queries: three examples of queries about its objects.
        sends_token: whether its requests send the token; if not, they cannot show whether TheEye accepts it.
    """

    name: str
    title: str
    families: Sequence[Family]
    make: Callable[[Context[S]], Collector]
    settings: type[S]
    interval: float
    enabled: bool = True
    needs: "tuple[CollectorKind[Any], ...]" = ()
    memory: Callable[[], Memory] | None = None
    keeps_ledger: bool = False
    may_hide_errors_as_empty: bool = True
    implies: "tuple[CollectorKind[Any], ...]" = ()
    filtered_by_access: bool = True
    cardinality: str = ""
    queries: Sequence[Query] = ()
    sends_token: bool = True

    def default_settings(self) -> S:
        """Return the default settings."""
        return self.settings(enabled=self.enabled, interval=self.interval)


class Checks:
    """Checks loose values; counts invalid ones in `dropped`."""

    __slots__ = ("dropped",)

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()

    def number(self, value: object) -> float | None:
        """Return a number unchanged."""
        if type(value) is int and -EXACT <= value <= EXACT:  # the usual case
            return value
        checked = number(value)
        if checked is None:
            self.dropped["null" if value is None else "impossible"] += 1
        return checked

    def amount(self, value: object) -> float | None:
        """Return a number that is not negative: a count, or a duration in any unit."""
        if type(value) in _NUMBERS and 0 <= value <= EXACT:  # type: ignore[operator] # the usual case
            return value  # type: ignore[return-value]
        checked = self.number(value)
        if checked is not None and checked < 0:
            self.dropped["impossible"] += 1
            return None
        return checked

    def ratio(self, percent: object, *, tolerance: float = 0) -> float | None:
        """Return a percentage as a ratio; up to `tolerance` percentage points above 100 are 1."""
        if type(percent) in _NUMBERS and 0 <= percent <= _ALL:  # type: ignore[operator] # the usual case
            return percent / _ALL  # type: ignore[operator]
        checked = self.amount(percent)
        if checked is None:
            return None
        if checked > _ALL + tolerance:
            self.dropped["impossible"] += 1
            return None
        return 1.0

    def timestamp(self, value: object) -> float | None:
        """Return the Unix time of an ISO 8601 string."""
        checked = timestamp(value)
        if checked is None:
            self.dropped["null" if value is None else "impossible"] += 1
        return checked


class ListCollector(ABC, Generic[T]):
    """Collects objects that TheEye lists with everything that their samples need.

    Args:
        context: what the collector is built from.
        kind: name of the collector's kind.
        labels: label names of the series of an object; its `_info` may have more.
        info: the family of these `_info` series.
    """

    def __init__(self, context: Context[Any], kind: str, labels: Sequence[str], info: Family) -> None:
        self._organization = context.organization
        self._room = context.room
        self._with_tags = context.tags
        self._faults = Faults(context.organization, kind, context.clocks.monotonic)
        self._labels = LabelCache(labels)
        self._info = info
        self._info_labels = LabelCache(info.labels)

    @abstractmethod
    def _list(self, client: TheEyeClient) -> Listing[T]:
        """Request the objects."""

    @abstractmethod
    def _add(self, samples: Samples, item: T, checks: Checks) -> None:
        """Add the samples of an object."""

    def _add_totals(self, samples: Samples, items: Sequence[T]) -> None:
        """Add samples about all objects together."""

    def _names(self, items: Sequence[T]) -> dict[str, Entry] | None:  # noqa: ARG002 - for collectors that others need
        """Return what other collectors need to know about the objects, by id; None if none needs it."""
        return None

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - no value depends on the time
        """See `Collector`."""
        listing = self._list(client)
        (samples, checks, names), faulty = self._faults.make(listing.items, self._make)
        self._labels.prune()
        self._info_labels.prune()
        skipped = listing.skipped + Counter({FAULT: faulty})
        objects = len(listing.items) - faulty
        return Collection(samples, objects, skipped, checks.dropped, names=names, date=listing.date)

    def _make(self, items: Sequence[T]) -> tuple[Samples, Checks, dict[str, Entry] | None]:
        samples, checks = Samples(), Checks()
        for item in self._room.watched(items):
            self._add(samples, item, checks)
        self._add_totals(samples, items)
        return samples, checks, self._names(items)

    def _add_info(self, samples: Samples, own: Sequence[str], *described: str) -> str:
        """Add an object's `_info`, and return the labels of its other series.

        Args:
            samples: receives the sample.
            own: the values of the labels of all its series, after the organisation.
            described: the values of the labels that only `_info` has.
        """
        samples[self._info].add(self._info_labels.get(self._organization, *own, *described), 1)
        return self._labels.get(self._organization, *own)

    def _tags(self, tags: object) -> str:
        return join_tags(tags) if self._with_tags else ""


def server_time(now: float, date: float | None, newest: float | None) -> float:
    """Return the best guess of TheEye's clock, which decides how old its data is.

    This is this machine's clock or the response's date, whichever is nearer to the newest time in the data. So a single
    wrong clock makes neither fresh data stale nor stale data fresh.

    Args:
        now: this machine's Unix time.
        date: the time in the response's Date header.
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
