"""What the ledger knows, as it is kept in memory and on disk.

All times are Unix times in seconds, by TheEye's clock.
"""

import bisect
from enum import StrEnum
from typing import NamedTuple

import msgspec

from theeye_exporter.theeye.lifecycle import Outcome

__all__ = ["Account", "Bounds", "Cursor", "Histogram", "KnownJob", "LastRun", "Owner", "OwnerKind"]


class OwnerKind(StrEnum):
    """Whose runs are counted together."""

    TASK = "task"
    WORKFLOW = "workflow"
    OTHER = "other"


class Owner(NamedTuple):
    """A task or a workflow by its id; for jobs of neither, the type of job."""

    kind: OwnerKind
    id: str


class Histogram(msgspec.Struct):
    """Observations by upper bound; the last count is that of observations above all bounds.

    `latest` has, per bucket, the job, value and time of its last observation.
    """

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float = 0.0
    latest: dict[int, tuple[str, float, float]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError("a histogram has one count more than it has bounds")

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> "Histogram":
        """Return a histogram without observations."""
        return cls(bounds, [0] * (len(bounds) + 1))

    def observe(self, value: float, job_id: str, at: float) -> None:
        """Add an observation."""
        bucket = bisect.bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        self.latest[bucket] = (job_id, value, at)


class Bounds(NamedTuple):
    """Upper bounds of the histograms' buckets, in seconds; None for a histogram that is not kept.

    Attributes:
        duration: run times of tasks.
        turnaround: times from creation to end, of tasks.
        workflow_turnaround: the same of workflows.
    """

    duration: tuple[float, ...] | None
    turnaround: tuple[float, ...] | None
    workflow_turnaround: tuple[float, ...] | None


class LastRun(msgspec.Struct):
    """The run of an owner that finished last; see the job for the meaning of its fields."""

    job_id: str
    name: str
    finished: float
    outcome: Outcome
    turnaround: float | None = None
    duration: float | None = None
    exit_code: float | None = None


class Account(msgspec.Struct):
    """Everything that is counted for an owner.

    Attributes:
        runs: finished runs by outcome; an outcome that never came up is missing.
        duration: pure run times.
        turnaround: times from creation to end.
        last: the run that finished last.
        last_success: when a run last succeeded.
        jobs_seen: jobs that were created since `executions_before` was taken.
        executions_before: TheEye's own count of executions when counting began, None before it was read.
        unseen: runs that TheEye counted and nobody saw; an estimate that only grows.
    """

    runs: dict[Outcome, int] = msgspec.field(default_factory=dict)
    duration: Histogram | None = None
    turnaround: Histogram | None = None
    last: LastRun | None = None
    last_success: float | None = None
    jobs_seen: int = 0
    executions_before: int | None = None
    unseen: int = 0


class KnownJob(msgspec.Struct):
    """A job that TheEye has or may have.

    Attributes:
        owner: whose run it is.
        name: the owner's name when the job was created.
        updated: `last_update` as last seen.
        created: creation time, if known.
        before: whether it was there before counting began.
        open: whether it had not ended when last seen.
        runs: finished runs that were recorded of it; a restart gives it a further one.
        finished: end of the last recorded run, 0 without one.
        outcome: of the last recorded run.
        duration: pure run time of that run in seconds, if known.
        exit_code: of that run, if known.
        result_known: whether run time and exit code are those of a result that was read.
        wants_result: whether that run's result is still to be fetched.
        counted: whether that run is counted (and not from before counting began).
        suspect: whether it changed since, which may be a further run or an edit; its result will tell.
        attempts: failed attempts to fetch the result.
        missing: whether the job was open and is listed no more.
    """

    owner: Owner
    name: str
    updated: float
    created: float | None = None
    before: bool = False
    open: bool = False
    runs: int = 0
    finished: float = 0.0
    outcome: Outcome = Outcome.UNKNOWN
    duration: float | None = None
    exit_code: float | None = None
    result_known: bool = False
    wants_result: bool = False
    counted: bool = False
    suspect: bool = False
    attempts: int = 0
    missing: bool = False

    @property
    def needs_attention(self) -> bool:
        """Whether the job has to be looked at in full."""
        return self.wants_result or self.suspect or self.missing


class Cursor(msgspec.Struct):
    """How far an organisation's jobs are read.

    Attributes:
        updated: changes up to this time are read; None before the first list.
        began: when counting began; what ended before is not counted.
        listed: up to when the last list of all jobs had everything that could be seen.
    """

    updated: float | None = None
    began: float | None = None
    listed: float | None = None
