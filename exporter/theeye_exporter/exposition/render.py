"""Samples to the bytes of the Prometheus text formats and of OpenMetrics.

The three formats differ in the lines above the samples only; the samples of a family are rendered once and shared.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from theeye_exporter.exposition.families import Family, MetricType

__all__ = ["Format", "LabelCache", "Samples", "Segment", "deflate", "escape_label_value", "format_labels"]

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


class Samples(defaultdict[Family, Rows]):
    """Samples by family: rows of (rendered labels, value), as `LabelCache` and `format_labels` render labels.

    Values are finite numbers; what is not known has no row. A family that is looked up without adding a row shows
    up without samples.
    """

    def __init__(self) -> None:
        super().__init__(list)


@dataclass(frozen=True, slots=True)
class Segment:
    """The rendered samples of one family from one collector.

    Attributes:
        text: the sample lines, UTF-8.
        deflated: the same as raw DEFLATE data that ends on a byte boundary and is no final block, so that segments
            can be joined without compressing again.
        series: number of lines.
        cut: number of samples left out because of the series limit.
    """

    text: bytes
    deflated: bytes
    series: int
    cut: int = 0


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


def deflate(data: bytes) -> bytes:
    """Compress to raw DEFLATE data (RFC 1951) that further DEFLATE data may follow."""
    compressor = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _escape_help(text: str) -> str:
    # Quotes need no escape in classic text and must not have one in it; no help of ours contains any.
    return text.replace("\\", "\\\\").replace("\n", "\\n")
