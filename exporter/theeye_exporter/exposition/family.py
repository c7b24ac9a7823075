"""What a metric family is, how a collector declares its own, and examples of queries about them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

__all__ = ["Families", "Family", "MetricType", "Query"]


class MetricType(StrEnum):
    """OpenMetrics metric types that the renderer produces."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Family:
    """One metric family.

    Attributes:
        name: name of the samples, as a query writes it (with `_total` or `_info` where the type has it).
        type: OpenMetrics type; classic text knows no info and shows it as a gauge.
        help: a few words for people, with TheEye's own name for the value if it has one.
        labels: label names, in the order in which collectors pass their values.
        unit: base unit, which is also the suffix of the name; or empty.
        states: for a family of states, the values of the last label, in order; each object has a sample for each: 1 for
            its current state, 0 for the others.
        stability: whether name, labels and meaning may still change without a major version.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...]
    unit: str = ""
    states: tuple[str, ...] = ()
    stability: Literal["stable", "experimental"] = "stable"

    @property
    def openmetrics_name(self) -> str:
        """Family name in OpenMetrics, where `_total` and `_info` belong to the sample and not to the family."""
        return self.name.removesuffix("_total").removesuffix("_info")


class Families(list[Family]):
    """A collector's families, in the order of the exposition; declaring a family adds it."""

    def gauge(self, name: str, labels: tuple[str, ...], text: str, *, unit: str = "") -> Family:
        """Declare a value that goes up and down."""
        return self._declare(Family(name=name, type=MetricType.GAUGE, help=text, labels=labels, unit=unit))

    def states(self, name: str, labels: tuple[str, ...], states: tuple[str, ...], text: str) -> Family:
        """Declare the state of an object: one sample per state, with the state as the last label."""
        return self._declare(Family(name=name, type=MetricType.GAUGE, help=text, labels=labels, states=states))

    def counter(self, name: str, labels: tuple[str, ...], text: str, *, unit: str = "") -> Family:
        """Declare a value that only grows."""
        return self._declare(Family(name=name, type=MetricType.COUNTER, help=text, labels=labels, unit=unit))

    def histogram(self, name: str, labels: tuple[str, ...], text: str) -> Family:
        """Declare a distribution of durations."""
        return self._declare(Family(name=name, type=MetricType.HISTOGRAM, help=text, labels=labels, unit="seconds"))

    def info(self, name: str, labels: tuple[str, ...], text: str) -> Family:
        """Declare an object's descriptive properties, as labels of a sample that is always 1."""
        return self._declare(Family(name=name, type=MetricType.INFO, help=text, labels=labels))

    def _declare(self, family: Family) -> Family:
        self.append(family)
        return family


class Query(NamedTuple):
    """An example of a query in PromQL, for the documentation.

    Attributes:
        title: what it finds, without a full stop.
        expression: the query.
    """

    title: str
    expression: str
