"""Samples as collectors create them and the renderer reads them."""

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
        counts: observations per bucket, not cumulative; one more than there are bounds.
        sum: sum of the observations.
        exemplars: by bucket, rendered as OpenMetrics writes them after the `#`.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, str]


@dataclass(slots=True)
class Column(Generic[V]):
    """One family's values, in order.

    A rendered column, its lists and their values must not be changed: the renderer compares the next column with them.

    Attributes:
        labels: each value's labels, as `LabelCache` and `format_labels` render them.
        values: finite numbers; an unknown value has no row. In a family of states, the labels do not contain the state,
            and the value is the position of the state.
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
    """Return a column of the known values. If all are known, its labels are the same list object in every poll."""
    if type(None) not in set(map(type, values)):
        return Column(labels, cast("list[V]", values))
    known = [value is not None for value in values]
    return Column(list(compress(labels, known)), cast("list[V]", list(compress(values, known))))


class Samples(defaultdict[Family, Column[float]]):
    """Columns by family, histograms in `histograms`; looking up a family adds it, even without samples."""

    def __init__(self) -> None:
        super().__init__(Column)
        self.histograms: defaultdict[Family, Column[HistogramValue]] = defaultdict(Column)
