"""Actions: what becomes of alerts that can start runs, how the runs end, and whether the alerts go away."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat, table
from grafana_foundation_sdk.models.common import BigValueTextMode

from theeye_dashboards.action_graphs import (
    ACTION,
    CANARIES,
    ENDINGS,
    NO_ACTIONS,
    NO_RUNS,
    SCOPE,
    SUSPENDED,
    decisions,
    effects,
    histograms,
    latest,
    modes,
    received,
    runs,
)
from theeye_dashboards.page import page
from theeye_dashboards.panels import GOOD_ABOVE, GREEN, Panel, Query, number
from theeye_dashboards.tables import ORGANIZATION, Column, rows, words
from theeye_dashboards.variables import action, link_to

__all__ = ["actions"]

_LISTED: Final = 100
_INFO: Final = SCOPE("theeye_action_info")
_NOT_SUSPENDED: Final = "No action is suspended. Age of the data:"
_STARTED: Final = 'decision="started"'


def actions() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Actions",
        "theeye-actions",
        "What becomes of the alerts that can start runs, how the runs end, and whether the alerts go away.",
        top=_banner(),
        objects="theeye_action_info",
    ).with_variable(action())
    for big in (*_runs_in_numbers(), *_alerts_in_numbers()):
        built = built.with_panel(big)
    built = built.with_panel(_table())
    for panel in decisions():
        built = built.with_panel(panel)
    built = built.with_panel(modes()).with_row(dashboard.Row("Runs"))
    for panel in runs():
        built = built.with_panel(panel)
    for heatmap in histograms():
        built = built.with_panel(heatmap)
    built = built.with_row(dashboard.Row("Do the alerts go away?"))
    for panel in effects():
        built = built.with_panel(panel)
    built = built.with_row(dashboard.Row("What Alertmanager sends"))
    for panel in received():
        built = built.with_panel(panel)
    return built


def _increase(metric: str, matcher: str) -> str:
    return f"sum(increase({SCOPE(metric, matcher)}[$__range]))"


def _banner() -> stat.Panel:
    """Return a panel that is green while no action is suspended, and names those that are."""
    ended = f"time() - {latest('theeye_action_last_end_timestamp_seconds')}"
    stopped = f"{ended} and on ({ACTION}) {SUSPENDED} == 1"
    last_seen = f"max(max_over_time(timestamp({_INFO})[$__range:1m]))"
    return number(
        Panel(
            title="Age of the data",
            description="Time since the process was scraped. If an action is suspended, the banner is red and names it.",
            queries=[
                Query(f"topk(3, {stopped})", "{{organization}}: {{action}} is suspended. Time since its last run:"),
                Query(
                    f"(time() - {last_seen}) and on () absent({_INFO})",
                    "No data. Time since the last scrape of the actions:",
                ),
                Query(f"clamp_min(time() - min(timestamp({_INFO})), 0) unless on () ({stopped})", _NOT_SUSPENDED),
            ],
            width=24,
            height=3,
            unit="s",
            decimals=0,
            empty="No data: no action was scraped in this time range",
            link=(link_to("theeye-exporter"), "Exporter"),
            steps=((None, "red"),),
            overrides={_NOT_SUSPENDED: GREEN},
        ),
        text=BigValueTextMode.VALUE_AND_NAME,
    )


def _succeeded() -> str:
    return _increase("theeye_action_runs_total", 'outcome="success"')


def _runs_in_numbers() -> list[stat.Panel]:
    judged = _increase("theeye_action_runs_total", 'outcome!~"canceled|unknown"')
    return [
        number(
            Panel(
                title="Firing alerts",
                description="Firing alerts, according to Alertmanager's last messages.",
                queries=[Query(f"sum({latest('theeye_action_open_episodes')})")],
                width=4,
                height=4,
                decimals=0,
                empty=NO_ACTIONS,
                link=CANARIES,
            )
        ),
        number(
            Panel(
                title="Runs started",
                description="Runs that TheEye accepted in the time range. A dry run starts nothing.",
                queries=[Query(f"round({_increase('theeye_action_decisions_total', _STARTED)})")],
                width=4,
                height=4,
                decimals=0,
                empty=NO_ACTIONS,
                link=CANARIES,
            )
        ),
        number(
            Panel(
                title="Success rate",
                description="Share of successful runs among those that ended in the time range. Cancelled runs, and runs "
                "whose outcome is unknown, are not counted.",
                queries=[Query(f"{_succeeded()} / ({judged} > 0)")],
                width=4,
                height=4,
                unit="percentunit",
                decimals=1,
                empty=NO_RUNS,
                link=CANARIES,
                steps=GOOD_ABOVE,
            )
        ),
    ]


def _alerts_in_numbers() -> list[stat.Panel]:
    helped = _increase("theeye_action_episodes_total", 'result="resolved_after_run"')
    ended = _increase("theeye_action_episodes_total", 'result!="superseded"')
    return [
        number(
            Panel(
                title="Resolved after a run",
                description="Of the alerts that ended in the time range, the share that ended after a run. Superseded ones are not counted.",
                queries=[Query(f"{helped} / ({ended} > 0)")],
                width=4,
                height=4,
                unit="percentunit",
                decimals=0,
                empty="No alert ended in this time range",
                link=CANARIES,
            )
        ),
        number(
            Panel(
                title="Still firing after a run",
                description="Alerts that still fire 15 minutes after their run succeeded.",
                queries=[
                    Query(f"sum({latest('theeye_action_unhelped_alerts')}) and on () ({_succeeded()} > 0)"),
                ],
                width=4,
                height=4,
                decimals=0,
                empty="No run succeeded in this time range",
                link=CANARIES,
                steps=((None, "green"), (1, "red")),
            )
        ),
        number(
            Panel(
                title="Oldest open run",
                description="Age of the oldest run that is waiting or running, counted from the decision to start it.",
                queries=[Query(f"max(time() - {SCOPE('theeye_action_oldest_open_run_timestamp_seconds')})")],
                width=4,
                height=4,
                unit="s",
                decimals=0,
                empty="No run is open",
                link=CANARIES,
            )
        ),
    ]


def _table() -> table.Panel:
    last = latest("theeye_action_last_outcome", f"{ACTION}, outcome")
    listed = f"topk({_LISTED}, {SUSPENDED})"
    metrics = (
        latest("theeye_action_info", f"{ACTION}, mode, kind, target"),
        f"{last} == 1",
        "time() - " + latest("theeye_action_last_start_timestamp_seconds"),
        "time() - " + latest("theeye_action_last_success_timestamp_seconds"),
        latest("theeye_action_open_episodes"),
        SUSPENDED,
    )
    return rows(
        Panel(
            title="Actions",
            description=f"Up to {_LISTED} actions, suspended ones first. An action without a run has no outcome and no times.",
            queries=[Query(f"{metric} and on ({ACTION}) {listed}") for metric in metrics],
            width=24,
            empty=NO_ACTIONS,
            link=CANARIES,
        ),
        [
            Column(name="action", title="Action"),
            ORGANIZATION,
            Column(
                name="mode", title="Mode", width=90, words={"live": ("live", "green"), "dry_run": ("dry run", "blue")}
            ),
            Column(name="target", title="Target"),
            Column(name="outcome", title="Last run", width=90, words=words(ENDINGS)),
            Column(name="Value #C", title="Since the last start", unit="s", width=150),
            Column(name="Value #D", title="Since the last success", unit="s", width=160),
            Column(name="Value #E", title="Firing alerts", decimals=0, width=100),
            Column(
                name="Value #F", title="Suspended", width=100, words={"0": ("no", "text"), "1": ("suspended", "red")}
            ),
        ],
        sort=[("Suspended", True), ("Action", False)],
    )
