"""Durations as Prometheus writes them: ``1h30m``, ``15s``, ``500ms``."""

import math
import re

from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.text import shown

__all__ = ["format_duration", "parse_duration"]

_UNITS = {
    "y": 365 * 24 * 3600 * 1000,
    "w": 7 * 24 * 3600 * 1000,
    "d": 24 * 3600 * 1000,
    "h": 3600 * 1000,
    "m": 60 * 1000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile("".join(f"(?:([0-9]{{1,15}}){unit})?" for unit in _UNITS))
# Prometheus keeps durations as nanoseconds in 64 bits.
_LONGEST = (2**63 - 1) // 10**6
_SECONDS = re.compile(r"[0-9]{1,6}\.[0-9]{1,3}s?")
_ORDER_HINT = "units are y, w, d, h, m, s, ms, in this order"


def parse_duration(text: object, *, shortest: float = 0.0, longest: float = math.inf) -> float:
    """Return the duration in seconds.

    Args:
        text: the text of the setting.
        shortest: the shortest duration, in seconds, to suggest for other text.
        longest: the longest one.

    Raises:
        ValueError: the text is not a duration; units must be in order, and only 0 can have no unit.
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        near = _nearest(text, shortest, longest) if isinstance(text, str) else ""
        raise InvalidValueError(
            f"expected a duration such as 30s, got {shown(text)}", f'did you mean "{near}"?' if near else _ORDER_HINT
        )
    counts = (int(count or 0) for count in match.groups())
    milliseconds = sum(count * unit for count, unit in zip(counts, _UNITS.values(), strict=True))
    if milliseconds > _LONGEST:
        raise InvalidValueError("expected a duration of less than 292 years")
    return milliseconds / 1000


def _nearest(text: str, shortest: float, longest: float) -> str:
    """Return the duration for a bare number or a fraction, which mean seconds nearly everywhere else."""
    bare = re.fullmatch("[0-9]{1,9}", text)
    if not (bare or _SECONDS.fullmatch(text)):
        return ""
    seconds = float(text.removesuffix("s"))
    if not shortest <= seconds <= longest:
        return ""
    return f"{text}s" if bare else format_duration(seconds)


def format_duration(seconds: float) -> str:
    """Return the duration as Prometheus writes it, to the millisecond; use weeks and years only without a remainder.

    Raises:
        ValueError: the seconds are negative or not finite.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"no duration: {seconds}")
    rest = round(seconds * 1000)
    if rest == 0:
        return "0s"
    parts = []
    for name, unit in _UNITS.items():
        # 90d reads better than 12w6d.
        if rest < unit or (name in {"y", "w"} and rest % unit):
            continue
        count, rest = divmod(rest, unit)
        parts.append(f"{count}{name}")
    return "".join(parts)
