"""Runs one attempt of a collector, from the request to the snapshot, and records its result."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collection, Collector, CollectorKind, Memory
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Renderer, Segment
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.observability.failure_log import FailureLog
from theeye_exporter.polling.scheduler import interval_in_force
from theeye_exporter.polling.state import CollectorState
from theeye_exporter.polling.status import EMPTY_ADVICE, Attempt, StatusBoard
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import Room, lacking
from theeye_exporter.theeye.patience import interruptible

__all__ = ["CollectorRunner", "Sinks"]

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
        kind: the kind of objects.
        make: returns a new collector, which keeps only the memory.
        client: the organisation's client.
        interval: seconds from one attempt to the next.
        max_age: seconds for which samples are served after their attempt; longer while the interval in force is longer.
        max_series: series limit of each family.
        room: checks whether there is memory for the samples.
        sinks: where results go.
        state: what is kept from one attempt to the next; after `stop`, nothing is written to it.
        failures: logs failures, together with those of the organisation's other collectors.
        clocks: the clocks to use.
        ended: called when an attempt has ended and is recorded, unless the runner is stopped.
        memory: what the collector itself remembers; a copy is kept in the state when an attempt ends.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything meets
        self,
        kind: CollectorKind[Any],
        make: Callable[[], Collector],
        client: TheEyeClient,
        *,
        interval: float,
        max_age: float,
        max_series: int,
        room: Room,
        sinks: Sinks,
        state: CollectorState,
        failures: FailureLog,
        clocks: Clocks,
        ended: Callable[[], None],
        memory: Memory | None = None,
    ) -> None:
        self.kind = kind
        self._make = make
        self.client = client
        self._interval = interval
        self._max_age = max_age
        self._new_renderer = partial(Renderer, max_series, room.need_for_samples)
        self.collector, self._renderer = make(), self._new_renderer()
        self._sinks = sinks
        self._state = state
        self._failures = failures
        self._clocks = clocks
        self._ended = ended
        self._lock = threading.Lock()
        self._memory = memory
        self._served_until = float("-inf")
        self._unrepeated = 0.0
        self._stopped = False
        self._give_up = threading.Event()

    def run(self) -> bool:
        """Make an attempt, unless TheEye asked for a pause. Never raises.

        Returns:
            Whether TheEye seems to be absent: waiting for it was in vain.
        """
        self._unrepeated = 0.0
        started, responses = self._clocks.monotonic(), self.client.responses
        if self._stopped or started < self._state.not_before:
            return False
        self._give_up.clear()
        try:
            with interruptible(self._give_up):
                collection = self.collector.collect(self.client, self._clocks.wall())
            self._doubt(collection)
            self._unrepeated = collection.unrepeated
            rendering = self._clocks.monotonic()
            segments = self._renderer.render(collection.samples)
            self._record_success(started, collection, segments, self._clocks.monotonic() - rendering)
        except UpstreamError as error:
            self._record_failure(started, error.reason, error.detail, retry_after=error.retry_after)
            if error.timed_out and self.client.responses == responses:
                self._sinks.board.excuse(self.client.organization)
                return True
        except Exception as error:  # noqa: BLE001 - a bug in one collector must not stop any collector
            if (lack := lacking(error)) is not None:
                self._record_failure(started, Reason.OUT_OF_RESOURCES, lack)
            else:
                self._record_failure(started, Reason.INTERNAL, "internal error in the collector", bug=error)

        return False

    def unrepeated(self) -> float:
        """Return how many seconds of the last attempt were for lists that the next ones do not request again."""
        return self._unrepeated

    def give_up(self) -> None:
        """End a running attempt soon, as a failure."""
        self._give_up.set()

    def fail(self, error: UpstreamError) -> None:
        """Record an attempt that failed before it began."""
        self._record_failure(self._clocks.monotonic(), error.reason, error.detail)

    def _give_back(self) -> None:
        """Drop what only makes the next attempt cheaper: it could block the memory for other responses for ever."""
        self.collector, self._renderer = self._make(), self._new_renderer()

    def stop(self) -> None:
        """Keep a running attempt from publishing or recording anything."""
        with self._lock:
            self._stopped = True

    def _end(self) -> None:
        try:
            self._ended()
        except Exception:  # noqa: BLE001 - such as a lack of memory; the attempt is already recorded
            _log.exception(
                "internal error; the result of a poll may be missing in the metrics and on the status page",
                organization=self.client.organization,
            )

    def _doubt(self, collection: Collection) -> None:
        """Raise `UpstreamError` if the list cannot be trusted."""
        if self.kind.may_hide_errors_as_empty:
            with self._lock:
                if not self._stopped:
                    self._state.guard.check(collection.objects, collection.skipped)

    def _keep_memory(self) -> None:
        if self._memory is not None:
            self._state.memory = self._memory.copy()

    def _record_success(
        self, started: float, collection: Collection, segments: Mapping[Family, Segment], rendering: float
    ) -> None:
        publisher = organization, name = Publisher(self.client.organization, self.kind.name)
        with self._lock:
            if self._stopped:
                return
            self._keep_memory()
            if collection.names is not None:
                self._state.names.update(collection.names, collection.date)
            duration = self._clocks.monotonic() - started
            interval = interval_in_force(self._interval, duration - collection.unrepeated)
            max_age = self._max_age * interval / self._interval
            self._served_until = self._clocks.monotonic() + max_age
            self._sinks.store.publish(publisher, segments, self._served_until)
            self._sinks.telemetry.rendered(rendering)
            blind = self._sinks.board.record(
                Attempt(
                    organization=organization,
                    collector=name,
                    ended=self._clocks.wall(),
                    moment=self._clocks.monotonic(),
                    duration=duration,
                    interval=interval,
                    max_age=max_age,
                    objects=collection.objects,
                    complete=collection.complete,
                    skipped=collection.skipped,
                    dropped=collection.dropped,
                )
            )
            if blind:
                self._failures.blind(EMPTY_ADVICE)
            self._failures.succeeded(name)
            self._end()

    def _record_failure(
        self,
        started: float,
        reason: Reason,
        detail: str,
        *,
        retry_after: float | None = None,
        bug: Exception | None = None,
    ) -> None:
        organization, name = self.client.organization, self.kind.name
        with self._lock:
            if self._stopped:
                return
            self._keep_memory()
            self._state.names.fail()
            if reason is Reason.OUT_OF_RESOURCES and self._clocks.monotonic() >= self._served_until:
                self._give_back()
            if retry_after is not None:
                self._state.not_before = self._clocks.monotonic() + retry_after
            duration = self._clocks.monotonic() - started
            self._sinks.board.record(
                Attempt(
                    organization=organization,
                    collector=name,
                    ended=self._clocks.wall(),
                    moment=self._clocks.monotonic(),
                    duration=duration,
                    interval=interval_in_force(self._interval, duration),
                    reason=reason,
                    error=f"{detail}; {reason.advice}",
                )
            )
            self._failures.failed(name, reason, detail, bug=bug)
            self._end()
