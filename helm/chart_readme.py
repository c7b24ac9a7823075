"""The tables of values in the chart's README.md."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from chart_values import Value

__all__ = ["with_tables"]

_BEGIN: Final = "<!-- values: made from values.yaml by `make docs` -->\n"
_END: Final = "<!-- /values -->\n"


def with_tables(readme: str, values: Sequence[Value]) -> str:
    """Return the README with the tables of these values between its two marks."""
    before, _, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"README.md: {_BEGIN.strip()} and {_END.strip()} have to stand in it, each on its own line")
    return before + _BEGIN + _tables(values) + _END + after


def _tables(values: Sequence[Value]) -> str:
    lines = []
    for section, members in groupby(values, key=lambda value: value.section):
        lines += ["", f"### {section}", "", "| value | default | meaning |", "| --- | --- | --- |"]
        lines += [_row(value) for value in members if not value.has_children]
    return "\n".join([*lines, "", ""])


def _row(value: Value) -> str:
    description = value.description.replace("|", "\\|")
    return f"| `{'.'.join(value.path)}` | `{json.dumps(value.default)}` | {description} |"
