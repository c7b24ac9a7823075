"""The data that scrapes get: an immutable snapshot, replaced by a single assignment.

Collectors publish their segments. When a scrape arrives, the store assembles a snapshot from the latest segments.
Readers never wait for a poll. Data disappears at the first read after its `valid_until`, even if no collector runs any
more.
"""

import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Final, NamedTuple

from isal import isal_zlib

from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Format, Piece, Segment, header

__all__ = ["Encoded", "Publisher", "Snapshot", "SnapshotStore", "gzip_end"]

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system


_BLOCK: Final = 512 * 1024

_TOGETHER: Final = 32
"""Number of publishers whose segments of a family are joined together: a scrape joins only those that changed."""


class Publisher(NamedTuple):
    """The publisher of samples: an organisation's collector, by name."""

    organization: str
    collector: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """The beginning of a gzip member (RFC 1952).

    Attributes:
        data: its header and raw DEFLATE data without a final block, in blocks that a server can send unchanged.
        crc32: checksum of the uncompressed data.
        length: bytes of the uncompressed data.
    """

    data: tuple[bytes, ...]
    crc32: int
    length: int


class _Entries:
    """Segments of a family from some publishers; their pieces are joined once, when a scrape needs that."""

    __slots__ = ("_joined", "entries")

    def __init__(self, entries: Iterable[tuple[Publisher, Segment]]) -> None:
        self.entries = tuple(entries)
        self._joined: dict[Format, _Joined] = {}

    def pieces(self, fmt: Format) -> Iterator[Piece]:
        """Yield the pieces to show in a format."""
        for _, segment in self.entries:
            yield from segment.pieces_of(fmt)

    def joined(self, fmt: Format) -> "_Joined":
        """Return the pieces as one."""
        joined = self._joined.get(fmt)
        if joined is None:
            joined = self._joined[fmt] = _join((p.deflated, p.crc32, p.length) for p in self.pieces(fmt))
        return joined


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rendered families of all collectors at one moment.

    Attributes:
        families: each family with its segments, in the order of the catalogue.
        valid_until: monotonic time, in seconds, at which the first of the data becomes too old to be served.
        series: number of samples.
        size: bytes of the samples' lines.
        cut: samples left out because of the series limit, by family name.
    """

    families: tuple[tuple[Family, tuple[_Entries, ...]], ...] = ()
    valid_until: float = float("inf")
    series: int = 0
    size: int = 0
    cut: Mapping[str, int] = field(default_factory=dict)
    _encoded: dict[Format, Encoded] = field(default_factory=dict, repr=False, compare=False)

    def identity(self, fmt: Format) -> Iterator[bytes]:
        """Yield the uncompressed body in pieces; each exists only while it is used."""
        return (piece.text for piece in self._pieces(fmt))

    def length(self, fmt: Format) -> int:
        """Return the bytes of the uncompressed body."""
        return sum(piece.length for piece in self._pieces(fmt))

    def encoded(self, fmt: Format) -> Encoded:
        """Return the compressed body; joined once per snapshot and format."""
        encoded = self._encoded.get(fmt)
        if encoded is None:
            joined = _join(part for family, groups in self.families for part in _parts(family, groups, fmt))
            # Two readers can get here at the same time; both build the same value.
            data = _GZIP_HEADER + joined.deflated
            blocks = tuple(data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK))
            encoded = self._encoded[fmt] = Encoded(blocks, joined.crc32, joined.length)
        return encoded

    def only(self, wanted: Callable[[Family, str], bool]) -> "Snapshot":
        """Return the part that `wanted` selects; it gets a family and the name of a collector that publishes it."""
        families = (
            (
                family,
                _Entries(entry for group in groups for entry in group.entries if wanted(family, entry[0].collector)),
            )
            for family, groups in self.families
        )
        return Snapshot(tuple((family, (group,)) for family, group in families if group.entries))

    def _pieces(self, fmt: Format) -> Iterator[Piece]:
        for family, groups in self.families:
            yield header(family, fmt)
            for group in groups:
                yield from group.pieces(fmt)


class _Joined(NamedTuple):
    """Pieces, one after the other: compressed, with checksum and length of the text."""

    deflated: bytes
    crc32: int
    length: int


def _parts(family: Family, groups: Iterable[_Entries], fmt: Format) -> Iterator["_Joined"]:
    above = header(family, fmt)
    yield _Joined(above.deflated, above.crc32, above.length)
    for group in groups:
        yield group.joined(fmt)


def _join(parts: Iterable[tuple[bytes, int, int]]) -> _Joined:
    combine, crc32, total, data = isal_zlib.crc32_combine, 0, 0, []
    for deflated, checksum, length in parts:
        crc32 = combine(crc32, checksum, length)
        total += length
        data.append(deflated)
    return _Joined(b"".join(data), crc32, total)


def gzip_end(body: Encoded, tail: bytes) -> bytes:
    """Return the bytes that complete `body` to one gzip member that ends with `tail`.

    It is one member, because some readers ignore everything after the first.
    """
    compressor = isal_zlib.compressobj(level=1, wbits=-isal_zlib.MAX_WBITS)
    return b"".join(
        (
            compressor.compress(tail),
            compressor.flush(isal_zlib.Z_FINISH),
            struct.pack("<LL", isal_zlib.crc32(tail, body.crc32), (body.length + len(tail)) & 0xFFFFFFFF),
        )
    )


@dataclass(frozen=True, slots=True)
class _Publication:
    """The last publication of a publisher, with its totals for the snapshot."""

    segments: Mapping[Family, Segment]
    valid_until: float
    series: int
    size: int
    cut: Mapping[str, int]

    @classmethod
    def of(cls, segments: Mapping[Family, Segment], valid_until: float) -> "_Publication":
        series = sum(segment.series for segment in segments.values())
        size = sum(piece.length for segment in segments.values() for piece in segment.pieces)
        cut = {family.name: segment.cut for family, segment in segments.items() if segment.cut}
        return cls(segments, valid_until, series, size, cut)


class _Column:
    """The latest segments of a family."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._places: dict[Publisher, _Group] = {}

    def put(self, publisher: Publisher, segment: Segment) -> None:
        """Replace a publisher's segment."""
        group = self._places.get(publisher)
        if group is None:
            if not self._groups or len(self._groups[-1].segments) >= _TOGETHER:
                self._groups.append(_Group())
            group = self._places[publisher] = self._groups[-1]
        group.segments[publisher] = segment
        group.entries = None

    def remove(self, publisher: Publisher) -> None:
        """Remove a publisher's segment."""
        group = self._places.pop(publisher)
        del group.segments[publisher]
        group.entries = None
        if not group.segments:
            self._groups.remove(group)

    def shown(self) -> tuple[_Entries, ...]:
        """Return all segments; only groups that changed are new objects."""
        for group in self._groups:
            if group.entries is None:
                group.entries = _Entries(group.segments.items())
        return tuple(group.entries for group in self._groups if group.entries is not None)


