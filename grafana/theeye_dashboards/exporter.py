"""The exporter itself: whether its data is current and complete, and which resources it uses."""

from typing import Final, Literal

from grafana_foundation_sdk.builders import dashboard, stat, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.exporter_graphs import costs, exporters, losses, requests
from theeye_dashboards.page import page
from theeye_dashboards.panels import Panel, Query, mapping, number, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.servers import server_table
from theeye_dashboards.tables import ORGANIZATION, Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["exporter"]

_SCOPE: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_NOT_SCRAPED: Final = "No data: see Age of the data"
_NOTHING: Final = ((None, "green"), (1, "red"))
_YES: Final = ((None, "red"), (1, "green"))
_YES_NO: Final = mapping({"0": ("No", "red"), "1": ("Yes", "green")})
_LOADED: Final = _SCOPE.target("theeye_exporter_config_last_reload_successful")
_LOADED_WEB: Final = _SCOPE.target("theeye_exporter_web_config_last_reload_successful")
_BY_COLLECTOR: Final = "organization, collector"
_LISTED: Final = 100


def exporter() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Exporter",
        "theeye-exporter",
        "Whether the exporter's data is current and complete, how TheEye responds, and which resources the exporter "
        "uses.",
    )
    built = built.with_row(dashboard.Row("Is it working?"))
    for big in _numbers():
        built = built.with_panel(big)
    for panel in (_collectors(), _failures(), server_table(), *requests(), _left_out(), *losses(), exporters()):
        built = built.with_panel(panel)
    built = built.with_row(dashboard.Row("What does it cost?"))
    for cost in (_durations(), _objects(), *costs()):
        built = built.with_panel(cost)
    return built


def _one(
    title: str,
    description: str,
    expression: str,
    *,
    empty: str = _NOT_SCRAPED,
    steps: Literal["yes", "none", ""] = "",
) -> stat.Panel:
    judged = {"yes": _YES, "none": _NOTHING, "": None}[steps]
    return number(
        Panel(
            title=title,
            description=description,
            queries=[Query(expression)],
            width=3,
            height=4,
            decimals=0,
            empty=empty,
            link=_OVERVIEW,
            steps=judged,
        ),
        words=_YES_NO if steps == "yes" else None,
    )


def _numbers() -> list[stat.Panel]:
    known = f"last_over_time({_SCOPE.target('theeye_exporter_build_info')}[$__range])"
    return [
        _one(
            "Scraped",
            "Whether Prometheus can now scrape every exporter that it scraped at some time in the time range.",
            f"min({_SCOPE.target('up')} and on (job, instance) {known})",
            empty="No exporter scraped in this time range",
            steps="yes",
        ),
        _one(
            "TheEye responds",
            "Whether TheEye responds and accepts the token, for every organisation chosen.",
            f"min(max by (organization) ({_SCOPE('theeye_up')}))",
            steps="yes",
        ),
        _one(
            "Failing collectors",
            "Collectors whose last attempt failed.",
            f"sum(1 - max by ({_BY_COLLECTOR}) ({_SCOPE('theeye_collector_success')}))",
            steps="none",
        ),
        _one(
            "Ledger writable",
            "Whether the last jobs poll was saved, for every organisation. If not, runs are counted later, each once, except "
            "those that TheEye has deleted by then.",
            f"min({_SCOPE('theeye_ledger_healthy')})",
            empty="Jobs are not collected",
            steps="yes",
        ),
        _one(
            "Jobs to fetch",
            "Jobs that still have to be fetched one by one, most of them for their run time. If the number only grows, "
            "raise max_details_per_cycle.",
            f"sum({_SCOPE('theeye_ledger_backlog_jobs')})",
            empty="Jobs are not collected",
        ),
        _one(
            "Series cut",
            "Series left out because their family reached max_series_per_family.",
            f"sum({_SCOPE.target('theeye_exporter_cut_series')}) "
            f"or 0 * sum({_SCOPE.target('theeye_exporter_snapshot_series')})",
            steps="none",
        ),
        _one(
            "Series",
            "Series in one scrape, of all exporters chosen.",
            f"sum({_SCOPE.target('theeye_exporter_snapshot_series')})",
        ),
        _one(
            "Configuration",
            "Whether the last attempts to load the configuration and the web configuration succeeded; if not, the previous ones "
            "stay in effect.",
            f"min({_LOADED}) * min({_LOADED_WEB}) or min({_LOADED})",
            empty="No data from this exporter",
            steps="yes",
        ),
    ]


