"""Expositions read back for tests, by the client library's own parsers."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from theeye_exporter.exposition.family import Family, MetricType
from theeye_exporter.exposition.render import Format, Renderer, Segment
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Snapshot, SnapshotStore
from theeye_exporter.polling.families import EXPORTER
from theeye_exporter.polling.telemetry import Telemetry

Labels = frozenset[tuple[str, str]]
Series = dict[tuple[str, Labels], float]
"""Values by name and labels."""


def labels(**values: str) -> Labels:
    """Return labels as `parse` does."""
    return frozenset(values.items())


def body(snapshot: Snapshot, fmt: Format) -> str:
    """Return a snapshot as a complete exposition."""
    end = "# EOF\n" if fmt is Format.OPENMETRICS_1_0_0 else ""
    return b"".join(snapshot.identity(fmt)).decode() + end


def parse(text: str, fmt: Format = Format.OPENMETRICS_1_0_0) -> Series:
    """Return the value of every sample by name and labels; fails on a series that comes twice."""
    parser = parse_openmetrics if fmt is Format.OPENMETRICS_1_0_0 else parse_text
    found: Series = {}
    for family in parser(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def shown(snapshot: Snapshot) -> Series:
    """Return what a snapshot says of TheEye."""
    theeye = snapshot.only(lambda _, collector: collector != EXPORTER)
    return parse(body(theeye, Format.OPENMETRICS_1_0_0))


def own(store: SnapshotStore, telemetry: Telemetry) -> Series:
    """Return what the exporter says of itself."""
    snapshot = store.current().only(lambda _, collector: collector == EXPORTER)
    text = b"".join((*snapshot.identity(Format.OPENMETRICS_1_0_0), telemetry.exposition(Format.OPENMETRICS_1_0_0)))
    return parse(text.decode())


def render(samples: Samples, limit: int = 10**6) -> dict[Family, Segment]:
    """Render samples for the first time."""
    return Renderer(limit).render(samples)


def lines(samples: Samples) -> list[str]:
    """Return samples, except histograms, as the lines of an exposition, sorted."""
    rendered = (segment for family, segment in render(samples).items() if family.type is not MetricType.HISTOGRAM)
    return sorted(line for segment in rendered for line in segment.text().decode().splitlines())
