"""Measures what it costs to publish beside many organisations."""

import time
from collections.abc import Sequence
from typing import Final

from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.polling.telemetry import PUBLISHED

__all__ = ["publishing"]

_FAMILIES: Final = 20
_PUBLISHES: Final = 1000


def publishing(count: int, size: int) -> float:
    """Return the CPU time of 1,000 publishes, in milliseconds.

    Args:
        count: number of organisations that publish.
        size: number of samples of each family.
    """
    store = SnapshotStore(PUBLISHED, time.monotonic)
    families = [family for family in PUBLISHED if family.type == "gauge" and not family.states][:_FAMILIES]
    publishers = [Publisher(f"o{number}", "monitors") for number in range(count)]
    renderers = [Renderer(10**6) for _ in publishers]

    def publish(number: int, value: float) -> None:
        publisher = publishers[number % count]
        segments = renderers[number % count].render(_samples(families, publisher, size, value))
        store.publish(publisher, segments, float("inf"))

    for number in range(count):
        publish(number, 0.0)
    store.current()
    began = time.process_time()
    for number in range(_PUBLISHES):
        publish(number, number + 1.0)
    return (time.process_time() - began) * 1e3


def _samples(families: Sequence[Family], publisher: Publisher, size: int, value: float) -> Samples:
    samples = Samples()
    for family in families:
        for number in range(size):
            samples[family].add(f'organization="{publisher.organization}",n="{number}"', value)
    return samples
