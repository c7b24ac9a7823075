"""The committed dashboards, and their PromQL taken apart."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser as promql

from theeye_exporter.commands.metrics import render_catalogue
from theeye_preview.variables import Chosen, TimeRange, interpolate

__all__ = ["DASHBOARDS", "FOLDER", "Expression", "Selector", "catalogue", "expressions", "nodes", "panels", "selectors"]

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


class Selector(NamedTuple):
    """A selector and the functions around it, the nearest first."""

    name: str
    matchers: dict[str, str]
    functions: tuple[str, ...]


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


def nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    """Return an expression and everything in it."""
    yield expression
    for child in _children(expression):
        yield from nodes(child)


def _children(node: promql.Expr) -> list[promql.Expr]:
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.Call):
        return list(node.args)
    if isinstance(node, promql.AggregateExpr):
        return [node.expr]
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return [node.expr]
    return []


def selectors(node: promql.Expr, functions: tuple[str, ...] = ()) -> Iterator[Selector]:
    """Return the selectors in an expression."""
    if isinstance(node, promql.MatrixSelector):
        yield _selector(node.vector_selector, functions)
    elif isinstance(node, promql.VectorSelector):
        yield _selector(node, functions)
    else:
        if isinstance(node, promql.Call):
            functions = (node.func.name, *functions)
        for child in _children(node):
            yield from selectors(child, functions)


def _selector(node: promql.VectorSelector, functions: tuple[str, ...]) -> Selector:
    matchers = {matcher.name: matcher.value for matcher in node.matchers.matchers}
    return Selector(node.name or "", matchers, functions)


def catalogue() -> dict[str, tuple[str, frozenset[str]]]:
    """Return type and labels of every metric, as the documentation has them, histograms and summaries by their series."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for line in render_catalogue("markdown").splitlines():
        if line.startswith("| `"):
            name, kind, labels = (cell.strip(" `") for cell in line.split("|")[1:4])
            of = frozenset(labels.split(", ")) - {""}
            if kind == "histogram":
                found[f"{name}_bucket"] = "counter", of | {"le"}
            if kind in {"histogram", "summary"}:
                found[f"{name}_sum"] = found[f"{name}_count"] = "counter", of
            else:
                found[name] = kind, of
    return found
