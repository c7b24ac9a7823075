"""What the page of all tasks and that of one show alike: how runs end, how long they take and wait."""

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
_QUANTILES: Final = {"0.5": "median", "0.95": "95 % took at most", "0.99": "99 % took at most"}

Link = tuple[str, str]


def quantiles(scope: Scope, histogram: str, *, exemplars: bool = False) -> list[Query]:
    """Return what half, and nearly all, of the runs took at most."""
    return [
        Query(scope.quantile(quantile, histogram), legend, exemplars=exemplars and quantile == "0.95", interval="2m")
        for quantile, legend in _QUANTILES.items()
    ]


def success_rate(scope: Scope, link: Link, *, width: int) -> stat.Panel:
    """Return the share of good ends in the time range as a number."""
    return number(
        Panel(
            title="Success rate",
            description="Share of the runs in the time range that succeeded; canceled ones do not count.",
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
    """Return how many runs took how long."""
    return bucket_heatmap(
        Panel(
            title="Run time, all runs",
            description="How many runs took how long: darker is more.",
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
            title="Time from creation to end" + (", with single runs" if single_runs else ""),
            description="Turnaround: waiting for the bot included; repeats of a job are left out.",
            queries=quantiles(scope, "theeye_job_turnaround_seconds", exemplars=single_runs),
            width=12,
            unit="s",
            points=HISTOGRAM_POINTS,
            empty=NO_RUNS,
            link=link,
        ),
    )


def waiting(scope: Scope, link: Link, description: str) -> timeseries.Panel:
    """Return the mean times in the queue and of running."""
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
