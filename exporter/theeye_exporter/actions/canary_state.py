"""What a canary is told to do, and what is known about it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter.actions.cancelling import Cancelling
from theeye_exporter.actions.rows import Row
from theeye_exporter.theeye.fields import Times, timestamp
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.theeye.run_models import RunJob, RunResult

__all__ = ["BOUNDS", "OUTCOMES", "CanaryPlan", "CanaryState", "OpenRun", "Phases", "phases_of"]

OUTCOMES: Final = (*Outcome, "refused", "lost")
"""How a run of a canary can end, as in the label `outcome`."""

BOUNDS: Final = (1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the histogram of turnarounds, in seconds; a bot asks for jobs every ten seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan:
    """What a canary does.

    Attributes:
        organization: The organisation.
        name: Its name, unique in the organisation.
        interval: Seconds from one start to the next.
        timeout: Seconds after which a run is cancelled, and counts as a failure.
    """

    organization: str
    name: str
    interval: float = 300.0
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the time of a run went, in seconds; together they are the turnaround.

    Attributes:
        submit: From the decision until TheEye had answered, or the job was found.
        job: From the creation of the job to its end.
        run: The run time of the script; None if TheEye does not state it, as for workflows.
    """

    submit: float
    job: float
    run: float | None

    @property
    def queue(self) -> float | None:
        """From the creation of the job until its script began."""
        return None if self.run is None else self.job - self.run

    @property
    def turnaround(self) -> float:
        """From the decision to the end."""
        return self.submit + self.job


def phases_of(job: RunJob, submit: float) -> Phases | None:
    """Return the phases of a run by its job, read in full; None if TheEye does not say its times.

    Args:
        job: The job.
        submit: Seconds from the decision until TheEye had answered.
    """
    created, ended = timestamp(job.creation_date), timestamp(job.last_update)
    if created is None or ended is None or ended < created:
        return None
    times = job.result.times if isinstance(job.result, RunResult) else None
    ran = times.total() if isinstance(times, Times) else None
    return Phases(submit, ended - created, None if ran is None else min(ran, ended - created))


@dataclass(slots=True)
class CanaryState:
    """What is known about a canary; times are Unix times.

    Attributes:
        runs: Number of ended runs by outcome.
        success: Whether the last ended run was a success; None before the first.
        phases: Those of the last successful run; None if they could not be read.
        turnarounds: Number of successful runs for each of `BOUNDS`, and of those that took longer.
        turnaround_sum: Sum of their turnarounds, in seconds.
        last_run_at: When the last run ended.
        last_success_at: When the last successful run ended.
        why: What went wrong last, for people; empty after a success.
    """

    runs: Counter[str] = field(default_factory=Counter)
    success: bool | None = None
    phases: Phases | None = None
    turnarounds: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    turnaround_sum: float = 0.0
    last_run_at: float | None = None
    last_success_at: float | None = None
    why: str = ""

    def measured(self, phases: Phases | None) -> None:
        """Keep the phases of a successful run."""
        self.phases = phases
        if phases is not None:
            place = sum(bound < phases.turnaround for bound in BOUNDS)
            self.turnarounds = [count + (index == place) for index, count in enumerate(self.turnarounds)]
            self.turnaround_sum += phases.turnaround


@dataclass(slots=True)
class OpenRun:
    """An open run; times are those of a clock that never steps.

    Attributes:
        decided_at: Unix time at which it was decided; of a run that was found in TheEye, at which TheEye created it.
        began: The same time.
        row: Its start; None until it is clear what to start.
        not_before: Time of the next attempt to find that out.
        submitted_at: Time at which TheEye had answered.
        cancelling: How it is cancelled; None before its time is up.
        found_again: Whether it is an earlier run that had not ended.
        inherited: Whether its start was decided with another configuration.
        why: What went wrong.
    """

    decided_at: float
    began: float
    row: Row | None = None
    not_before: float = 0.0
    submitted_at: float | None = None
    cancelling: Cancelling | None = None
    found_again: bool = False
    inherited: bool = False
    why: str = ""
