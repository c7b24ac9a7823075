"""A ledger and its simulated TheEye, for tests that compare jobs with totals.

Times are seconds after `START`, by TheEye's clock.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from theeye_exporter.ledger.records import Bounds, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.state import Changes
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.ledger.update import LedgerUpdate, Poll
from theeye_exporter.theeye.fields import timestamp
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.models import Job

START = datetime(2026, 11, 22, 13, 0, tzinfo=UTC).timestamp()
BOUNDS = Bounds(duration=(1.0, 10.0), turnaround=(60.0, 600.0), workflow_turnaround=(60.0,))
OVERLAP = 60.0

TASK = RunKey(RunKind.TASK, "t1")


def iso(seconds: float) -> str:
    """Return a time as TheEye writes it."""
    moment = datetime.fromtimestamp(START + seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result(seconds: float, code: int | None = 0) -> dict[str, Any]:
    """Return the result of a script job."""
    return {"code": code, "times": {"seconds": int(seconds), "nanoseconds": round(seconds % 1 * 10**9)}}


class UnreliableStorage(Storage):
    """A storage that cannot be written at times."""

    failing = False

    def commit(self, organization: str, changes: Changes) -> None:
        if self.failing:
            raise LedgerError("cannot write state file: it was told so")
        super().commit(organization, changes)


@dataclass
class Poller:
    """TheEye's jobs, and a ledger that polls them as the collector does.

    Attributes:
        ledger: the ledger.
        jobs: documents by id.
        date: TheEye's time in seconds after `START`, if it says.
        results_listed: whether the list has results, as on old servers.
        unreadable: jobs that cannot be fetched in full.
        asked: jobs that were asked for in full, in order.
        between: called after the lists, before jobs are looked at in full.
    """

    ledger: RunLedger = field(default_factory=lambda: RunLedger("demo", None, BOUNDS))
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    date: float | None = None
    results_listed: bool = False
    unreadable: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    between: Callable[[], None] = lambda: None

    def put(self, job_id: str, updated: float, **fields: Any) -> None:
        """Create or change a job; `updated` is its `last_update`."""
        job = self.jobs.setdefault(
            job_id,
            {
                "id": job_id,
                "_type": "ScriptJob",
                "name": "backup",
                "task_id": "t1",
                "lifecycle": "finished",
                "state": "success",
                "creation_date": iso(0),
            },
        )
        job.update(fields, last_update=iso(updated))

    def cycle(self, *, complete: bool = False, unlisted: Collection[str] = ()) -> LedgerUpdate:
        """List jobs, fetch those that the ledger wants, and return the update."""
        cursor = self.ledger.cursor
        complete = complete or cursor is None
        since = 0.0 if complete or cursor is None else cursor - OVERLAP
        known = [job for job_id, job in self.jobs.items() if job_id not in unlisted]
        changed = [job for job in known if (timestamp(job["last_update"]) or 0.0) >= since]
        open_jobs = [job for job in known if job["lifecycle"] in OPEN_LIFECYCLES]
        cycle = self.ledger.prepare(
            Poll(
                changed=[self._job(job, listed=True) for job in changed],
                open_jobs=[self._job(job, listed=True) for job in open_jobs],
                date=None if self.date is None else START + self.date,
                complete=complete,
                room=UNBOUNDED,
            )
        )
        self.between()
        for job_id in cycle.wanted():
            self.asked.append(job_id)
            if job_id in self.unreadable:
                cycle.fail_result(job_id)
            else:
                job = self.jobs.get(job_id)
                cycle.take_result(job_id, None if job is None else self._job(job, listed=False))
        return cycle

    def poll(self, *, complete: bool = False, unlisted: Collection[str] = ()) -> LedgerUpdate:
        """Do a whole poll."""
        cycle = self.cycle(complete=complete, unlisted=unlisted)
        self.ledger.commit(cycle)
        return cycle

    def totals(self, run_key: RunKey = TASK) -> RunTotals:
        """Return the totals of a task, workflow or type of job."""
        return self.ledger.totals.get(run_key, RunTotals())

    @property
    def runs(self) -> dict[str, int]:
        """What is counted of the task `t1` by outcome."""
        return {str(outcome): count for outcome, count in self.totals().runs.items()}

    @property
    def durations(self) -> tuple[int, float]:
        """How many run times of the task `t1` were observed, and their sum."""
        histogram = self.totals().duration
        return (0, 0.0) if histogram is None else (sum(histogram.counts), histogram.sum)

    @property
    def turnarounds(self) -> tuple[int, float]:
        """The same for the times from creation to end."""
        histogram = self.totals().turnaround
        return (0, 0.0) if histogram is None else (sum(histogram.counts), histogram.sum)

    def _job(self, document: dict[str, Any], *, listed: bool) -> Job:
        hidden = {"result"} if listed and not self.results_listed else set()
        return msgspec.convert({key: value for key, value in document.items() if key not in hidden}, Job)
