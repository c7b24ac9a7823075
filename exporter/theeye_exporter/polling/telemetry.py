"""The metrics of the process, which end each exposition."""

import platform
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client import exposition as text_exposition
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from theeye_exporter import __version__
from theeye_exporter.collectors.registry import CATALOGUE
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.render import Format, Renderer, header
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.polling import families

__all__ = ["PUBLISHED", "Telemetry", "WebFileState", "query_name"]

PUBLISHED: Final = (*CATALOGUE, *families.ORGANIZATION_FAMILIES)
"""Every family that is published to the snapshot, in the order in which an exposition shows them."""

_BOUNDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_NO_LIMIT: Final = 10**6

_PROCESS_SECONDS: Final = 1.0
"""Seconds for which the process's metrics are shown without reading them again, which takes half of a scrape's CPU time."""


class WebFileState(Protocol):
    """Whether the web configuration in effect is the one on disk, and when the file was last read (Unix time)."""

    successful: bool
    last_success: float


class Telemetry:
    """The metrics that exist once per process. Safe for threads.

    Args:
        store: the store whose snapshot is described.
        monotonic: a clock, in seconds.

    Attributes:
        registry: prometheus_client's metrics of the process, of Python and of its garbage collection.
        web_file: the state of the web configuration file, None without one.
        reload_failed: whether the last attempt to load the configuration failed.
        file_problems: number of mistakes in organisation files; the last valid content, if any, of such a file is in effect.
        loaded_at: Unix time, in seconds, at which the configuration in effect was loaded.
    """

    def __init__(self, store: SnapshotStore, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.web_file: WebFileState | None = None
        self.reload_failed = False
        self.file_problems = 0
        self.loaded_at = 0.0
        self._complete_at: float | None = None
        self._store = store
        self._monotonic = monotonic
        self._renderer = Renderer(_NO_LIMIT)
        self._process: dict[Format, tuple[float, bytes]] = {}
        """The process's metrics by format, and when they were read."""
        self._shards: int | None = None
        self._lock = threading.Lock()
        self._rendering = 0.0
        self._requests: dict[str, HistogramValue] = {}
        self.names: frozenset[str] = frozenset(
            [family.name for family in families.PROCESS_FAMILIES] + [query_name(m) for m in self.registry.collect()]
        )
        """Every metric's name as queries write it; for histograms, without the suffixes of samples."""

    def loaded(self, *, at: float, shards: int | None = None, file_problems: int = 0) -> None:
        """Record that a configuration was loaded and is in effect.

        Args:
            at: Unix time, in seconds.
            shards: total number of shards; None in a process that has none.
            file_problems: number of mistakes in organisation files.
        """
        self.reload_failed, self.loaded_at, self._shards = False, at, shards
        self.file_problems = file_problems
        if not file_problems:
            self._complete_at = at

    def refused(self) -> None:
        """Record that a configuration could not be loaded."""
        self.reload_failed = True

    def rendered(self, seconds: float) -> None:
        """Record how long rendering took."""
        with self._lock:
            self._rendering += seconds

    def requested(self, endpoint: str, seconds: float) -> None:
        """Record how long a request took, by the route's template."""
        with self._lock:
            last = self._requests.get(endpoint, HistogramValue(_BOUNDS, [0] * (len(_BOUNDS) + 1), 0.0, {}))
            counts = list(last.counts)
            counts[bisect_left(_BOUNDS, seconds)] += 1
            self._requests[endpoint] = HistogramValue(_BOUNDS, counts, last.sum + seconds, {})

    def exposition(self, fmt: Format, wanted: Callable[[str], bool] | None = None) -> bytes:
        """Return the metrics for the end of a response (with OpenMetrics' end marker).

        Args:
            fmt: the format.
            wanted: returns whether to include a metric, given its name as queries write it; None to include all.
        """
        samples = self._samples()
        with self._lock:
            segments = self._renderer.render(samples)
        own = (
            header(family, fmt).text + segments[family].text(fmt)
            for family in families.PROCESS_FAMILIES
            if family in segments and (wanted is None or wanted(family.name))
        )
        of_process = self._of_process(fmt) if wanted is None else _generate(_Selected(self.registry, wanted), fmt)
        return b"".join([*own, of_process])

    def _of_process(self, fmt: Format) -> bytes:
        now = self._monotonic()
        read_at, text = self._process.get(fmt, (float("-inf"), b""))
        if now - read_at >= _PROCESS_SECONDS:
            text = _generate(self.registry, fmt)
            self._process[fmt] = now, text
        return text

    def _samples(self) -> Samples:
        snapshot = self._store.current()
        samples = Samples()

        def add(family: Family, value: float, *labels: str) -> None:
            samples[family].add(format_labels(family.labels, labels), +value)  # no bool any more

        add(families.BUILD_INFO, 1, __version__, platform.python_version())
        add(families.RELOAD_SUCCESSFUL, not self.reload_failed and not self.file_problems)
        if self._complete_at is not None:
            add(families.RELOAD_TIME, self._complete_at)
        if self._shards is not None:
            add(families.SHARDS, self._shards)
        add(families.SNAPSHOT_SERIES, snapshot.series)
        add(families.SNAPSHOT_BYTES, snapshot.size)
        for family, count in snapshot.cut.items():
            add(families.CUT_SERIES, count, family)
        if self.web_file is not None:
            add(families.WEB_FILE_SUCCESSFUL, self.web_file.successful)
            add(families.WEB_FILE_TIME, self.web_file.last_success)
        with self._lock:
            add(families.RENDERING, self._rendering)
            for endpoint, value in self._requests.items():
                samples.histograms[families.REQUEST_DURATION].add(
                    format_labels(families.REQUEST_DURATION.labels, [endpoint]), value
                )
        return samples


@dataclass(frozen=True, slots=True)
class _Selected(Collector):
    """A part of a registry."""

    registry: CollectorRegistry
    wanted: Callable[[str], bool]

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in self.registry.collect() if self.wanted(query_name(metric)))


def query_name(metric: Metric) -> str:
    """Return a metric's name as queries write it."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _generate(registry: Collector, fmt: Format) -> bytes:
    if fmt is Format.OPENMETRICS_1_0_0:
        return bytes(openmetrics_exposition.generate_latest(registry))  # type: ignore[no-untyped-call]
    return text_exposition.generate_latest(registry)
