"""Log lines about failing collectors: when a failure begins, now and then while it lasts, and when it is over."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from theeye_exporter.repetition import Repetition
from theeye_exporter.theeye.errors import Reason

__all__ = ["FailureLog"]

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Failure:
    """A reason that collectors fail for.

    Attributes:
        repetition: when it is told.
        collectors: those that fail for it now.
        count: failed attempts since it began.
        open: whether it was told, and its end not yet.
    """

    repetition: Repetition = field(default_factory=Repetition)
    collectors: set[str] = field(default_factory=set)
    count: int = 0
    open: bool = False


class FailureLog:
    """Tells the failures of one organisation's collectors. Safe for threads.

    A reason that several collectors meet, such as an expired token, is told by the first of them only, and what lasts
    or comes and goes is told less and less often: a night's outage is neither thousands of lines nor one for each
    collector.

    Args:
        organization: its name.
        monotonic: a clock, in seconds.
    """

    def __init__(self, organization: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._organization = organization
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures: dict[tuple[Reason, str], _Failure] = {}

    def failed(self, collector: str, reason: Reason, detail: str, *, bug: BaseException | None = None) -> None:
        """Take note of a failed attempt.

        Args:
            collector: its name.
            reason: why it failed.
            detail: the same in words.
            bug: an exception that nobody expected.
        """
        # A bug is one of its collector, whatever others meet.
        key = (reason, collector if reason is Reason.INTERNAL else "")
        with self._lock:
            failure = self._failures.setdefault(key, _Failure())
            failure.collectors.add(collector)
            for earlier in self._failures.values():
                if earlier is not failure and earlier.collectors == {collector} and earlier.open:
                    earlier.open, failure.open = False, True  # the end of both is one line
                if earlier is not failure:
                    earlier.collectors.discard(collector)
            failure.count += 1
            suppressed = failure.repetition.happens(self._monotonic())
            if suppressed is None:
                return
            failure.open = True
        (_log.warning if bug is None else _log.error)(
            "collecting fails",
            organization=self._organization,
            collector=collector,
            reason=reason,
            detail=detail,
            advice=reason.advice,
            **({"suppressed": suppressed} if suppressed else {}),
            **({} if bug is None else {"exc_info": bug}),
        )

    def succeeded(self, collector: str) -> None:
        """Take note of a successful attempt."""
        for reason, failures in self._end(collector):
            _log.info(
                "collecting works again",
                organization=self._organization,
                collector=collector,
                after=reason,
                failures=failures,
            )

    def forget(self, collector: str) -> None:
        """Forget the failures of a collector that runs no more."""
        self._end(collector)

    def _end(self, collector: str) -> list[tuple[Reason, int]]:
        """Return the reasons that were told, and that no collector fails for any more."""
        over = []
        with self._lock:
            for (reason, _), failure in self._failures.items():
                if failure.collectors == {collector}:
                    if failure.open:
                        over.append((reason, failure.count))
                    failure.open, failure.count = False, 0
                failure.collectors.discard(collector)
        return over
