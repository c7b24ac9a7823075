"""Samples to the bytes of the Prometheus text formats and of OpenMetrics.

The formats differ in the lines above the samples, and in exemplars; all other lines are rendered once and shared.
What is the same as in the publisher's last poll is not rendered again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import Final, Generic, TypeVar

import msgspec
from isal import isal_zlib

from theeye_exporter.exposition.family import Family, MetricType
from theeye_exporter.exposition.samples import Column, HistogramValue, Samples

__all__ = ["Format", "Piece", "Renderer", "Segment", "deflate", "header"]

_CHUNK: Final = 1000
"""Samples that are rendered, compressed and compared together: some 150 kB of text, a millisecond of work."""

_STATES_CHUNK: Final = 200
"""The same for states: an object's changes seldom, but some object's always does."""

_LEVEL: Final = 1
"""As small as zlib's level 3 at five times the speed of its level 1; the levels above gain next to nothing."""

V = TypeVar("V")


class Format(Enum):
    """An exposition format that the exporter produces; the value is its content type."""

    TEXT_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
    TEXT_1_0_0 = "text/plain; version=1.0.0; charset=utf-8"
    OPENMETRICS_1_0_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of an exposition.

    Attributes:
        text: the lines, UTF-8.
        deflated: the same as raw DEFLATE data that ends on a byte boundary and is no final block, so that pieces can
            be joined without compressing again.
        crc32: checksum of the text.
        with_exemplars: the same with exemplars, which only OpenMetrics has; None if there are none.
    """

    text: bytes
    deflated: bytes
    crc32: int
    with_exemplars: "Piece | None" = None

    @classmethod
    def of(cls, text: bytes, exemplified: bytes | None = None) -> "Piece":
        """Compress `text`; `exemplified` is the same with exemplars."""
        other = None if exemplified is None or exemplified == text else cls.of(exemplified)
        return cls(text, deflate(text), isal_zlib.crc32(text), other)


@dataclass(frozen=True, slots=True)
class Segment:
    """The rendered samples of one family from one publisher.

    Attributes:
        pieces: the lines, in order.
        series: number of lines.
        cut: number of samples left out because of the series limit.
    """

    pieces: tuple[Piece, ...]
    series: int
    cut: int = 0

    def pieces_of(self, fmt: Format) -> Iterable[Piece]:
        """Return the pieces to show in a format."""
        if fmt is Format.OPENMETRICS_1_0_0:
            return (piece.with_exemplars or piece for piece in self.pieces)
        return self.pieces

    def text(self, fmt: Format = Format.TEXT_0_0_4) -> bytes:
        """Return all lines."""
        return b"".join([piece.text for piece in self.pieces_of(fmt)])


@dataclass(frozen=True, slots=True)
class _Rendered(Generic[V]):
    """A column as it was rendered last, with its pieces by the rows that they show."""

    column: Column[V]
    pieces: dict[tuple[int, int], Piece]

    def piece(self, column: Column[V], first: int, until: int) -> Piece | None:
        """Return the piece that shows these rows of `column`, None if there is none."""
        piece = self.pieces.get((first, until))
        rows, last = slice(first, until), self.column
        if piece is None or column.values[rows] != last.values[rows]:
            return None
        # Often they are the very same list, and looking at a hundred thousand labels takes its time.
        same_labels = column.labels is last.labels or column.labels[rows] == last.labels[rows]
        return piece if same_labels else None


class Renderer:
    """Renders one publisher's samples, poll after poll.

    Args:
        limit: samples of a family at most; the rest is cut.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._columns: dict[Family, _Rendered[float]] = {}
        self._histograms: dict[Family, _Rendered[HistogramValue]] = {}

    def render(self, samples: Samples) -> dict[Family, Segment]:
        """Render samples; what is equal to the last call's costs a comparison only."""
        columns, histograms = self._columns, self._histograms
        self._columns, self._histograms = {}, {}
        segments: dict[Family, Segment] = {}
        for family, column in samples.items():
            last = columns.get(family)
            if family.states:
                width, chunk, draw = len(family.states), _STATES_CHUNK, partial(_draw_states, family)
            else:
                width, chunk, draw = 1, _CHUNK, partial(_draw_values, family)
            rendered, segments[family] = self._render(column, last, width, chunk, draw)
            self._columns[family] = rendered
        for family, histogram in samples.histograms.items():
            width = len(histogram.values[0].counts) + 2 if histogram.values else 1
            rows, segments[family] = self._render(
                histogram, histograms.get(family), width, _CHUNK, partial(_draw_histograms, family)
            )
            self._histograms[family] = rows
        return segments

    def _render(
        self,
        column: Column[V],
        last: _Rendered[V] | None,
        width: int,
        chunk: int,
        draw: Callable[[Sequence[str], Sequence[V]], Piece],
    ) -> tuple[_Rendered[V], Segment]:
        """Render a column whose rows are `width` samples each, about `chunk` samples at a time."""
        end = min(len(column), self._limit // width)
        step = max(1, chunk // width)
        pieces: dict[tuple[int, int], Piece] = {}
        for first in range(0, end, step):
            until = min(first + step, end)
            piece = last.piece(column, first, until) if last is not None else None
            pieces[first, until] = piece or draw(column.labels[first:until], column.values[first:until])
        segment = Segment(tuple(pieces.values()), end * width, (len(column) - end) * width)
        return _Rendered(column, pieces), segment


@cache
def header(family: Family, fmt: Format) -> Piece:
    """Return the metadata lines above a family's samples."""
    if fmt is Format.OPENMETRICS_1_0_0:
        name = family.openmetrics_name
        unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
        return Piece.of(f"# HELP {name} {_escape_help(family.help)}\n# TYPE {name} {family.type}\n{unit}".encode())
    kind = MetricType.GAUGE if family.type is MetricType.INFO else family.type
    return Piece.of(f"# HELP {family.name} {_escape_help(family.help)}\n# TYPE {family.name} {kind}\n".encode())


def _draw_values(family: Family, labels: Sequence[str], values: Sequence[float]) -> Piece:
    name = family.name
    lines = [f"{name}{{{label}}} {text}\n" for label, text in zip(labels, _texts(values), strict=True)]
    return Piece.of("".join(lines).encode())


def _texts(values: Sequence[float]) -> list[str]:
    # The shortest text that reads back as the same number, as `repr` gives it, in a tenth of the time.
    return msgspec.json.encode(values)[1:-1].decode().split(",")


def _draw_states(family: Family, labels: Sequence[str], values: Sequence[float]) -> Piece:
    blocks = _state_blocks(family)
    lines = [blocks[int(value)].replace("\0", label) for label, value in zip(labels, values, strict=True)]
    return Piece.of("".join(lines).encode())


@cache
def _state_blocks(family: Family) -> tuple[str, ...]:
    """Return, for each state, the lines of an object that is in it; the object's labels are to replace U+0000."""
    return tuple(
        "".join(
            f'{family.name}{{\0,{family.labels[-1]}="{state}"}} {int(number == active)}\n'
            for number, state in enumerate(family.states)
        )
        for active in range(len(family.states))
    )


def _draw_histograms(family: Family, labels: Sequence[str], values: Sequence[HistogramValue]) -> Piece:
    lines: list[str] = []
    exemplified: list[str] = []
    for label, value in zip(labels, values, strict=True):
        total = 0
        for bucket, count in enumerate(value.counts):
            total += count
            bound = repr(float(value.bounds[bucket])) if bucket < len(value.bounds) else "+Inf"
            line = f'{family.name}_bucket{{{label},le="{bound}"}} {total}'
            lines.append(f"{line}\n")
            exemplar = value.exemplars.get(bucket)
            exemplified.append(f"{line} # {exemplar}\n" if exemplar else lines[-1])
        ends = [f"{family.name}_sum{{{label}}} {value.sum}\n", f"{family.name}_count{{{label}}} {total}\n"]
        lines += ends
        exemplified += ends
    return Piece.of("".join(lines).encode(), "".join(exemplified).encode())


def deflate(data: bytes) -> bytes:
    """Compress to raw DEFLATE data (RFC 1951) that further DEFLATE data may follow."""
    compressor = isal_zlib.compressobj(level=_LEVEL, wbits=-isal_zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)


def _escape_help(text: str) -> str:
    # Quotes need no escape in classic text and must not have one in it; no help of ours contains any.
    return text.replace("\\", "\\\\").replace("\n", "\\n")
