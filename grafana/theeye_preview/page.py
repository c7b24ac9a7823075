"""A dashboard as one HTML page."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from theeye_preview import charts
from theeye_preview.data import Line, Prometheus, Table, lines_of, table_of
from theeye_preview.grafana_style import colour, field_settings, level, shown
from theeye_preview.variables import Chosen

__all__ = ["WIDTH", "render"]

JSON = dict[str, Any]

WIDTH: Final = 1280
_COLUMNS: Final = 24
_ROW: Final = 38
_GAP: Final = 8
_HEAD: Final = 84
_TITLE: Final = 30
_LEGEND: Final = 24
_CSS: Final = """
body{margin:0;background:#111217;color:#ccccdc;font:13px 'DejaVu Sans',sans-serif;width:1280px;position:relative}
header{padding:12px 16px 0;height:68px}h1{font-size:18px;margin:0 0 8px}
.note{position:absolute;right:16px;top:14px;color:#8e8e9e;font-size:12px}
.var{display:inline-block;margin-right:10px;border:1px solid #34363d;border-radius:3px;padding:3px 8px;font-size:12px}
.var b{color:#8ab8ff;font-weight:normal;margin-right:6px}
.panel{position:absolute;background:#181b1f;border:1px solid #25272d;border-radius:3px;overflow:hidden;box-sizing:border-box}
.row{position:absolute;font-size:15px;font-weight:bold;padding:5px 4px}
h2{font-size:13px;margin:0;padding:7px 9px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.stats{display:flex;gap:3px;position:absolute;left:3px;right:3px;top:30px;bottom:3px}
.stat{flex:1;border-radius:3px;display:flex;flex-direction:column;align-items:center;justify-content:center;text-align:center}
.stat i{font-style:normal;font-size:13px}.empty{color:#9fa7b3;text-align:center;padding:10px;position:absolute;left:0;right:0;top:42%}
table{border-collapse:collapse;width:100%;table-layout:fixed;font-size:12px}
th{color:#6e9fff;text-align:left;font-weight:normal}th,td{padding:4px 7px;border-bottom:1px solid #25272d;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
td.link{color:#8ab8ff}td.number,th.number{text-align:right}
.legend{padding:2px 9px;height:18px;overflow:hidden;font-size:11px;white-space:nowrap}
.legend span{margin-right:12px}.legend i{display:inline-block;width:14px;height:3px;margin-right:5px;vertical-align:middle}
.bar{background:#25272d;height:14px;border-radius:2px;position:relative}.bar i{display:block;height:14px;border-radius:2px}
.bar b{position:absolute;right:4px;top:-1px;font-weight:normal;font-size:11px}
"""


def render(dashboard: JSON, prometheus: Prometheus, chosen: Chosen, *, shown_values: dict[str, str]) -> str:
    """Return a page.

    Args:
        dashboard: its JSON.
        prometheus: where to ask.
        chosen: time and variables.
        shown_values: the text of the variables that are not All.
    """
    panels = dashboard["panels"]
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) * _ROW + _HEAD + _GAP
    variables = "".join(
        f'<span class="var"><b>{escape(v.get("label", v["name"]))}</b>{escape(shown_values.get(v["name"], "All"))}</span>'
        for v in dashboard["templating"]["list"]
        if v["type"] == "query"
    )
    body = "".join(_panel(dashboard, panel, prometheus, chosen) for panel in panels)
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{_CSS}</style><body style="height:{height}px">'
        f"<header><h1>{escape(dashboard['title'])}</h1>{variables}</header>"
        f'<div class="note">preview, not Grafana; simulated data</div>{body}'
    )


def _panel(dashboard: JSON, panel: JSON, prometheus: Prometheus, chosen: Chosen) -> str:
    grid = panel["gridPos"]
    unit = (WIDTH - 2 * _GAP) / _COLUMNS
    width, height = round(grid["w"] * unit) - _GAP, grid["h"] * _ROW - _GAP
    place = f"left:{_GAP + grid['x'] * unit:.0f}px;top:{_HEAD + grid['y'] * _ROW}px;width:{width}px;height:{height}px"
    if panel["type"] == "row":
        return f'<div class="row" style="{place}">⌄ {escape(panel["title"])}</div>'
    if panel["type"] == "table":
        table = table_of(prometheus, dashboard, panel, chosen)
        inner = _table(panel, table) if table.rows else ""
    else:
        lines = lines_of(prometheus, dashboard, panel, chosen)
        inner = _DRAW[panel["type"]](panel, lines, chosen, width, height - _TITLE) if lines else ""
    inner = inner or f'<div class="empty">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'
    return f'<div class="panel" style="{place}"><h2>{escape(panel["title"])}</h2>{inner}</div>'


def _stat(panel: JSON, lines: Sequence[Line], _: Chosen, width: int, height: int) -> str:
    mode = panel["options"]["textMode"]
    boxes = []
    for line in lines:
        settings = field_settings(panel, line.name)
        value = line.last if line.last is not None else float("nan")
        text, mapped = shown(value, settings)
        if mode == "name":
            text = line.name
        fixed = settings.get("color", {})
        paint = mapped or (colour(fixed["fixedColor"]) if fixed.get("mode") == "fixed" else level(value, settings))
        solid = panel["options"]["colorMode"] == "background_solid"
        style = f"background:{paint};color:#111" if solid else "color:#ccccdc"
        size = min(height * 0.42, width / len(lines) / max(len(text), 2) * 1.35, 44)
        name = f"<i>{escape(line.name)}</i>" if mode == "value_and_name" else ""
        boxes.append(
            f'<div class="stat" style="{style}">{name}<span style="font-size:{size:.0f}px">{escape(text)}</span></div>'
        )
    return f'<div class="stats">{"".join(boxes)}</div>'


def _table(panel: JSON, table: Table) -> str:
    settings = {name: field_settings(panel, name) for name in table.fields}
    fields = [name for name in table.fields if not settings[name].get("custom.hidden")]
    titles = {name: settings[name].get("displayName", name) for name in fields}
    rows = list(table.rows)
    for order in reversed(panel["options"].get("sortBy", [])):
        by = next((name for name in fields if titles[name] == order["displayName"]), None)
        if by is not None:
            rows.sort(
                key=lambda row: (row.get(by) is not None, row.get(by)) if row.get(by) is not None else (False, 0),
                reverse=bool(order.get("desc")),
            )
    head = "".join(
        f'<th class="{_kind(name)}" style="{_width(settings[name])}">{escape(titles[name])}</th>' for name in fields
    )
    visible = panel["gridPos"]["h"]
    body = "".join(
        f"<tr>{''.join(_cell(name, row.get(name), settings[name]) for name in fields)}</tr>"
        for row in rows[: visible * 2]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _kind(name: str) -> str:
    return "number" if name.startswith("Value") else ""


def _width(settings: JSON) -> str:
    return f"width:{settings['custom.width'] - 14}px" if "custom.width" in settings else ""


def _cell(name: str, value: Any, settings: JSON) -> str:
    if value is None or value == "":
        return "<td></td>"
    text, paint = shown(value, settings)
    kind = settings.get("custom.cellOptions", {}).get("type")
    if kind == "gauge" and isinstance(value, float):
        bar = f'<i style="width:{min(value / settings["max"], 1) * 100:.0f}%;background:{colour("blue")}"></i>'
        return f'<td><div class="bar">{bar}<b>{escape(text)}</b></div></td>'
    if paint is None and kind == "color-text" and isinstance(value, float):
        paint = level(value, settings)
    style = f' style="color:{paint}"' if paint else ""
    link = "link" if settings.get("links") and name in {"hostname", "task", "organization"} else _kind(name)
    return f'<td class="{link}"{style}>{escape(text)}</td>'


def _legend(panel: JSON, lines: Sequence[Line]) -> str:
    paints = charts.line_colours(panel, lines)
    shown_lines = zip(lines, paints, strict=True)
    return "".join(f'<span><i style="background:{paint}"></i>{escape(line.name)}</span>' for line, paint in shown_lines)


def _timeseries(panel: JSON, lines: Sequence[Line], chosen: Chosen, width: int, height: int) -> str:
    rows = 1 if len(lines) * 130 < width else 2
    chart = charts.timeseries(panel, lines, chosen.time, width, height - _LEGEND * rows)
    style = f"height:{18 * rows}px;white-space:normal"
    return f'{chart}<div class="legend" style="{style}">{_legend(panel, lines)}</div>'


def _heatmap(panel: JSON, lines: Sequence[Line], chosen: Chosen, width: int, height: int) -> str:
    return charts.heatmap(panel, lines, chosen.time, width, height)


def _timeline(panel: JSON, lines: Sequence[Line], chosen: Chosen, width: int, height: int) -> str:
    mappings = field_settings(panel)["mappings"][0]["options"].values()
    words = "".join(
        f'<span><i style="background:{colour(m["color"])}"></i>{escape(m["text"])}</span>' for m in mappings
    )
    chart = charts.timeline(panel, lines, chosen.time, width, height - _LEGEND)
    return f'{chart}<div class="legend">{words}</div>'


def _bars(panel: JSON, lines: Sequence[Line], _: Chosen, width: int, height: int) -> str:
    del width, height
    most = max((line.last or 0 for line in lines), default=1) or 1
    rows = []
    for line in lines:
        settings = field_settings(panel, line.name)
        value = line.last or 0.0
        bar = f'<i style="width:{value / most * 100:.0f}%;background:{level(value, settings)}"></i>'
        rows.append(
            f'<tr><td>{escape(line.name)}</td><td><div class="bar">{bar}<b>{escape(shown(value, settings)[0])}</b></div></td></tr>'
        )
    return f"<table>{''.join(rows)}</table>"


_DRAW: Final[dict[str, Callable[[JSON, Sequence[Line], Chosen, int, int], str]]] = {
    "stat": _stat,
    "timeseries": _timeseries,
    "heatmap": _heatmap,
    "state-timeline": _timeline,
    "bargauge": _bars,
}
