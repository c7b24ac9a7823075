"""What a metric family is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Family", "MetricType"]


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
        help: one sentence for people, with TheEye's own word for the thing.
        labels: label names in the order in which collectors give their values.
        unit: base unit, also the end of the name, or empty.
        states: if an object has a sample for each of these, 1 for the one it is in and 0 for the others: the values
            of the last label, in order.
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
