"""Colours, numbers and texts in Grafana's style."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["PALETTE", "colour", "field_settings", "level", "shown"]

JSON = dict[str, Any]

_NAMED: Final = {
    "green": "#73bf69",
    "red": "#f2495c",
    "orange": "#ff9830",
    "yellow": "#fade2a",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "text": "#ccccdc",
}
PALETTE: Final = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
    "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab", "#f4d598", "#70dbed", "#f9ba8f",
)  # fmt: skip
_THOUSAND: Final = 1000
_TIMES: Final = ((86400 * 365, "years"), (86400 * 7, "weeks"), (86400, "days"), (3600, "hours"), (60, "mins"))


def colour(name: str) -> str:
    """Return a colour as CSS has it."""
    return _NAMED.get(name, name)


def field_settings(panel: JSON, *names: str) -> JSON:
    """Return the settings of a field, known by any of its names: the panel's defaults with its overrides."""
    config = panel["fieldConfig"]
    settings = {**config["defaults"], **{f"custom.{k}": v for k, v in config["defaults"].get("custom", {}).items()}}
    for override in config.get("overrides", ()):
        if override["matcher"]["options"] in names:
            settings.update({prop["id"]: prop.get("value") for prop in override["properties"]})
    return settings


def level(value: float, settings: Mapping[str, Any]) -> str:
    """Return the colour of the highest threshold that a value has reached."""
    reached = "text"
    for step in settings.get("thresholds", {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            reached = step["color"]
    return colour(reached)


def shown(value: Any, settings: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return a value as text, and its colour if a mapping gives it one."""
    key = f"{value:g}" if isinstance(value, float) else str(value)
    for mapping in settings.get("mappings", ()):
        options = mapping["options"]
        result = options["result"] if options.get("match") == key else options.get(key)
        if result is not None:
            return result["text"], colour(result.get("color", "text"))
    return (_number(value, settings) if isinstance(value, float) else str(value)), None


def _number(value: float, settings: Mapping[str, Any]) -> str:
    unit, decimals = settings.get("unit", "short"), settings.get("decimals")
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
        return str(value)
    if unit == "percentunit":
        return f"{value * 100:.{decimals if decimals is not None else 1}f}%"
    if unit == "s":
        return _seconds(value)
    if unit in {"bytes", "Bps"}:
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB")) + ("/s" if unit == "Bps" else "")
    if unit == "reqps":
        return f"{value:.3g} req/s"
    return (
        f"{value:.{decimals}f}"
        if decimals is not None and abs(value) < _THOUSAND
        else _scaled(value, 1000, ("", "K", "Mil"))
    )


def _scaled(value: float, base: float, units: Sequence[str]) -> str:
    index = 0
    while abs(value) >= base and index < len(units) - 1:
        value, index = value / base, index + 1
    return f"{value:.3g} {units[index]}".strip()


def _seconds(value: float) -> str:
    for size, name in _TIMES:
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    if abs(value) >= 1 or value == 0:
        return f"{value:.3g} s"
    return f"{value * 1000:.3g} ms"
