"""The metric families of canaries."""

from typing import Final

from theeye_exporter.exposition.family import Families, Query

__all__ = ["CANARY_FAMILIES", "CANARY_QUERIES", "CANARY_SERIES"]

CANARY_FAMILIES: Final = Families()
"""Shown by `theeye-exporter actions`."""

_CANARY: Final = ("organization", "canary")

SUCCESS: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_success", _CANARY, "Whether the canary's last run succeeded; absent before its first run has ended."
)
RUNS: Final = CANARY_FAMILIES.counter(
    "theeye_canary_runs_total",
    (*_CANARY, "outcome"),
    "Ended runs of the canary by outcome: success, failure, timeout, canceled, error, unknown (TheEye has deleted the "
    "job, or its outcome is a word that the exporter does not know), refused (nothing was started) or lost (nobody knows whether there was a run).",
)
LAST_DURATION: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_last_duration_seconds",
    (*_CANARY, "phase"),
    "Duration of each phase of the last successful run: submit (from the decision to TheEye's answer), queue (from the creation "
    "of the job to the start of the script) and run (the script); the sum is the turnaround. For a workflow, only submit is known.",
    unit="seconds",
)
TURNAROUND: Final = CANARY_FAMILIES.histogram(
    "theeye_canary_turnaround_seconds",
    _CANARY,
    "Time from the decision to start a run until the run ended; only successful runs are included.",
)
LAST_TURNAROUND: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_last_turnaround_seconds", _CANARY, "Turnaround of the last successful run.", unit="seconds"
)
INTERVAL: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_interval_seconds", _CANARY, "Configured time from one start to the next.", unit="seconds"
)
LAST_RUN: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_last_run_timestamp_seconds", _CANARY, "Unix time at which the last run ended.", unit="seconds"
)
LAST_SUCCESS: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_last_success_timestamp_seconds",
    _CANARY,
    "Unix time at which the last successful run ended.",
    unit="seconds",
)
OPEN_RUN: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_open_run_timestamp_seconds",
    _CANARY,
    "Unix time at which the open run began; absent if no run is open.",
    unit="seconds",
)
CONFIGURED: Final = CANARY_FAMILIES.gauge(
    "theeye_canary_configured_timestamp_seconds",
    _CANARY,
    "Unix time since when this process has had the canary in its configuration.",
    unit="seconds",
)

CANARY_SERIES: Final = "33 for each canary. `theeye-exporter actions` shows them."

CANARY_QUERIES: Final = (
    Query("Canaries whose last run failed", "theeye_canary_success == 0"),
    Query("Where the time of a run goes, in seconds", "max by (canary, phase) (theeye_canary_last_duration_seconds)"),
    Query("Runs in a day by outcome", "sum by (canary, outcome) (increase(theeye_canary_runs_total[1d])) > 0"),
)
