"""Replaces variables in expressions, as Grafana does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Chosen", "TimeRange", "duration", "interpolate", "options_of_query_result"]

_STEPS: Final = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SPECIAL: Final = re.compile(r"[$^*{}\[\]+?.()|]")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A time range of a dashboard, in Unix seconds, with the scrape interval of the data source."""

    start: float
    end: float
    scrape_interval: float = 15.0

    def step(self, points: float, least: str = "") -> float:
        """Return the seconds between two points of a query."""
        wanted = (self.end - self.start) / points
        rounded = next((step for step in _STEPS if step >= wanted * 0.9), _STEPS[-1])
        return max(rounded, self.least(least))

    def least(self, least: str) -> float:
        """Return the minimum number of seconds between two points."""
        return duration(least) if least else self.scrape_interval


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selected values in a dashboard.

    Attributes:
        time: the time range.
        values: values by variable; a variable that is not in it has All.
    """

    time: TimeRange
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)


def duration(text: str) -> float:
    """Return seconds of a simple duration such as 5m."""
    return float(text[:-1]) * _UNITS[text[-1]]


def interpolate(
    expression: str, dashboard: Mapping[str, Any], chosen: Chosen, *, points: float = 300, least: str = ""
) -> str:
    """Return an expression with every variable replaced.

    Raises:
        KeyError: the dashboard does not have a variable.
    """
    step = chosen.time.step(points, least)
    scrape = chosen.time.least(least)
    builtin = {
        "__interval": f"{step:.0f}s",
        "__rate_interval": f"{max(step + scrape, 4 * scrape):.0f}s",
        "__range": f"{chosen.time.end - chosen.time.start:.0f}s",
    }
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}

    def replaced(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return builtin[name] if name in builtin else _value(variables[name], chosen.values.get(name))

    return _VARIABLE.sub(replaced, expression)


def _value(variable: Mapping[str, Any], values: Sequence[str] | None) -> str:
    if not variable.get("multi") and not variable.get("includeAll"):
        if values is None:
            raise KeyError(f"{variable['name']} has no All: a value has to be chosen")
        return values[0].replace("'", "\\\\'")
    if values is None:
        return str(variable["allValue"])
    escaped = [_SPECIAL.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def options_of_query_result(result: Sequence[Mapping[str, Any]], pattern: str) -> dict[str, str]:
    """Return the values of a variable of type query_result by their text, as its regular expression finds them.

    Args:
        result: what Prometheus answers to an instant query.
        pattern: between slashes, with the groups text and value, as Grafana has it.
    """
    regex = re.compile(pattern.strip("/").replace("(?<text>", "(?P<text>").replace("(?<value>", "(?P<value>"))
    options = {}
    for series in result:
        name = series["metric"].get("__name__", "")
        labels = ",".join(f'{key}="{value}"' for key, value in series["metric"].items() if key != "__name__")
        match = regex.search(f"{name}{{{labels}}} {series['value'][1]} {series['value'][0] * 1000}")
        if match is not None:
            options[match["text"]] = match["value"]
    return options
