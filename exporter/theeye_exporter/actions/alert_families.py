"""The metric families of actions that alerts start."""

from typing import Final

from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["ALERT_FAMILIES", "ALERT_QUERIES", "ALERT_SERIES", "OUTCOMES", "PHASES", "RESULTS"]

ALERT_FAMILIES: Final = Families()
"""Shown by `theeye-exporter actions`."""

OUTCOMES: Final = (*Outcome, "refused", "lost")
"""How a run of an action can end, as in the label `outcome`."""

PHASES: Final = ("deciding", "sending", "running")
"""How far an open run is, as in the label `phase`."""

RESULTS: Final = ("resolved_after_run", "resolved_without_run", "superseded")
"""How an episode can end, as in the label `result`."""

_ACTION: Final = ("organization", "action")

INFO: Final = ALERT_FAMILIES.info(
    "theeye_action_info",
    (*_ACTION, "mode", "kind", "target"),
    "What the action starts: a task or a workflow, by id or name. In mode dry_run, it starts nothing.",
)
REQUESTS: Final = ALERT_FAMILIES.counter(
    "theeye_action_requests_total",
    (*_ACTION, "code"),
    "Requests from Alertmanager and from people, by the status code of the answer.",
)
ALERTS: Final = ALERT_FAMILIES.counter(
    "theeye_action_alerts_total", (*_ACTION, "status"), "Alerts received: firing, resolved or bad (not usable)."
)
TRUNCATED: Final = ALERT_FAMILIES.counter(
    "theeye_action_truncated_alerts_total",
    _ACTION,
    "Alerts that Alertmanager left out of its messages, because `max_alerts` is set there.",
)
DECISIONS: Final = ALERT_FAMILIES.counter(
    "theeye_action_decisions_total",
    (*_ACTION, "decision"),
    "Decisions: one for each alert in each message. A start that waits has one more: when TheEye has its run, or when the "
    "start expires or cannot be sent.",
)
RUNS: Final = ALERT_FAMILIES.counter(
    "theeye_action_runs_total",
    (*_ACTION, "outcome"),
    "Ended runs by outcome: success, failure, timeout, canceled, error, unknown (TheEye has deleted the job, or its outcome is a word "
    "that the exporter does not know), refused (nothing was started) or lost (nobody knows whether there was a run).",
)
OPEN_RUNS: Final = ALERT_FAMILIES.gauge(
    "theeye_action_open_runs",
    (*_ACTION, "phase"),
    "Runs that have not ended: deciding (the start waits), sending (TheEye has not answered yet) or running.",
)
OLDEST: Final = ALERT_FAMILIES.gauge(
    "theeye_action_oldest_open_run_timestamp_seconds",
    _ACTION,
    "Unix time at which the start of the oldest open run was decided; absent if no run is open.",
    unit="seconds",
)
OPEN_LIMIT: Final = ALERT_FAMILIES.gauge(
    "theeye_action_open_run_limit_seconds",
    _ACTION,
    "Longest time for which a run should be open, from the configuration: max_wait plus timeout. A run can be open for "
    "longer if TheEye's answer was lost.",
    unit="seconds",
)
RECOVERED: Final = ALERT_FAMILIES.counter(
    "theeye_action_recovered_runs_total", _ACTION, "Runs that were found after TheEye's answer was lost."
)
TO_START: Final = ALERT_FAMILIES.histogram(
    "theeye_action_alert_to_start_seconds", _ACTION, "Time from the start of the alert to the start of its run."
)
TURNAROUND: Final = ALERT_FAMILIES.histogram(
    "theeye_action_turnaround_seconds", _ACTION, "Time from the request for a run to its end."
)
LAST_START: Final = ALERT_FAMILIES.gauge(
    "theeye_action_last_start_timestamp_seconds", _ACTION, "Unix time at which the last run started.", unit="seconds"
)
LAST_END: Final = ALERT_FAMILIES.gauge(
    "theeye_action_last_end_timestamp_seconds", _ACTION, "Unix time at which the last run ended.", unit="seconds"
)
LAST_SUCCESS: Final = ALERT_FAMILIES.gauge(
    "theeye_action_last_success_timestamp_seconds",
    _ACTION,
    "Unix time at which the last successful run ended.",
    unit="seconds",
)
LAST_OUTCOME: Final = ALERT_FAMILIES.states(
    "theeye_action_last_outcome",
    (*_ACTION, "outcome"),
    OUTCOMES,
    "How the last run ended: 1 for its outcome, 0 for the others; absent before the first.",
)
SUSPENDED: Final = ALERT_FAMILIES.gauge(
    "theeye_action_suspended",
    _ACTION,
    "Whether the action is suspended: too many runs in a row failed, and it starts nothing until somebody resumes it.",
)
EPISODES: Final = ALERT_FAMILIES.counter(
    "theeye_action_episodes_total",
    (*_ACTION, "result"),
    "Ended episodes by result: resolved_after_run, resolved_without_run, or superseded (the alert fired again, and no "
    "message had said that it had ended). An episode is the time for which an alert fires without a break.",
)
OPEN_EPISODES: Final = ALERT_FAMILIES.gauge(
    "theeye_action_open_episodes", _ACTION, "Alerts that are firing, according to Alertmanager's last messages."
)
UNHELPED: Final = ALERT_FAMILIES.gauge(
    "theeye_action_unhelped_alerts",
    _ACTION,
    "Alerts that still fire 15 minutes after their run succeeded, and about which a message came in the last hour.",
)

ALERT_SERIES: Final = "87 for each action. `theeye-exporter actions` shows them."

ALERT_QUERIES: Final = (
    Query(
        "What was decided about alerts in the last hour",
        "sum by (action, decision) (increase(theeye_action_decisions_total[1h])) > 0",
    ),
    Query(
        "Of the alerts that ended in the last day, the share that ended after a run",
        'sum by (action) (increase(theeye_action_episodes_total{result="resolved_after_run"}[1d])) '
        '/ sum by (action) (increase(theeye_action_episodes_total{result!="superseded"}[1d]))',
    ),
    Query("Actions that start nothing until somebody resumes them", "theeye_action_suspended == 1"),
)
