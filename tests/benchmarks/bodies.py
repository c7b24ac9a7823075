"""Bodies of scrapes, and their samples."""

import re
from typing import Final

from benchmarks.baseline import PREFIXES
from benchmarks.load import Scraper

__all__ = ["body_of", "count", "samples"]

_LABEL: Final = re.compile(rb'\w+="(?:[^"\\]|\\.)*"')


def body_of(url: str, encoding: str) -> bytes:
    """Scrape once and return the body as received: compressed if the encoding is gzip."""
    body = bytearray()
    with Scraper(url, compressed=encoding == "gzip") as scraper:
        scraper.scrape(body.extend)
    return bytes(body)


def count(exposition: bytes) -> int:
    """Return how many samples there are."""
    return sum(1 for line in exposition.splitlines() if not line.startswith(b"#"))


def samples(exposition: bytes) -> dict[tuple[bytes, ...], float]:
    """Return the samples about monitors; the order of labels and the format of values do not matter."""
    prefixes = tuple(prefix.encode() for prefix in PREFIXES)
    lines = (line.rpartition(b" ") for line in exposition.splitlines() if line.startswith(prefixes))
    return {(series.partition(b"{")[0], *sorted(_LABEL.findall(series))): float(value) for series, _, value in lines}
