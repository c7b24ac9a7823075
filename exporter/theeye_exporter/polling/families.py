"""The exporter's own metric families: those of each organisation, and those of the process."""

from typing import Final

from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.exposition.family import Families, Query

__all__ = [
    "EXPORTER",
    "EXPORTER_QUERIES",
    "ORGANIZATION_FAMILIES",
    "PROCESS_FAMILIES",
    "PROCESS_QUERIES",
    "SHOWN_BY_ACCESS",
]

EXPORTER: Final = "exporter"
"""Name of the exporter itself where the names of collectors are used."""

SHOWN_BY_ACCESS: Final = tuple(kind.name for kind in COLLECTORS if kind.filtered_by_access)
"""Collectors whose objects TheEye only lists to users below admin if they are shared with them."""

ORGANIZATION_FAMILIES: Final = Families()
"""Rendered and published when one of the organisation's attempts ends."""

PROCESS_FAMILIES: Final = Families()
"""Rendered at each scrape."""

_ORGANIZATION: Final = ("organization",)
_COLLECTOR: Final = ("organization", "collector")
_REASON: Final = ("organization", "collector", "reason")

UP: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_up",
    _ORGANIZATION,
    "Whether TheEye responds and accepts the organisation's token, according to the last attempts.",
)
VISIBLE_OBJECTS: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_organization_visible_objects",
    _ORGANIZATION,
    f"Objects that the organisation's token sees ({', '.join(SHOWN_BY_ACCESS)}), at the last successful polls; "
    "0 if there are none, or if the token's user may not see any.",
)
SUCCESS: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_success", _COLLECTOR, "Whether the collector's last attempt succeeded."
)
FAILING: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_failing",
    _REASON,
    "1 if the collector's last attempt failed, with the reason as a label; absent if it succeeded.",
)
LAST_SUCCESS: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_last_success_timestamp_seconds",
    _COLLECTOR,
    "Unix time of the collector's last successful attempt; the collector's data is from this time.",
    unit="seconds",
)
DURATION: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_duration_seconds", _COLLECTOR, "Duration of the collector's last attempt.", unit="seconds"
)
INTERVAL: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_interval_seconds",
    _COLLECTOR,
    "Planned time from the start of the collector's last attempt to the next one: its interval, or 5.5 times the duration of the "
    "attempt if that is longer. The time for a list of all jobs is not part of this duration. The next attempt can be early by "
    "up to a tenth of the interval, but not before 5.5 times the duration. While TheEye does not answer, it can be early or "
    "late.",
    unit="seconds",
)
OBJECTS: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_collector_objects",
    _COLLECTOR,
    "Objects that the collector's last successful attempt returned; for jobs, those that changed or are open.",
)
FAILURES: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_collector_failures_total", _COLLECTOR, "Failed attempts of a collector; 0 at the start."
)
FAILURES_BY_REASON: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_collector_failures_by_reason_total",
    _REASON,
    "Failed attempts of a collector, by reason; a reason appears when it first occurs.",
)
SKIPPED: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_collector_skipped_objects_total",
    _REASON,
    "Objects of TheEye's lists that were left out, by reason: malformed, duplicate, other_organization, or internal "
    "(a bug in the exporter; see the log). A reason appears when it first occurs. An object is counted again at every "
    "poll that leaves it out.",
)
DROPPED: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_collector_dropped_values_total",
    _REASON,
    "Values without a sample, by reason: null, stale (the monitor is silent, disabled or not updated, or the host's statistics are "
    "too old), impossible, "
    "duplicate (a device named twice), without_result (a finished run whose run time is not available), or unanswered (a job that was "
    "not requested, because TheEye currently answers none of the exporter's requests for single jobs). A reason appears when "
    "it first occurs. A value is counted again at every poll that leaves it out, except for without_result.",
)
REQUESTS: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_api_requests_total",
    ("organization", "endpoint", "status"),
    "Requests to TheEye, by route and HTTP status, or by the failure's reason if there was no complete response; a "
    "status or reason appears when it first occurs.",
)
RECEIVED: Final = ORGANIZATION_FAMILIES.counter(
    "theeye_api_received_bytes_total",
    _ORGANIZATION,
    "Bytes of TheEye's complete responses, after decompression.",
    unit="bytes",
)
LEDGER_HEALTHY: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_ledger_healthy",
    _ORGANIZATION,
    "Whether the exporter could save the last poll of jobs.",
)
LEDGER_BACKLOG: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_ledger_backlog_jobs",
    _ORGANIZATION,
    "Jobs that the exporter still has to fetch one by one, most of them for their run time.",
)
LEDGER_KNOWN: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_ledger_known_jobs",
    _ORGANIZATION,
    "Jobs that the ledger remembers, because TheEye may still list them.",
)
LEDGER_DAMAGE: Final = ORGANIZATION_FAMILIES.gauge(
    "theeye_ledger_damage",
    ("organization", "kind"),
    "What was damaged in the state file when it was opened, by kind: jobs (no count changed), accounts (all counters of the "
    "organisation started at 0), or polls (the counts of the last polls were lost, and the runs that TheEye still had were "
    "counted again); absent without damage.",
)