def _collectors() -> table.Panel:
    listed = f"bottomk({_LISTED}, max by ({_BY_COLLECTOR}) ({_SCOPE('theeye_collector_success')}))"

    def of_listed(expression: str) -> Query:
        return Query(f"max by ({_BY_COLLECTOR}) ({expression}) and on ({_BY_COLLECTOR}) {listed}")

    age = f"time() - {_SCOPE('theeye_collector_last_success_timestamp_seconds')}"
    return rows(
        Panel(
            title="Collectors",
            description=f"The last attempt of each collector; up to {_LISTED}, failing ones first. The column Intervals shows "
            "the age of the data, divided by the collector's interval.",
            queries=[
                Query(listed),
                of_listed(age),
                of_listed(_SCOPE("theeye_collector_duration_seconds")),
                of_listed(_SCOPE("theeye_collector_objects")),
                of_listed(f"({age}) / {_SCOPE('theeye_collector_interval_seconds')}"),
            ],
            width=12,
            empty=_NOT_SCRAPED,
            link=_OVERVIEW,
        ),
        [
            ORGANIZATION,
            Column(name="collector", title="Collector"),
            Column(
                name="Value #A",
                title="Last attempt",
                width=100,
                words={"0": ("failed", "red"), "1": ("worked", "green")},
            ),
            Column(name="Value #B", title="Age", unit="s", width=80),
            Column(
                name="Value #E",
                title="Intervals",
                decimals=1,
                width=90,
                steps=((None, "green"), (2, "orange"), (3, "red")),
            ),
            Column(name="Value #C", title="Took", unit="s", width=90),
            Column(name="Value #D", title="Objects", decimals=0, width=80),
        ],
        sort=[("Last attempt", False), ("Intervals", True)],
    )


def _failures() -> timeseries_builders.Panel:
    failures = _SCOPE("theeye_collector_failures_by_reason_total")
    return timeseries(
        Panel(
            title="Failed polls per minute, by reason",
            description="The exporter's log explains each reason, and says what to do.",
            queries=[
                Query(
                    f"topk(10, 60 * sum by (collector, reason) (rate({failures}[$__rate_interval])) > 0)",
                    "{{collector}}: {{reason}}",
                )
            ],
            width=12,
            empty="No poll failed in this time range",
            link=_OVERVIEW,
        ),
        stacked=True,
    )


def _durations() -> timeseries_builders.Panel:
    return timeseries(
        Panel(
            title="Duration of polls",
            description="Duration of each collector's last attempt; for several organisations, the longest.",
            queries=[
                Query(f"max by (collector) ({_SCOPE('theeye_collector_duration_seconds')})", "{{collector}}"),
            ],
            width=8,
            unit="s",
            empty=_NOT_SCRAPED,
            link=_OVERVIEW,
        )
    )


def _objects() -> timeseries_builders.Panel:
    objects = f"max by ({_BY_COLLECTOR}) ({_SCOPE('theeye_collector_objects')})"
    return timeseries(
        Panel(
            title="Objects",
            description="Objects of the last successful poll; for jobs, those that changed or are open.",
            queries=[Query(f"sum by (collector) ({objects})", "{{collector}}")],
            width=8,
            decimals=0,
            empty=_NOT_SCRAPED,
            link=_OVERVIEW,
        )
    )


def _left_out() -> timeseries_builders.Panel:
    skipped = _SCOPE("theeye_collector_skipped_objects_total")
    dropped = _SCOPE("theeye_collector_dropped_values_total")
    return timeseries(
        Panel(
            title="Left out per minute",
            description="Objects that could not be read, and values that are null, stale or impossible. Each is "
            "counted at every poll, so a constant line means that the cause persists.",
            queries=[
                Query(f"60 * sum by (reason) (rate({skipped}[$__rate_interval])) > 0", "objects: {{reason}}"),
                Query(f"60 * sum by (reason) (rate({dropped}[$__rate_interval])) > 0", "values: {{reason}}"),
            ],
            width=8,
            empty="Nothing was left out in this time range",
            link=_OVERVIEW,
        ),
        stacked=True,
    )
