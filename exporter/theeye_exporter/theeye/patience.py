"""How long to wait for a response, and what makes a thread give up earlier.

A supervisor may need minutes for a long list, and goes on working on it if the client leaves, so leaving and asking again
makes everything worse. A server that hangs must not be waited for that long. The difference: only the first one answers
another, small request meanwhile.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from theeye_exporter.theeye.deadline import Waiting
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["Patience", "interruptible"]

_SIGN_OF_LIFE: Final = 60.0
"""Seconds after which a server that still sends nothing has to show again that it answers."""

_RETRIED: Final = frozenset(
    {Reason.DNS, Reason.UNREACHABLE, Reason.DISCONNECTED, Reason.SERVER_ERROR, Reason.RATE_LIMITED, Reason.TRUNCATED}
)
_RETRIED_LISTS: Final = _RETRIED - {Reason.SERVER_ERROR}
"""TheEye may go on working on a list that a proxy has answered with an error."""

_interruption: Final = threading.local()


@contextmanager
def interruptible(event: threading.Event) -> Iterator[threading.Event]:
    """End this thread's requests soon after `event` is set."""
    _interruption.event = event
    try:
        yield event
    finally:
        del _interruption.event


class Patience:
    """The patience with one TheEye. Safe for threads.

    Args:
        timeout: seconds for a request for one object. If nothing of a list comes for this time, a small request to another
            route shows whether TheEye is alive.
        list_timeout: seconds for a list, if that is more.

    Attributes:
        closing: set when no request is wanted any more.
        responses: number of responses that have begun; it may miss some that begin at the same time.
        is_alive: makes a small request, to another route than the one that it gets; returns whether it was answered.
    """

    def __init__(self, timeout: float, list_timeout: float) -> None:
        self.timeout = timeout
        self._list_timeout = list_timeout
        self.closing = threading.Event()
        self.responses = 0
        self.is_alive: Callable[[str], bool] = lambda _: False

    def limit(self, *, single: bool) -> float:
        """Return the seconds that a request for one object, or a list, may take."""
        return self.timeout if single else max(self.timeout, self._list_timeout)

    def retries(self, reason: Reason, *, single: bool) -> bool:
        """Whether a request that failed for this reason is repeated at once."""
        return reason in (_RETRIED if single else _RETRIED_LISTS)

    def waiting(self, endpoint: str, *, single: bool) -> Waiting:
        """Return what is called from now on, again and again, while a request to this route waits for its response."""
        responses, look_at = self.responses, time.monotonic() + self.timeout

        def look(begun: bool) -> None:  # noqa: FBT001 - see `Waiting`
            nonlocal responses, look_at
            self._check()
            if single or begun or time.monotonic() < look_at:
                return
            if self.responses == responses and not self.is_alive(endpoint):
                raise UpstreamError(Reason.SILENT, "TheEye accepts connections, but answers no request")
            responses, look_at = self.responses, time.monotonic() + max(self.timeout, _SIGN_OF_LIFE)

        return look

    def _check(self) -> None:
        """Raise `UpstreamError` if nobody wants the response any more."""
        if self.closing.is_set():
            raise UpstreamError(Reason.DISCONNECTED, "the connection to TheEye is closed")
        interruption = getattr(_interruption, "event", None)
        if interruption is not None and interruption.is_set():
            raise UpstreamError(
                Reason.TIMEOUT, "the exporter stopped waiting for TheEye, because it had to poll other organisations"
            )
