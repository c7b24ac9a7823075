"""The data of panels: results of Prometheus, as lines or as rows of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests

from theeye_preview.variables import Chosen, interpolate

__all__ = ["Line", "Prometheus", "Table", "legend", "lines_of", "table_of"]

_TIMEOUT: Final = 60.0
_DEFAULT_POINTS: Final = 300.0

JSON = dict[str, Any]


class Prometheus:
    """A Prometheus to query.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def ask(self, path: str, **parameters: object) -> Any:
        """Return the data of a response.

        Raises:
            ValueError: Prometheus says that the question is wrong.
        """
        answer = self._session.post(f"{self._url}/api/v1/{path}", data=parameters, timeout=_TIMEOUT).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer.get('error')}: {parameters}")
        return answer["data"]

    def target(self, dashboard: JSON, panel: JSON, target: JSON, chosen: Chosen) -> list[JSON]:
        """Return the series that an expression of a panel returns."""
        return list(self._answer(dashboard, panel, target, chosen)["result"])

    def samples(self, dashboard: JSON, panel: JSON, target: JSON, chosen: Chosen) -> int:
        """Return the number of samples that Prometheus loads for an expression of a panel."""
        stats = self._answer(dashboard, panel, target, chosen, stats="all")["stats"]
        return int(stats["samples"]["totalQueryableSamples"])

    def _answer(self, dashboard: JSON, panel: JSON, target: JSON, chosen: Chosen, **more: str) -> JSON:
        points = panel.get("maxDataPoints", _DEFAULT_POINTS)
        least = target.get("interval", "")
        expression = interpolate(target["expr"], dashboard, chosen, points=points, least=least)
        time = chosen.time
        if target.get("instant"):
            instant: JSON = self.ask("query", query=expression, time=time.end, **more)
            return instant
        step = time.step(points, least)
        # Points lie on whole steps, as Grafana aligns them.
        start, end = time.start // step * step, time.end // step * step
        ranged: JSON = self.ask("query_range", query=expression, start=start, end=end, step=step, **more)
        return ranged


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a panel over time; where two points are further apart than two steps, it is interrupted."""

    name: str
    points: Sequence[tuple[float, float]]
    labels: Mapping[str, str]

    @property
    def last(self) -> float | None:
        """The newest value that is a number."""
        return next((value for _, value in reversed(self.points) if value == value), None)  # noqa: PLR0124 - NaN


def legend(template: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series, of a template such as `{{hostname}} {{device}}`."""
    for name, value in labels.items():
        template = template.replace(f"{{{{{name}}}}}", value)
    return template


def lines_of(prometheus: Prometheus, dashboard: JSON, panel: JSON, chosen: Chosen) -> list[Line]:
    """Return the series of a panel, sorted within each expression."""
    lines = []
    for target in panel["targets"]:
        found = []
        for series in prometheus.target(dashboard, panel, target, chosen):
            labels = {key: value for key, value in series["metric"].items() if key != "__name__"}
            points = series["values"] if "values" in series else [series["value"]]
            name = legend(target.get("legendFormat", ""), labels) or str(labels or "value")
            found.append(Line(name, [(float(at), float(value)) for at, value in points], labels))
        lines += sorted(found, key=lambda line: line.name)
    return lines


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by the names of fields, with the order of the fields."""

    fields: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


def table_of(prometheus: Prometheus, dashboard: JSON, panel: JSON, chosen: Chosen) -> Table:
    """Return the rows of a panel, after its transformations: merge, filterFieldsByName, organize."""
    answers = {target["refId"]: prometheus.target(dashboard, panel, target, chosen) for target in panel["targets"]}
    answers = {ref: series for ref, series in answers.items() if series}
    frames = []
    for ref, series in answers.items():
        field = f"Value #{ref}" if len(answers) > 1 else "Value"
        frames.append([{**one["metric"], field: float(one["value"][1])} for one in series])
    rows = frames[0] if len(frames) == 1 else _merged(frames)
    kept: Sequence[str] = ()
    order: Mapping[str, int] = {}
    for transformation in panel.get("transformations", ()):
        if transformation["id"] == "filterFieldsByName":
            kept = transformation["options"]["include"]["names"]
        elif transformation["id"] == "organize":
            order = transformation["options"]["indexByName"]
    present = [name for name in kept if any(name in row for row in rows)]
    return Table(sorted(present, key=lambda name: order.get(name, len(order))), rows)


def _merged(frames: Sequence[Sequence[JSON]]) -> list[JSON]:
    """Join rows on the fields that all frames have."""
    if not frames:
        return []
    names = [{name for row in frame for name in row} for frame in frames]
    keys = sorted(set.intersection(*names))
    merged: dict[tuple[Any, ...], JSON] = {}
    for frame in frames:
        for row in frame:
            merged.setdefault(tuple(row.get(key) for key in keys), {}).update(row)
    return list(merged.values())
