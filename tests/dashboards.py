"""The committed dashboards and their expressions."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser as promql

from theeye_preview.variables import Chosen, TimeRange, interpolate

__all__ = ["DASHBOARDS", "FOLDER", "Expression", "expressions", "panels"]

JSON = dict[str, Any]

FOLDER: Final = Path(__file__).parents[1] / "grafana" / "dashboards"
DASHBOARDS: Final[dict[str, JSON]] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}

EVERYTHING: Final = Chosen(TimeRange(0, 6 * 3600), {"task": ["6a16abb5b59feefc4407b69c"]})


class Expression(NamedTuple):
    """An expression of a panel or of a variable; `panel` is None for a variable."""

    dashboard: str
    where: str
    panel: JSON | None
    target: JSON
    raw: str

    @property
    def parsed(self) -> promql.Expr:
        """The expression with All chosen."""
        return promql.parse(interpolate(self.raw, DASHBOARDS[self.dashboard], EVERYTHING))


def panels(dashboard: JSON) -> list[JSON]:
    """Return the panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[Expression]:
    """Return every expression of every dashboard."""
    found = []
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            found += [
                Expression(name, f"{panel['title']} {target['refId']}", panel, target, target["expr"])
                for target in panel["targets"]
            ]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                inner = variable["query"].partition("(")[2].removesuffix(")")
                if variable["query"].startswith("label_values("):
                    inner = inner.rpartition(",")[0]
                found.append(Expression(name, f"variable {variable['name']}", None, {}, inner))
    return found
