"""Workflows, and the names that their jobs get from them.

    theeye_workflow_info{organization="demo",workflow_id="6b…",workflow="ETL",tags="etl"} 1

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/workflows`.
"""

from typing import Final

from theeye_exporter.collectors.base import Collection, join_tags
from theeye_exporter.collectors.directory import Directory, Entry
from theeye_exporter.exposition.families import WORKFLOW_INFO
from theeye_exporter.exposition.labels import LabelCache
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import text

__all__ = ["WorkflowsCollector"]


class WorkflowsCollector:
    """Collects an organisation's workflows.

    Args:
        organization: its name, the first label of every series.
        directory: gets the names of each list.
        with_tags: whether `theeye_workflow_info` carries the tags.
    """

    name: Final = "workflows"

    def __init__(self, organization: str, directory: Directory, *, with_tags: bool = True) -> None:
        self._organization = organization
        self._directory = directory
        self._with_tags = with_tags
        self._labels = LabelCache(WORKFLOW_INFO.labels)

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - no workflow's value has an age
        """See `Collector`."""
        listing = self._directory.fetch(client.workflows, lambda workflow: Entry(labels=(text(workflow.name),)))
        samples = Samples()
        for workflow in listing.items:
            tags = join_tags(workflow.tags) if self._with_tags else ""
            labels = self._labels.get(self._organization, workflow.id, text(workflow.name), tags)
            samples[WORKFLOW_INFO].add(labels, 1)
        self._labels.prune()
        return Collection(samples, len(listing.items), listing.skipped)