REQUEST_DURATION: Final = PROCESS_FAMILIES.histogram(
    "theeye_api_request_duration_seconds",
    ("endpoint",),
    "Time from sending a request to TheEye to the last byte of the response, or to the failure of the request, for all "
    "organisations together.",
)
BUILD_INFO: Final = PROCESS_FAMILIES.info(
    "theeye_exporter_build_info", ("version", "python_version"), "Version of the running exporter; always 1."
)
RELOAD_SUCCESSFUL: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_config_last_reload_successful",
    (),
    "Whether the last attempt to load the configuration succeeded, with all of its organisation files.",
)
RELOAD_TIME: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_config_last_reload_success_timestamp_seconds",
    (),
    "Unix time when the configuration was last loaded successfully, with all of its organisation files.",
    unit="seconds",
)
SHARDS: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_shards",
    (),
    "Total number of shards (shard.count); 1 if this process serves all organisations.",
)
SNAPSHOT_SERIES: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_snapshot_series", (), "Series in a response, without those of the process."
)
SNAPSHOT_BYTES: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_snapshot_bytes",
    (),
    "Size of the samples in an uncompressed response, without the metrics of the process.",
    unit="bytes",
)
CUT_SERIES: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_cut_series",
    ("family",),
    "Series left out because their family reached the limit (limits.max_series_per_family).",
)
RENDERING: Final = PROCESS_FAMILIES.counter(
    "theeye_exporter_render_seconds_total",
    (),
    "Time spent on rendering and compressing samples.",
    unit="seconds",
)
WEB_FILE_SUCCESSFUL: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_web_config_last_reload_successful",
    (),
    "Whether the web configuration file, and the files that it names, are valid now.",
)
WEB_FILE_TIME: Final = PROCESS_FAMILIES.gauge(
    "theeye_exporter_web_config_last_reload_success_timestamp_seconds",
    (),
    "Unix time when a valid web configuration file was last read.",
    unit="seconds",
)

EXPORTER_QUERIES: Final = (
    Query("Age of the data", "time() - theeye_collector_last_success_timestamp_seconds"),
    Query("The five slowest collectors", "topk(5, theeye_collector_duration_seconds)"),
    Query("Requests to TheEye per second", "sum by (organization, endpoint) (rate(theeye_api_requests_total[5m]))"),
)
PROCESS_QUERIES: Final = (
    Query("Memory", "process_resident_memory_bytes and on (job, instance) theeye_exporter_build_info"),
    Query("Processors in use", "rate(process_cpu_seconds_total[5m]) and on (job, instance) theeye_exporter_build_info"),
    Query(
        "Open files and connections, as a share of the limit",
        "process_open_fds / process_max_fds and on (job, instance) theeye_exporter_build_info",
    ),
)
"""Every process has the metrics of a process; `theeye_exporter_build_info` chooses that of the exporter."""
