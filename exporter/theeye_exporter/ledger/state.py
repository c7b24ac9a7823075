"""An organisation's ledger in memory, and the changes of a poll."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from theeye_exporter.ledger.records import Cursor, KnownJob, RunKey, RunTotals

__all__ = ["Changes", "State"]


@dataclass(slots=True)
class State:
    """An organisation's ledger.

    Attributes:
        cursor: how far its jobs have been read.
        jobs: by id.
        totals: totals by task, workflow or type of job.
        open: ids of the jobs that have not ended.
        unclear: ids of the jobs that have to be fetched in full.
    """

    cursor: Cursor = field(default_factory=Cursor)
    jobs: dict[str, KnownJob] = field(default_factory=dict)
    totals: dict[RunKey, RunTotals] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)

    def copy(self) -> "State":
        """Return a copy with the same records; changes replace records and never modify them."""
        return State(self.cursor, self.jobs.copy(), self.totals.copy(), self.open.copy(), self.unclear.copy())

    def put_job(self, job_id: str, job: KnownJob | None) -> None:
        """Store a job, or remove it if it is None."""
        if job is None:
            self.jobs.pop(job_id, None)
        else:
            self.jobs[job_id] = job
        for index, belongs in ((self.open, job and job.is_open), (self.unclear, job and job.needs_attention)):
            if belongs:
                index.add(job_id)
            else:
                index.discard(job_id)


@dataclass(slots=True)
class Changes:
    """The changes of a poll; None deletes a record.

    Attributes:
        cursor: the new cursor.
        jobs: by id.
        totals: totals by task, workflow or type of job.
    """

    cursor: Cursor
    jobs: dict[str, KnownJob | None] = field(default_factory=dict)
    totals: dict[RunKey, RunTotals | None] = field(default_factory=dict)

    def count_rows(self, state: State) -> None:
        """Set the numbers of jobs and totals after these changes in the cursor."""
        self.cursor.jobs = len(state.jobs) + _growth(state.jobs, self.jobs)
        self.cursor.accounts = len(state.totals) + _growth(state.totals, self.totals)

    def apply(self, state: State) -> None:
        """Apply the changes."""
        state.cursor = self.cursor
        for job_id, job in self.jobs.items():
            state.put_job(job_id, job)
        for run_key, totals in self.totals.items():
            if totals is None:
                state.totals.pop(run_key, None)
            else:
                state.totals[run_key] = totals


def _growth(before: Mapping[Any, object], changes: Mapping[Any, object]) -> int:
    return sum((value is not None) - (key in before) for key, value in changes.items())
