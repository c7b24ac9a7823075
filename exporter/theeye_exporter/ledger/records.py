"""The records of the ledger, in memory and on disk.

All times are Unix times in seconds, by TheEye's clock.
"""

import bisect
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from theeye_exporter.theeye.lifecycle import Outcome

__all__ = [
    "Bounds",
    "Cursor",
    "Failures",
    "Histogram",
    "KnownJob",
    "LastRun",
    "Presence",
    "ResultOf",
    "RunKey",
    "RunKind",
    "RunTotals",
    "Triggers",
]

_FAILURES_REMEMBERED: Final = 10


class RunKind(StrEnum):
    """The kind of object whose runs are counted together."""

    TASK = "task"
    WORKFLOW = "workflow"
    OTHER = "other"


class RunKey(NamedTuple):
    """The id of a task or workflow; for other jobs, the type of job."""

    kind: RunKind
    id: str


class Histogram(msgspec.Struct):
    """Observations by upper bound; the last count is for observations above all bounds.

    `latest` holds, per bucket, the job, value and time of its last observation.
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
        turnaround: times from creation to end for tasks.
        workflow_turnaround: the same for workflows.
    """

    duration: tuple[float, ...] | None
    turnaround: tuple[float, ...] | None
    workflow_turnaround: tuple[float, ...] | None


class LastRun(msgspec.Struct):
    """The last finished run of a task or workflow; `KnownJob` explains the fields."""

    job_id: str
    name: str
    finished: float
    outcome: Outcome
    turnaround: float | None = None
    duration: float | None = None
    exit_code: float | None = None


class Failures(msgspec.Struct):
    """The failed runs that ended after the last success, in whatever order runs are recorded.

    Attributes:
        count: their number.
        latest: when each of the last ones ended, oldest first: a success that is recorded late may have ended before some
            of them.
    """

    count: int = 0
    latest: list[float] = msgspec.field(default_factory=list)

    def fail(self, at: float) -> None:
        """Add a run that ended after the last success."""
        self.count += 1
        bisect.insort(self.latest, at)
        del self.latest[:-_FAILURES_REMEMBERED]

    def succeed(self, at: float) -> None:
        """Forget the runs that ended before this success."""
        later = [failed for failed in self.latest if failed > at]
        if len(later) < len(self.latest) or self.count == len(self.latest):
            self.count, self.latest = len(later), later


class Triggers(msgspec.Struct, frozen=True):
    """What is known about the triggers of a task's schedules; `triggers.py` says how it changes.

    Attributes:
        seen: the last trigger that TheEye stated before `waiting`.
        executions: TheEye's own count of executions at that time.
        waiting: the first trigger since which no job was created; None if there is none.
        missed: whether that trigger should have created a job by now.
    """

    seen: float
    executions: int
    waiting: float | None = None
    missed: bool = False


class RunTotals(msgspec.Struct):
    """Everything that is counted for a task, a workflow or a type of job.

    Attributes:
        runs: finished runs by outcome; an outcome that never occurred is missing.
        duration: pure run times.
        turnaround: times from creation to end.
        last: the last finished run.
        last_success: when a run last succeeded.
        jobs_seen: jobs that were first seen after counting began.
        executions_before: TheEye's own count of executions when counting began; None until it was read.
        unseen: lower bound of the runs that TheEye counted but no poll saw; it only grows.
        failures: failed runs since the last success.
        triggers: for a task with a schedule, which of its triggers created no job.
    """

    runs: dict[Outcome, int] = msgspec.field(default_factory=dict)
    duration: Histogram | None = None
    turnaround: Histogram | None = None
    last: LastRun | None = None
    last_success: float | None = None
    jobs_seen: int = 0
    executions_before: int | None = None
    unseen: int = 0
    failures: Failures = msgspec.field(default_factory=Failures)
    triggers: Triggers | None = None

    @property
    def consecutive_failures(self) -> int:
        """Failed runs since the last success; state files of older versions only contain the last run."""
        last = self.last
        failed_last = last is not None and last.outcome.is_failed and last.finished > (self.last_success or 0)
        return max(self.failures.count, int(failed_last))


class Presence(StrEnum):
    """How a job was last seen."""

    OPEN = "open"
    """It had not ended."""
    MISSING = "missing"
    """It had not ended, and is no longer listed: it ended or was deleted; fetching the job shows which."""
    UNLISTED = "unlisted"
    """It is in an unknown lifecycle, which no list of open jobs contains."""
    ENDED = "ended"
    CHANGED = "changed"
    """It had ended and has changed since: its result will show whether it was run again or edited."""
    DAMAGED = "damaged"
    """Only its id is known, because the state file was damaged."""


class ResultOf(StrEnum):
    """The status of the result of a job's last run."""

    NONE = "none"
    """There is none, or the ledger gave it up."""
    WANTED = "wanted"
    """It has yet to be fetched."""
    READ = "read"


class KnownJob(msgspec.Struct):
    """A job that TheEye has or may have; `update.py` says how it changes.

    Attributes:
        run_key: the task, workflow or type that its runs belong to.
        name: the name of its task or workflow when the job was created.
        updated: `last_update` as last seen.
        presence: how it was last seen.
        result: status of the result of the last recorded run.
        counted: whether that run is counted, which it is not if it is from before counting began or may have been counted
            already; before the first run, whether the job is included in the `jobs_seen` of its totals.
        created: creation time, if known.
        runs: number of its finished runs on record; a restart adds another one.
        finished: end of the last recorded run; 0 without one.
        outcome: outcome of the last recorded run.
        duration: pure run time of that run in seconds, if its result was read and has one.
        exit_code: exit code of that run, under the same conditions.
        attempts: failed attempts to fetch the job in full.
    """

    run_key: RunKey = msgspec.field(name="owner")
    name: str
    updated: float
    presence: Presence
    result: ResultOf
    counted: bool
    created: float | None = None
    runs: int = 0
    finished: float = 0.0
    outcome: Outcome = Outcome.UNKNOWN
    duration: float | None = None
    exit_code: float | None = None
    attempts: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a list of open jobs must contain it."""
        return self.presence in {Presence.OPEN, Presence.MISSING}

    @property
    def has_ended(self) -> bool:
        """Whether it had ended when it was last seen."""
        return self.presence in {Presence.ENDED, Presence.CHANGED}

    @property
    def is_from_before(self) -> bool:
        """Whether its last run ended before counting began, and nothing has happened since."""
        return self.presence is Presence.ENDED and not self.counted

    @property
    def needs_attention(self) -> bool:
        """Whether the job has to be fetched in full."""
        return self.presence in {Presence.MISSING, Presence.CHANGED} or self.result is ResultOf.WANTED


class Cursor(msgspec.Struct):
    """How far an organisation's jobs have been read.

    Attributes:
        updated: changes up to this time have been read; None before the first list.
        began: when counting began; earlier runs are not counted.
        listed: the last list of all jobs contained every visible job up to this time.
        tasks: time of the last list of tasks whose execution counts were compared; None before the first.
        jobs: number of jobs in the state file; None if it does not say.
        accounts: number of `RunTotals` in the state file; None if it does not say.
        damaged_until: an unknown job that ended before this time may be counted already, because known jobs were lost
            from the state file. None after the next list of all jobs.
    """

    updated: float | None = None
    began: float | None = None
    listed: float | None = None
    tasks: float | None = None
    jobs: int | None = None
    accounts: int | None = None
    damaged_until: float | None = None
