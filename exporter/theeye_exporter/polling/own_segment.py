"""The exporter's own metrics of an organisation: plain numbers, rendered and published when an attempt ends."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.polling import families
from theeye_exporter.polling.status import CollectorStatus, OrganizationStatus, StatusBoard

__all__ = ["OwnSegment"]

_NO_LIMIT: Final = 10**6
_OF_COLLECTORS: Final[Mapping[Family, Callable[[CollectorStatus], float | None]]] = {
    families.SUCCESS: lambda status: status.success,
    families.LAST_SUCCESS: lambda status: status.last_success,
    families.DURATION: lambda status: status.duration,
    families.INTERVAL: lambda status: status.interval,
    families.OBJECTS: lambda status: status.objects,
    families.FAILURES: lambda status: sum(status.failures_by_reason.values()),
}
_BY_REASON: Final[Mapping[Family, Callable[[CollectorStatus], Mapping[str, int]]]] = {
    families.FAILING: lambda status: {} if status.reason is None else {status.reason: 1},
    families.FAILURES_BY_REASON: lambda status: status.failures_by_reason,
    families.SKIPPED: lambda status: status.skipped_by_reason,
    families.DROPPED: lambda status: status.dropped_by_reason,
}


class OwnSegment:
    """Counts an organisation's requests, and publishes them with the state of its collectors. Safe for threads.

    The published metrics never expire; `withdraw` removes them when the organisation is removed.

    Args:
        organization: the organisation's name.
        store: where the metrics are published.
        board: status of the collectors.
    """

    def __init__(self, organization: str, store: SnapshotStore, board: StatusBoard) -> None:
        self._publisher = Publisher(organization, families.EXPORTER)
        self._store = store
        self._board = board
        self._renderer = Renderer(_NO_LIMIT)
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._received = 0
        self._labels_of = cache(lambda names, *values: format_labels(names, (organization, *values)))

    def count_request(self, endpoint: str, status: str, size: int) -> None:
        """Count a request, and the bytes of its response, by the route's template."""
        with self._lock:
            self._requests[endpoint, status] += 1
            self._received += size

    def publish(self, ledger: RunLedger | None) -> None:
        """Render and publish the current numbers; `ledger` is None if no runs are counted."""
        with self._lock:
            status = self._board.organization(self._publisher.organization)
            segments = self._renderer.render(self._samples(status, ledger))
            self._store.publish(self._publisher, segments, float("inf"))

    def withdraw(self) -> None:
        """Remove the metrics."""
        self._store.withdraw(self._publisher)

    def _samples(self, status: OrganizationStatus, ledger: RunLedger | None) -> Samples:
        samples = Samples()

        def add(family: Family, values: Iterable[str], value: float | None) -> None:
            if value is not None:
                samples[family].add(self._labels_of(family.labels, *values), +value)  # no bool any more

        add(families.UP, (), status.up)
        add(families.VISIBLE_OBJECTS, (), status.visible_objects)
        add(families.RECEIVED, (), self._received)
        if ledger is not None:
            add(families.LEDGER_HEALTHY, (), ledger.healthy)
            add(families.LEDGER_BACKLOG, (), ledger.backlog)
            add(families.LEDGER_KNOWN, (), ledger.known_jobs)
            for kind, count in ledger.damage._asdict().items():
                add(families.LEDGER_DAMAGE, (kind,), count or None)
        for route, count in self._requests.items():
            add(families.REQUESTS, route, count)
        for collector in status.collectors:
            for family, value_of in _OF_COLLECTORS.items():
                add(family, (collector.collector,), value_of(collector))
            for family, counts_of in _BY_REASON.items():
                for reason, count in counts_of(collector).items():
                    add(family, (collector.collector, reason), count)
        return samples
