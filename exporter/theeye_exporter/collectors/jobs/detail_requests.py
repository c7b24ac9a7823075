"""Fetches jobs in full, a few at a time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import final

from theeye_exporter.collectors.jobs.helpers import POOL
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Job

__all__ = ["DetailRequests"]


@final
class DetailRequests:
    """Fetches jobs in full until the time is over, or until TheEye asks for a pause.

    Args:
        client: the organisation's client.
        seconds: for how many seconds requests may begin.
        take: called for each job that was asked for, with the job, None if TheEye has deleted it, or the error. Only
            one thread at a time calls it, right after the request, so that only the jobs under way take memory.

    Attributes:
        refusals: errors that say nothing about the job: TheEye asks for a pause, or the exporter lacks something.
    """

    def __init__(
        self, client: TheEyeClient, seconds: float, take: Callable[[str, Job | UpstreamError | None], None]
    ) -> None:
        self._client = client
        self._until = time.monotonic() + seconds
        self._take = take
        self._taking = threading.Lock()
        self._wanted: deque[str] = deque()
        self.refusals: list[UpstreamError] = []

    def fetch(self, wanted: Sequence[str], at_once: int) -> None:
        """Fetch jobs, at most `at_once` at the same time; one by one if the system lets no thread start."""
        self._wanted.extend(wanted)
        helpers: list[Future[None]] = []
        with suppress(RuntimeError):  # no more threads can be started
            helpers.extend(POOL.submit(self._work) for _ in range(min(at_once, len(wanted)) - 1))
        try:
            self._work()
        finally:
            # This organisation does not wait for helpers that others keep busy.
            under_way = [helper for helper in helpers if not helper.cancel()]
        for helper in under_way:
            helper.result()

    def _work(self) -> None:
        while not self.refusals and time.monotonic() < self._until:
            try:
                job_id = self._wanted.popleft()
            except IndexError:
                return
            job = self._ask(job_id)
            if job not in self.refusals:
                with self._taking:
                    self._take(job_id, job)

    def _ask(self, job_id: str) -> Job | UpstreamError | None:
        try:
            return self._client.job(job_id)
        except UpstreamError as error:
            if error.retry_after is not None or error.reason in {Reason.RATE_LIMITED, Reason.OUT_OF_RESOURCES}:
                self.refusals.append(error)
            return error
