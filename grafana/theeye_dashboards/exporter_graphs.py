"""The graphs of the exporter's page: its requests to TheEye, and what it costs."""

from typing import Final

from grafana_foundation_sdk.builders import bargauge, heatmap, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.charts import bars, bucket_heatmap
from theeye_dashboards.panels import Panel, Query, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["costs", "requests"]

_SCOPE: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_NOT_SCRAPED: Final = "No data: is the exporter scraped?"
_NO_REQUESTS: Final = "No request in this time range"
_SHOWN: Final = 20


def requests() -> list[timeseries_builders.Panel | heatmap.Panel]:
    """Return the graphs of requests to TheEye."""
    made = _SCOPE("theeye_api_requests_total")
    failed = _SCOPE("theeye_api_requests_total", 'status!~"2.."')
    buckets = f"rate({_SCOPE('theeye_api_request_duration_seconds_bucket')}[$__rate_interval])"
    received = _SCOPE("theeye_api_received_bytes_total")

    def slower_than(quantile: str) -> str:
        return f"topk({_SHOWN}, histogram_quantile({quantile}, sum by (endpoint, le) ({buckets})))"

    def graph(title: str, description: str, query: Query, unit: str, empty: str = _NO_REQUESTS) -> Panel:
        return Panel(
            title=title,
            description=description,
            queries=[query],
            width=8,
            unit=unit,
            empty=empty,
            link=_OVERVIEW,
        )

    return [
        timeseries(
            graph(
                "Requests, by status",
                "Each attempt counts, with its HTTP status, or with the reason where no answer was complete.",
                Query(f"sum by (status) (rate({made}[$__rate_interval]))", "{{status}}"),
                "reqps",
            ),
            stacked=True,
        ),
        timeseries(
            graph(
                "Share of requests that fail",
                "Answers other than 2xx, and requests without a complete answer, by route.",
                Query(
                    f"topk({_SHOWN}, sum by (endpoint) (rate({failed}[$__rate_interval])) "
                    f"/ (sum by (endpoint) (rate({made}[$__rate_interval])) > 0))",
                    "{{endpoint}}",
                ),
                "percentunit",
                "No request failed in this time range",
            ),
            soft_top=0.1,
        ),
        timeseries(
            graph(
                "Bytes received",
                "TheEye's complete answers after decompression, by route.",
                Query(
                    f"topk({_SHOWN}, sum by (endpoint) (rate({received}[$__rate_interval])))",
                    "{{endpoint}}",
                ),
                "Bps",
            ),
            stacked=True,
        ),
        timeseries(
            graph(
                "Median answer time",
                "From sending a request to the last byte of the answer, by route.",
                Query(slower_than("0.5"), "{{endpoint}}"),
                "s",
            )
        ),
        timeseries(
            graph(
                "Answer time of the slowest 5 %",
                "95 % of the requests were faster, by route.",
                Query(slower_than("0.95"), "{{endpoint}}"),
                "s",
            )
        ),
        bucket_heatmap(
            graph(
                "Answer time, all requests",
                "How many requests took how long: darker is more.",
                Query(
                    "sum by (le) (increase("
                    + _SCOPE("theeye_api_request_duration_seconds_bucket")
                    + "[$__rate_interval]))",
                    "{{le}}",
                ),
                "s",
            )
        ),
    ]


def costs() -> list[timeseries_builders.Panel | table.Panel | bargauge.Panel]:
    """Return the graphs of scrapes and of the process."""
    known = f"and on (job, instance) {_SCOPE.target('theeye_exporter_build_info')}"
    total = _SCOPE("theeye_exporter_render_duration_seconds_sum")
    count = _SCOPE("theeye_exporter_render_duration_seconds_count")

    def lines(title: str, description: str, unit: str, *queries: Query) -> timeseries_builders.Panel:
        return timeseries(
            Panel(
                title=title,
                description=description,
                queries=queries,
                width=8,
                unit=unit,
                empty=_NOT_SCRAPED,
                link=_OVERVIEW,
            )
        )

    def by_instance(metric: str) -> str:
        return f"topk({_SHOWN}, max by (instance) ({_SCOPE.target(metric)}))"

    return [
        lines(
            "Size of a scrape",
            "Samples of TheEye's objects, uncompressed.",
            "bytes",
            Query(by_instance("theeye_exporter_snapshot_bytes"), "{{instance}}"),
        ),
        lines(
            "Samples in a scrape",
            "Everything that Prometheus stores of one scrape, the exporter's own metrics included.",
            "short",
            Query(f"topk({_SHOWN}, {_SCOPE.target('scrape_samples_scraped')} {known})", "{{instance}}"),
        ),
        lines(
            "Time that a scrape takes",
            "As Prometheus measures it. Scrapes copy what is rendered already: a long one is a slow network or a busy "
            "machine.",
            "s",
            Query(f"topk({_SHOWN}, {_SCOPE.target('scrape_duration_seconds')} {known})", "{{instance}}"),
        ),
        lines(
            "Memory",
            "Resident memory of the process.",
            "bytes",
            Query(by_instance("process_resident_memory_bytes"), "{{instance}}"),
        ),
        lines(
            "CPU",
            "Share of one core in use.",
            "percentunit",
            Query(
                f"topk({_SHOWN}, sum by (instance) "
                f"(rate({_SCOPE.target('process_cpu_seconds_total')}[$__rate_interval])))",
                "{{instance}}",
            ),
        ),
        lines(
            "Open files",
            "Sockets and files.",
            "short",
            Query(by_instance("process_open_fds"), "{{instance}}"),
        ),
        lines(
            "Rendering",
            "Mean time to render and compress what a collector brought.",
            "s",
            Query(
                f"sum by (collector) (rate({total}[$__rate_interval])) "
                f"/ (sum by (collector) (rate({count}[$__rate_interval])) > 0)",
                "{{collector}}",
            ),
        ),
        lines(
            "Jobs in the ledger",
            "Jobs that the ledger remembers because TheEye has or may have them, and those still to be looked at.",
            "short",
            Query(f"sum({_SCOPE('theeye_ledger_known_jobs')})", "known"),
            Query(f"sum({_SCOPE('theeye_ledger_backlog_jobs')})", "to be looked at"),
        ),
        bars(
            Panel(
                title="Series cut, by family",
                description="Samples left out because their family reached max_series_per_family: raise it, or split "
                "the organisations over several exporters.",
                queries=[
                    Query(
                        f"topk({_SHOWN}, sum by (family) ({_SCOPE.target('theeye_exporter_cut_series')}) > 0)",
                        "{{family}}",
                    )
                ],
                width=8,
                empty="Nothing is cut",
                link=_OVERVIEW,
                steps=((None, "red"),),
            )
        ),
        rows(
            Panel(
                title="Exporters",
                description="The exporters chosen; up to 100.",
                queries=[
                    Query(
                        "topk(100, max by (job, instance, version, python_version) "
                        f"({_SCOPE.target('theeye_exporter_build_info')}))"
                    ),
                    Query(
                        "topk(100, max by (job, instance) "
                        f"(time() - {_SCOPE.target('process_start_time_seconds')} {known}))"
                    ),
                ],
                width=24,
                height=6,
                empty="No exporter is scraped now",
                link=_OVERVIEW,
            ),
            [
                Column(name="job", title="Job"),
                Column(name="instance", title="Instance"),
                Column(name="version", title="Version", width=120),
                Column(name="python_version", title="Python", width=120),
                Column(name="Value #B", title="Runs for", unit="s", width=140),
            ],
            sort=[("Instance", False)],
        ),
    ]
