"""Builds the exporter out of its parts, for whoever runs it: the server, `check` or a test."""

from dataclasses import dataclass, field
from typing import Final

from theeye_exporter import __version__
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collector
from theeye_exporter.collectors.directory import Directory
from theeye_exporter.collectors.failure_log import FailureLog
from theeye_exporter.collectors.jobs import JobsCollector, JobsPolicy
from theeye_exporter.collectors.monitors import MonitorsCollector
from theeye_exporter.collectors.runner import CollectorRunner, Sinks
from theeye_exporter.collectors.tasks import TasksCollector
from theeye_exporter.collectors.workflows import WorkflowsCollector
from theeye_exporter.config import CollectorSettings, HistogramSettings, OrganizationSettings, Settings
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.ledger.book import Book
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.scheduler import Polling, Scheduler
from theeye_exporter.status import CollectorStatus, StatusBoard
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.transport import (
    TokenSource,
    Transport,
    TransportSettings,
    fixed_token,
    token_from_file,
)

__all__ = ["Exporter"]

_GRACE: Final = 600.0
"""Seconds for which the counters of a deleted task stay, so that its last runs are scraped."""

_USER_AGENT: Final = f"theeye-exporter/{__version__}"


@dataclass(slots=True)
class _Organization:
    settings: OrganizationSettings
    client: TheEyeClient
    runners: list[tuple[CollectorRunner, CollectorSettings]] = field(default_factory=list)


class Exporter:
    """Everything between TheEye and the snapshot that a scrape serves.

    Args:
        settings: the configuration.
        clocks: what time it is.

    Raises:
        LedgerError: the state file cannot be used.
    """

    def __init__(self, settings: Settings, clocks: Clocks | None = None) -> None:
        self.settings = settings
        self.clocks = clocks or Clocks()
        self.store = SnapshotStore(self.clocks.monotonic)
        self.board = StatusBoard()
        self.telemetry = Telemetry(self.board, self.store)
        self._storage = Storage(settings.state.file) if settings.state.file is not None else None
        self._organizations = [self._build(organization) for organization in settings.organizations]
        self._scheduler: Scheduler | None = None

    @property
    def runners(self) -> tuple[CollectorRunner, ...]:
        """Every organisation's collectors; an organisation's tasks and workflows come before its jobs."""
        return tuple(runner for organization in self._organizations for runner, _ in organization.runners)

    def start(self) -> None:
        """Begin to poll in the background."""
        pollings = [
            Polling(f"{organization.settings.name}/{runner.collector.name}", collector.interval, runner.run)
            for organization in self._organizations
            for runner, collector in organization.runners
        ]
        self._scheduler = Scheduler(pollings, self.clocks)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop polling; a poll under way is not waited for."""
        if self._scheduler is not None:
            self._scheduler.stop()
        for runner in self.runners:
            runner.stop()
        for organization in self._organizations:
            organization.client.close()
        if self._storage is not None:
            self._storage.close()

    def _build(self, organization: OrganizationSettings) -> _Organization:
        transport = Transport(
            TransportSettings(
                url=organization.url,
                auth=organization.auth,
                timeout=organization.timeout,
                max_bytes=self.settings.limits.max_response_bytes,
                user_agent=_USER_AGENT,
            ),
            _token_source(organization),
            self.telemetry.observer(organization.name),
        )
        built = _Organization(organization, TheEyeClient(transport, organization.name))
        chosen = self._collectors(organization)
        self.board.register(
            organization.url,
            [
                CollectorStatus(
                    organization=organization.name,
                    collector=collector.name,
                    interval=settings.interval,
                    max_age=settings.max_age,
                )
                for collector, settings in chosen
            ],
        )
        failures = FailureLog(organization.name)
        for collector, settings in chosen:
            runner = CollectorRunner(
                collector,
                built.client,
                max_age=settings.max_age,
                max_series=self.settings.limits.max_series_per_family,
                sinks=Sinks(self.store, self.board, self.telemetry),
                failures=failures,
                clocks=self.clocks,
            )
            built.runners.append((runner, settings))
        return built

    def _collectors(self, organization: OrganizationSettings) -> list[tuple[Collector, CollectorSettings]]:
        enabled = organization.collectors
        name, tags = organization.name, self.settings.labels.tags
        histograms = self.settings.histograms
        policy = JobsPolicy(
            details_per_cycle=enabled.jobs.max_details_per_cycle,
            detail_concurrency=enabled.jobs.detail_concurrency,
            detail_seconds=organization.timeout,
            full_list_interval=enabled.jobs.full_list_interval,
            grace=_GRACE,
            bounds=Bounds(
                duration=_buckets(histograms.job_duration),
                turnaround=_buckets(histograms.job_turnaround),
                workflow_turnaround=_buckets(histograms.workflow_turnaround),
            ),
        )
        tasks = Directory(expected=enabled.tasks.enabled)
        workflows = Directory(expected=enabled.workflows.enabled)
        book = Book(name, self._storage if enabled.jobs.enabled else None, policy.bounds)
        if enabled.jobs.enabled:
            self.telemetry.watch(name, book)
        jobs = JobsCollector(
            name, tasks=tasks, workflows=workflows, book=book, policy=policy, monotonic=self.clocks.monotonic
        )
        every: list[tuple[Collector, CollectorSettings]] = [
            (MonitorsCollector(name, with_tags=tags), enabled.monitors),
            (TasksCollector(name, tasks, with_tags=tags), enabled.tasks),
            (WorkflowsCollector(name, workflows, with_tags=tags), enabled.workflows),
            (jobs, enabled.jobs),
        ]
        return [(collector, settings) for collector, settings in every if settings.enabled]


def _buckets(histogram: HistogramSettings) -> tuple[float, ...] | None:
    return histogram.buckets if histogram.enabled else None


def _token_source(organization: OrganizationSettings) -> TokenSource:
    if organization.token_file is not None:
        return token_from_file(organization.token_file)
    if organization.token is None:
        raise UpstreamError(Reason.TOKEN_UNREADABLE, f"organisation {organization.name} has no token")
    return fixed_token(organization.token.get_secret_value())
