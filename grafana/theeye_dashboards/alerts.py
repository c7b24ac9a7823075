"""Alerts about TheEye that fire: as a table, and as annotations of graphs.

Prometheus stores alerts as series if it evaluates the rules. They have the labels of the rules, and not always an
organisation: the exporter's own alerts have none.
"""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, table

from theeye_dashboards.panels import Panel, Query
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import HOST, ORGANIZATION, Column, rows, words
from theeye_dashboards.variables import DATA_SOURCE, link_to

__all__ = ["ANNOTATED", "alert_table", "annotations"]

ANNOTATED: Final = "{{alertname}} {{organization}} {{action}} {{hostname}} {{instance}}"
"""The text of an annotation, with labels of its series."""

_OURS: Final = 'alertname=~"TheEye.+", severity!="none", organization=~"$organization|"'
_FIRING: Final = f'ALERTS{{{_OURS}, alertstate="firing"}}'
_LISTED: Final = 50
_COLOURS: Final = {"critical": "red", "warning": "orange", "info": "blue"}


def alert_table() -> table.Panel:
    """Return the firing alerts, one line for each alert and host."""
    labels = "alertname, severity, organization, hostname"
    since = f"max by ({labels}) (time() - ALERTS_FOR_STATE{{{_OURS}}} and ignoring (alertstate) {_FIRING})"
    return rows(
        Panel(
            title="Alerts",
            description=f"Firing alerts, one line for each alert and host, those that fire for the longest time first; up to {_LISTED} of "
            "each severity. Alertmanager may have muted some of them. The table is empty if Prometheus does not evaluate the rules.",
            queries=[Query(f"topk by (severity) ({_LISTED}, {since})")],
            width=12,
            height=6,
            empty="No alert fires, or there is no data: Prometheus may not evaluate the rules",
            link=(link_to("theeye-exporter"), "Exporter"),
        ),
        [
            Column(name="severity", title="Severity", width=84, words=words(_COLOURS)),
            Column(name="alertname", title="Alert"),
            HOST,
            ORGANIZATION,
            Column(name="Value", title="For", unit="s", width=100),
        ],
        sort=[("For", True)],
    )


def annotations() -> list[dashboard.AnnotationQuery]:
    """Return what graphs mark: critical alerts, starts of the exporter, and runs that alerts started."""
    started = f"changes({Scope.target('process_start_time_seconds')}[$__rate_interval]) > 0"
    # Actions are scraped from a process of their own, which the variables of most pages do not choose.
    acted = (
        'increase(theeye_action_decisions_total{decision="started", organization=~"$organization"}[$__rate_interval])'
    )
    known = f"and on (job, instance) {Scope.target('theeye_exporter_build_info')}"
    return [
        _annotation(
            "Critical alerts",
            "red",
            f'max by (alertname, organization, hostname) ({_FIRING[:-1]}, severity="critical"}})',
        ),
        _annotation("Starts of the exporter", "blue", f"{started} {known}"),
        _annotation("Runs that alerts started", "purple", f"sum by (organization, action) ({acted}) > 0"),
    ]


def _annotation(name: str, colour: str, expression: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery().name(name).datasource(DATA_SOURCE).enable(True).icon_color(colour).expr(expression)
    )
