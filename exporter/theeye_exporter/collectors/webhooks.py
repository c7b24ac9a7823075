"""Webhooks, and how often they were triggered.

    theeye_webhook_info{organization="demo",webhook_id="6b…",webhook="deploy"} 1
    theeye_webhook_triggers_total{organization="demo",webhook_id="6b…",webhook="deploy"} 42

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/webhook`,
which shows the webhooks' secrets.
"""

from typing import Final

from theeye_exporter.collectors.base import Checks, CollectorKind, Context, ListCollector
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.models import Webhook

__all__ = ["KIND", "WebhooksCollector"]

WEBHOOK_LABELS: Final = ("organization", "webhook_id", "webhook")

FAMILIES: Final = Families()

WEBHOOK_INFO: Final = FAMILIES.info("theeye_webhook_info", WEBHOOK_LABELS, "Name of a webhook.")
WEBHOOK_TRIGGERS: Final = FAMILIES.counter(
    "theeye_webhook_triggers_total",
    WEBHOOK_LABELS,
    "Triggers of the webhook, as counted by TheEye (trigger_count), also while the webhook is disabled.",
)
WEBHOOK_ENABLED: Final = FAMILIES.gauge(
    "theeye_webhook_enabled",
    WEBHOOK_LABELS,
    "Whether the webhook is enabled in TheEye (enable).",
)


QUERIES: Final = (
    Query("Triggers in a day", "increase(theeye_webhook_triggers_total[1d])"),
    Query("Webhooks that were never triggered", "theeye_webhook_triggers_total == 0"),
    Query("Disabled webhooks", "theeye_webhook_enabled == 0"),
)


class WebhooksCollector(ListCollector[Webhook]):
    """Collects an organisation's webhooks."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        super().__init__(context, KIND.name, WEBHOOK_LABELS, WEBHOOK_INFO)

    def _list(self, client: TheEyeClient) -> Listing[Webhook]:
        return client.webhooks()

    def _add(self, samples: Samples, item: Webhook, checks: Checks) -> None:
        labels = self._add_info(samples, (item.id, text(item.name)))
        if (triggers := checks.amount(item.trigger_count)) is not None:
            samples[WEBHOOK_TRIGGERS].add(labels, triggers)
        if isinstance(item.enable, bool):
            samples[WEBHOOK_ENABLED].add(labels, int(item.enable))


KIND: Final = CollectorKind(
    name="webhooks",
    title="Webhooks",
    families=FAMILIES,
    make=WebhooksCollector,
    settings=CollectorSettings,
    interval=60.0,
    cardinality="3 for each webhook.",
    filtered_by_access=False,
    queries=QUERIES,
)
