"""The exporter's own metrics, kept and rendered by prometheus_client."""

import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, disable_created_metrics
from prometheus_client import exposition as text_exposition
from prometheus_client.core import Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from theeye_exporter import __version__
from theeye_exporter.exposition.render import Format
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.ledger.book import Book
from theeye_exporter.status import StatusBoard
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.theeye.transport import Observer
from theeye_exporter.views import LedgerView, SnapshotView, StatusView

__all__ = ["Telemetry"]

SKIPPED_REASONS: Final = ("malformed", "duplicate", "other_organization")
DROPPED_REASONS: Final = ("null", "stale", "impossible", "duplicate", "without_result")

_FRESH_SECONDS: Final = 1.0
_NAMES_SECONDS: Final = 60.0

_PER_COLLECTOR: Final = ("organization", "collector")


class Telemetry:
    """Counts what the exporter does.

    Args:
        board: where `theeye_up` and the collectors' gauges are read at each scrape.
        store: likewise the snapshot's size.
    """

    def __init__(self, board: StatusBoard, store: SnapshotStore) -> None:
        # Creation times would add a series to each of our counters and tell nothing that a restart does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        self._board = board
        self._store = store
        self._rendered: dict[Format, _Rendered] = {}
        self._loads = 0
        self._names: tuple[str, ...] = ()
        self._names_until = 0.0
        self._failures = Counter(
            "theeye_collector_failures",
            "Failed attempts of a collector, by reason.",
            (*_PER_COLLECTOR, "reason"),
            registry=self.registry,
        )
        self._skipped = Counter(
            "theeye_collector_skipped_objects",
            "Objects of TheEye's lists that were left out, by reason; one that stays is counted at every poll.",
            (*_PER_COLLECTOR, "reason"),
            registry=self.registry,
        )
        self._dropped = Counter(
            "theeye_collector_dropped_values",
            "Values that gave no sample, by reason: null, stale (the monitor is silent or disabled), impossible, "
            "duplicate (a device named twice), or without_result (a finished run whose run time is not to be had); "
            "one that stays is counted at every poll.",
            (*_PER_COLLECTOR, "reason"),
            registry=self.registry,
        )
        self._requests = Counter(
            "theeye_api_requests",
            "Requests to TheEye, by route and HTTP status, or by the failure's reason where no answer was complete.",
            ("organization", "endpoint", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "theeye_api_request_duration_seconds",
            "Time from sending a request to TheEye to the last byte of the answer.",
            ("organization", "endpoint"),
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            unit="seconds",
            registry=self.registry,
        )
        self._received = Counter(
            "theeye_api_received_bytes",
            "Bytes of TheEye's complete answers, after decompression.",
            ("organization", "endpoint"),
            unit="bytes",
            registry=self.registry,
        )
        self._render_seconds = Summary(
            "theeye_exporter_render_duration_seconds",
            "Time to render and compress a collector's samples.",
            _PER_COLLECTOR,
            unit="seconds",
            registry=self.registry,
        )
        Gauge(
            "theeye_exporter_build_info",
            "The running exporter; always 1.",
            ("version", "python_version"),
            registry=self.registry,
        ).labels(__version__, platform.python_version()).set(1)
        self._reload_successful = Gauge(
            "theeye_exporter_config_last_reload_successful",
            "Whether the last attempt to load the configuration succeeded.",
            registry=self.registry,
        )
        self._reload_time = Gauge(
            "theeye_exporter_config_last_reload_success_timestamp_seconds",
            "Unix time at which the configuration was last loaded successfully.",
            unit="seconds",
            registry=self.registry,
        )
        self._shards = Gauge(
            "theeye_exporter_shards",
            "Processes among which the organisations are split (shard.count); 1 if this one has them all.",
            registry=self.registry,
        )
        self._lock = threading.Lock()
        self._rendering = threading.Lock()
        self._organizations: set[str] = set()
        self.registry.register(SnapshotView(store))
        self.registry.register(StatusView(board))
        self._ledgers = LedgerView()
        self.registry.register(self._ledgers)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def observer(self, organization: str) -> Observer:
        """Return the observer for an organisation's transport."""

        def observe(endpoint: str, status: str, seconds: float, size: int) -> None:
            with self._lock:
                if organization not in self._organizations:
                    return  # a request that ended after its organisation was forgotten
                self._requests.labels(organization, endpoint, status).inc()
                self._request_seconds.labels(organization, endpoint).observe(seconds)
                self._received.labels(organization, endpoint).inc(size)

        with self._lock:
            self._organizations.add(organization)
        return observe

    def register(self, organization: str, collector: str) -> None:
        """Let a collector's counters start at 0, so that their first increase is seen."""
        for reason in Reason:
            self._failures.labels(organization, collector, reason)
        for skipped in SKIPPED_REASONS:
            self._skipped.labels(organization, collector, skipped)
        for dropped in DROPPED_REASONS:
            self._dropped.labels(organization, collector, dropped)

    def watch(self, organization: str, book: Book) -> None:
        """Show the state of an organisation's ledger."""
        self._ledgers.books = self._ledgers.books | {organization: book}

    def unwatch(self, organization: str) -> None:
        """Show no ledger of an organisation any more."""
        self._ledgers.books = {name: book for name, book in self._ledgers.books.items() if name != organization}

    def forget(self, organization: str, collector: str | None = None) -> None:
        """Take away the series of a collector that runs no more, or everything of an organisation."""
        labels = {"organization": organization}
        if collector is None:
            self.unwatch(organization)
            with self._lock:
                self._organizations.discard(organization)
                for per_route in (self._requests, self._request_seconds, self._received):
                    per_route.remove_by_labels(labels)
        else:
            labels["collector"] = collector
        for metric in (self._failures, self._skipped, self._dropped, self._render_seconds):
            metric.remove_by_labels(labels)

    def loaded(self, *, shards: int, at: float) -> None:
        """Take note that a configuration was loaded and is in effect.

        Args:
            shards: processes among which the organisations are split.
            at: Unix time, in seconds.
        """
        self._reload_successful.set(1)
        self._reload_time.set(at)
        self._shards.set(shards)
        self._loads += 1

    def refused(self) -> None:
        """Take note that a configuration could not be loaded."""
        self._reload_successful.set(0)
        self._loads += 1

    def failed(self, organization: str, collector: str, reason: Reason) -> None:
        """Count a failed attempt."""
        self._failures.labels(organization, collector, reason).inc()

    def collected(
        self, organization: str, collector: str, *, skipped: Mapping[str, int], dropped: Mapping[str, int]
    ) -> None:
        """Count what a successful attempt left out."""
        for reason, count in skipped.items():
            self._skipped.labels(organization, collector, reason).inc(count)
        for reason, count in dropped.items():
            self._dropped.labels(organization, collector, reason).inc(count)

    def rendered(self, organization: str, collector: str, seconds: float) -> None:
        """Take note of the time that rendering took."""
        self._render_seconds.labels(organization, collector).observe(seconds)

    def exposition(self, fmt: Format, wanted: Callable[[str], bool] | None = None) -> bytes:
        """Return the metrics as the end of a response (OpenMetrics has its end marker here).

        Rendering them takes longer than everything else of a scrape, so what was rendered within the last second
        serves again unless an attempt ended or the configuration was loaded since.

        Args:
            fmt: the format.
            wanted: says of a metric's name, as queries have it, whether it is to be among them; all if None.
        """
        if wanted is not None:
            selected = frozenset(filter(wanted, self.names))
            if not selected:
                return _generate(CollectorRegistry(), fmt)
            if len(selected) < len(self.names):
                return _generate(_Selected(self.registry, selected), fmt)
        with self._rendering:  # once for all who ask at the same time
            state = (self._store.current().version, self._board.version, self._loads)
            rendered = self._rendered.get(fmt)
            if rendered is None or rendered.state != state or time.monotonic() - rendered.at >= _FRESH_SECONDS:
                text = _generate(self.registry, fmt)
                rendered = self._rendered[fmt] = _Rendered(text, state, time.monotonic())
            return rendered.text

    @property
    def organizations(self) -> int:
        """The number of organisations that have metrics here."""
        return len(self._organizations)

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric's name, as queries have it; of histograms and summaries without the samples' endings.

        To find them takes half as long as to render everything, so that they are those of the last minute.
        """
        now = time.monotonic()
        if now >= self._names_until:
            self._names_until = now + _NAMES_SECONDS
            self._names = tuple(_query_name(metric) for metric in self.registry.collect())
        return self._names


@dataclass(frozen=True, slots=True)
class _Rendered:
    text: bytes
    state: tuple[int, int, int]
    at: float


@dataclass(frozen=True, slots=True)
class _Selected(Collector):
    """A part of a registry."""

    registry: CollectorRegistry
    wanted: frozenset[str]

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in self.registry.collect() if _query_name(metric) in self.wanted)


def _query_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _generate(registry: Collector, fmt: Format) -> bytes:
    if fmt is Format.OPENMETRICS_1_0_0:
        return bytes(openmetrics_exposition.generate_latest(registry))  # type: ignore[no-untyped-call]
    return text_exposition.generate_latest(registry)
