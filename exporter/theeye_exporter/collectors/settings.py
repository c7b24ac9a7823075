"""The settings for polling that all kinds of objects share."""

from typing import Annotated, Any, Final

from pydantic import Field

from theeye_exporter.values.settings import BOOLEAN, DURATION, Setting, SettingsModel, duration

__all__ = ["INTERVALS_UNTIL_STALE", "CollectorSettings"]

INTERVALS_UNTIL_STALE: Final = 5


def _default_max_age(collector: dict[str, Any]) -> float:
    return float(INTERVALS_UNTIL_STALE * collector["interval"])


class CollectorSettings(SettingsModel):
    """How one kind of object is polled. A kind with more settings has its own class."""

    enabled: Annotated[bool, Setting(BOOLEAN, "use the collector {section}", flag="--collector.{section}")] = True
    interval: Annotated[float, Setting(duration(1.0), "time from one poll to the next; scrapes never ask TheEye")]
    max_age: Annotated[
        float, Setting(DURATION, "how long the last good answer is shown while polls fail; at least two intervals")
    ] = Field(default_factory=_default_max_age)
