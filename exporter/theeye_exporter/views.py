"""Own metrics that are read where their values are when they are asked for."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.ledger.book import Book
from theeye_exporter.status import CollectorStatus, StatusBoard

__all__ = ["LedgerView", "SnapshotView", "StatusView"]

_PER_COLLECTOR: Final = ("organization", "collector")


class LedgerView(Collector):
    """The state of every organisation's ledger."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now."""
        healthy = GaugeMetricFamily(
            "theeye_ledger_healthy",
            "Whether what the last poll of jobs brought could be written to the ledger.",
            labels=("organization",),
        )
        backlog = GaugeMetricFamily(
            "theeye_ledger_backlog_jobs",
            "Jobs that still have to be looked at in full, most of them for their run time.",
            labels=("organization",),
        )
        known = GaugeMetricFamily(
            "theeye_ledger_known_jobs",
            "Jobs that the ledger remembers, because TheEye has or may have them.",
            labels=("organization",),
        )
        for organization, book in self.books.items():
            healthy.add_metric((organization,), book.healthy)
            backlog.add_metric((organization,), book.backlog)
            known.add_metric((organization,), book.known_jobs)
        yield from (healthy, backlog, known)


class SnapshotView(Collector):
    """What the current snapshot holds."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now."""
        snapshot = self._store.current()
        yield GaugeMetricFamily(
            "theeye_exporter_snapshot_series", "Samples of TheEye's objects in a response.", snapshot.series
        )
        yield GaugeMetricFamily(
            "theeye_exporter_snapshot_bytes",
            "Size of the samples of TheEye's objects, uncompressed.",
            snapshot.size,
            unit="bytes",
        )
        cut = GaugeMetricFamily(
            "theeye_exporter_cut_series",
            "Samples left out because their family reached the limit (limits.max_series_per_family).",
            labels=("family",),
        )
        for family, count in snapshot.cut.items():
            cut.add_metric((family,), count)
        yield cut


class StatusView(Collector):
    """What the status board says."""

    def __init__(self, board: StatusBoard) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now."""
        organizations = self._board.organizations
        up = GaugeMetricFamily(
            "theeye_up",
            "Whether TheEye answers and accepts the organisation's token, as of the last attempts.",
            labels=("organization",),
        )
        for organization in organizations:
            if organization.up is not None:
                up.add_metric((organization.name,), organization.up)
        yield up
        statuses = [status for organization in organizations for status in organization.collectors]
        yield _gauge(
            "success",
            "Whether the collector's last attempt succeeded.",
            ((status, status.success) for status in statuses),
        )
        yield _gauge(
            "last_success_timestamp",
            "Unix time of the collector's last successful attempt; its data is as old as that.",
            ((status, status.last_success) for status in statuses),
            unit="seconds",
        )
        yield _gauge(
            "duration",
            "Time that the collector's last attempt took.",
            ((status, status.duration) for status in statuses),
            unit="seconds",
        )
        yield _gauge(
            "objects",
            "Objects that the collector's last successful attempt delivered; for jobs those that changed or are open.",
            ((status, status.objects) for status in statuses),
        )


def _gauge(
    name: str, text: str, values: Iterable[tuple[CollectorStatus, float | None]], *, unit: str = ""
) -> GaugeMetricFamily:
    suffix = f"_{unit}" if unit else ""
    family = GaugeMetricFamily(f"theeye_collector_{name}{suffix}", text, labels=_PER_COLLECTOR, unit=unit)
    for status, value in values:
        if value is not None:
            family.add_metric((status.organization, status.collector), value)
    return family
