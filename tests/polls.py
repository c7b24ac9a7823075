"""Polls by hand of a whole exporter."""

from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.theeye.errors import Reason

__all__ = ["poll"]


def poll(exporter: Exporter) -> dict[str, Reason | None]:
    """Poll every collector of every organisation once; returns why each of the first organisation's failed."""
    for runner in exporter.runners:
        runner.run()
    return {status.collector: status.reason for status in exporter.board.organizations[0].collectors}
