"""Compares TheEye's own count of executions with the jobs that were seen, to find runs that were never seen."""

from theeye_exporter.collectors.name_index import Listed
from theeye_exporter.ledger.records import RunKey, RunKind
from theeye_exporter.ledger.triggers import Scheduled
from theeye_exporter.ledger.update import LedgerUpdate

__all__ = ["Executions", "find_missed_triggers"]


class Executions:
    """Compares lists of tasks with the jobs that were seen, and never reports more missing runs than there are."""

    def __init__(self) -> None:
        self._last = Listed()
        self._of_all_jobs = Listed()

    def choose(self, tasks: Listed) -> Listed:
        """Return the list to compare at this poll, and keep `tasks` for the next.

        This is the list of the previous poll: TheEye may count an execution before it lists the job.
        """
        last, self._last = self._last, tasks
        return last

    def all_jobs_listed(self, tasks: Listed) -> None:
        """Record that all jobs were listed, while the tasks were those of `tasks`."""
        self._of_all_jobs = tasks

    def count(self, tasks: Listed, update: LedgerUpdate) -> None:
        """Count the executions of a list that `choose` returned, at a poll that saw every job."""
        cursor, known = update.changes.cursor, self._of_all_jobs.entries or {}
        after = float("inf") if cursor.tasks is None else cursor.tasks
        until = float("-inf") if tasks.date is None else tasks.date
        for task_id, entry in (tasks.entries or {}).items():
            # If a task existed before but was hidden, its executions may have been counted then.
            new = entry.created is not None and after < entry.created <= until
            # The jobs of a task that comes back only appear with the next list of all jobs.
            if entry.executions is not None and (new or task_id in known):
                update.count_executions(RunKey(RunKind.TASK, task_id), entry.executions, new=new)
        cursor.tasks = tasks.date


def find_missed_triggers(tasks: Listed, update: LedgerUpdate, *, saw_all: bool) -> None:
    """Compare the triggers in a list of tasks with the jobs, which were listed later."""
    if tasks.date is None:
        return
    entries = tasks.entries or {}
    scheduled = {
        RunKey(RunKind.TASK, task_id): None
        if entry.triggered is None or entry.executions is None
        else Scheduled(entry.triggered, entry.executions)
        for task_id, entry in entries.items()
    }
    update.triggers.compare(scheduled, tasks.date, saw_all=saw_all)
