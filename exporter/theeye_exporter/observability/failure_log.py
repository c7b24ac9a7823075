"""Logs failing collectors: when a failure begins, from time to time while it continues, and when it ends."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter import NO_DATA
from theeye_exporter.observability.digest import Digest
from theeye_exporter.observability.throttle import LogThrottle
from theeye_exporter.theeye.errors import Reason

__all__ = ["FailureLog"]

_DETAILS: Final = 20
"""Maximum number of different details; a server can invent any number, such as addresses of redirects."""

_OTHERS: Final = ""
"""Represents all further details."""


@dataclass(slots=True)
class _Failure:
    """A reason for which collectors fail.

    Attributes:
        repetitions: by text, when it is logged.
        collectors: the collectors that fail for this reason now.
        count: failed attempts since it began.
        open: whether the failure was logged, but not yet its end.
    """

    repetitions: defaultdict[str, LogThrottle] = field(default_factory=lambda: defaultdict(LogThrottle))
    collectors: set[str] = field(default_factory=set)
    count: int = 0
    open: bool = False

    def repetition(self, detail: str) -> LogThrottle:
        """Return the throttle of this text: each text counts separately."""
        known = detail in self.repetitions or len(self.repetitions) < _DETAILS
        return self.repetitions[detail if known else _OTHERS]


class FailureLog:
    """Logs the failures of one organisation's collectors. Safe for threads.

    If several collectors fail for the same reason, such as an expired token, only the first one logs it. A persistent
    or recurring failure is logged less and less often, so that an outage overnight does not fill the log. The same
    reason with another text, such as another status, is logged immediately.

    Args:
        organization: the organisation's name.
        digest: logs the same failure of many organisations as one line.
    """

    def __init__(self, organization: str, digest: Digest) -> None:
        self._organization = organization
        self._digest = digest
        self._lock = threading.Lock()
        self._failures: dict[tuple[Reason, str], _Failure] = {}

    def failed(self, collector: str, reason: Reason, detail: str, *, bug: BaseException | None = None) -> None:
        """Record a failed attempt.

        Args:
            collector: the collector's name.
            reason: why it failed.
            detail: the reason in words.
            bug: an unexpected exception.
        """
        self._digest.settle()
        # A bug belongs to its collector, whatever happens to others.
        key = (reason, collector if reason is Reason.INTERNAL else "")
        with self._lock:
            failure = self._failures.setdefault(key, _Failure())
            failure.collectors.add(collector)
            for earlier in self._failures.values():
                if earlier is not failure and earlier.collectors == {collector} and earlier.open:
                    earlier.open, failure.open = False, True  # one line reports the end of both
                if earlier is not failure:
                    earlier.collectors.discard(collector)
            failure.count += 1
            suppressed = failure.repetition(detail).allow(self._digest.monotonic())
            if suppressed is None:
                return
            failure.open = True
        self._digest.log(
            "warning" if bug is None else "error",
            "collection failed",
            self._organization,
            ":".join(key),
            collector=collector,
            reason=reason,
            detail=detail,
            advice=reason.advice,
            see=NO_DATA,
            **({"suppressed": suppressed} if suppressed else {}),
            **({} if bug is None else {"exc_info": bug}),
        )

    def succeeded(self, collector: str) -> None:
        """Record a successful attempt."""
        self._digest.settle()
        for key, failures in self._end(collector):
            reason, _ = key
            self._digest.log(
                "info",
                "collection works again",
                self._organization,
                ":".join(key),
                collector=collector,
                after=reason,
                failures=failures,
            )

    def blind(self, advice: str) -> None:
        """Log that the organisation's token sees nothing from now on."""
        self._digest.log("warning", "the token sees nothing", self._organization, advice=advice, see=NO_DATA)

    def forget(self, collector: str) -> None:
        """Forget the failures of a collector that no longer runs."""
        self._end(collector)

    def _end(self, collector: str) -> list[tuple[tuple[Reason, str], int]]:
        """Return the logged reasons for which no collector fails any more."""
        over = []
        with self._lock:
            for key, failure in self._failures.items():
                if failure.collectors == {collector}:
                    if failure.open:
                        over.append((key, failure.count))
                    failure.open, failure.count = False, 0
                failure.collectors.discard(collector)
        return over
