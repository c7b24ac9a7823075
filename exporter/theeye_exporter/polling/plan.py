"""The settings from which an organisation's parts are built."""

from dataclasses import dataclass
from typing import Any

from theeye_exporter.collectors.base import CollectorKind
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.config import (
    HistogramSettings,
    HistogramsSettings,
    LabelsSettings,
    LimitsSettings,
    OrganizationSettings,
    Settings,
)
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import Storage

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """All settings that an organisation's parts depend on; if two plans are equal, nothing has to be rebuilt."""

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
        return any(kind.keeps_ledger for kind, _ in self.collectors)

    @property
    def collectors(self) -> tuple[tuple[CollectorKind[Any], CollectorSettings], ...]:
        """The collectors to poll, in order, with their settings."""
        every = ((kind, getattr(self.organization.collectors, kind.name)) for kind in COLLECTORS)
        return tuple((kind, settings) for kind, settings in every if settings.enabled)

    @property
    def bounds(self) -> Bounds:
        """Bucket bounds of the histograms."""
        return Bounds(
            duration=_buckets(self.histograms.job_duration),
            turnaround=_buckets(self.histograms.job_turnaround),
            workflow_turnaround=_buckets(self.histograms.workflow_turnaround),
        )

    def open_ledger(self, storage: Storage | None) -> RunLedger:
        """Read the organisation's ledger from the storage.

        Raises:
            LedgerError: it cannot be read.
        """
        return RunLedger(self.organization.name, storage if self.keeps_ledger else None, self.bounds)


def _buckets(histogram: HistogramSettings) -> tuple[float, ...] | None:
    return histogram.buckets if histogram.enabled else None
