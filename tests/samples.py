"""Expositions read back for tests, by the client library's own parsers."""

from collections.abc import Iterable

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from theeye_exporter.exposition.render import Format, Samples, render_segment
from theeye_exporter.exposition.snapshot import Snapshot

Labels = frozenset[tuple[str, str]]


def labels(**values: str) -> Labels:
    """Return labels as `parse` does."""
    return frozenset(values.items())


def body(snapshot: Snapshot, fmt: Format) -> str:
    """Return a snapshot as a complete exposition."""
    end = "# EOF\n" if fmt is Format.OPENMETRICS_1_0_0 else ""
    return b"".join(snapshot.identity(fmt)).decode() + end


def parse(text: str, fmt: Format = Format.OPENMETRICS_1_0_0) -> dict[tuple[str, Labels], float]:
    """Return the value of every sample by name and labels; fails on a series that comes twice."""
    parser = parse_openmetrics if fmt is Format.OPENMETRICS_1_0_0 else parse_text
    found: dict[tuple[str, Labels], float] = {}
    for family in parser(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def lines(samples: Samples) -> list[str]:
    """Return samples as the lines of an exposition, sorted."""
    rendered: Iterable[bytes] = (render_segment(family, rows, limit=10**6).text for family, rows in samples.items())
    return sorted(line for text in rendered for line in text.decode().splitlines())
