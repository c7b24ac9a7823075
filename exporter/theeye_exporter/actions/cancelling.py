"""Cancels a run. TheEye may not accept the request at first, and a run may continue after TheEye has accepted it."""

from collections.abc import Callable
from typing import Final

from theeye_exporter.theeye.errors import UpstreamError

__all__ = ["Cancelling"]

_PAUSES: Final = (1.0, 2.0, 5.0, 10.0)
"""Seconds between two requests; the last one is repeated."""

_TO_END: Final = 60.0
"""Seconds for a run to end after TheEye has accepted the request."""


class Cancelling:
    """Asks TheEye to cancel one run until TheEye accepts the request; it never starts anything.

    Args:
        cancel: Sends the request; raises `UpstreamError` unless TheEye accepts it. It may be repeated.
        monotonic: A clock that never steps.
        attempts_for: Seconds after which it stops asking.

    Attributes:
        trouble: Why the last request failed; empty if TheEye accepted it.
    """

    def __init__(self, cancel: Callable[[], None], monotonic: Callable[[], float], attempts_for: float) -> None:
        self._cancel = cancel
        self._monotonic = monotonic
        self._until = monotonic() + attempts_for
        self._next = monotonic()
        self._attempts = 0
        self._taken_at: float | None = None
        self.trouble = ""

    @property
    def is_due(self) -> bool:
        """Whether there is something to do, or it stops."""
        return self._asks or bool(self.failed)

    @property
    def _asks(self) -> bool:
        return self._taken_at is None and self._monotonic() >= self._next

    def work(self) -> None:
        """Ask if it is time."""
        if not self._asks:
            return
        try:
            self._cancel()
        except UpstreamError as error:
            self.trouble = error.detail
            self._next = self._monotonic() + _PAUSES[min(self._attempts, len(_PAUSES) - 1)]
            self._attempts += 1
        else:
            self.trouble, self._taken_at = "", self._monotonic()

    @property
    def failed(self) -> str:
        """Why it stops without the end of the run; empty as long as it goes on."""
        now = self._monotonic()
        if self._taken_at is not None:
            return (
                "the run continues although TheEye accepted the cancellation" if now - self._taken_at >= _TO_END else ""
            )
        return f"TheEye did not accept the cancellation: {self.trouble}" if now >= self._until else ""
