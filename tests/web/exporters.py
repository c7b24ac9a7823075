"""An exporter with samples of its own choosing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from starlette.applications import Starlette
from starlette.types import ASGIApp

from samples import render
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.monitors.families import MONITOR_ENABLED, MONITOR_INFO, MONITOR_RECOVERIES
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.render import Segment
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.polling.own_segment import OwnSegment
from theeye_exporter.polling.status import Attempt, CollectorStatus, StatusBoard
from theeye_exporter.polling.telemetry import PUBLISHED, Telemetry, WebFileState
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.app import create_app
from theeye_exporter.web.lifecycle import Reload

NOW = 1_795_412_345.0
"""2026-11-23 05:39:05 UTC."""

Serve = Callable[[ASGIApp], str]


class Listen(NamedTuple):
    """An address to listen on."""

    host: str
    port: int


def monitor_segments(value: float, monitors: int = 3, padding: int = 0) -> dict[Family, Segment]:
    """Render a few families in which every number is `value`, with labels that are longer by `padding`."""
    samples = Samples()
    for family in (MONITOR_INFO, MONITOR_ENABLED, MONITOR_RECOVERIES):
        for number in range(monitors):
            labels = (f'{label} {number} "ä\\{"x" * padding}' for label in family.labels)
            samples[family].add(format_labels(family.labels, labels), value)
    return render(samples)


@dataclass
class Exporter:
    """What the application shows, within reach of the test."""

    now: float = NOW
    store: SnapshotStore = field(init=False)
    board: StatusBoard = field(default_factory=StatusBoard)
    own: dict[str, OwnSegment] = field(default_factory=dict)
    telemetry: Telemetry = field(init=False)
    app: Starlette = field(init=False)
    telemetry_path: str = "/metrics"
    reload: Reload | None = None
    web_file: WebFileState | None = None
    stepped: float = 0.0
    stalled_for: float | None = None
    uncounted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.store = SnapshotStore(PUBLISHED, lambda: self.now)
        self.telemetry = Telemetry(self.store)
        self.telemetry.web_file = self.web_file
        self.app = create_app(
            store=self.store,
            telemetry=self.telemetry,
            board=self.board,
            telemetry_path=self.telemetry_path,
            clocks=Clocks(wall=lambda: self.now + self.stepped, monotonic=lambda: self.now),
            started=NOW - 3600,
            stalled_for=lambda: self.stalled_for,
            uncounted=lambda: self.uncounted,
            reload=self.reload,
        )

    @classmethod
    def ready(cls) -> Self:
        """Return one with samples and an organisation that is up."""
        exporter = cls()
        exporter.publish()
        exporter.register("demo", "monitors", "jobs")
        exporter.record("demo", "monitors")
        exporter.record("demo", "jobs")
        return exporter

    def register(self, organization: str, *collectors: str, url: str = "https://supervisor.theeye.io") -> None:
        self.board.register(
            url,
            [
                CollectorStatus(organization=organization, collector=collector, interval=30.0, max_age=150.0)
                for collector in collectors
            ],
        )
        self.own[organization] = OwnSegment(organization, self.store, self.board)
        self.own[organization].publish(None)

    def record(self, organization: str, collector: str, reason: Reason | None = None, error: str | None = None) -> None:
        self.board.record(
            Attempt(
                organization=organization,
                collector=collector,
                ended=self.now + self.stepped,
                moment=self.now,
                duration=0.25,
                objects=0 if reason else 1234,
                reason=reason,
                error=error,
            )
        )
        self.own[organization].publish(None)

    def publish(self, value: float = 1, monitors: int = 3, padding: int = 0) -> None:
        self.store.publish(Publisher("demo", "monitors"), monitor_segments(value, monitors, padding), self.now + 150)

    def publish_much(self) -> None:
        """Publish more than the buffers of a connection hold: some 20 MB."""
        self.publish(monitors=3_000, padding=400)
