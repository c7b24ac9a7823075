"""Log lines about failing collectors: one when a failure begins, one when it is over, however many share it."""

import threading
from typing import Final

import structlog

from theeye_exporter.theeye.errors import Reason

__all__ = ["FailureLog"]

_log: Final = structlog.get_logger(__name__)


class FailureLog:
    """Tells the failures of one organisation's collectors. Safe for threads.

    A reason that several collectors meet, such as an expired token, is told by the first of them only: a night's
    outage is neither thousands of lines nor one for each collector.
    """

    def __init__(self, organization: str) -> None:
        self._log = _log.bind(organization=organization)
        self._lock = threading.Lock()
        self._failing: dict[str, Reason] = {}

    def failed(self, collector: str, reason: Reason, detail: str) -> None:
        """Take note of a failed attempt."""
        with self._lock:
            told = reason in self._failing.values()
            self._failing[collector] = reason
        if not told:
            self._log.warning(
                "collecting fails", collector=collector, reason=reason, detail=detail, advice=reason.advice
            )

    def succeeded(self, collector: str) -> None:
        """Take note of a successful attempt."""
        with self._lock:
            reason = self._failing.pop(collector, None)
            over = reason is not None and reason not in self._failing.values()
        if over:
            self._log.info("collecting works again", collector=collector, after=reason)
