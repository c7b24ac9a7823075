"""Samples as collectors make them and the renderer takes them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Generic, TypeVar, cast

from theeye_exporter.exposition.family import Family

__all__ = ["Column", "HistogramValue", "Samples", "known_values"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """A histogram's state.

    Attributes:
        bounds: upper bounds of the buckets, increasing, without the infinite one.
        counts: observations per bucket, not cumulated; one more than the bounds.
        sum: sum of the observations.
        exemplars: by bucket, rendered as OpenMetrics has them after the `#`.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, str]


@dataclass(slots=True)
class Column(Generic[V]):
    """One family's values, in order.

    Nobody changes a column, its lists or a value in them once it is rendered: the renderer compares the next one with it.

    Attributes:
        labels: each value's labels, as `LabelCache` and `format_labels` render them.
        values: finite numbers; what is not known has no row. In a family of states, where labels are without the
            state, the position of the state among them.
    """

    labels: list[str] = field(default_factory=list)
    values: list[V] = field(default_factory=list)

    def add(self, labels: str, value: V) -> None:
        """Add a row."""
        self.labels.append(labels)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[str, V]]:
        return zip(self.labels, self.values, strict=True)


def known_values(labels: list[str], values: list[V | None]) -> Column[V]:
    """Return a column of the values that are known. If all are, its labels are the very same list, poll after poll."""
    if type(None) not in set(map(type, values)):
        return Column(labels, cast("list[V]", values))
    known = [value is not None for value in values]
    return Column(list(compress(labels, known)), cast("list[V]", list(compress(values, known))))


class Samples(defaultdict[Family, Column[float]]):
    """Columns by family, histograms in `histograms`; a family that is looked up shows up, if need be without samples."""

    def __init__(self) -> None:
        super().__init__(Column)
        self.histograms: defaultdict[Family, Column[HistogramValue]] = defaultdict(Column)
