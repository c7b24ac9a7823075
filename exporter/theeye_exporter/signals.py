"""Handles signals: the process ends on SIGTERM and SIGINT, and reloads its configuration on SIGHUP.

The signals are blocked, and a thread receives them one by one. So a signal never interrupts code that does not expect
it. It is also handled while the main thread is in an import, or waits in a library outside Python.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["at_end", "at_hangup", "listen"]

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_OF_A_SIGNAL: Final = 128
"""Added to the number of a signal, this gives the exit code of a process that the signal ended, as in shells."""


def listen() -> None:
    """Handle signals from now on. The main thread must call this before it starts another thread.

    Until `at_end` is called, SIGTERM and SIGINT end the process at once, with exit code 128 plus their number.
    SIGHUP is kept until `at_hangup` is called.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    threading.Thread(target=_inbox.watch, name="signals", daemon=True).start()


def at_end(end: Callable[[int], object], seconds: float) -> None:
    """Make SIGTERM and SIGINT call `end` with their number, in the signal thread.

    Args:
        end: must return at once.
        seconds: time for the process to end by itself after the first signal; then it is ended.
    """
    _inbox.at_end(end, seconds)


def at_hangup(reload: Callable[[], object]) -> None:
    """Make SIGHUP call `reload` in the signal thread, and call it now if a SIGHUP has already arrived.

    Args:
        reload: must return at once.
    """
    _inbox.at_hangup(reload)


class _Inbox:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[int], object] = _leave
        self._seconds = 0.0
        self._reload: Callable[[], object] | None = None
        self._hangup_kept = False

    def at_end(self, end: Callable[[int], object], seconds: float) -> None:
        with self._lock:
            self._end, self._seconds = end, seconds

    def at_hangup(self, reload: Callable[[], object]) -> None:
        with self._lock:
            self._reload = reload
            if self._hangup_kept:
                reload()

    def watch(self) -> None:
        """Handle signals until the process ends."""
        first = self._take(signal.sigwait(_SIGNALS))
        while first is None:
            first = self._take(signal.sigwait(_SIGNALS))
        until = time.monotonic() + self._seconds
        while (left := until - time.monotonic()) > 0:
            if (taken := signal.sigtimedwait(_SIGNALS, left)) is not None:
                self._take(taken.si_signo)
        _leave(first)

    def _take(self, number: int) -> int | None:
        """Pass on a signal; return its number if it ends the process."""
        with self._lock:
            if number != signal.SIGHUP:
                self._end(number)
                return number
            if self._reload is None:
                self._hangup_kept = True
            else:
                self._reload()
            return None


def _leave(number: int) -> None:
    os._exit(_OF_A_SIGNAL + number)


_inbox: Final = _Inbox()
