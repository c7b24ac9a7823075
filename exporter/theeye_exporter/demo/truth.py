"""What really happened: every run that ended, counted at that moment. What an exporter says is held against it."""

from dataclasses import dataclass, replace
from typing import Final

from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.results import seconds_of

__all__ = ["OUTCOMES", "Tally", "Truth"]

OUTCOMES: Final = ("success", "failure", "timeout", "canceled", "error", "unknown")
"""Ways a run can end; unknown is every state that is none of the others."""


@dataclass(slots=True)
class Tally:
    """Runs of one task that ended one way.

    Attributes:
        runs: How many.
        timed: How many of them have a pure run time in their result.
        seconds: Sum of those run times.
    """

    runs: int = 0
    timed: int = 0
    seconds: float = 0.0


class Truth(dict[tuple[str, str], Tally]):
    """Tallies by what ran and how it ended (one of `OUTCOMES`).

    What ran is the task's id; of a workflow's own jobs the workflow's id; of others the job's type (AgentUpdateJob).
    The runs from before the start of the world are not in it.
    """

    def count(self, job: Job) -> None:
        """Counts a job that has just ended."""
        tally = self.setdefault((owner_of(job), job.state if job.state in OUTCOMES else "unknown"), Tally())
        tally.runs += 1
        seconds = seconds_of(job.result)
        if seconds is not None:
            tally.timed += 1
            tally.seconds += seconds

    def snapshot(self) -> "Truth":
        """A copy that does not go on counting."""
        return Truth({key: replace(tally) for key, tally in self.items()})

    def runs(self, owner: str | None = None, outcome: str | None = None) -> int:
        """How many runs ended: of all or of one task, in any way or in one."""
        return sum(tally.runs for (of, how), tally in self.items() if owner in {None, of} and outcome in {None, how})


def owner_of(job: Job) -> str:
    """What a job is a run of, as `Truth` keys it."""
    if job.type == "WorkflowJob" and job.workflow is not None:
        return job.workflow.id
    return job.task_id or job.type
