"""Panels over time, as SVG."""

import math
import time
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from textwrap import shorten
from typing import Any, Final

from theeye_preview.data import Line
from theeye_preview.grafana_style import PALETTE, colour, field_settings, shown
from theeye_preview.variables import TimeRange

__all__ = ["heatmap", "line_colours", "timeline", "timeseries"]

JSON = dict[str, Any]

_LEFT: Final = 68
_BOTTOM: Final = 20
_TOP: Final = 6
_RIGHT: Final = 10
_GRID: Final = "#2c3235"
_TEXT: Final = 'fill="#9fa7b3" font-size="11"'
_TICKS: Final = 4
_TICKS_OF_TIME: Final = 7
_LETTER: Final = 16
_NAME: Final = 36
_MINUTES: Final = (2, 4, 8, 12, 20, 40, 60, 120, 240, 480, 1200, 2400, 3600, 7200, 14400, 28800, 86400, 345600)
_BLUES: Final = ("#0b2239", "#10375c", "#15538a", "#1f74bd", "#3f97dc", "#75b9ee", "#b0d8f8", "#e3f1fd")


class _Frame:
    """The area of times and values in a picture."""

    def __init__(self, width: int, height: int, times: TimeRange, top: float, left: int = _LEFT) -> None:
        self.left, self.right, self.floor = left, width - _RIGHT, height - _BOTTOM
        self.times, self.top = times, top

    def x(self, at: float) -> float:
        share = (at - self.times.start) / (self.times.end - self.times.start)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.floor - min(value / self.top, 1.05) * (self.floor - _TOP)

    def hours(self) -> str:
        parts = []
        span = self.times.end - self.times.start
        step = next(s for s in (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 86400) if span / s <= _TICKS_OF_TIME)
        at = math.ceil(self.times.start / step) * step
        while at <= self.times.end:
            label = time.strftime("%H:%M", time.gmtime(at))
            x = self.x(at)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{self.floor}" stroke="{_GRID}"/>')
            parts.append(f'<text x="{x:.1f}" y="{self.floor + 15}" text-anchor="middle" {_TEXT}>{label}</text>')
            at += step
        return "".join(parts)

    def values(self, settings: JSON) -> str:
        parts: list[str] = []
        ticks = min(_TICKS, int(self.top)) if _is_whole(settings) else _TICKS
        for tick in range(ticks + 1):
            value = self.top * tick / ticks
            label = escape(shown(float(value), settings)[0])
            y = self.y(value)
            parts.append(f'<line x1="{self.left}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>')
            parts.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{label}</text>')
        return "".join(parts)


def _is_whole(settings: JSON) -> bool:
    """Return whether an axis counts things: between two whole numbers is no tick."""
    return settings.get("decimals") == 0 and settings.get("unit") == "short"


def _svg(width: int, height: int, body: str) -> str:
    return f'<svg width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">{body}</svg>'


def line_colours(panel: JSON, lines: Sequence[Line]) -> list[str]:
    """Return the colour of each line: its own, or the next of the palette."""
    made = []
    names = sorted({line.name for line in lines})
    for line in lines:
        fixed = field_settings(panel, line.name).get("color", {})
        by_name = PALETTE[names.index(line.name) % len(PALETTE)]
        made.append(colour(fixed["fixedColor"]) if fixed.get("mode") == "fixed" else by_name)
    return made


def timeseries(panel: JSON, lines: Sequence[Line], times: TimeRange, width: int, height: int) -> str:
    """Return lines, or areas on top of each other."""
    defaults = field_settings(panel)
    stacked = defaults.get("custom.stacking", {}).get("mode") == "normal"
    drawn = _stack(lines) if stacked else [(line.points, None) for line in lines]
    highest = max((v for points, _ in drawn for _, v in points if math.isfinite(v)), default=0.0)
    softest = max(highest, defaults.get("custom.axisSoftMax") or 0)
    top = defaults.get("max") or _round_up(softest, defaults.get("unit", ""))
    if _is_whole(defaults):
        top = math.ceil(top) if top <= _TICKS else math.ceil(top / _TICKS) * _TICKS
    frame = _Frame(width, height, times, top)
    parts = [frame.hours(), frame.values(defaults)]
    for line, paint, (points, floor) in zip(lines, line_colours(panel, lines), drawn, strict=True):
        settings = field_settings(panel, line.name)
        dash = settings.get("custom.lineStyle", {}).get("dash")
        style = f'stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
        below = dict(floor or ())
        for run in _runs(points):
            path = " ".join(f"{frame.x(at):.1f},{frame.y(value):.1f}" for at, value in run)
            if stacked:
                back = " ".join(f"{frame.x(at):.1f},{frame.y(below.get(at, 0)):.1f}" for at, _ in reversed(run))
                parts.append(f'<polygon points="{path} {back}" fill="{paint}" fill-opacity="0.6"/>')
            thickness = settings.get("custom.lineWidth", 1)
            shape = f'stroke="{paint}" stroke-width="{thickness}" fill="none" {style}'
            if len(run) == 1:
                (at, value), *_ = run
                parts.append(f'<circle cx="{frame.x(at):.1f}" cy="{frame.y(value):.1f}" r="1.5" fill="{paint}"/>')
            parts.append(f'<polyline points="{path}" {shape}/>')
    return _svg(width, height, "".join(parts))


