"""The common parts of all dashboards."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from theeye_dashboards.alerts import annotations
from theeye_dashboards.banner import banner
from theeye_dashboards.variables import TAG, common_variables, page_links

__all__ = ["page"]

_REFRESHES: Final = ["10s", "30s", "1m", "5m", "15m"]


def page(
    title: str,
    uid: str,
    description: str,
    *,
    top: stat.Panel | None = None,
    objects: str = "theeye_up",
) -> dashboard.Dashboard:
    """Return a dashboard that has only a banner.

    Args:
        title: its title.
        uid: its id in addresses.
        description: what it is for.
        top: its banner; by default, the age of the exporter's data.
        objects: the metric whose organisations can be chosen.
    """
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG, "prometheus"])
        .editable()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("1m")
        .timepicker(dashboard.TimePicker().refresh_intervals(_REFRESHES))
        .links(page_links())
    )
    for annotation in annotations():
        built = built.annotation(annotation)
    return common_variables(built, objects).with_panel(top or banner())
