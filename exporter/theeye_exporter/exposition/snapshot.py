"""What a scrape serves: an immutable snapshot, swapped by one reference.

A collector publishes its segments; the store assembles a new snapshot from everybody's latest ones. Readers take the
current snapshot and never wait for a poll. Data that outlives its `valid_until` disappears at the next read, even if
no collector runs any more.
"""

import struct
import threading
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter.exposition.families import CATALOGUE
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Format, Segment, deflate, render_header

__all__ = ["Deflated", "Snapshot", "SnapshotStore", "gzip_member"]

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system


@dataclass(frozen=True, slots=True)
class Deflated:
    """A body as joinable DEFLATE data.

    Attributes:
        chunks: raw DEFLATE data, in order, without a final block.
        crc32: checksum of the uncompressed body.
        length: bytes of the uncompressed body.
    """

    chunks: tuple[bytes, ...]
    crc32: int
    length: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rendered families of all collectors at one moment.

    Attributes:
        families: each family that has segments, with these, in the catalogue's order.
        valid_until: monotonic time, in seconds, at which the first of the data becomes too old to be served.
        series: number of samples.
        size: bytes of the samples' lines.
        cut: samples left out because of the series limit, by family name.
    """

    families: tuple[tuple[Family, tuple[Segment, ...]], ...] = ()
    valid_until: float = float("inf")
    series: int = 0
    size: int = 0
    cut: Mapping[str, int] = field(default_factory=dict)
    _deflated: dict[Format, Deflated] = field(default_factory=dict, repr=False, compare=False)

    def identity(self, fmt: Format) -> tuple[bytes, ...]:
        """Return the uncompressed body in pieces; the samples' pieces are shared by all formats."""
        return tuple(
            chunk
            for family, segments in self.families
            for chunk in (render_header(family, fmt), *(segment.of(fmt).text for segment in segments))
        )

    def deflated(self, fmt: Format) -> Deflated:
        """Return the compressed body; joined from the segments' once per snapshot and format."""
        body = self._deflated.get(fmt)
        if body is None:
            crc32 = length = 0
            for chunk in self.identity(fmt):
                crc32 = zlib.crc32(chunk, crc32)
                length += len(chunk)
            chunks = tuple(
                chunk
                for family, segments in self.families
                for chunk in (deflate(render_header(family, fmt)), *(segment.of(fmt).deflated for segment in segments))
            )
            # Two readers may both come here; both build the same value.
            body = self._deflated[fmt] = Deflated(chunks=chunks, crc32=crc32, length=length)
        return body


def gzip_member(body: Deflated, tail: bytes) -> bytes:
    """Complete `body` to one gzip member (RFC 1952) with `tail` as its end, without compressing `body` again.

    One member, because some readers ignore what follows the first.
    """
    compressor = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return b"".join(
        (
            _GZIP_HEADER,
            *body.chunks,
            compressor.compress(tail),
            compressor.flush(zlib.Z_FINISH),
            struct.pack("<LL", zlib.crc32(tail, body.crc32), (body.length + len(tail)) & 0xFFFFFFFF),
        )
    )


class SnapshotStore:
    """Holds each owner's latest segments and the snapshot made of them. Safe for threads.

    An owner is whoever publishes, in our case an organisation's collector; `monotonic` is the clock of `valid_until`.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._published: dict[Hashable, tuple[Mapping[Family, Segment], float]] = {}
        self._snapshot = Snapshot()

    def publish(self, owner: Hashable, segments: Mapping[Family, Segment], valid_until: float) -> None:
        """Replace everything that `owner` published before; readers see all of it or nothing."""
        with self._lock:
            self._published[owner] = (segments, valid_until)
            self._assemble()

    def withdraw(self, owner: Hashable) -> None:
        """Take away what `owner` published, if anything."""
        with self._lock:
            if self._published.pop(owner, None) is not None:
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
        self._published = {owner: entry for owner, entry in self._published.items() if now < entry[1]}
        families = []
        cut: dict[str, int] = {}
        series = size = 0
        for family in CATALOGUE:
            segments = tuple(entry[0][family] for entry in self._published.values() if family in entry[0])
            if segments:
                families.append((family, segments))
                series += sum(segment.series for segment in segments)
                size += sum(len(segment.text) for segment in segments)
                if family_cut := sum(segment.cut for segment in segments):
                    cut[family.name] = family_cut
        self._snapshot = Snapshot(
            families=tuple(families),
            valid_until=min((entry[1] for entry in self._published.values()), default=float("inf")),
            series=series,
            size=size,
            cut=cut,
        )
