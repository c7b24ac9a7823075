"""Renders samples to the Prometheus text formats and OpenMetrics.

The formats differ in the lines above the samples, and in exemplars; all other lines are rendered once and shared.
Lines that are the same as in the publisher's last poll are not rendered again.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
"""Number of samples to render, compress and compare together: about 150 kB of text, a millisecond of work."""

_STATES_CHUNK: Final = 100
"""The same for states: one object rarely changes its state, but some object always does."""

_LEVEL: Final = 1
"""As small as zlib's level 3, at five times the speed of its level 1; higher levels gain very little."""

_SMALL: Final = 4096
"""For up to this many bytes, zlib with a small window is as fast and needs 32 KiB; ISA-L needs ten times as much.

Such a text is kept besides its compressed data.
"""

_SMALL_WINDOW: Final = 12
_SMALL_MEMORY: Final = 5

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
        deflated: the text as raw DEFLATE data. It ends on a byte boundary and without a final block, so that pieces can
            be joined without compressing them again.
        crc32: checksum of the text.
        length: bytes of the text.
        kept: the text, if it is small. A larger one takes ten times as much memory as its data, and few scrapes want it.
        with_exemplars: the piece with exemplars, which only OpenMetrics has; None if there are none.
    """

    deflated: bytes
    crc32: int
    length: int
    kept: bytes | None = None
    with_exemplars: "Piece | None" = None

    @classmethod
    def of(cls, text: bytes, exemplified: bytes | None = None) -> "Piece":
        """Compress `text`; `exemplified` is the same with exemplars."""
        other = None if exemplified is None or exemplified == text else cls.of(exemplified)
        kept = text if len(text) < _SMALL else None
        return cls(deflate(text), isal_zlib.crc32(text), len(text), kept, other)

    @property
    def text(self) -> bytes:
        """The lines, UTF-8."""
        if self.kept is not None:
            return self.kept
        return isal_zlib.decompressobj(wbits=-isal_zlib.MAX_WBITS).decompress(self.deflated)


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
    """A column as it was last rendered, with its pieces by the rows that they show."""

    column: Column[V]
    pieces: dict[tuple[int, int], Piece]
    segment: Segment

    def piece(self, column: Column[V], first: int, until: int) -> Piece | None:
        """Return the piece that shows these rows of `column`, None if there is none."""
        piece = self.pieces.get((first, until))
        rows, last = slice(first, until), self.column
        # If any value differs, the first one often does.
        if piece is None or column.values[first] != last.values[first] or column.values[rows] != last.values[rows]:
            return None
        # Often they are the same list object, and comparing a hundred thousand labels takes time.
        same_labels = column.labels is last.labels or column.labels[rows] == last.labels[rows]
        return piece if same_labels else None


class Renderer:
    """Renders one publisher's samples, poll after poll.

    Args:
        limit: maximum samples per family; the rest is cut.
        watch: called repeatedly with the bytes of text so far; an exception from it ends rendering.
    """

    def __init__(self, limit: int, watch: Callable[[int], None] = lambda _: None) -> None:
        self._limit = limit
        self._watch = watch
        self._size = 0
        self._columns: dict[Family, _Rendered[float]] = {}
        self._histograms: dict[Family, _Rendered[HistogramValue]] = {}

    def render(self, samples: Samples) -> dict[Family, Segment]:
        """Render samples; parts that equal those of the last call are only compared."""
        columns, histograms = self._columns, self._histograms
        self._columns, self._histograms = {}, {}
        self._size = 0
        alike: dict[int, dict[Family, Column[float]]] = {}
        for family, column in samples.items():
            last = columns.get(family)
            if last is not None and last.column is column:
                self._columns[family] = last
            elif family.states:
                self._columns |= self._render(
                    {family: column},
                    columns,
                    len(family.states),
                    _STATES_CHUNK,
                    lambda labels: partial(_draw_states, labels),
                )
            else:
                alike.setdefault(id(column.labels), {})[family] = column
        for group in alike.values():
            self._columns |= self._render(group, columns, 1, _CHUNK, lambda labels: _Lines(labels).draw)
        for family, histogram in samples.histograms.items():
            width = len(histogram.values[0].counts) + 2 if histogram.values else 1
            self._histograms |= self._render(
                {family: histogram}, histograms, width, _CHUNK, lambda labels: partial(_draw_histograms, labels)
            )
        segments = {family: rendered.segment for family, rendered in self._columns.items()}
        return segments | {family: rendered.segment for family, rendered in self._histograms.items()}

    def _render(
        self,
        columns: Mapping[Family, Column[V]],
        last: Mapping[Family, _Rendered[V]],
        width: int,
        chunk: int,
        drawing: Callable[[Sequence[str]], Callable[[Family, Sequence[V]], Piece]],
    ) -> dict[Family, _Rendered[V]]:
        """Render columns that have the same labels, some rows of all of them after the other.

        Args:
            columns: by family.
            last: the last rendered columns, of any families.
            width: samples of a row.
            chunk: approximate number of samples to render together.
            drawing: returns, for labels, a function that draws a family's values.
        """
        labels = next(iter(columns.values())).labels
        end = min(len(labels), self._limit // width)
        step = max(1, chunk // width)
        pieces: dict[Family, dict[tuple[int, int], Piece]] = {family: {} for family in columns}
        for first in range(0, end, step):
            until = min(first + step, end)
            draw = drawing(labels[first:until])
            for family, column in columns.items():
                piece = last[family].piece(column, first, until) if family in last else None
                piece = pieces[family][first, until] = piece or draw(family, column.values[first:until])
                self._size += piece.length
            self._watch(self._size)
        cut = (len(labels) - end) * width
        return {
            family: _Rendered(column, pieces[family], Segment(tuple(pieces[family].values()), end * width, cut))
            for family, column in columns.items()
        }


@cache
def header(family: Family, fmt: Format) -> Piece:
    """Return the metadata lines above a family's samples."""
    if fmt is Format.OPENMETRICS_1_0_0:
        name = family.openmetrics_name
        unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
        return Piece.of(f"# HELP {name} {_escape_help(family.help)}\n# TYPE {name} {family.type}\n{unit}".encode())
    kind = MetricType.GAUGE if family.type is MetricType.INFO else family.type
    return Piece.of(f"# HELP {family.name} {_escape_help(family.help)}\n# TYPE {family.name} {kind}\n".encode())


