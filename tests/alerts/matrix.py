"""Makes unit tests for promtool from scenarios: each with every kind of scrapes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from alerts.scenarios import MINUTE, Scenario, Series

__all__ = ["Scrapes", "unit_test"]

WELL: Final = 60
"""Minutes in which all is well, before something breaks."""
_RESTART_SECONDS: Final = 2 * MINUTE
_BUILD: Final = 'version="1",python_version="3"'


@dataclass(frozen=True, slots=True)
class Scrapes:
    """How Prometheus sees the exporters.

    Attributes:
        interval: Seconds between two scrapes.
        exporters: How many exporters serve the organisation.
        one_in_ten_fails: Whether each tenth scrape of every exporter fails.
        restart: Whether the first exporter restarts while the alert fires: no, with its state, or without.
        replicas: How many copies of each series there are, with external labels.
    """

    interval: int
    exporters: int = 1
    one_in_ten_fails: bool = False
    restart: str = ""
    replicas: int = 1

    def __str__(self) -> str:
        """Its name in the test's output."""
        parts = (
            f"{self.interval} s",
            f"{self.exporters} exporters" if self.exporters > 1 else "",
            "one in ten fails" if self.one_in_ten_fails else "",
            f"restart {self.restart} state" if self.restart else "",
            "external labels" if self.replicas > 1 else "",
        )
        return ", ".join(part for part in parts if part)


def unit_test(scenarios: Sequence[Scenario], kinds: Sequence[Scrapes]) -> dict[str, Any]:
    """Return a test: silent while all is well, one alert while it is broken, and silent again afterwards.

    Each scenario has an organisation and exporters of its own for each kind of scrapes, so that one run of promtool takes them all.
    The kinds have one interval.
    """
    (interval,) = {scrapes.interval for scrapes in kinds}
    checks: list[tuple[int, str, int | None]] = [(WELL - 1, "count(ALERTS{alertstate='firing'})", None)]
    for scenario in scenarios:
        for scrapes in kinds:
            checks += _checks(scenario, scrapes)
    end = max(scenario.minutes for scenario in scenarios) + WELL
    return {
        "name": f"{interval} s",
        "interval": f"{interval}s",
        "input_series": [
            series for scenario in scenarios for scrapes in kinds for series in _input(scenario, scrapes, end)
        ],
        "promql_expr_test": [
            {
                "eval_time": f"{at}m",
                "expr": expression,
                "exp_samples": [] if alerts is None else [{"labels": "{}", "value": alerts}],
            }
            for at, expression, alerts in checks
        ],
    }


def _place(scenario: Scenario, scrapes: Scrapes) -> str:
    """The name of the organisation, and the beginning of those of its exporters: promtool prints it if a check fails."""
    return f"{scenario.alert}, {scrapes}"


def _checks(scenario: Scenario, scrapes: Scrapes) -> Iterator[tuple[int, str, int | None]]:
    place = _place(scenario, scrapes)
    chosen = f"organization=~'{place}|',instance=~'({place} [0-9]+)?'"
    found = f"count(ALERTS{{alertname='{scenario.alert}',alertstate='firing',{chosen}}})"
    firing = WELL + scenario.fires_within + (5 if scrapes.one_in_ten_fails else 0)
    mended = WELL + scenario.broken_for
    assert firing < mended - 5
    times = [firing, mended - 1]
    if scrapes.restart and scenario.survives_restart:
        times += [_restart_at(scenario) // MINUTE + minutes for minutes in (1, 2, 3)]
    copies = 1 if all(series.everywhere for series in scenario.series) else scrapes.replicas
    yield from ((at, found, copies) for at in times)
    yield mended + scenario.quiet_within, found, None


def _restart_at(scenario: Scenario) -> int:
    return (WELL + scenario.broken_for - 5) * MINUTE


def _input(scenario: Scenario, scrapes: Scrapes, end: int) -> Iterator[dict[str, str]]:
    names = {series.name for series in scenario.series}
    always = [
        series
        for series in (
            Series("up", "", lambda _t, _s: 1),
            Series("theeye_exporter_build_info", _BUILD, lambda _t, _s: 1),
        )
        if series.name not in names
    ]
    for series in (*scenario.series, *always):
        for number in range(scrapes.exporters):
            values = " ".join(_compressed(_samples(scenario, scrapes, series, number, end)))
            target = f'job="theeye",instance="{_place(scenario, scrapes)} {number}"'
            for replica in range(scrapes.replicas):
                labels = [
                    series.labels.replace("acme", _place(scenario, scrapes)),
                    target,
                    f'cluster="eu",replica="{replica}"' if scrapes.replicas > 1 else "",
                ]
                yield {"series": f"{series.name}{{{','.join(filter(None, labels))}}}", "values": values}


def _samples(scenario: Scenario, scrapes: Scrapes, series: Series, number: int, until: int) -> Iterator[str]:
    begin, end = WELL * MINUTE, (WELL + scenario.broken_for) * MINUTE
    restart = _restart_at(scenario) if scrapes.restart and number == 0 else None
    for position in range(until * MINUTE // scrapes.interval + 1):
        t = position * scrapes.interval
        seen = series.everywhere or number == 0
        since = t - begin if begin <= t < end and seen else -1
        value = series.value(t, since)
        away = restart is not None and restart <= t < restart + _RESTART_SECONDS
        reset = scrapes.restart == "without" and series.counts_from_start
        if reset and value is not None and restart is not None and t >= restart + _RESTART_SECONDS:
            value -= series.value(restart, restart - begin) or 0
        fails = scrapes.one_in_ten_fails and (position + number) % 10 == 9
        if series.name == "up":
            yield "0" if fails or away else f"{value:g}"
        else:
            down = "up" in {other.name for other in scenario.series} and since >= 0 and number == 0
            yield "stale" if fails or away or down or value is None else f"{value:.10g}"


def _compressed(samples: Iterable[str]) -> Iterator[str]:
    for value, group in groupby(samples):
        count = len(list(group))
        if value == "stale":
            yield "stale" + (f" _x{count - 1}" if count > 1 else "")
        else:
            yield value if count == 1 else f"{value}x{count - 1}"
