"""Tests bugs that `tests/e2e/test_every_run_counts.py` found: a run is counted once although a response is damaged."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from contexts import context_of
from ledger.polling import BOUNDS, TASK, Poller, iso, result
from theeye_exporter.collectors.jobs import KIND, JobsCollector
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Job


@pytest.fixture
def poller() -> Poller:
    """A ledger that has begun to count."""
    poller = Poller()
    poller.put("before", 0, _type="DummyJob")
    poller.poll()
    return poller


def breaking(poller: Poller) -> Callable[[], None]:
    """Return what gives the job `a` values of wrong types."""
    return lambda: poller.jobs["a"].update(lifecycle=[], state=7, last_update=12, result="x")


def test_a_listed_job_that_says_nothing_of_its_lifecycle_was_not_restarted(poller: Poller) -> None:
    poller.put("a", 10, result=result(1))
    poller.poll()
    breaking(poller)()
    poller.poll(complete=True)
    poller.put("a", 10, lifecycle="finished", state="success", result=result(1))
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))


def test_a_job_in_full_that_says_nothing_of_its_lifecycle_was_not_restarted(poller: Poller) -> None:
    poller.put("a", 10, result=result(1))
    poller.between = breaking(poller)
    poller.poll()
    poller.between = lambda: None
    poller.put("a", 10, lifecycle="finished", state="success", result=result(1))
    poller.poll()
    assert (poller.runs, poller.durations) == ({"success": 1}, (1, 1.0))


class FakeTheEye(TheEyeClient):
    """Lists one job, or something in its place."""

    def __init__(self) -> None:
        self.broken = False

    def jobs(self, since: float | None = None) -> Listing[Job]:  # noqa: ARG002 - like a server that knows no filter
        names = ("other",) if self.broken else ("other", "a")
        document: dict[str, Any] = {"_type": "DummyJob", "task_id": "t1", "lifecycle": "finished", "state": "success"}
        jobs = [msgspec.convert({"id": name, "last_update": iso(10), **document}, Job) for name in names]
        return Listing(jobs, Counter(malformed=1) if self.broken else Counter())

    def open_jobs(self) -> Listing[Job]:
        return Listing([])


def test_a_list_of_all_jobs_with_unreadable_ones_does_not_tell_which_are_deleted() -> None:
    ledger = RunLedger("demo", None, BOUNDS)
    settings = {"max_details_per_cycle": 1, "detail_concurrency": 1, "full_list_interval": 0.0}
    collector = JobsCollector(context_of(KIND, settings=settings, ledger=ledger))
    theeye = FakeTheEye()
    for theeye.broken in (True, False, True, False):
        collector.collect(theeye, 0)
    assert ledger.totals[TASK].runs == {"success": 1}
