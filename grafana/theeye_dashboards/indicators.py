"""Indicators and webhooks: values that scripts and people set in TheEye, and what other systems trigger."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.host_tables import STATES
from theeye_dashboards.page import page
from theeye_dashboards.panels import Panel, Query, timeseries
from theeye_dashboards.queries import TARGET, Scope, either
from theeye_dashboards.tables import ORGANIZATION, SEVERITY, Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["indicators"]

_SCOPE: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_INDICATOR: Final = f"{TARGET}, organization, indicator_id"
_LABELS: Final = "organization, indicator, indicator_id"
_WEBHOOK: Final = "organization, webhook, webhook_id"
_DRAWN: Final = 20
_LISTED: Final = 100
_STATES: Final = ("normal", "failure", "updates_stopped", "unknown")
_ENABLED: Final = {"0": ("no", "#8e8e8e"), "1": ("yes", "text")}


def indicators() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Indicators",
        "theeye-indicators",
        "Values and states of indicators over time, and triggers of webhooks.",
    )
    built = built.with_panel(_values("progress", "percent")).with_panel(_values("counter", "short"))
    built = built.with_panel(_table()).with_row(dashboard.Row("Webhooks"))
    return built.with_panel(_triggers()).with_panel(_webhooks())


def _values(kind: str, unit: str) -> timeseries_builders.Panel:
    value = _SCOPE("theeye_indicator_value")
    of_kind = f"and on ({_INDICATOR}) " + _SCOPE("theeye_indicator_info", f'indicator_type="{kind}"')
    average = f"abs(avg_over_time({value}[$__range:5m] @ end()))"
    chosen = f"topk({_DRAWN}, max by ({_LABELS}) ({average} {of_kind}))"
    return timeseries(
        Panel(
            title=f"Values of type {kind}",
            description=f"Up to {_DRAWN} indicators, those with the largest averages.",
            queries=[Query(f"max by ({_LABELS}) ({value} {of_kind}) and on ({_LABELS}) {chosen}", "{{indicator}}")],
            width=12,
            height=10,
            unit=unit,
            empty=f"No indicator of type {kind} has a value",
            link=_OVERVIEW,
        )
    )


def _table() -> table.Panel:
    in_state = (_SCOPE("theeye_indicator_state", f'state="{state}"') for state in _STATES)
    states = either(*(f"{code} * ({one} == 1)" for code, one in enumerate(in_state)))
    info = f"on ({_INDICATOR}) group_left (indicator_type, severity) {_SCOPE('theeye_indicator_info')}"
    listed = f"topk({_LISTED}, max by ({_LABELS}, indicator_type, severity) ({states} * {info}))"
    return rows(
        Panel(
            title="Indicators",
            description=f"Up to {_LISTED} indicators, those in trouble first. Only types progress and counter have numbers.",
            queries=[
                Query(listed),
                *(
                    Query(f"max by ({_LABELS}) ({expression}) and on ({_LABELS}) {listed}")
                    for expression in (
                        _SCOPE("theeye_indicator_value"),
                        _SCOPE.age("theeye_indicator_last_update_timestamp_seconds"),
                        _SCOPE("theeye_indicator_enabled"),
                    )
                ),
            ],
            width=24,
            height=9,
            empty="No indicators",
            needs="indicators",
            link=_OVERVIEW,
        ),
        [
            Column(name="indicator", title="Indicator"),
            Column(name="indicator_type", title="Type", width=90),
            SEVERITY,
            Column(name="Value #A", title="State", width=90, words=STATES),
            Column(name="Value #B", title="Value", width=120),
            Column(name="Value #C", title="Since the last change", unit="s", width=150),
            Column(name="Value #D", title="Enabled", width=80, words=_ENABLED),
            ORGANIZATION,
            Column(name="indicator_id"),
        ],
        sort=[("State", True), ("Indicator", False)],
    )


def _triggers() -> timeseries_builders.Panel:
    triggers = _SCOPE("theeye_webhook_triggers_total")
    chosen = f"topk({_DRAWN}, sum by ({_WEBHOOK}) (increase({triggers}[$__range] @ end())))"
    return timeseries(
        Panel(
            title="Triggers",
            description=f"Triggers of the {_DRAWN} webhooks with the most in this time range, as counted by TheEye.",
            queries=[
                Query(
                    f"sum by ({_WEBHOOK}) (increase({triggers}[$__rate_interval])) and on ({_WEBHOOK}) {chosen}",
                    "{{webhook}}",
                )
            ],
            width=12,
            height=8,
            empty="No webhooks",
            link=_OVERVIEW,
        )
    )


def _webhooks() -> table.Panel:
    triggers = _SCOPE("theeye_webhook_triggers_total")
    most = f"topk({_LISTED}, round(sum by ({_WEBHOOK}) (increase({triggers}[$__range]))))"
    return rows(
        Panel(
            title="Webhooks",
            description=f"Up to {_LISTED} webhooks, those with the most triggers in this time range. "
            "TheEye also counts triggers of disabled webhooks.",
            queries=[
                Query(most),
                Query(f"max by ({_WEBHOOK}) ({_SCOPE('theeye_webhook_enabled')}) and on ({_WEBHOOK}) {most}"),
            ],
            width=12,
            height=8,
            empty="No webhooks",
            needs="webhooks",
            link=_OVERVIEW,
        ),
        [
            Column(name="webhook", title="Webhook"),
            Column(name="Value #A", title="Triggers", decimals=0, width=100),
            Column(name="Value #B", title="Enabled", width=80, words=_ENABLED),
            ORGANIZATION,
            Column(name="webhook_id"),
        ],
        sort=[("Triggers", True)],
    )
