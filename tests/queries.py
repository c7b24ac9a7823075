"""PromQL taken apart, and the series that it can ask for."""

from collections.abc import Iterator
from typing import NamedTuple

import promql_parser as promql

from theeye_exporter.commands.metrics import render_catalogue

__all__ = ["Selector", "catalogue", "children", "nodes", "selectors"]


class Selector(NamedTuple):
    """A selector and the functions around it, the nearest first."""

    name: str
    matchers: dict[str, str]
    functions: tuple[str, ...]


def nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    """Return an expression and everything in it."""
    yield expression
    for child in children(expression):
        yield from nodes(child)


def children(node: promql.Expr) -> list[promql.Expr]:
    """Return what an expression is made of."""
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
        for child in children(node):
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
