"""The banner of each page: how old its data is."""

from typing import Final

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.common import BigValueTextMode

from theeye_dashboards.panels import GREEN, Panel, Query, mapping, number
from theeye_dashboards.queries import Scope
from theeye_dashboards.variables import link_to

__all__ = ["banner"]

_BY: Final = "organization, collector"
_CURRENT: Final = "All data is current. The oldest:"
_SHOWN: Final = 3


def banner() -> stat.Panel:
    """Return a panel that is green while all data is current, and says otherwise what is old and how old it is."""
    scope = Scope()
    up = scope("theeye_up")
    succeeded = scope("theeye_collector_last_success_timestamp_seconds")
    age = f"min by ({_BY}) (time() - {succeeded})"
    late = f"{age} > 3 * max by ({_BY}) ({scope('theeye_collector_interval_seconds')})"
    never = f"0 * max by ({_BY}) ({scope('theeye_collector_success')} unless on ({_BY}) {succeeded}) - 1"
    last_seen = f"max(max_over_time(timestamp({up})[$__range:1m]))"
    return number(
        Panel(
            title="Age of the data",
            description="Age of the oldest data: the longest time since a collector's last successful poll. If a collector has "
            "missed two polls, the banner is red and names it: other panels show its old data for a while, and then none.",
            queries=[
                Query(f"topk({_SHOWN}, {late})", "{{organization}}: {{collector}} is late. Its data:"),
                Query(f"topk({_SHOWN}, {never})", "{{organization}}: {{collector}} has no data:"),
                Query(f"clamp_min(max({age}), 0) unless on () ({late} or {never})", _CURRENT),
                Query(
                    f"(time() - {last_seen}) and on () absent({up})",
                    "No data. Time since the last scrape of the exporter:",
                ),
            ],
            width=24,
            height=3,
            unit="s",
            decimals=0,
            empty="No data: no exporter was scraped in this time range",
            link=(link_to("theeye-exporter"), "Exporter"),
            steps=((None, "red"),),
            overrides={_CURRENT: GREEN},
        ),
        words=mapping({"-1": ("never polled successfully", "red")}),
        text=BigValueTextMode.VALUE_AND_NAME,
    )
