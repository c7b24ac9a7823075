"""Time that only passes while everybody waits: hours of polls take as long as their work."""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["Lane", "VirtualTime"]

_PATIENCE = 0.25
"""Virtual seconds after which somebody looks again whether it is their turn."""


class _OverError(BaseException):
    """The simulation is over."""


class VirtualTime:
    """Runs functions in threads, of which exactly one is not waiting.

    Attributes:
        now: seconds since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, threading.Semaphore]] = []
        self._numbers = iter(range(10**12))
        self._turn = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._over = False

    def spawn(self, function: Callable[[], None]) -> None:
        """Run a function from now on; call this before `run`."""
        turn = threading.Semaphore(0)
        heapq.heappush(self._waiting, (self.now, next(self._numbers), turn))

        def begin() -> None:
            turn.acquire()
            with suppress(_OverError):
                try:
                    if not self._over:
                        function()
                except Exception as error:  # noqa: BLE001 - raised by `run`
                    self._errors.append(error)
            self._turn.release()

        self._threads.append(threading.Thread(target=begin, daemon=True))
        self._threads[-1].start()

    def sleep(self, seconds: float) -> None:
        """Wait; only for functions that were spawned."""
        turn = threading.Semaphore(0)
        heapq.heappush(self._waiting, (self.now + seconds, next(self._numbers), turn))
        self._turn.release()
        turn.acquire()
        if self._over:
            raise _OverError

    def run(self, until: float) -> None:
        """Let time pass, then end everything.

        Raises:
            Exception: what a function raised.
        """
        while self._waiting and self._waiting[0][0] <= until and not self._errors:
            self._next()
        self.now = until
        self._over = True
        while self._waiting:
            self._next()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _next(self) -> None:
        at, _, turn = heapq.heappop(self._waiting)
        self.now = self.now if self._over else max(self.now, at)
        turn.release()
        self._turn.acquire()


class Lane:
    """Those who do something one after the other."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._queue: deque[object] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the others that came before."""
        me = object()
        self._queue.append(me)
        while self._queue[0] is not me:
            self._time.sleep(_PATIENCE)
        try:
            yield
        finally:
            self._queue.popleft()
