"""Workflows, and the names that their jobs get from them.

    theeye_workflow_info{organization="demo",workflow_id="6b…",workflow="ETL",tags="etl"} 1

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/workflows`.
"""

from collections.abc import Sequence
from typing import Final

from theeye_exporter.collectors import tasks
from theeye_exporter.collectors.base import Checks, CollectorKind, Context, ListCollector
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.models import Workflow

__all__ = ["KIND", "WORKFLOW_LABELS", "WorkflowsCollector"]

WORKFLOW_LABELS: Final = ("organization", "workflow_id", "workflow")

FAMILIES: Final = Families()

WORKFLOW_INFO: Final = FAMILIES.info("theeye_workflow_info", (*WORKFLOW_LABELS, "tags"), "Properties of a workflow.")


class WorkflowsCollector(ListCollector[Workflow]):
    """Collects an organisation's workflows."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        super().__init__(context, KIND.name, WORKFLOW_LABELS, WORKFLOW_INFO)

    def _list(self, client: TheEyeClient) -> Listing[Workflow]:
        return client.workflows()

    def _add(self, samples: Samples, item: Workflow, checks: Checks) -> None:  # noqa: ARG002 - nothing to check
        self._add_info(samples, (item.id, text(item.name)), self._tags(item.tags))

    def _names(self, items: Sequence[Workflow]) -> dict[str, Entry]:
        return {workflow.id: Entry(labels=(text(workflow.name),)) for workflow in items}


QUERIES: Final = (
    Query(
        "Runs of a day, by outcome",
        "sum by (organization, workflow, outcome) (increase(theeye_workflow_runs_total[1d])) > 0",
    ),
    Query("Hours since the last success", "(time() - theeye_workflow_last_success_timestamp_seconds) / 3600"),
    Query(
        "Turnaround that 95 of 100 runs do not exceed",
        "histogram_quantile(0.95, sum by (organization, workflow, le) (rate(theeye_workflow_turnaround_seconds_bucket[1d])))",
    ),
)

KIND: Final = CollectorKind(
    name="workflows",
    title="Workflows",
    families=FAMILIES,
    make=WorkflowsCollector,
    settings=CollectorSettings,
    interval=60.0,
    cardinality="1 for each workflow.",
    implies=(tasks.KIND,),
    queries=QUERIES,
)
