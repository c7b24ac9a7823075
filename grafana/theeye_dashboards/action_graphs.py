"""Graphs of actions over time."""

from typing import Any, Final

from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.builders import timeseries as timeseries_builders

from theeye_dashboards.charts import bucket_heatmap, timeline
from theeye_dashboards.panels import OUTCOMES, Panel, Query, colours, mapping, timeseries
from theeye_dashboards.queries import Scope, either
from theeye_dashboards.variables import link_to

__all__ = [
    "ACTION",
    "CANARIES",
    "ENDINGS",
    "NO_ACTIONS",
    "NO_RUNS",
    "SCOPE",
    "SUSPENDED",
    "decisions",
    "effects",
    "histograms",
    "latest",
    "modes",
    "received",
    "runs",
]

SCOPE: Final = Scope(('action=~"$action"',))
ACTION: Final = "organization, action"
"""The labels of an action."""
CANARIES: Final = (link_to("theeye-canaries"), "Canaries")
NO_ACTIONS: Final = "No actions"
NO_RUNS: Final = "No run of an action ended in this time range"
ENDINGS: Final = {**OUTCOMES, "refused": "yellow", "lost": "dark-red"}
"""The colours of outcomes."""


def latest(metric: str, by: str = ACTION) -> str:
    """Return a value of each action; two processes with the same one show it once."""
    return f"max by ({by}) ({SCOPE(metric)})"


SUSPENDED: Final = latest("theeye_action_suspended")
"""1 for each action that is suspended, 0 for the others."""

_LEGEND: Final = "{{action}}, {{organization}}"
_DRAWN: Final = 20
_MODES: Final = {"0": ("dry run", "blue"), "1": ("live", "green"), "2": ("suspended", "red")}
_NOTHING_STARTED: Final = (
    'decision=~"expired|cooldown|rate_limited|suspended|no_target|bad_arguments|bad_alert|not_matched|loop"'
)
_RESULTS: Final = {"resolved_after_run": "green", "resolved_without_run": "blue", "superseded": "orange"}
_PHASES: Final = {"deciding": "yellow", "sending": "orange", "running": "blue"}
_DECISIONS: Final = {
    "started": "green",
    "dry_run": "blue",
    "waiting": "yellow",
    "duplicate": "#8e8e8e",
    "resolved": "purple",
    "suspended": "red",
}


def _per_hour(metric: str, by: str, *matchers: str) -> str:
    return f"3600 * sum by ({by}) (rate({SCOPE(metric, *matchers)}[$__rate_interval])) > 0"


def _over_time(title: str, description: str, query: str, legend: str, **more: Any) -> timeseries_builders.Panel:
    """Return stacked areas in half of the width."""
    queries = [Query(query, legend, interval=more.pop("interval", ""))]
    panel = Panel(title=title, description=description, queries=queries, width=12, link=CANARIES, **more)
    return timeseries(panel, stacked=True)


def decisions() -> list[timeseries_builders.Panel]:
    """Return what was decided, and why nothing was started."""
    decided = "theeye_action_decisions_total"
    return [
        _over_time(
            "Decisions per hour",
            "One decision for each alert in each message. A start that waits has one more: when TheEye has its run, or when "
            "the start expires or cannot be sent.",
            _per_hour(decided, "decision"),
            "{{decision}}",
            interval="5m",
            empty="Nothing was decided in this time range",
            overrides=colours(_DECISIONS),
        ),
        _over_time(
            "Alerts that started nothing, per hour",
            "Decisions to start nothing, by reason, without dry runs, repeated and late messages, and alerts that fired before the "
            "action was added.",
            _per_hour(decided, "decision", _NOTHING_STARTED),
            "{{decision}}",
            interval="5m",
            empty="No decision against a start in this time range",
            overrides=colours({"suspended": "red"}),
        ),
    ]


