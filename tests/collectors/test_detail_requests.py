"""Jobs in full: also with few threads or none, and with no more jobs that wait to be recorded than are read at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from theeye_exporter.collectors.jobs import detail_requests
from theeye_exporter.collectors.jobs.detail_requests import DetailRequests
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Job

WANTED = [f"{number}" for number in range(20)]


class FakeTheEye:
    """Gives every job, and remembers how many were given and not taken yet, at most."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.most = 0
        self._lock = threading.Lock()
        self._given = 0

    def job(self, job_id: str) -> Job:
        with self._lock:
            self._given += 1
            self.most = max(self.most, self._given - len(self.taken))
        return Job(id=job_id)

    def take(self, job_id: str, job: object) -> None:
        assert isinstance(job, Job)
        with self._lock:
            self.taken.append(job_id)


def fetch(theeye: Any, at_once: int) -> DetailRequests:
    details = DetailRequests(theeye, 60, theeye.take)
    details.fetch(WANTED, at_once)
    return details


@pytest.mark.parametrize("startable", [0, 1])
def test_without_threads_jobs_are_fetched_one_by_one(startable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    theeye, started = FakeTheEye(), 0
    start = threading.Thread.start

    def start_a_few(thread: threading.Thread) -> None:
        nonlocal started
        started += 1
        if started > startable:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(detail_requests, "POOL", ThreadPoolExecutor(8))
    monkeypatch.setattr(threading.Thread, "start", start_a_few)
    fetch(theeye, 4)
    assert sorted(theeye.taken, key=int) == WANTED
    assert 1 <= started <= startable + 1


def test_no_more_jobs_wait_to_be_taken_than_are_fetched_at_once() -> None:
    theeye = FakeTheEye()
    fetch(theeye, 3)
    assert sorted(theeye.taken, key=int) == WANTED
    assert theeye.most <= 3


def test_a_refusal_ends_it_and_is_not_blamed_on_a_job() -> None:
    class Refusing(FakeTheEye):
        def job(self, job_id: str) -> Job:
            if job_id == "5":
                raise UpstreamError(Reason.RATE_LIMITED, "x")
            return super().job(job_id)

    theeye = Refusing()
    details = fetch(theeye, 1)
    assert theeye.taken == WANTED[:5]
    assert [error.reason for error in details.refusals] == [Reason.RATE_LIMITED]
