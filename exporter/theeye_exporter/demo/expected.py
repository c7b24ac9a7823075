"""Counts every run when it ends in the simulation, so that the exporter's counts can be compared with these numbers."""

from dataclasses import dataclass, replace
from typing import Final

from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.results import seconds_of

__all__ = ["OUTCOMES", "EndedRuns", "Tally"]

OUTCOMES: Final = ("success", "failure", "timeout", "canceled", "error", "unknown")
"""Ways in which a run can end; unknown is any other state."""


@dataclass(slots=True)
class Tally:
    """Runs of one task that ended in the same way.

    Attributes:
        runs: Number of runs.
        timed: Number of these with a pure run time in their result.
        seconds: Sum of those run times.
    """

    runs: int = 0
    timed: int = 0
    seconds: float = 0.0


class EndedRuns(dict[tuple[str, str], Tally]):
    """Tallies by owner and outcome (one of `OUTCOMES`).

    The owner is the task's id, the workflow's id for a workflow's own jobs, or the job's type (AgentUpdateJob) for
    other jobs. Runs from before the start of the world are not included.
    """

    def count(self, job: Job) -> None:
        """Counts a job that has just ended."""
        tally = self.setdefault((owner_of(job), job.state if job.state in OUTCOMES else "unknown"), Tally())
        tally.runs += 1
        seconds = seconds_of(job.result)
        if seconds is not None:
            tally.timed += 1
            tally.seconds += seconds

    def snapshot(self) -> "EndedRuns":
        """A copy that does not change any more."""
        return EndedRuns({key: replace(tally) for key, tally in self.items()})

    def runs(self, owner: str | None = None, outcome: str | None = None) -> int:
        """The number of ended runs: of all tasks or one, in any way or in one."""
        return sum(tally.runs for (of, how), tally in self.items() if owner in {None, of} and outcome in {None, how})


def owner_of(job: Job) -> str:
    """The owner of a job, as a key of `EndedRuns`."""
    if job.type == "WorkflowJob" and job.workflow is not None:
        return job.workflow.id
    return job.task_id or job.type
