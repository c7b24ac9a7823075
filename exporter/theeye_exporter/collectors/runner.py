"""One attempt of a collector from the request to the snapshot, and what is recorded of it."""

from dataclasses import dataclass
from typing import Final

import structlog

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collection, Collector
from theeye_exporter.collectors.failure_log import FailureLog
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.status import Attempt, StatusBoard
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["EMPTY_ADVICE", "CollectorRunner", "Sinks"]

EMPTY_ADVICE: Final = "a token below level admin sees only what is shared with its user; an integration token sees all"

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where the results of all collectors go."""

    store: SnapshotStore
    board: StatusBoard
    telemetry: Telemetry


class CollectorRunner:
    """Runs one collector of one organisation. Attempts must not overlap.

    Args:
        collector: the collector.
        client: the organisation's client.
        max_age: seconds for which samples are served after the attempt that brought them.
        max_series: series limit of each family.
        sinks: where results go.
        failures: tells failures, together with those of the organisation's other collectors.
        clocks: what time it is.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything meets
        self,
        collector: Collector,
        client: TheEyeClient,
        *,
        max_age: float,
        max_series: int,
        sinks: Sinks,
        failures: FailureLog,
        clocks: Clocks,
    ) -> None:
        self.collector = collector
        self.client = client
        self._max_age = max_age
        self._renderer = Renderer(max_series)
        self._sinks = sinks
        self._failures = failures
        self._clocks = clocks
        self._not_before = 0.0
        self._stopped = False
        self._succeeded = False
        self._log = _log.bind(organization=client.organization, collector=collector.name)
        sinks.telemetry.register(client.organization, collector.name)

    def run(self) -> None:
        """Make an attempt, unless TheEye asked to be left alone until later. Never raises."""
        started = self._clocks.monotonic()
        if started < self._not_before:
            return
        try:
            collection = self.collector.collect(self.client, self._clocks.wall())
            self._publish(collection)
        except UpstreamError as error:
            if error.retry_after is not None:
                self._not_before = self._clocks.monotonic() + error.retry_after
            self._record_failure(started, error.reason, error.detail)
        except Exception:  # noqa: BLE001 - a bug in one collector must neither end it nor blank the others
            self._log.error("collector met a bug", exc_info=True)
            self._record_failure(started, Reason.INTERNAL, "the collector met an error of its own")
        else:
            self._record_success(started, collection)

    def stop(self) -> None:
        """Take no more note of attempts: what ends now ends because the process does."""
        self._stopped = True

    def _publish(self, collection: Collection) -> None:
        publisher = Publisher(self.client.organization, self.collector.name)
        started = self._clocks.monotonic()
        segments = self._renderer.render(collection.samples)
        self._sinks.store.publish(publisher, segments, self._clocks.monotonic() + self._max_age)
        self._sinks.telemetry.rendered(*publisher, self._clocks.monotonic() - started)

    def _record_success(self, started: float, collection: Collection) -> None:
        organization, name = self.client.organization, self.collector.name
        self._sinks.telemetry.collected(organization, name, skipped=collection.skipped, dropped=collection.dropped)
        self._sinks.board.record(
            Attempt(
                organization=organization,
                collector=name,
                ended=self._clocks.wall(),
                duration=self._clocks.monotonic() - started,
                objects=collection.objects,
                skipped=collection.skipped.total(),
            )
        )
        if not self._succeeded and not collection.objects:
            self._log.warning("collector found nothing", advice=EMPTY_ADVICE)
        self._succeeded = True
        self._failures.succeeded(name)

    def _record_failure(self, started: float, reason: Reason, detail: str) -> None:
        if self._stopped:
            return
        organization, name = self.client.organization, self.collector.name
        self._sinks.telemetry.failed(organization, name, reason)
        self._sinks.board.record(
            Attempt(
                organization=organization,
                collector=name,
                ended=self._clocks.wall(),
                duration=self._clocks.monotonic() - started,
                reason=reason,
                error=f"{detail}; {reason.advice}",
            )
        )
        self._failures.failed(name, reason, detail)
