"""What a scrape serves: an immutable snapshot, swapped by one reference.

A collector publishes its segments; the store assembles a new snapshot from everybody's latest ones. Readers take the
current snapshot and never wait for a poll. Data that outlives its `valid_until` disappears at the next read, even if
no collector runs any more.
"""

import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from isal import isal_zlib

from theeye_exporter.exposition.families import CATALOGUE
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Format, Piece, Segment, header

__all__ = ["Encoded", "Publisher", "Snapshot", "SnapshotStore", "gzip_end"]

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system


_BLOCK: Final = 512 * 1024


class Publisher(NamedTuple):
    """Who publishes samples: an organisation's collector, by its name."""

    organization: str
    collector: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """The beginning of a gzip member (RFC 1952).

    Attributes:
        data: its header and raw DEFLATE data without a final block, in blocks that a server can send as they are.
        crc32: checksum of the uncompressed data.
        length: bytes of the uncompressed data.
    """

    data: tuple[bytes, ...]
    crc32: int
    length: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rendered families of all collectors at one moment.

    Attributes:
        families: each family that has segments, with these and who published them, in the catalogue's order.
        valid_until: monotonic time, in seconds, at which the first of the data becomes too old to be served.
        series: number of samples.
        size: bytes of the samples' lines.
        cut: samples left out because of the series limit, by family name.
        version: grows with each snapshot of a store.
    """

    families: tuple[tuple[Family, tuple[tuple[Publisher, Segment], ...]], ...] = ()
    valid_until: float = float("inf")
    series: int = 0
    size: int = 0
    cut: Mapping[str, int] = field(default_factory=dict)
    version: int = 0
    _encoded: dict[Format, Encoded] = field(default_factory=dict, repr=False, compare=False)

    def identity(self, fmt: Format) -> tuple[bytes, ...]:
        """Return the uncompressed body in pieces; the samples' pieces are shared by all formats."""
        return tuple(piece.text for piece in self._pieces(fmt))

    def encoded(self, fmt: Format) -> Encoded:
        """Return the compressed body; joined once per snapshot and format."""
        encoded = self._encoded.get(fmt)
        if encoded is None:
            crc32 = length = 0
            data = [_GZIP_HEADER]
            for piece in self._pieces(fmt):
                crc32 = isal_zlib.crc32_combine(crc32, piece.crc32, len(piece.text))
                length += len(piece.text)
                data.append(piece.deflated)
            # Two readers may both come here; both build the same value.
            joined = b"".join(data)
            blocks = tuple(joined[start : start + _BLOCK] for start in range(0, len(joined), _BLOCK))
            encoded = self._encoded[fmt] = Encoded(blocks, crc32, length)
        return encoded

    def only(self, wanted: Callable[[Family, str], bool]) -> "Snapshot":
        """Return the part of which `wanted` says so, asked with a family and the name of a collector that has it."""
        families = (
            (family, tuple(entry for entry in entries if wanted(family, entry[0].collector)))
            for family, entries in self.families
        )
        return Snapshot(tuple((family, entries) for family, entries in families if entries))

    def _pieces(self, fmt: Format) -> Iterator[Piece]:
        for family, entries in self.families:
            yield header(family, fmt)
            for _, segment in entries:
                yield from segment.pieces_of(fmt)


def gzip_end(body: Encoded, tail: bytes) -> bytes:
    """Return what completes `body` to one gzip member that ends with `tail`.

    One member, because some readers ignore what follows the first.
    """
    compressor = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return b"".join(
        (
            compressor.compress(tail),
            compressor.flush(zlib.Z_FINISH),
            struct.pack("<LL", zlib.crc32(tail, body.crc32), (body.length + len(tail)) & 0xFFFFFFFF),
        )
    )


class SnapshotStore:
    """Holds everybody's latest segments and the snapshot made of them. Safe for threads.

    `monotonic` is the clock of `valid_until`.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._published: dict[Publisher, tuple[Mapping[Family, Segment], float]] = {}
        self._snapshot = Snapshot()

    def publish(self, publisher: Publisher, segments: Mapping[Family, Segment], valid_until: float) -> None:
        """Replace everything that `publisher` published before; readers see all of it or nothing."""
        with self._lock:
            self._published[publisher] = (segments, valid_until)
            self._assemble()

    def withdraw(self, publisher: Publisher) -> None:
        """Take away what `publisher` published, if anything."""
        with self._lock:
            if self._published.pop(publisher, None) is not None:
                self._assemble()

    def current(self) -> Snapshot:
        """Return the snapshot to serve now."""
        snapshot = self._snapshot
        if self._monotonic() < snapshot.valid_until:
            return snapshot
        with self._lock:
            self._assemble()
            return self._snapshot

    def _assemble(self) -> None:
        now = self._monotonic()
        self._published = {publisher: entry for publisher, entry in self._published.items() if now < entry[1]}
        families = []
        cut: dict[str, int] = {}
        series = size = 0
        for family in CATALOGUE:
            entries = tuple(
                (publisher, segments[family])
                for publisher, (segments, _) in self._published.items()
                if family in segments
            )
            if entries:
                families.append((family, entries))
                series += sum(segment.series for _, segment in entries)
                size += sum(len(piece.text) for _, segment in entries for piece in segment.pieces)
                if family_cut := sum(segment.cut for _, segment in entries):
                    cut[family.name] = family_cut
        self._snapshot = Snapshot(
            families=tuple(families),
            valid_until=min((entry[1] for entry in self._published.values()), default=float("inf")),
            series=series,
            size=size,
            cut=cut,
            version=self._snapshot.version + 1,
        )