def _stack(lines: Sequence[Line]) -> list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    moments = sorted({at for line in lines for at, _ in line.points})
    floor = dict.fromkeys(moments, 0.0)
    stacked = []
    for line in lines:
        values = {at: value for at, value in line.points if math.isfinite(value)}
        roof = {at: floor[at] + values.get(at, 0.0) for at in moments}
        stacked.append((list(roof.items()), list(floor.items())))
        floor = roof
    return stacked


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Cut a line where points are missing."""
    steps = [b[0] - a[0] for a, b in pairwise(points)]
    usual = min(steps, default=0.0)
    runs: list[list[tuple[float, float]]] = []
    last: float | None = None
    for at, value in points:
        if not math.isfinite(value):
            last = None
            continue
        if last is None or at - last > 1.5 * usual:
            runs.append([])
        runs[-1].append((at, value))
        last = at
    return runs


def _round_up(value: float, unit: str) -> float:
    if value <= 0:
        return 1.0
    if unit == "s" and value > 1:
        return float(next((bound for bound in _MINUTES if bound >= value), value))
    if unit in {"bytes", "Bps"}:
        return float(2 ** math.ceil(math.log2(value)))
    size = 10 ** math.floor(math.log10(value))
    return next(float(f * size) for f in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if f * size >= value * 0.999)


def heatmap(panel: JSON, lines: Sequence[Line], times: TimeRange, width: int, height: int) -> str:
    """Return cells that are darker for higher numbers; the expression's buckets are cumulative."""
    buckets = sorted(((float(line.labels["le"]), dict(line.points)) for line in lines), key=lambda bucket: bucket[0])
    moments = sorted({at for _, points in buckets for at in points})
    cells: list[tuple[int, float, float]] = []
    for row, (_, points) in enumerate(buckets):
        below = buckets[row - 1][1] if row else {}
        cells += [(row, at, max(value - below.get(at, 0), 0)) for at, value in points.items()]
    frame = _Frame(width, height, times, 1.0)
    step = min((b - a for a, b in pairwise(moments)), default=60.0)
    tall = (frame.floor - _TOP) / max(len(buckets), 1)
    most = max((count for _, _, count in cells), default=1.0) or 1.0
    parts = [frame.hours()]
    unit = panel["options"]["yAxis"]
    for row, (bound, _) in enumerate(buckets):
        if row % 2 == 0 or tall > _LETTER:
            label = escape(shown(bound, unit)[0])
            y = frame.floor - (row + 0.5) * tall + 4
            parts.append(f'<text x="{_LEFT - 6}" y="{y:.1f}" text-anchor="end" {_TEXT}>≤ {label}</text>')
    wide = frame.x(times.start + step) - frame.left
    for row, at, count in cells:
        if count > panel["options"]["filterValues"]["le"]:
            shade = _BLUES[min(int(math.sqrt(count / most) * len(_BLUES)), len(_BLUES) - 1)]
            x, y = max(frame.x(at) - wide, frame.left), frame.floor - (row + 1) * tall
            box = f'x="{x:.1f}" y="{y:.1f}" width="{max(wide - 1, 1):.1f}" height="{max(tall - 1, 1):.1f}"'
            parts.append(f'<rect {box} fill="{shade}"/>')
    return _svg(width, height, "".join(parts))


def timeline(panel: JSON, lines: Sequence[Line], times: TimeRange, width: int, height: int) -> str:
    """Return a bar for each series, coloured by state."""
    left = min(max((len(line.name) for line in lines), default=0) * 6 + 16, 230)
    frame = _Frame(width, height, times, 1.0, left)
    tall = (frame.floor - _TOP) / max(len(lines), 1)
    settings = field_settings(panel)
    parts = [frame.hours()]
    for row, line in enumerate(lines):
        y = _TOP + row * tall
        name = escape(shorten(line.name, _NAME, placeholder="…"))
        parts.append(f'<text x="{left - 6}" y="{y + tall / 2 + 4:.1f}" text-anchor="end" {_TEXT}>{name}</text>')
        for run in _runs(line.points):
            for (at, value), (until, _) in zip(run, [*run[1:], (run[-1][0], 0.0)], strict=True):
                paint = shown(value, settings)[1] or "#888"
                box = f'x="{frame.x(at):.1f}" width="{frame.x(until) - frame.x(at) + 0.3:.1f}"'
                parts.append(f'<rect {box} y="{y + 1:.1f}" height="{max(tall - 3, 2):.1f}" fill="{paint}"/>')
    return _svg(width, height, "".join(parts))
