"""The exporter itself: whether its numbers are fresh and complete, and what it costs."""

from typing import Final, Literal

from grafana_foundation_sdk.builders import dashboard, stat, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.exporter_graphs import costs, requests
from theeye_dashboards.page import page
from theeye_dashboards.panels import Panel, Query, mapping, number, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import ORGANIZATION, Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["exporter"]

_SCOPE: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_NOT_SCRAPED: Final = "No data: is the exporter scraped?"
_NOTHING: Final = ((None, "green"), (1, "red"))
_YES: Final = ((None, "red"), (1, "green"))
_YES_NO: Final = mapping({"0": ("No", "red"), "1": ("Yes", "green")})
_BY_COLLECTOR: Final = "organization, collector"


def exporter() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Exporter",
        "theeye-exporter",
        "Whether the exporter's numbers are fresh and complete, how TheEye answers it, and what it costs.",
    )
    for big in _numbers():
        built = built.with_panel(big)
    built = built.with_row(dashboard.Row("Collectors"))
    for panel in (_collectors(), _failures(), _durations(), _objects(), _left_out()):
        built = built.with_panel(panel)
    built = built.with_row(dashboard.Row("Requests to TheEye"))
    for graph in requests():
        built = built.with_panel(graph)
    built = built.with_row(dashboard.Row("What a scrape brings, and the process"))
    for cost in costs():
        built = built.with_panel(cost)
    return built


def _numbers() -> list[stat.Panel]:
    def one(
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

    known = f"last_over_time({_SCOPE.target('theeye_exporter_build_info')}[$__range])"
    return [
        one(
            "Scraped",
            "Whether Prometheus reaches every exporter that it has reached in the time range.",
            f"min({_SCOPE.target('up')} and on (job, instance) {known})",
            empty="No exporter scraped in this time range",
            steps="yes",
        ),
        one(
            "TheEye answers",
            "Whether TheEye answers and accepts the token, for every organisation chosen.",
            f"min(max by (organization) ({_SCOPE('theeye_up')}))",
            steps="yes",
        ),
        one(
            "Failing collectors",
            "Collectors whose last attempt failed.",
            f"sum(1 - max by ({_BY_COLLECTOR}) ({_SCOPE('theeye_collector_success')}))",
            steps="none",
        ),
        one(
            "Ledger writable",
            "Whether what the last poll of jobs brought could be written to the ledger, for every organisation. If "
            "not, runs are not counted until it can; none is counted twice.",
            f"min({_SCOPE('theeye_ledger_healthy')})",
            empty="Jobs are not collected",
            steps="yes",
        ),
        one(
            "Jobs to look at",
            "Jobs that still have to be looked at in full, most of them for their run time. A number that only grows "
            "needs a higher max_details_per_cycle.",
            f"sum({_SCOPE('theeye_ledger_backlog_jobs')})",
            empty="Jobs are not collected",
        ),
        one(
            "Series cut",
            "Samples left out because their family reached max_series_per_family.",
            f"sum({_SCOPE.target('theeye_exporter_cut_series')}) "
            f"or 0 * sum({_SCOPE.target('theeye_exporter_snapshot_series')})",
            steps="none",
        ),
        one(
            "Series",
            "Samples of TheEye's objects in one scrape, of all exporters chosen.",
            f"sum({_SCOPE.target('theeye_exporter_snapshot_series')})",
        ),
        one(
            "Configuration",
            "Whether the configuration was accepted when it was loaded last; if not, the one before is in use.",
            f"min({_SCOPE.target('theeye_exporter_config_last_reload_successful')})",
            empty="Not told by this exporter",
            steps="yes",
        ),
    ]


def _collectors() -> table.Panel:
    def largest(expression: str) -> str:
        return f"topk(100, max by ({_BY_COLLECTOR}) ({expression}))"

    age = f"time() - {_SCOPE('theeye_collector_last_success_timestamp_seconds')}"
    return rows(
        Panel(
            title="Collectors",
            description="The last attempt of each collector; with more than 100 lines, the largest values.",
            queries=[
                Query(largest(_SCOPE("theeye_collector_success"))),
                Query(largest(age)),
                Query(largest(_SCOPE("theeye_collector_duration_seconds"))),
                Query(largest(_SCOPE("theeye_collector_objects"))),
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
            Column(
                name="Value #B", title="Age", unit="s", width=80, steps=((None, "green"), (120, "orange"), (300, "red"))
            ),
            Column(name="Value #C", title="Took", unit="s", width=90),
            Column(name="Value #D", title="Objects", decimals=0, width=80),
        ],
        sort=[("Last attempt", False), ("Age", True)],
    )


def _failures() -> timeseries_builders.Panel:
    failures = _SCOPE("theeye_collector_failures_total")
    return timeseries(
        Panel(
            title="Failed polls per minute, by reason",
            description="What each reason means, and what to do, stands in the exporter's log.",
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
            title="Time that polls take",
            description="The last attempt of each collector; of several organisations the slowest.",
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
            description="What the last successful poll brought; for jobs those that changed or are open.",
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
            description="Objects that could not be understood, and values that are null, stale or impossible. One that "
            "stays is counted at every poll: a constant line is one that stays.",
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
