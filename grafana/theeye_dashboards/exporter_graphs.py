"""The graphs of the exporter's dashboard: its requests to TheEye, what it leaves out, and its resources."""

from typing import Final

from grafana_foundation_sdk.builders import bargauge, heatmap, table
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.charts import bars, bucket_heatmap
from theeye_dashboards.panels import Panel, Query, timeseries
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["costs", "exporters", "losses", "requests"]

_SCOPE: Final = Scope()
_OVERVIEW: Final = (link_to("theeye-overview"), "Overview")
_NOT_SCRAPED: Final = "No data: see Age of the data"
_NO_REQUESTS: Final = "No request in this time range"
_SHOWN: Final = 20
_LISTED: Final = 100


def _slower_than(quantile: str) -> str:
    buckets = f"rate({_SCOPE.target('theeye_api_request_duration_seconds_bucket')}[$__rate_interval])"
    return f"topk({_SHOWN}, histogram_quantile({quantile}, sum by (endpoint, le) ({buckets})))"


def _graph(title: str, description: str, query: Query, unit: str, empty: str = _NOT_SCRAPED) -> Panel:
    return Panel(title=title, description=description, queries=[query], width=8, unit=unit, empty=empty, link=_OVERVIEW)


def requests() -> list[timeseries_builders.Panel]:
    """Return the graphs that show whether TheEye answers, and how fast."""
    made = _SCOPE("theeye_api_requests_total")
    failed = _SCOPE("theeye_api_requests_total", 'status!~"2.."')
    return [
        timeseries(
            _graph(
                "Requests, by status",
                "All attempts, by HTTP status, or by reason if there was no complete response.",
                Query(f"sum by (status) (rate({made}[$__rate_interval]))", "{{status}}"),
                "reqps",
                _NO_REQUESTS,
            ),
            stacked=True,
        ),
        timeseries(
            _graph(
                "Share of failed requests",
                "Responses other than 2xx, and requests without a complete response, by route.",
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
            _graph(
                "Response time, p95",
                "95 of a hundred requests were faster; by route, for all organisations.",
                Query(_slower_than("0.95"), "{{endpoint}}"),
                "s",
                _NO_REQUESTS,
            )
        ),
    ]


def losses() -> list[timeseries_builders.Panel | bargauge.Panel]:
    """Return the graphs of what the exporter leaves out, or does later."""
    return [
        timeseries(
            Panel(
                title="Jobs in the ledger",
                description="Jobs that the ledger remembers, because TheEye may still list them, and jobs that the exporter still "
                "has to fetch.",
                queries=[
                    Query(f"sum({_SCOPE('theeye_ledger_known_jobs')})", "known"),
                    Query(f"sum({_SCOPE('theeye_ledger_backlog_jobs')})", "to be fetched"),
                ],
                width=8,
                empty=_NOT_SCRAPED,
                link=_OVERVIEW,
            )
        ),
        bars(
            Panel(
                title="Series cut, by family",
                description="Series left out because an organisation has more of this family than max_series_per_family. "
                "Raise it if Prometheus can take more series.",
                queries=[
                    Query(
                        f"topk({_SHOWN}, sum by (family) ({_SCOPE.target('theeye_exporter_cut_series')}) > 0)",
                        "{{family}}",
                    )
                ],
                width=8,
                empty="No series is cut",
                link=_OVERVIEW,
                steps=((None, "red"),),
            )
        ),
    ]


def costs() -> list[timeseries_builders.Panel | heatmap.Panel]:
    """Return the graphs of what TheEye, Prometheus and this machine have to do."""
    return [*_responses(), *_resources()]


def _responses() -> list[timeseries_builders.Panel | heatmap.Panel]:
    received = _SCOPE("theeye_api_received_bytes_total")
    buckets = _SCOPE.target("theeye_api_request_duration_seconds_bucket")
    return [
        timeseries(
            _graph(
                "Bytes received",
                "TheEye's complete responses after decompression, by organisation.",
                Query(
                    f"topk({_SHOWN}, sum by (organization) (rate({received}[$__rate_interval])))",
                    "{{organization}}",
                ),
                "Bps",
                _NO_REQUESTS,
            ),
            stacked=True,
        ),
        timeseries(
            _graph(
                "Median response time",
                "From sending a request to the last byte of the response, by route, for all organisations.",
                Query(_slower_than("0.5"), "{{endpoint}}"),
                "s",
                _NO_REQUESTS,
            )
        ),
        bucket_heatmap(
            _graph(
                "Response time, all requests",
                "Number of requests by duration, for all organisations. Darker means more requests.",
                Query(f"sum by (le) (increase({buckets}[$__rate_interval]))", "{{le}}"),
                "s",
                _NO_REQUESTS,
            )
        ),
    ]


def _resources() -> list[timeseries_builders.Panel]:
    known = f"and on (job, instance) {_SCOPE.target('theeye_exporter_build_info')}"

    def by_instance(metric: str) -> Query:
        return Query(f"topk({_SHOWN}, max by (instance) ({_SCOPE.target(metric)} {known}))", "{{instance}}")

    def rate_of(metric: str) -> Query:
        rate = f"rate({_SCOPE.target(metric)}[$__rate_interval])"
        return Query(f"topk({_SHOWN}, sum by (instance) ({rate} {known}))", "{{instance}}")

    return [
        timeseries(_graph(title, description, query, unit))
        for title, description, query, unit in (
            (
                "Size of a scrape",
                "Bytes of the samples in a response, before compression.",
                by_instance("theeye_exporter_snapshot_bytes"),
                "bytes",
            ),
            (
                "Samples in a scrape",
                "All samples that Prometheus stores from one scrape, including the exporter's own metrics.",
                by_instance("scrape_samples_scraped"),
                "short",
            ),
            (
                "Duration of a scrape",
                "Measured by Prometheus. If it is long, the network is slow or the machine is busy.",
                by_instance("scrape_duration_seconds"),
                "s",
            ),
            ("Memory", "Resident memory of the process.", by_instance("process_resident_memory_bytes"), "bytes"),
            ("CPU", "Share of one core in use.", rate_of("process_cpu_seconds_total"), "percentunit"),
            ("Open files", "Sockets and files.", by_instance("process_open_fds"), "short"),
            (
                "Rendering",
                "Share of one core used to render and compress samples.",
                rate_of("theeye_exporter_render_seconds_total"),
                "percentunit",
            ),
        )
    ]


def exporters() -> table.Panel:
    """Return a line for each exporter."""
    info = _SCOPE.target("theeye_exporter_build_info")
    uptime = (
        f"max by (job, instance) (time() - {_SCOPE.target('process_start_time_seconds')} and on (job, instance) {info})"
    )
    listed = f"bottomk({_LISTED}, {uptime})"
    return rows(
        Panel(
            title="Exporters",
            description=f"The exporters chosen; up to {_LISTED}, those that started last.",
            queries=[
                Query(f"max by (job, instance, version, python_version) ({info}) and on (job, instance) {listed}"),
                Query(listed),
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
            Column(name="Value #B", title="Uptime", unit="s", width=140),
        ],
        sort=[("Instance", False)],
    )
