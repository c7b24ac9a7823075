"""One organisation's parts: its client, its collectors and the runners of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

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
from theeye_exporter.config import (
    CollectorSettings,
    HistogramSettings,
    HistogramsSettings,
    LabelsSettings,
    LimitsSettings,
    OrganizationSettings,
    Settings,
)
from theeye_exporter.ledger.book import Book
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.logs import protect
from theeye_exporter.scheduler import Polling
from theeye_exporter.status import CollectorStatus
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.transport import TokenSource, Transport, TransportSettings, fixed_token, token_from_file

__all__ = ["Organization", "Plan"]

_GRACE: Final = 600.0
"""Seconds for which the counters of a deleted task stay, so that its last runs are scraped."""

_USER_AGENT: Final = f"theeye-exporter/{__version__}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All settings that an organisation's parts depend on: where two are equal, nothing has to be built anew."""

    organization: OrganizationSettings
    histograms: HistogramsSettings
    limits: LimitsSettings
    labels: LabelsSettings

    @classmethod
    def of(cls, settings: Settings) -> "dict[str, Plan]":
        """Return the plan of each organisation by its name."""
        shared = settings.histograms, settings.limits, settings.labels
        return {organization.name: cls(organization, *shared) for organization in settings.organizations}

    @property
    def keeps_ledger(self) -> bool:
        """Whether runs are counted."""
        return self.organization.collectors.jobs.enabled

    @property
    def bounds(self) -> Bounds:
        """Buckets of the histograms."""
        return Bounds(
            duration=_buckets(self.histograms.job_duration),
            turnaround=_buckets(self.histograms.job_turnaround),
            workflow_turnaround=_buckets(self.histograms.workflow_turnaround),
        )

    def open_book(self, storage: Storage | None) -> Book:
        """Return the organisation's ledger as the storage has it.

        Raises:
            LedgerError: it cannot be read.
        """
        return Book(self.organization.name, storage if self.keeps_ledger else None, self.bounds)


@final
class Organization:
    """What polls one organisation.

    With a former one, it knows what that one learnt; the former one is stopped, and what it is doing comes to nothing.

    Args:
        plan: its settings.
        sinks: where results go.
        clocks: what time it is.
        book: its ledger; None to go on with the former one's.
        storage: where the ledger is kept.
        former: the one that this one takes over from.
    """

    def __init__(  # noqa: PLR0913 - the one place where an organisation's parts meet
        self,
        plan: Plan,
        sinks: Sinks,
        clocks: Clocks,
        *,
        book: Book | None,
        storage: Storage | None,
        former: "Organization | None" = None,
    ) -> None:
        if former is not None:
            former.stop()
        self.plan = plan
        self.name = plan.organization.name
        self._clocks = clocks
        # Only after the former one was stopped: what it counted until then is taken over.
        self.book: Book = book or Book(self.name, storage, plan.bounds, former and former.book)
        self.client = TheEyeClient(self._transport(sinks), self.name)
        self.failures: FailureLog = FailureLog(self.name, clocks.monotonic) if former is None else former.failures
        self._make_collectors(former)
        same_place = former is not None and former.plan.organization.url == plan.organization.url
        formers: Mapping[str, CollectorRunner] = former.runners if former is not None and same_place else {}
        self.runners: dict[str, CollectorRunner] = {
            collector.name: CollectorRunner(
                collector,
                self.client,
                max_age=settings.max_age,
                max_series=plan.limits.max_series_per_family,
                sinks=sinks,
                failures=self.failures,
                clocks=clocks,
                former=formers.get(collector.name),
            )
            for collector, settings in self._enabled
        }

    @property
    def pollings(self) -> tuple[Polling, ...]:
        """What is to be done again and again; tasks and workflows come before jobs."""
        return tuple(
            Polling(f"{self.name}/{collector.name}", settings.interval, self.runners[collector.name].run)
            for collector, settings in self._enabled
        )

    @property
    def statuses(self) -> tuple[CollectorStatus, ...]:
        """The collectors for the status board."""
        return tuple(
            CollectorStatus(
                organization=self.name,
                collector=collector.name,
                interval=settings.interval,
                max_age=settings.max_age,
            )
            for collector, settings in self._enabled
        )

    def stop(self) -> None:
        """Let nothing come of what is under way, and no further request begin; nothing is waited for."""
        for runner in self.runners.values():
            runner.stop()
        self.book.close()
        self.client.close()

    def _transport(self, sinks: Sinks) -> Transport:
        organization = self.plan.organization
        return Transport(
            TransportSettings(
                url=organization.url,
                auth=organization.auth,
                timeout=organization.timeout,
                max_bytes=self.plan.limits.max_response_bytes,
                user_agent=_USER_AGENT,
            ),
            _token_source(organization),
            sinks.telemetry.observer(self.name),
        )

    def _make_collectors(self, former: "Organization | None") -> None:
        enabled, name, tags = self.plan.organization.collectors, self.name, self.plan.labels.tags
        policy = JobsPolicy(
            details_per_cycle=enabled.jobs.max_details_per_cycle,
            detail_concurrency=enabled.jobs.detail_concurrency,
            detail_seconds=self.plan.organization.timeout,
            full_list_interval=enabled.jobs.full_list_interval,
            grace=_GRACE,
            bounds=self.plan.bounds,
        )
        self.tasks: Directory = Directory(expected=enabled.tasks.enabled, former=former and former.tasks)
        self.workflows: Directory = Directory(expected=enabled.workflows.enabled, former=former and former.workflows)
        self.monitors: MonitorsCollector = MonitorsCollector(name, with_tags=tags, former=former and former.monitors)
        self.jobs: JobsCollector = JobsCollector(
            name,
            tasks=self.tasks,
            workflows=self.workflows,
            book=self.book,
            policy=policy,
            monotonic=self._clocks.monotonic,
            former=former and former.jobs,
        )
        every: list[tuple[Collector, CollectorSettings]] = [
            (self.monitors, enabled.monitors),
            (TasksCollector(name, self.tasks, with_tags=tags), enabled.tasks),
            (WorkflowsCollector(name, self.workflows, with_tags=tags), enabled.workflows),
            (self.jobs, enabled.jobs),
        ]
        self._enabled = [(collector, settings) for collector, settings in every if settings.enabled]


def _buckets(histogram: HistogramSettings) -> tuple[float, ...] | None:
    return histogram.buckets if histogram.enabled else None


def _token_source(organization: OrganizationSettings) -> TokenSource:
    if organization.token_file is not None:
        return _protected(token_from_file(organization.token_file))
    if organization.token is None:
        raise UpstreamError(Reason.TOKEN_UNREADABLE, f"organisation {organization.name} has no token")
    return _protected(fixed_token(organization.token.get_secret_value()))


def _protected(source: TokenSource) -> TokenSource:
    """Let no log line show any token that the source ever returns."""

    def read() -> str:
        token = source()
        protect(token)
        return token

    return read
