"""Tests the threads for pollings on a system that allows few or none."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from theeye_exporter.polling.workers import Workers


def test_without_more_threads_pollings_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    done = [threading.Event() for _ in range(5)]
    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": Workers()})
    scheduler.start()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "ThreadPoolExecutor" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for event in done:
        scheduler.add_job(event.set, next_run_time=datetime.now(UTC))
    try:
        assert all(event.wait(30) for event in done)
    finally:
        scheduler.shutdown(wait=True)


def test_without_any_thread_there_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Workers()
