"""Prometheus exporter for TheEye."""

__all__ = ["NO_DATA", "__version__"]

__version__ = "0.1.0"

NO_DATA = "https://github.com/theeye-io/theeye-exporter/blob/main/docs/no-data.md"
"""Address of the page that leads from a symptom to its cause; who installed the wheel has no folder `docs`."""
