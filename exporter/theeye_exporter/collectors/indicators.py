"""Indicators: values that scripts and people set in TheEye.

    theeye_indicator_info{organization="demo",indicator_id="6b…",indicator="Revenue",indicator_type="counter",…} 1
    theeye_indicator_value{organization="demo",indicator_id="6b…",indicator="Revenue"} 37.5

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/indicator`. Indicators of
types other than progress and counter show texts, pages, charts or files, which fit neither a metric nor a label.
"""

from typing import Final

from theeye_exporter.collectors.base import Checks, CollectorKind, Context, ListCollector
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.collectors.states import STATES, position_of
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.models import Indicator

__all__ = ["KIND", "IndicatorsCollector"]

INDICATOR_LABELS: Final = ("organization", "indicator_id", "indicator")

FAMILIES: Final = Families()

INDICATOR_INFO: Final = FAMILIES.info(
    "theeye_indicator_info",
    (*INDICATOR_LABELS, "indicator_type", "severity", "tags"),
    "Properties of an indicator, named by its title; indicator_type is empty for an indicator without a type.",
)
INDICATOR_VALUE: Final = FAMILIES.gauge(
    "theeye_indicator_value",
    INDICATOR_LABELS,
    "Value of an indicator of type progress or counter; absent for other types and for an indicator without a value.",
)
INDICATOR_STATE: Final = FAMILIES.states(
    "theeye_indicator_state",
    (*INDICATOR_LABELS, "state"),
    STATES,
    "State of an indicator at the last poll: 1 for its state, 0 for the others; "
    "unknown: any state other than normal, failure and updates_stopped.",
)
INDICATOR_ENABLED: Final = FAMILIES.gauge(
    "theeye_indicator_enabled", INDICATOR_LABELS, "Whether the indicator is enabled in TheEye (enable)."
)
INDICATOR_LAST_UPDATE: Final = FAMILIES.gauge(
    "theeye_indicator_last_update_timestamp_seconds",
    INDICATOR_LABELS,
    "Unix time of the last change of the indicator (last_update).",
    unit="seconds",
)

QUERIES: Final = (
    Query("How much each value changed in a day", "delta(theeye_indicator_value[1d])"),
    Query("Failing indicators", 'theeye_indicator_state{state="failure"} == 1'),
    Query(
        "The five indicators that have not changed for the longest time, in hours",
        "topk(5, (time() - theeye_indicator_last_update_timestamp_seconds) / 3600)",
    ),
)

_NUMERIC: Final = ("progress", "counter")


class IndicatorsCollector(ListCollector[Indicator]):
    """Collects an organisation's indicators."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        super().__init__(context, KIND.name, INDICATOR_LABELS, INDICATOR_INFO)

    def _list(self, client: TheEyeClient) -> Listing[Indicator]:
        return client.indicators()

    def _add(self, samples: Samples, item: Indicator, checks: Checks) -> None:
        described = text(item.type), text(item.severity), self._tags(item.tags)
        labels = self._add_info(samples, (item.id, text(item.title) or text(item.name)), *described)
        if item.type in _NUMERIC and (value := checks.number(item.value)) is not None:
            samples[INDICATOR_VALUE].add(labels, value)
        samples[INDICATOR_STATE].add(labels, position_of(item.state))
        if isinstance(item.enable, bool):
            samples[INDICATOR_ENABLED].add(labels, int(item.enable))
        if (updated := checks.timestamp(item.last_update)) is not None:
            samples[INDICATOR_LAST_UPDATE].add(labels, updated)


KIND: Final = CollectorKind(
    name="indicators",
    title="Indicators",
    families=FAMILIES,
    make=IndicatorsCollector,
    settings=CollectorSettings,
    interval=60.0,
    cardinality="8 for each indicator.",
    queries=QUERIES,
)
