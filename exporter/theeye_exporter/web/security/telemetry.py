"""Whether the web configuration file in effect is the one on disk."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["WebFileCollector"]


class _Reloads(Protocol):
    successful: bool
    last_success: float


class WebFileCollector(Collector):
    """Shows how the last reading of the file went.

    Args:
        reloads: whether the last one succeeded, and when one last did.
    """

    def __init__(self, reloads: _Reloads) -> None:
        self._reloads = reloads

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they are now."""
        yield GaugeMetricFamily(
            "theeye_exporter_web_config_last_reload_successful",
            "Whether the file of --web.config.file, and those it names, could be used as they are now.",
            self._reloads.successful,
        )
        yield GaugeMetricFamily(
            "theeye_exporter_web_config_last_reload_success_timestamp_seconds",
            "Unix time at which the file of --web.config.file was last read and could be used.",
            self._reloads.last_success,
            unit="seconds",
        )
