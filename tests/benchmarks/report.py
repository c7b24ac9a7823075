"""The table for a terminal, for the documentation and for programs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Series
from benchmarks.rows import ROWS, Cell, Row, cell, met

__all__ = ["as_data", "as_markdown", "as_text", "put_into", "put_table"]

_BEGIN: Final = "<!-- what follows is written by make bench -->"
_END: Final = "<!-- what make bench writes ends here -->"
_APART: Final = "Measured separately"
_SIGNIFICANT: Final = 3
_LARGE: Final = 100


def _number(value: float) -> str:
    """Return a number with three significant digits, in groups of three before the point."""
    if abs(value) >= _LARGE:
        return f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{value:.{_SIGNIFICANT}g}" if abs(value) < 1 else f"{value:.{2 if value < 10 else 1}f}"


def _shown(row: Row, found: Cell) -> str:
    unit = f" {row.unit}" if row.unit and not row.unit.startswith("/") else row.unit
    value = f"{_number(found.value)}{unit}"
    if found.low != found.high:
        value += f" ({_number(found.low)}–{_number(found.high)})"  # noqa: RUF001 - a range
    return value if found.ratio is None else f"{_number(found.ratio)}{row.suffix}, {value}"


def _verdict(row: Row, cells: Mapping[int, Cell]) -> str:
    if row.target is None or row.target.size not in cells:
        return "" if row.target is None else row.target.text
    return f"{row.target.text}: {'ok' if met(row.target, cells[row.target.size]) else 'MISSED'}"


def _lines(measured: Mapping[int, Series]) -> list[list[str]]:
    heading = ["what", "against", *(f"{_number(size)} monitors" for size in measured), "target"]
    lines = [heading]
    for row in ROWS:
        cells = {size: cell(row, size, measured) for size in measured}
        shown = [_shown(row, found) for found in cells.values()]
        lines.append([row.name, row.against, *shown, _verdict(row, cells)])
    return lines


def as_text(measured: Mapping[int, Series]) -> str:
    """Return the table for a terminal."""
    lines = _lines(measured)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_markdown(measured: Mapping[int, Series]) -> str:
    """Return the table for the documentation."""
    heading, *lines = _lines(measured)
    rule = ["---", "---", *("---:" for _ in measured), "---"]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *lines))


def as_data(measured: Mapping[int, Series]) -> list[dict[str, Any]]:
    """Return the table for programs: for each row its name and, by size, value, low, high and ratio."""
    rows = []
    for row in ROWS:
        cells = {size: cell(row, size, measured) for size in measured}
        shown = {
            str(size): {"value": found.value, "low": found.low, "high": found.high, "ratio": found.ratio}
            for size, found in cells.items()
        }
        rows.append({"name": row.name, "unit": row.unit, "cells": shown, "verdict": _verdict(row, cells)})
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


def put_into(document: Path, paragraphs: Sequence[str]) -> None:
    """Replace the text between the marks of a document; the rest stays."""
    before, _, after = _parts(document)
    body = "\n\n".join(paragraphs)
    document.write_text(f"{before}{_BEGIN}\n\n{body}\n\n{_END}{after}")


def put_table(document: Path, table: str, note: str) -> None:
    """Put a table that was measured apart before the last mark, instead of the one of the same name; the rest stays.

    Args:
        document: The document.
        table: The table; the first cell of its heading is its name.
        note: When and how it was measured.
    """
    kept: list[str] = []
    for paragraph in _parts(document)[1].strip().split("\n\n"):
        if _name(paragraph) != _name(table):
            kept.append(paragraph)
        elif kept and kept[-1].startswith(_APART):
            kept.pop()
    put_into(document, [*kept, f"{_APART}: {note}", table])


def _parts(document: Path) -> tuple[str, str, str]:
    """Return the text before, between and after the marks."""
    before, begin, rest = document.read_text().partition(_BEGIN)
    between, end, after = rest.partition(_END)
    if not begin or not end:
        raise RuntimeError(f"{document} lacks the marks between which the table goes")
    return before, between, after


def _name(paragraph: str) -> str:
    """Return the name of a table, and an empty one for other paragraphs."""
    return paragraph.split("|")[1].strip() if paragraph.startswith("|") else ""