def modes() -> statetimeline.Panel:
    """Return what each action may do, over time: nothing, start runs, or nothing until it is resumed."""
    live, dry = (
        f"max by ({ACTION}) ({SCOPE('theeye_action_info', matcher)})" for matcher in ('mode="live"', 'mode="dry_run"')
    )
    most = f"topk({_DRAWN}, max by ({ACTION}) (avg_over_time({SCOPE('theeye_action_suspended')}[$__range:5m] @ end())))"
    return timeline(
        Panel(
            title="Mode, by action",
            description=f"Dry run, live, or suspended, for the {_DRAWN} actions that were suspended the longest.",
            queries=[
                Query(f"{either(f'2 * ({SUSPENDED} == 1)', live, f'0 * {dry}')} and on ({ACTION}) {most}", _LEGEND)
            ],
            width=24,
            height=6,
            empty=NO_ACTIONS,
            link=CANARIES,
        ),
        mapping(_MODES),
    )


def runs() -> list[timeseries_builders.Panel]:
    """Return how runs end, and which are open."""
    return [
        _over_time(
            "Runs per hour, by outcome",
            "refused: nothing was started; lost: nobody knows whether there was a run.",
            _per_hour("theeye_action_runs_total", "outcome"),
            "{{outcome}}",
            interval="5m",
            empty=NO_RUNS,
            overrides=colours(ENDINGS),
        ),
        _over_time(
            "Open runs, by phase",
            "deciding: the start waits for a limit or another run; sending: TheEye has not answered; running: TheEye has accepted the run.",
            f"sum by (phase) ({latest('theeye_action_open_runs', f'{ACTION}, phase')})",
            "{{phase}}",
            empty=NO_ACTIONS,
            overrides=colours(_PHASES),
        ),
    ]


def histograms() -> list[heatmap_builders.Panel]:
    """Return how long it takes until a run starts, and until it has ended."""
    return [
        _histogram(
            "Time until a run starts",
            "Time from the start of the alert to the start of its run. Darker means more runs.",
            "theeye_action_alert_to_start_seconds",
        ),
        _histogram(
            "Turnaround",
            "Time from the request for a run to its end. Darker means more runs.",
            "theeye_action_turnaround_seconds",
        ),
    ]


def _histogram(title: str, description: str, metric: str) -> heatmap_builders.Panel:
    buckets = SCOPE(f"{metric}_bucket")
    return bucket_heatmap(
        Panel(
            title=title,
            description=description,
            queries=[Query(f"sum by (le) (increase({buckets}[$__rate_interval]))", "{{le}}")],
            width=12,
            unit="s",
            empty="No run started or ended in this time range",
            link=CANARIES,
        )
    )


def effects() -> list[timeseries_builders.Panel]:
    """Return whether alerts go away."""
    unhelped = latest("theeye_action_unhelped_alerts")
    return [
        _over_time(
            "Ended alerts per hour",
            "With or without a run; superseded: the alert fired again, and no message had said that it had ended.",
            _per_hour("theeye_action_episodes_total", "result"),
            "{{result}}",
            interval="5m",
            empty="No alert ended in this time range",
            overrides=colours(_RESULTS),
        ),
        _over_time(
            "Still firing after a run, by action",
            f"Alerts that still fire 15 minutes after their run succeeded, for up to {_DRAWN} actions.",
            f"topk({_DRAWN}, {unhelped} > 0)",
            _LEGEND,
            empty="No alert kept firing after a successful run",
        ),
    ]


def received() -> list[timeseries_builders.Panel]:
    """Return what Alertmanager sends, and how it is answered."""
    return [
        _over_time(
            "Alerts received per hour",
            "Alerts in Alertmanager's messages, including repeated ones; bad: not usable.",
            _per_hour("theeye_action_alerts_total", "status"),
            "{{status}}",
            interval="5m",
            empty="No alert was received in this time range",
            overrides=colours({"firing": "red", "resolved": "green", "bad": "purple"}),
        ),
        _over_time(
            "Answers per hour, by code",
            "200: all decisions are on the disk; 503: the state file cannot be written, and Alertmanager sends again.",
            _per_hour("theeye_action_requests_total", "code"),
            "{{code}}",
            interval="5m",
            empty="No message was received in this time range",
            overrides=colours({"200": "green", "503": "red", "500": "dark-red"}),
        ),
    ]
