"""What a job tells of its run."""

from typing import Final

from theeye_exporter.ledger.records import Owner, OwnerKind
from theeye_exporter.theeye.decode import is_id
from theeye_exporter.theeye.models import Job, JobResult, Reference, Times, number, text

__all__ = ["ABSURD", "has_times", "owner_of", "result_of"]

_WITHOUT_TIMES: Final = frozenset(
    {"ScraperJob", "ApprovalJob", "DummyJob", "NotificationJob", "WorkflowJob", "AgentUpdateJob"}
)
"""Job types whose results have neither run time nor exit code, so that nothing is asked for."""

_JOB_TYPES: Final = frozenset({*_WITHOUT_TIMES, "ScriptJob", "NodejsJob"})

ABSURD: Final = 100 * 365 * 86_400.0
"""Seconds from which on a run time is none: a century."""


def owner_of(job: Job) -> Owner:
    """Return whose run a job is; the type of a job of neither task nor workflow is one of those that TheEye knows."""
    kind = text(job.type_name)
    if kind == "WorkflowJob":
        return Owner(OwnerKind.WORKFLOW, _id(job.workflow_id, job.workflow))
    if task_id := _id(job.task_id, job.task):
        return Owner(OwnerKind.TASK, task_id)
    return Owner(OwnerKind.OTHER, kind if kind in _JOB_TYPES else "other")


def has_times(job: Job) -> bool:
    """Whether a result with run time or exit code can be expected, and somebody wants to know."""
    return text(job.type_name) not in _WITHOUT_TIMES and owner_of(job).kind is OwnerKind.TASK


def result_of(job: Job) -> tuple[float | None, float | None]:
    """Return run time in seconds and exit code of a job in full, each None if it has none."""
    if not isinstance(job.result, JobResult):
        return None, None
    times = job.result.times
    seconds = times.total() if isinstance(times, Times) else None
    # JSON, and so the ledger, has no infinity.
    return (None if seconds is None else min(max(seconds, -ABSURD), ABSURD)), number(job.result.code)


def _id(*values: object) -> str:
    """Return the first id among values and references, empty without one."""
    ids = (text(value.id if isinstance(value, Reference) else value) for value in values)
    return next((found for found in ids if is_id(found)), "")
