"""The usual implementation: a custom collector of prometheus_client behind its own web server.

    python -m benchmarks.baseline PORT EXPOSITION

The collector has labels and values ready in memory, so that what is measured is prometheus_client and nothing else.
They are those of an exposition that the exporter served.
"""

import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

__all__ = ["PREFIXES", "main"]

PREFIXES = ("theeye_monitor_", "theeye_host_")
"""Families about TheEye's monitors; each side has its own metrics of its process besides."""

Rows = list[tuple[tuple[str, ...], float]]


class _Monitors(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families: list[tuple[str, str, str, tuple[str, ...], Rows]] = []
        for family in families:
            if family.name.startswith(PREFIXES):
                rows = [(tuple(sample.labels.values()), sample.value) for sample in family.samples]
                labels = tuple(family.samples[0].labels)
                self._families.append((family.name, family.documentation, family.type, labels, rows))

    def collect(self) -> Iterator[Metric]:
        for name, text, kind, labels, rows in self._families:
            metric: CounterMetricFamily | GaugeMetricFamily
            if kind == "counter":
                metric = CounterMetricFamily(name, text, labels=labels)
            else:
                metric = GaugeMetricFamily(name, text, labels=labels)
            for values, value in rows:
                metric.add_metric(values, value)
            yield metric

    def describe(self) -> list[Metric]:
        return []


def main(port: int, exposition: Path) -> None:
    """Serve until killed."""
    REGISTRY.register(_Monitors(text_string_to_metric_families(exposition.read_text())))
    start_http_server(port, "127.0.0.1")
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
