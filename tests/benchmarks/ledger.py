"""Measures a poll of the ledger for growing numbers of known jobs.

A poll brings 20 newly finished jobs with their results; the history is what TheEye kept and the ledger therefore
knows.
"""

import tempfile
import time
from pathlib import Path

from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.ledger.update import Poll
from theeye_exporter.theeye.fields import Times
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.models import Job, JobResult

__all__ = ["costs"]

FINISHED_PER_POLL = 20
POLLS = 40
TASKS = 200
BOUNDS = Bounds((1.0, 60.0), (60.0, 600.0), (60.0,))


def finished(number: int) -> Job:
    """Return a finished job as in a list."""
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    day, hour = divmod(hour, 24)
    return Job(
        id=f"{number:024x}",
        type_name="ScriptJob",
        name=f"task {number % TASKS}",
        task_id=f"{number % TASKS:024x}",
        lifecycle="finished",
        state="success",
        creation_date=f"2026-01-{day + 1:02}T{hour:02}:{minute:02}:{second:02}.000Z",
        last_update=f"2026-01-{day + 1:02}T{hour:02}:{minute:02}:{second:02}.500Z",
    )


def poll(ledger: RunLedger, first: int, count: int, *, complete: bool = False) -> None:
    """Pass a poll with `count` finished jobs to the ledger."""
    jobs = [finished(number) for number in range(first, first + count)]
    cycle = ledger.prepare(Poll(changed=jobs, open_jobs=(), date=None, complete=complete, room=UNBOUNDED))
    for job_id in cycle.wanted()[:200]:
        cycle.take_result(job_id, result_of(job_id))
    ledger.commit(cycle)


def result_of(job_id: str) -> Job:
    """Return a job in full."""
    job = finished(int(job_id, 16))
    job.result = JobResult(code=0, times=Times(seconds=1, nanoseconds=int(job_id, 16)))
    return job


def costs(history: int, *, in_file: bool) -> list[float]:
    """Return the CPU time of polls, in milliseconds, with this many known jobs."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(Path(folder) / "state") if in_file else None
        ledger = RunLedger("demo", storage, BOUNDS)
        poll(ledger, 0, history, complete=True)
        while ledger.backlog:
            poll(ledger, 0, 0)
        times = []
        for number in range(POLLS):
            started = time.process_time()
            poll(ledger, history + number * FINISHED_PER_POLL, FINISHED_PER_POLL)
            times.append((time.process_time() - started) * 1e3)
        if storage is not None:
            storage.close()
    return times