class _Group:
    """Segments that are joined together; `entries` is None since they changed."""

    __slots__ = ("entries", "segments")

    def __init__(self) -> None:
        self.segments: dict[Publisher, Segment] = {}
        self.entries: _Entries | None = None


class SnapshotStore:
    """Holds the latest segments of all publishers, and the snapshot made of them. Safe for threads.

    Publishing takes time only for the new segments; the snapshot is assembled when it is requested.

    Args:
        catalogue: every family that can be published, in the order of a snapshot.
        monotonic: the clock of `valid_until`.
    """

    def __init__(self, catalogue: Sequence[Family], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._publications: dict[Publisher, _Publication] = {}
        self._columns = {family: _Column() for family in catalogue}
        self._series = self._size = 0
        self._cut: Counter[str] = Counter()
        self._snapshot: Snapshot | None = Snapshot()
        """None if something was published or withdrawn since the last snapshot."""

    def publish(self, publisher: Publisher, segments: Mapping[Family, Segment], valid_until: float) -> None:
        """Replace everything that `publisher` published before; readers see all of it or nothing.

        Raises:
            ValueError: a family is not in the catalogue.
        """
        if strange := [family for family in segments if family not in self._columns]:
            raise ValueError(f"not in the catalogue: {', '.join(sorted(family.name for family in strange))}")
        publication = _Publication.of(segments, valid_until)
        with self._lock:
            former = self._publications.get(publisher)
            for family in former.segments.keys() - segments.keys() if former is not None else ():
                self._columns[family].remove(publisher)
            for family, segment in segments.items():
                if former is None or not _alike(former.segments.get(family), segment):
                    self._columns[family].put(publisher, segment)
            self._count(former, publication)
            self._publications[publisher] = publication
            self._snapshot = None

    def withdraw(self, publisher: Publisher) -> None:
        """Remove everything that `publisher` published, if anything."""
        with self._lock:
            self._withdraw(publisher)

    def current(self) -> Snapshot:
        """Return the snapshot to serve now."""
        snapshot = self._snapshot
        if snapshot is not None and self._monotonic() < snapshot.valid_until:
            return snapshot
        with self._lock:
            self._snapshot = snapshot = self._assemble()
            return snapshot

    def _withdraw(self, publisher: Publisher) -> None:
        publication = self._publications.pop(publisher, None)
        if publication is not None:
            for family in publication.segments:
                self._columns[family].remove(publisher)
            self._count(publication, None)
            self._snapshot = None

    def _count(self, former: _Publication | None, latter: _Publication | None) -> None:
        for sign, publication in ((-1, former), (1, latter)):
            if publication is not None:
                self._series += sign * publication.series
                self._size += sign * publication.size
                for name, cut in publication.cut.items():
                    self._cut[name] += sign * cut

    def _assemble(self) -> Snapshot:
        now = self._monotonic()
        for publisher in [name for name, published in self._publications.items() if published.valid_until <= now]:
            self._withdraw(publisher)
        shown = ((family, column.shown()) for family, column in self._columns.items())
        return Snapshot(
            families=tuple((family, groups) for family, groups in shown if groups),
            valid_until=min((published.valid_until for published in self._publications.values()), default=float("inf")),
            series=self._series,
            size=self._size,
            cut=+self._cut,
        )


def _alike(former: Segment | None, latter: Segment) -> bool:
    """Whether a segment consists of the same pieces as the former one."""
    return (
        former is not None and len(former.pieces) == len(latter.pieces) and all(map(is_, former.pieces, latter.pieces))
    )
