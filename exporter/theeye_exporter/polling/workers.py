"""The threads in which pollings run."""

from concurrent import futures
from typing import Final

import structlog
from apscheduler.executors.pool import BasePoolExecutor

from theeye_exporter.polling.queues import POLLS, PROBES

__all__ = ["Workers"]

_log: Final = structlog.get_logger(__name__)


class Workers(BasePoolExecutor):  # type: ignore[misc] # the library has no types
    """APScheduler's thread executor, for systems that may refuse to start more threads.

    In this case, a polling waits until a thread is free. The first thread is started at once.

    Raises:
        RuntimeError: not even one thread can be started.
    """

    def __init__(self) -> None:
        super().__init__(_Pool())


class _Pool(futures.ThreadPoolExecutor):
    def __init__(self) -> None:
        super().__init__(POLLS + PROBES)
        self._told = False
        self.submit(int)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise
            if not self._told:
                self._told = True
                _log.warning(
                    "cannot start more threads; polls wait for each other",
                    threads=len(self._threads),
                    advice="raise the exporter's limits for threads and memory",
                )