class _Lines:
    """Draws the lines of objects with these labels, family after family."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._values: Sequence[float] = ()
        self._ends: list[str] = []

    def draw(self, family: Family, values: Sequence[float]) -> Piece:
        """Return a family's lines."""
        # Two families often have the same values, such as timestamps from the same reports: only the name differs.
        if values != self._values:
            self._values = values
            texts = zip(self._labels, _texts(values), strict=True)
            unlabelled = self._labels == [""]
            self._ends = ["", *[f" {text}\n" if unlabelled else f"{{{label}}} {text}\n" for label, text in texts]]
        return Piece.of(family.name.join(self._ends).encode())


def _texts(values: Sequence[float]) -> list[str]:
    # The shortest text for the same number, like `repr`, in a tenth of the time.
    return msgspec.json.encode(values)[1:-1].decode().split(",")


def _draw_states(labels: Sequence[str], family: Family, values: Sequence[float]) -> Piece:
    blocks = _state_blocks(family)
    lines = [blocks[int(value)].replace("\0", label) for label, value in zip(labels, values, strict=True)]
    return Piece.of("".join(lines).encode())


@cache
def _state_blocks(family: Family) -> tuple[str, ...]:
    """Return, for each state, the lines of an object in this state; the object's labels have to replace U+0000."""
    return tuple(
        "".join(
            f'{family.name}{{\0,{family.labels[-1]}="{state}"}} {int(number == active)}\n'
            for number, state in enumerate(family.states)
        )
        for active in range(len(family.states))
    )


def _draw_histograms(labels: Sequence[str], family: Family, values: Sequence[HistogramValue]) -> Piece:
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
    if len(data) < _SMALL:
        small = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_SMALL_WINDOW, _SMALL_MEMORY)
        return small.compress(data) + small.flush(zlib.Z_SYNC_FLUSH)
    compressor = isal_zlib.compressobj(level=_LEVEL, wbits=-isal_zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)


def _escape_help(text: str) -> str:
    # Classic text must not escape quotes; none of our HELP texts contains any.
    return text.replace("\\", "\\\\").replace("\n", "\\n")
