"""All dashboards, and their JSON."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from theeye_dashboards.actions import actions
from theeye_dashboards.alerts import ANNOTATED
from theeye_dashboards.canaries import canaries
from theeye_dashboards.exporter import exporter
from theeye_dashboards.hosts import hosts
from theeye_dashboards.indicators import indicators
from theeye_dashboards.jobs import jobs
from theeye_dashboards.overview import overview
from theeye_dashboards.task import task_page

__all__ = ["DASHBOARDS", "render"]

DASHBOARDS: Final[dict[str, Callable[[], dashboard.Dashboard]]] = {
    "overview.json": overview,
    "hosts.json": hosts,
    "jobs.json": jobs,
    "task.json": task_page,
    "indicators.json": indicators,
    "canaries.json": canaries,
    "actions.json": actions,
    "exporter.json": exporter,
}
"""By the name of the file."""


def render() -> dict[str, str]:
    """Return the JSON of every dashboard by the name of its file."""
    return {name: _render(make()) for name, make in DASHBOARDS.items()}


def _render(built: dashboard.Dashboard) -> str:
    document: dict[str, Any] = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
        # Grafana no longer has this form of a table's footer.
        panel.get("options", {}).pop("footer", None)
    for annotation in document["annotations"]["list"]:
        # Grafana's types do not have what its Prometheus data source reads.
        annotation |= {"titleFormat": annotation["name"], "textFormat": ANNOTATED, "tagKeys": "alertname"}
    for node in _nodes(document):
        # The library writes these for every variable; only those of intervals have them.
        for key in [key for key in node if key in {"auto", "auto_min", "auto_count"}]:
            del node[key]
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(child)
