"""What all dashboards have in common."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from theeye_dashboards.variables import TAG, common_variables, page_links

__all__ = ["page"]

_REFRESHES: Final = ["10s", "30s", "1m", "5m", "15m"]


def page(title: str, uid: str, description: str, *, hours: int = 6) -> dashboard.Dashboard:
    """Return a dashboard without panels."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG, "prometheus"])
        .editable()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(f"now-{hours}h", "now")
        .refresh("1m")
        .timepicker(dashboard.TimePicker().refresh_intervals(_REFRESHES))
        .links(page_links())
    )
    return common_variables(built)
