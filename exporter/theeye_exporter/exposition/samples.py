"""Samples as collectors make them and the renderer takes them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from theeye_exporter.exposition.family import Family

__all__ = ["Column", "HistogramValue", "Samples"]

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


class Samples(defaultdict[Family, Column[float]]):
    """Columns by family, histograms in `histograms`; a family that is looked up shows up, if need be without samples."""

    def __init__(self) -> None:
        super().__init__(Column)
        self.histograms: defaultdict[Family, Column[HistogramValue]] = defaultdict(Column)
