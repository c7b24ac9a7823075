"""Panels that the dashboards of all tasks and of one task share: how runs end, how long they take and wait."""

from typing import Final

from grafana_foundation_sdk.builders import heatmap, stat, timeseries

from theeye_dashboards import panels
from theeye_dashboards.charts import bucket_heatmap
from theeye_dashboards.panels import GOOD_ABOVE, Panel, Query, colours, number
from theeye_dashboards.queries import Scope

__all__ = ["HISTOGRAM_POINTS", "NO_RUNS", "all_run_times", "quantiles", "success_rate", "turnaround", "waiting"]

NO_RUNS: Final = "No run ended in this time range"
HISTOGRAM_POINTS: Final = 150

_DURATION: Final = "theeye_job_duration_seconds"
_QUANTILES: Final = {"0.5": "median", "0.95": "p95", "0.99": "p99"}
"""Of a hundred runs, 95 took at most p95."""

Link = tuple[str, str]


def quantiles(scope: Scope, histogram: str, what: str, *, exemplars: bool = False) -> list[Query]:
    """Return the median and high quantiles of a histogram of times; `what` names these times."""
    return [
        Query(
            scope.quantile(quantile, histogram),
            f"{name} {what}",
            exemplars=exemplars and quantile == "0.95",
            interval="2m",
        )
        for quantile, name in _QUANTILES.items()
    ]


def success_rate(scope: Scope, link: Link, *, width: int) -> stat.Panel:
    """Return the success rate in the time range as a number."""
    return number(
        Panel(
            title="Success rate",
            description="Share of the runs in the time range that succeeded; canceled runs are not counted.",
            queries=[Query(scope.success_rate("$__range"))],
            width=width,
            height=4,
            unit="percentunit",
            decimals=1,
            empty=NO_RUNS,
            link=link,
            steps=GOOD_ABOVE,
        )
    )


def all_run_times(scope: Scope, link: Link, *, height: int) -> heatmap.Panel:
    """Return the number of runs by duration."""
    return bucket_heatmap(
        Panel(
            title="Run time, all runs",
            description="Number of runs by duration: darker means more.",
            queries=[Query(f"sum by (le) (increase({scope(f'{_DURATION}_bucket')}[$__rate_interval]))", "{{le}}")],
            width=12,
            height=height,
            unit="s",
            empty=NO_RUNS,
            link=link,
        )
    )


def turnaround(scope: Scope, link: Link, *, single_runs: bool = False) -> timeseries.Panel:
    """Return the quantiles of the time from creation to end."""
    return panels.timeseries(
        Panel(
            title="Turnaround" + (", with single runs" if single_runs else ""),
            description="Time from creation to end, including waiting for the bot; only the first run of each job.",
            queries=quantiles(scope, "theeye_job_turnaround_seconds", "turnaround", exemplars=single_runs),
            width=12,
            unit="s",
            points=HISTOGRAM_POINTS,
            empty=NO_RUNS,
            link=link,
        ),
    )


def waiting(scope: Scope, link: Link, description: str) -> timeseries.Panel:
    """Return the mean waiting time and the mean run time."""
    return panels.timeseries(
        Panel(
            title="Waiting and running, on average",
            description=description,
            queries=[
                Query(scope.waiting("$__rate_interval"), "waiting", interval="2m"),
                Query(scope.mean(_DURATION, "$__rate_interval"), "running", interval="2m"),
            ],
            width=12,
            unit="s",
            points=HISTOGRAM_POINTS,
            empty=NO_RUNS,
            link=link,
            overrides=colours({"waiting": "orange", "running": "blue"}),
        ),
    )
