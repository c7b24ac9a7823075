"""The metric families of monitors and, from monitors of type dstat, of hosts."""

from typing import Final

from theeye_exporter.collectors.states import STATES
from theeye_exporter.exposition.family import Families, Query

FAMILIES: Final = Families()

MONITOR_LABELS: Final = ("organization", "monitor_id", "monitor", "hostname")
HOST_LABELS: Final = ("organization", "monitor_id", "hostname")

SEVERITIES: Final = ("LOW", "HIGH", "CRITICAL")

MONITOR_INFO: Final = FAMILIES.info(
    "theeye_monitor_info",
    (*MONITOR_LABELS, "monitor_type", "severity", "tags", "alerts", "host_id"),
    "Properties of a monitor; the label severity is TheEye's failure_severity; alerts is false if TheEye's "
    "mails about this monitor are switched off (for severity LOW, it sends none); host_id is empty for a nested monitor.",
)
MONITORS: Final = FAMILIES.gauge(
    "theeye_monitors",
    ("organization", "state", "severity"),
    "Monitors that the organisation's token sees, by state and severity. A disabled monitor is only counted as disabled. "
    "The severity other means any value except LOW, HIGH and CRITICAL.",
)
HOSTS: Final = FAMILIES.gauge(
    "theeye_hosts",
    ("organization", "state"),
    "Hosts by the state of their monitors of type host: silent if the bot does not report (updates_stopped), "
    "disabled if the monitor is disabled, otherwise up; a monitor in an unknown state is not counted.",
)
MONITOR_STATE: Final = FAMILIES.states(
    "theeye_monitor_state",
    (*MONITOR_LABELS, "state"),
    STATES,
    "State of a monitor at the last poll: 1 for its state, 0 for the others; "
    "unknown: any state other than normal, failure and updates_stopped.",
)
MONITOR_ENABLED: Final = FAMILIES.gauge(
    "theeye_monitor_enabled",
    MONITOR_LABELS,
    "Whether the monitor is enabled in TheEye (enable); a disabled monitor keeps its state.",
)
MONITOR_CONSECUTIVE_FAILURES: Final = FAMILIES.gauge(
    "theeye_monitor_consecutive_failures",
    MONITOR_LABELS,
    "Failure reports and missed updates since the last normal report (fails_count); "
    "TheEye changes the state, to failure or updates_stopped, when this number reaches a limit of the server, by default 3.",
)
MONITOR_RECOVERIES: Final = FAMILIES.counter(
    "theeye_monitor_recoveries_total",
    MONITOR_LABELS,
    "How often the monitor returned to normal, as counted by TheEye (recovery_count).",
)
MONITOR_INTERVAL: Final = FAMILIES.gauge(
    "theeye_monitor_interval_seconds",
    MONITOR_LABELS,
    "Time between two checks of the monitor by its bot (looptime); absent for nested monitors, which have none.",
    unit="seconds",
)
MONITOR_LAST_UPDATE: Final = FAMILIES.gauge(
    "theeye_monitor_last_update_timestamp_seconds",
    MONITOR_LABELS,
    "Unix time of the monitor's last normal or failure report (last_update).",
    unit="seconds",
)
MONITOR_LAST_CHECK: Final = FAMILIES.gauge(
    "theeye_monitor_last_check_timestamp_seconds",
    MONITOR_LABELS,
    "Unix time when TheEye last processed the monitor: for a report, or because it found that reports were missing "
    "(last_check).",
    unit="seconds",
)
MONITOR_SCRIPT_DURATION: Final = FAMILIES.gauge(
    "theeye_monitor_script_duration_seconds",
    MONITOR_LABELS,
    "Duration of a script monitor's last run (last_event.data.times).",
    unit="seconds",
)
MONITOR_SCRIPT_EXIT_CODE: Final = FAMILIES.gauge(
    "theeye_monitor_script_exit_code",
    MONITOR_LABELS,
    "Exit code of a script monitor's last run; absent if the script was killed.",
)
MONITOR_HTTP_STATUS_CODE: Final = FAMILIES.gauge(
    "theeye_monitor_http_status_code",
    MONITOR_LABELS,
    "Last HTTP status that a scraper monitor received; absent if there was no response.",
)
MONITOR_PROCESSES: Final = FAMILIES.gauge(
    "theeye_monitor_processes",
    MONITOR_LABELS,
    "Processes on the host that match a process monitor's pattern.",
)
HOST_CPU: Final = FAMILIES.gauge(
    "theeye_host_cpu_usage_ratio",
    HOST_LABELS,
    "Share of CPU time in use, including iowait (dstat cpu), 0 to 1.",
    unit="ratio",
)
HOST_MEMORY: Final = FAMILIES.gauge(
    "theeye_host_memory_usage_ratio",
    HOST_LABELS,
    "Share of memory in use (dstat mem), 0 to 1; memory that programs could still get does not count as used.",
    unit="ratio",
)
HOST_CACHE: Final = FAMILIES.gauge(
    "theeye_host_cache_usage_ratio",
    HOST_LABELS,
    "Share of swap in use, 0 to 1; TheEye calls it cache, but it is not the page cache; absent on hosts without swap.",
    unit="ratio",
)
HOST_DISK: Final = FAMILIES.gauge(
    "theeye_host_disk_usage_ratio",
    (*HOST_LABELS, "device"),
    "Share of a disk in use (dstat disk), 0 to 1; blocks reserved for root count as free.",
    unit="ratio",
)
HOST_THRESHOLD: Final = FAMILIES.gauge(
    "theeye_host_usage_threshold_ratio",
    (*HOST_LABELS, "resource"),
    "Usage above which the dstat monitor fails (config.limit); resource is cpu, memory, disk or cache; cache means swap.",
    unit="ratio",
)

QUERIES: Final = (
    Query("The five fullest disks", "topk(5, max by (organization, hostname, device) (theeye_host_disk_usage_ratio))"),
    Query(
        "Silent hosts",
        'theeye_monitor_info{monitor_type="host"}\n'
        '  and on (organization, monitor_id) theeye_monitor_state{state="updates_stopped"} == 1\n'
        "  and on (organization, monitor_id) theeye_monitor_enabled == 1",
    ),
    Query("Failing monitors, by severity", 'max by (organization, severity) (theeye_monitors{state="failure"})'),
)
