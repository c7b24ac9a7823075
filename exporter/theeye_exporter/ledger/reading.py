"""Reads what a job contains about its run."""

from typing import Final

from theeye_exporter.ledger.records import RunKey, RunKind
from theeye_exporter.theeye.decode import is_id
from theeye_exporter.theeye.fields import Times, number, text
from theeye_exporter.theeye.models import Job, JobResult, Reference

__all__ = ["ABSURD", "has_times", "name_of", "result_of", "run_key_of"]

_WITHOUT_TIMES: Final = frozenset(
    {"ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob", "WorkflowJob", "AgentUpdateJob"}
)
"""Job types whose results have neither run time nor exit code, so their results are not fetched."""

_JOB_TYPES: Final = frozenset({*_WITHOUT_TIMES, "ScriptJob", "NodejsJob"})

_NAME_LIMIT: Final = 512

ABSURD: Final = 100 * 365 * 86_400.0
"""A run time of this many seconds (a century) or more is invalid."""


def run_key_of(job: Job) -> RunKey:
    """Return the run key of a job; for a job without a task or workflow, this is one of TheEye's job types."""
    kind = text(job.type_name)
    if kind == "WorkflowJob":
        return RunKey(RunKind.WORKFLOW, _id(job.workflow_id, job.workflow))
    if task_id := _id(job.task_id, job.task):
        return RunKey(RunKind.TASK, task_id)
    return RunKey(RunKind.OTHER, kind if kind in _JOB_TYPES else "other")


def name_of(job: Job) -> str:
    """Return the name of a job's task or workflow, cut to the length of a label value."""
    return text(job.name)[:_NAME_LIMIT]


def has_times(job: Job) -> bool:
    """Whether the job should have a result with run time or exit code, and this is shown somewhere."""
    return text(job.type_name) not in _WITHOUT_TIMES and run_key_of(job).kind is RunKind.TASK


def result_of(job: Job) -> tuple[float | None, float | None]:
    """Return the run time in seconds and the exit code of a job in full; each is None if it is missing."""
    if not isinstance(job.result, JobResult):
        return None, None
    times = job.result.times
    seconds = times.total() if isinstance(times, Times) else None
    # JSON, and therefore the ledger, has no infinity.
    return (None if seconds is None else min(max(seconds, -ABSURD), ABSURD)), number(job.result.code)


def _id(*values: object) -> str:
    """Return the first id among values and references; empty if there is none."""
    ids = (text(value.id if isinstance(value, Reference) else value) for value in values)
    return next((found for found in ids if is_id(found)), "")
