"""What is known about one start, and how each event changes it. All functions here are pure.

`decided → sending → started → ended`, or `refused`, or `lost` if nobody can say whether there is a run. A row is saved as
`sending` before the only request, so a crash and a lost answer are the same.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Any, Final, Literal

import msgspec

from theeye_exporter.theeye.creations import Creation, Fate
from theeye_exporter.theeye.fields import number, text
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.run_models import RunJob, RunResult

__all__ = [
    "Before",
    "ByArguments",
    "Look",
    "Own",
    "Phase",
    "Row",
    "Target",
    "Timing",
    "answered",
    "begun",
    "candidates",
    "followed",
    "looked",
    "sent_arguments",
    "unanswered",
]

_BUILT: Final = ("terminated", "error")
"""Lifecycle and state of a job that TheEye could not build: it answers 200, and nothing runs."""

_LONGEST: Final = 300
"""Characters of what TheEye says about such a job."""


class Phase(StrEnum):
    """How far a start is."""

    DECIDED = "decided"
    SENDING = "sending"
    STARTED = "started"
    ENDED = "ended"
    REFUSED = "refused"
    LOST = "lost"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in {Phase.ENDED, Phase.REFUSED, Phase.LOST}


@dataclass(frozen=True, slots=True)
class Target:
    """What is started.

    Attributes:
        kind: task or workflow.
        id: Its id.
        task_id: Id of the task that TheEye counts: the task itself, or the first task of the workflow.
    """

    kind: Literal["task", "workflow"]
    id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Before:
    """TheEye's own record of the task, read just before the request; times are the server's.

    Attributes:
        since: Unix time of its last change; a job that the request creates is younger. None if TheEye did not say.
        executions: Its count of runs; None if it is not shown.
        kept: How many jobs of it TheEye keeps.
    """

    since: float | None
    executions: float | None
    kept: int


@dataclass(frozen=True, slots=True)
class Look:
    """What TheEye shows after a lost answer: the count, and then the jobs created since."""

    executions: float | None
    jobs: Sequence[RunJob]


class ByArguments(Enum):
    """Whether a run counts as ours if it has the arguments that were sent, while our user is unknown."""

    NEVER = auto()
    """If each start sends the same arguments."""
    IF_SENT = auto()
    """Only if arguments were sent: without any, nothing tells it from a run of anybody."""
    ALWAYS = auto()
    """If a person watches."""


@dataclass(frozen=True, slots=True)
class Own:
    """What we know ourselves.

    Attributes:
        jobs: The ids of the jobs of other starts.
        user_id: The user that sent this one; None if TheEye has not named it.
        by_arguments: Whether a run counts as ours by its arguments.
    """

    jobs: Collection[str] = ()
    user_id: str | None = None
    by_arguments: ByArguments = ByArguments.IF_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How patient a start is, in seconds.

    Attributes:
        settle: Looks must be answered for this long before it is believed that there is no run.
        give_up: After this long, a start that cannot be decided is lost.
        retry: Pause before a request that certainly did not arrive is sent again.
        looks: Pauses between looks; the last one is repeated.
    """

    settle: float = 600.0
    give_up: float = 86_400.0
    retry: float = 5.0
    looks: tuple[float, ...] = (1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One start.

    Attributes:
        id: Its own id.
        target: What is started.
        arguments: The order and the value of each argument that is sent.
        by_secret: Whether it is sent with a secret key; TheEye then knows no user.
        token_mark: The mark of the token that it was sent with: another token may be that of another user.
        timeout: Seconds after which its run is cancelled.
        phase: How far it is.
        queued_at: Unix time from which it waits for its turn.
        not_before: It is not sent before this Unix time.
        before: TheEye's record before the request.
        sent_at: Unix time of the request.
        looks: Number of looks since, answered or not.
        next_look: Unix time of the next one.
        last_answer: Unix time of the last look, if it was answered.
        answered: Seconds for which looks have been answered.
        job_id: The job.
        lifecycle: Its last known lifecycle.
        outcome: How it ended.
        ended_at: Unix time at which the row was over.
        why: What went wrong, for people.
    """

    id: str
    target: Target
    arguments: tuple[tuple[int, Any], ...] = ()
    by_secret: bool = False
    token_mark: str = ""
    timeout: float = 600.0
    phase: Phase = Phase.DECIDED
    queued_at: float = 0.0
    not_before: float = 0.0
    before: Before | None = None
    sent_at: float = 0.0
    looks: int = 0
    next_look: float = 0.0
    last_answer: float | None = None
    answered: float = 0.0
    job_id: str = ""
    lifecycle: str = ""
    outcome: Outcome | None = None
    ended_at: float | None = None
    why: str = ""


def begun(row: Row, before: Before, token_mark: str, now: float) -> Row:
    """Return the row as it is saved before the request."""
    return replace(
        row,
        token_mark=token_mark,
        phase=Phase.SENDING,
        before=before,
        sent_at=now,
        looks=0,
        next_look=now,
        last_answer=None,
        answered=0.0,
    )


def answered(row: Row, creation: Creation, now: float, timing: Timing, *, can_look: bool) -> Row:
    """Return the row after the request.

    Args:
        row: The row that is sending.
        creation: What came of the request.
        now: Unix time.
        timing: How patient to be.
        can_look: Whether jobs can be listed.
    """
    if creation.job is not None:
        return _started(row, creation.job, now)
    if creation.fate is Fate.REFUSED:
        return _over(row, Phase.REFUSED, creation.why, now)
    if creation.fate is Fate.NOTHING:
        return _again(row, creation.why, now, timing)
    if not can_look:
        return _over(row, Phase.LOST, f"{creation.why}; without a token, the run cannot be looked for", now)
    return replace(row, why=creation.why, next_look=now + timing.looks[0])


def unanswered(row: Row, why: str, now: float, timing: Timing) -> Row:
    """Return the row after a look that TheEye did not answer: it counts for nothing."""
    if now - row.sent_at >= timing.give_up:
        return _over(row, Phase.LOST, f"the run could not be looked for: {why}", now)
    return replace(row, looks=row.looks + 1, next_look=now + _pause(row, timing), last_answer=None)


def looked(row: Row, look: Look, own: Own, now: float, timing: Timing) -> Row:
    """Return the row after a look that TheEye answered.

    Args:
        row: The row whose answer was lost.
        look: What TheEye showed.
        own: What we know ourselves.
        now: Unix time.
        timing: How patient to be.
    """
    fresh = candidates(row, look, own)
    user_id = None if row.by_secret else own.user_id
    known = user_id is not None or row.by_secret or own.by_arguments is not ByArguments.NEVER
    if known and (found := _ours(row, fresh, user_id, own)) is not None:
        return _started(replace(row, looks=row.looks + 1), found, now)
    if now - row.sent_at >= timing.give_up:
        return _over(row, Phase.LOST, "the run was not found in time", now)
    passed = 0.0 if row.last_answer is None else max(0.0, now - row.last_answer)
    row = replace(
        row,
        looks=row.looks + 1,
        next_look=now + _pause(row, timing),
        last_answer=now,
        answered=row.answered + min(passed, 2 * timing.looks[-1]),
    )
    if row.answered < timing.settle:
        return row
    if _never_happened(row.before, look, certain=user_id is not None or not fresh):
        return _again(row, "TheEye never carried out the request", now, timing)
    return _over(row, Phase.LOST, "TheEye's counts do not show whether there was a run", now)


def candidates(row: Row, look: Look, own: Own) -> list[RunJob]:
    """Return the jobs that can be the one of this start."""
    origin = "secret" if row.by_secret else "user"
    return [job for job in look.jobs if job.id not in own.jobs and job.origin == origin]


def followed(row: Row, job: RunJob | None, now: float) -> Row:
    """Return the row after its job was read; `job` is None if TheEye has deleted it."""
    if job is None:
        gone = replace(row, outcome=Outcome.UNKNOWN)
        return _over(gone, Phase.ENDED, "TheEye has deleted the job", now)
    lifecycle = text(job.lifecycle)
    row = replace(row, lifecycle=lifecycle)
    if lifecycle not in ENDED_LIFECYCLES:
        return row
    return _over(replace(row, outcome=outcome_of(lifecycle, text(job.state))), Phase.ENDED, "", now)


def _started(row: Row, job: RunJob, now: float) -> Row:
    job_id = job.id
    if row.target.kind == "workflow" and text(job.workflow_job_id):
        job_id = text(job.workflow_job_id)
    row = replace(row, phase=Phase.STARTED, job_id=job_id, lifecycle=text(job.lifecycle), why="")
    if (job.lifecycle, job.state) == _BUILT:
        said = text(job.result.log).strip('"')[:_LONGEST] if isinstance(job.result, RunResult) else ""
        return _over(row, Phase.REFUSED, f"TheEye could not build the job{': ' if said else ''}{said}", now)
    return followed(row, job, now) if job_id == job.id else row


def _again(row: Row, why: str, now: float, timing: Timing) -> Row:
    return replace(row, phase=Phase.DECIDED, before=None, queued_at=now, not_before=now + timing.retry, why=why)


def _over(row: Row, phase: Phase, why: str, now: float) -> Row:
    return replace(row, phase=phase, why=why, ended_at=now)


def _pause(row: Row, timing: Timing) -> float:
    return timing.looks[min(row.looks + 1, len(timing.looks) - 1)]


def _ours(row: Row, fresh: Sequence[RunJob], user_id: str | None, own: Own) -> RunJob | None:
    """Return the job of this start: no other start of the task is undecided, so any fresh one of our user is it."""
    if user_id is not None:
        return next((job for job in fresh if job.user_id == user_id), None)
    if (
        (row.arguments or own.by_arguments is ByArguments.ALWAYS)
        and len(fresh) == 1
        and sent_arguments(fresh[0], row.arguments)
    ):
        return fresh[0]
    return None


def sent_arguments(job: RunJob, arguments: Sequence[tuple[int, Any]]) -> bool:
    """Whether a job, read in full, has the values that are sent; fixed ones may stand between them."""
    values = job.task_arguments_values
    if not isinstance(values, list):
        return False
    left = list(values)
    for _, value in arguments:
        forms = (value, msgspec.json.encode(value).decode())
        if (at := next((at for at, have in enumerate(left) if have in forms), None)) is None:
            return False
        left = left[at + 1 :]
    return True


def _never_happened(before: Before | None, look: Look, *, certain: bool) -> bool:
    """Whether count and list prove it: all runs since are listed, and none of them can be ours."""
    if before is None or before.executions is None or number(look.executions) is None or not certain:
        return False
    moved = (number(look.executions) or 0.0) - before.executions
    return len(look.jobs) < before.kept and 0 <= moved <= len(look.jobs)
