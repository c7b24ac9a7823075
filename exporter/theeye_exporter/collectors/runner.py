"""One attempt of a collector from the request to the snapshot, and what is recorded of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collection, Collector
from theeye_exporter.collectors.failure_log import FailureLog
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Renderer, Segment
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
        former: the runner that this one takes over from.
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
        former: "CollectorRunner | None" = None,
    ) -> None:
        self.collector = collector
        self.client = client
        self._max_age = max_age
        self._renderer = Renderer(max_series)
        self._sinks = sinks
        self._failures = failures
        self._clocks = clocks
        self._lock = threading.Lock()
        self._stopped = False
        self.not_before: float = 0.0 if former is None else former.not_before
        """Monotonic time, in seconds, until which TheEye asked to be left alone."""
        self.succeeded: bool = former is not None and former.succeeded
        """Whether there was a successful attempt."""
        sinks.telemetry.register(client.organization, collector.name)

    def run(self) -> None:
        """Make an attempt, unless TheEye asked to be left alone until later. Never raises."""
        started = self._clocks.monotonic()
        if self._stopped or started < self.not_before:
            return
        try:
            collection = self.collector.collect(self.client, self._clocks.wall())
            rendering = self._clocks.monotonic()
            segments = self._renderer.render(collection.samples)
            self._record_success(started, collection, segments, self._clocks.monotonic() - rendering)
        except UpstreamError as error:
            if error.retry_after is not None:
                self.not_before = self._clocks.monotonic() + error.retry_after
            self._record_failure(started, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001 - a bug in one collector must neither end it nor blank the others
            self._record_failure(started, Reason.INTERNAL, "the collector met an error of its own", bug=error)

    def stop(self) -> None:
        """Let no attempt that is under way publish or record anything any more."""
        with self._lock:
            self._stopped = True

    def _record_success(
        self, started: float, collection: Collection, segments: Mapping[Family, Segment], rendering: float
    ) -> None:
        publisher = organization, name = Publisher(self.client.organization, self.collector.name)
        with self._lock:
            if self._stopped:
                return
            self._sinks.store.publish(publisher, segments, self._clocks.monotonic() + self._max_age)
            self._sinks.telemetry.rendered(organization, name, rendering)
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
            if not self.succeeded and not collection.objects:
                _log.warning("collector found nothing", organization=organization, collector=name, advice=EMPTY_ADVICE)
            self.succeeded = True
            self._failures.succeeded(name)

    def _record_failure(self, started: float, reason: Reason, detail: str, *, bug: Exception | None = None) -> None:
        organization, name = self.client.organization, self.collector.name
        with self._lock:
            if self._stopped:
                return
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
            self._failures.failed(name, reason, detail, bug=bug)
