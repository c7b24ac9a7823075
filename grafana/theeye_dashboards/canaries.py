"""Canaries: whether the runs succeed that `theeye-exporter actions` starts at an interval, and where their time goes."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.models.common import BigValueTextMode

from theeye_dashboards.charts import bucket_heatmap, timeline
from theeye_dashboards.page import page
from theeye_dashboards.panels import (
    GOOD_ABOVE,
    GREEN,
    OUTCOMES,
    Panel,
    Query,
    colours,
    mapping,
    number,
    timeseries,
)
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import ORGANIZATION, Column, rows
from theeye_dashboards.variables import canary, link_to

__all__ = ["canaries"]

_SCOPE: Final = Scope(('canary=~"$canary"',))
_JOBS: Final = (link_to("theeye-jobs"), "Jobs and tasks")
_CANARY: Final = "organization, canary"
_LEGEND: Final = "{{canary}}, {{organization}}"
_NONE: Final = "No canaries"
_NO_RUNS: Final = "No run of a canary ended in this time range"
_DRAWN: Final = 20
_LISTED: Final = 100
_RUNS: Final = _SCOPE("theeye_canary_runs_total")
_INTERVAL: Final = _SCOPE("theeye_canary_interval_seconds")
_RESULT: Final = {"0": ("failure", "red"), "1": ("success", "green")}
_PHASES: Final = {"submit": "purple", "queue": "orange", "run": "blue"}
_ALL_RUN: Final = "All canaries run. The longest without a run:"


def canaries() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = page(
        "TheEye / Canaries",
        "theeye-canaries",
        "Whether the canaries' runs succeed, how long they take, and in which phase the time goes.",
        top=_banner(),
        objects="theeye_canary_interval_seconds",
    ).with_variable(canary())
    for big in _numbers():
        built = built.with_panel(big)
    built = built.with_panel(_success()).with_panel(_table()).with_row(dashboard.Row("How long runs take"))
    for timing in _timings():
        built = built.with_panel(timing)
    return built.with_panel(_endings()).with_panel(_all_turnarounds())


def _latest(metric: str) -> str:
    return f"max by ({_CANARY}) ({_SCOPE(metric)})"


def _banner() -> stat.Panel:
    """Return a panel that is green while every canary runs, and names those that do not."""
    last, begun = (
        _latest("theeye_canary_last_run_timestamp_seconds"),
        _latest("theeye_canary_configured_timestamp_seconds"),
    )
    age = f"(time() - ({last} or {begun}))"
    late = f"{age} > 3 * max by ({_CANARY}) ({_INTERVAL})"
    last_seen = f"max(max_over_time(timestamp({_INTERVAL})[$__range:1m]))"
    return number(
        Panel(
            title="Age of the data",
            description="The longest time since a canary's last run. If no run of a canary has ended for three of its "
            "intervals, the banner is red and names it.",
            queries=[
                Query(f"topk(3, {late})", "{{organization}}: {{canary}} has not run for"),
                Query(
                    f"(time() - {last_seen}) and on () absent({_INTERVAL})",
                    "No data. Time since the last scrape of the canaries:",
                ),
                Query(f"clamp_min(max({age}), 0) unless on () ({late})", _ALL_RUN),
            ],
            width=24,
            height=3,
            unit="s",
            decimals=0,
            empty="No data: no canary was scraped in this time range",
            link=(link_to("theeye-exporter"), "Exporter"),
            steps=((None, "red"),),
            overrides={_ALL_RUN: GREEN},
        ),
        text=BigValueTextMode.VALUE_AND_NAME,
    )


def _numbers() -> list[stat.Panel]:
    success = _latest("theeye_canary_success")
    judged, succeeded = (
        f"sum(increase({_SCOPE('theeye_canary_runs_total', outcome)}[$__range]))"
        for outcome in ('outcome!="canceled"', 'outcome="success"')
    )
    return [
        number(
            Panel(
                title="Failing canaries",
                description="Canaries whose last run did not succeed.",
                queries=[Query(f"sum({success} == bool 0)")],
                width=6,
                height=4,
                decimals=0,
                empty=_NONE,
                link=_JOBS,
                steps=((None, "green"), (1, "red")),
            )
        ),
        number(
            Panel(
                title="Success rate",
                description="Share of the runs in the time range that succeeded; canceled runs are not counted.",
                queries=[Query(f"{succeeded} / ({judged} > 0)")],
                width=6,
                height=4,
                unit="percentunit",
                decimals=1,
                empty=_NO_RUNS,
                link=_JOBS,
                steps=GOOD_ABOVE,
            )
        ),
        number(
            Panel(
                title="Runs",
                description="Runs of canaries that ended in the time range, whatever the outcome.",
                queries=[Query(f"round(sum(increase({_RUNS}[$__range])))")],
                width=6,
                height=4,
                decimals=0,
                empty=_NONE,
                link=_JOBS,
            )
        ),
        number(
            Panel(
                title="Longest turnaround",
                description="The longest turnaround of all canaries' last successful runs.",
                queries=[Query(f"max({_SCOPE('theeye_canary_last_turnaround_seconds')})")],
                width=6,
                height=4,
                unit="s",
                decimals=1,
                empty="No run has succeeded yet",
                link=_JOBS,
            )
        ),
    ]


def _success() -> statetimeline.Panel:
    success = _SCOPE("theeye_canary_success")
    worst = f"bottomk({_DRAWN}, min by ({_CANARY}) (avg_over_time({success}[$__range:5m] @ end())))"
    return timeline(
        Panel(
            title="Result of the last run, by canary",
            description=f"Whether the last run succeeded, over time, for the {_DRAWN} canaries that failed most often.",
            queries=[Query(f"max by ({_CANARY}) ({success}) and on ({_CANARY}) {worst}", _LEGEND)],
            width=24,
            height=7,
            empty=_NONE,
            link=_JOBS,
        ),
        mapping(_RESULT),
    )


def _table() -> table.Panel:
    metrics = (
        "time() - " + _latest("theeye_canary_last_run_timestamp_seconds"),
        "time() - " + _latest("theeye_canary_last_success_timestamp_seconds"),
        _latest("theeye_canary_last_turnaround_seconds"),
        "time() - " + _latest("theeye_canary_open_run_timestamp_seconds"),
        f"max by ({_CANARY}) ({_INTERVAL})",
    )
    listed = f"bottomk({_LISTED}, {_latest('theeye_canary_success')})"
    return rows(
        Panel(
            title="Canaries",
            description=f"Up to {_LISTED} canaries, failing ones first. A canary whose first run has not ended has no line.",
            queries=[Query(listed), *(Query(f"{metric} and on ({_CANARY}) {listed}") for metric in metrics)],
            width=24,
            empty=_NONE,
            link=_JOBS,
        ),
        [
            Column(name="canary", title="Canary"),
            ORGANIZATION,
            Column(name="Value #A", title="Last run", width=100, words=_RESULT),
            Column(name="Value #B", title="Since the last run", unit="s", width=140),
            Column(name="Value #C", title="Since the last success", unit="s", width=160),
            Column(name="Value #D", title="Turnaround", unit="s", decimals=1, width=110),
            Column(name="Value #E", title="Open for", unit="s", width=110),
            Column(name="Value #F", title="Interval", unit="s", width=110),
        ],
        sort=[("Last run", False), ("Canary", False)],
    )


def _timings() -> list[timeseries_builders.Panel]:
    turnaround = _SCOPE("theeye_canary_last_turnaround_seconds")
    slowest = f"topk({_DRAWN}, max by ({_CANARY}) (avg_over_time({turnaround}[$__range:5m] @ end())))"
    durations = "theeye_canary_last_duration_seconds"
    phases = [(phase, f'phase="{phase}"') for phase in _PHASES]
    return [
        timeseries(
            Panel(
                title="Phases of a run, on average",
                description="Average duration of each phase of the canaries' last successful runs. submit: until TheEye has "
                "answered; queue: until the script begins; run: the script.",
                queries=[Query(f"avg({_SCOPE(durations, matcher)})", phase) for phase, matcher in phases],
                width=12,
                unit="s",
                empty="No run has succeeded yet",
                link=_JOBS,
                overrides=colours(_PHASES),
            ),
            stacked=True,
        ),
        timeseries(
            Panel(
                title="Turnaround, by canary",
                description=f"Time from the start to the end of the last successful run, for the {_DRAWN} slowest canaries.",
                queries=[Query(f"max by ({_CANARY}) ({turnaround}) and on ({_CANARY}) {slowest}", _LEGEND)],
                width=12,
                unit="s",
                empty="No run has succeeded yet",
                link=_JOBS,
            ),
        ),
    ]


def _endings() -> timeseries_builders.Panel:
    return timeseries(
        Panel(
            title="Runs per hour, by outcome",
            description="refused: nothing was started; lost: nobody knows whether there was a run.",
            queries=[
                Query(f"3600 * sum by (outcome) (rate({_RUNS}[$__rate_interval])) > 0", "{{outcome}}", interval="5m")
            ],
            width=12,
            empty=_NO_RUNS,
            link=_JOBS,
            overrides=colours({**OUTCOMES, "refused": "yellow", "lost": "dark-red"}),
        ),
        stacked=True,
    )


def _all_turnarounds() -> heatmap_builders.Panel:
    buckets = _SCOPE("theeye_canary_turnaround_seconds_bucket")
    return bucket_heatmap(
        Panel(
            title="Turnaround, all runs",
            description="Number of successful runs by turnaround. Darker means more runs.",
            queries=[Query(f"sum by (le) (increase({buckets}[$__rate_interval]))", "{{le}}")],
            width=12,
            unit="s",
            empty=_NO_RUNS,
            link=_JOBS,
        )
    )
