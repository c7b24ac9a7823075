"""Samples to the bytes of the Prometheus text formats and of OpenMetrics.

The three formats differ in the lines above the samples only; the samples of a family are rendered once and shared.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from theeye_exporter.exposition.family import Family, MetricType

__all__ = [
    "Format",
    "HistogramValue",
    "LabelCache",
    "Samples",
    "Segment",
    "deflate",
    "escape_label_value",
    "format_labels",
]

LABEL_VALUE_LIMIT: Final = 512
"""Characters of a label value that are kept: a name of kilobytes helps nobody and costs every scrape."""

Rows = list[tuple[str, float]]

_UNSAFE: Final = re.compile(r'[\\"\n]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class Format(Enum):
    """An exposition format that the exporter produces; the value is its content type."""

    TEXT_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
    TEXT_1_0_0 = "text/plain; version=1.0.0; charset=utf-8"
    OPENMETRICS_1_0_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"


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


class Samples(defaultdict[Family, Rows]):
    """Samples by family: rows of (rendered labels, value), as `LabelCache` and `format_labels` render labels.

    Values are finite numbers; what is not known has no row. A family that is looked up without adding a row shows
    up without samples. Histograms have their rows in `histograms`.
    """

    def __init__(self) -> None:
        super().__init__(list)
        self.histograms: defaultdict[Family, list[tuple[str, HistogramValue]]] = defaultdict(list)


@dataclass(frozen=True, slots=True)
class Segment:
    """The rendered samples of one family from one collector.

    Attributes:
        text: the sample lines, UTF-8.
        deflated: the same as raw DEFLATE data that ends on a byte boundary and is no final block, so that segments
            can be joined without compressing again.
        series: number of lines.
        cut: number of samples left out because of the series limit.
        with_exemplars: the same with exemplars, which only OpenMetrics has; None if there are none.
    """

    text: bytes
    deflated: bytes
    series: int
    cut: int = 0
    with_exemplars: "Segment | None" = None

    def of(self, fmt: Format) -> "Segment":
        """Return the segment to show in a format."""
        return self.with_exemplars or self if fmt is Format.OPENMETRICS_1_0_0 else self


def escape_label_value(value: str) -> str:
    """Make any text a valid label value: cut to 512 characters, escaped.

    Control characters, line separators and lone surrogates become U+FFFD: they are legal in neither UTF-8 nor, by
    the exposition formats' grammar or by Prometheus' lexer, in a label value.
    """
    if len(value) > LABEL_VALUE_LIMIT:
        value = value[:LABEL_VALUE_LIMIT]
    return _UNSAFE.sub(lambda match: _ESCAPES.get(match[0], _REPLACEMENT), value)


def format_labels(names: Iterable[str], values: Iterable[str]) -> str:
    """Render labels as they stand between the braces of a sample line."""
    return ",".join([f'{name}="{escape_label_value(value)}"' for name, value in zip(names, values, strict=True)])


class LabelCache:
    """Rendered labels of objects that come back poll after poll.

    `get` renders a combination of values once; `prune` forgets those that were not asked for since the last `prune`,
    so that the cache follows the fleet.
    """

    __slots__ = ("_current", "_names", "_previous")

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._current: dict[tuple[str, ...], str] = {}
        self._previous: dict[tuple[str, ...], str] = {}

    def get(self, *values: str) -> str:
        """Return the rendered labels for `values`, which are in the order of the names."""
        rendered = self._current.get(values)
        if rendered is None:
            rendered = self._previous.get(values)
            if rendered is None:
                rendered = format_labels(self._names, values)
            self._current[values] = rendered
        return rendered

    def prune(self) -> None:
        """Forget what was not asked for since the last call."""
        self._previous = self._current
        self._current = {}


def render_header(family: Family, fmt: Format) -> bytes:
    """Render the metadata lines above a family's samples."""
    if fmt is Format.OPENMETRICS_1_0_0:
        name = family.openmetrics_name
        unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
        return f"# HELP {name} {_escape_help(family.help)}\n# TYPE {name} {family.type}\n{unit}".encode()
    kind = MetricType.GAUGE if family.type is MetricType.INFO else family.type
    return f"# HELP {family.name} {_escape_help(family.help)}\n# TYPE {family.name} {kind}\n".encode()


def render_segment(family: Family, rows: Sequence[tuple[str, float]], *, limit: int) -> Segment:
    """Render a family's samples, at most `limit` of them."""
    cut = max(0, len(rows) - limit)
    kept = rows[:limit] if cut else rows
    name = family.name
    text = "".join([f"{name}{{{labels}}} {value}\n" for labels, value in kept]).encode()
    return Segment(text=text, deflated=deflate(text), series=len(kept), cut=cut)


def render_histograms(family: Family, rows: Sequence[tuple[str, HistogramValue]], *, limit: int) -> Segment:
    """Render a family's histograms, as many as fit whole into `limit` samples."""
    size = len(rows[0][1].counts) + 2 if rows else 1
    kept = rows[: limit // size]
    lines: list[str] = []
    exemplified: list[str] = []
    for labels, value in kept:
        total = 0
        for bucket, count in enumerate(value.counts):
            total += count
            bound = repr(float(value.bounds[bucket])) if bucket < len(value.bounds) else "+Inf"
            line = f'{family.name}_bucket{{{labels},le="{bound}"}} {total}'
            lines.append(f"{line}\n")
            exemplar = value.exemplars.get(bucket)
            exemplified.append(f"{line} # {exemplar}\n" if exemplar else lines[-1])
        ends = [f"{family.name}_sum{{{labels}}} {value.sum}\n", f"{family.name}_count{{{labels}}} {total}\n"]
        lines += ends
        exemplified += ends
    series, cut = len(lines), (len(rows) - len(kept)) * size
    text, openmetrics = "".join(lines).encode(), "".join(exemplified).encode()
    return Segment(
        text=text,
        deflated=deflate(text),
        series=series,
        cut=cut,
        with_exemplars=None if text == openmetrics else Segment(openmetrics, deflate(openmetrics), series),
    )


def deflate(data: bytes) -> bytes:
    """Compress to raw DEFLATE data (RFC 1951) that further DEFLATE data may follow."""
    compressor = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _escape_help(text: str) -> str:
    # Quotes need no escape in classic text and must not have one in it; no help of ours contains any.
    return text.replace("\\", "\\\\").replace("\n", "\\n")
