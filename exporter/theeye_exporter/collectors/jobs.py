"""Jobs: what is open, and each task's run that finished last.

    theeye_task_jobs{organization="demo",task_id="6b…",task="backup",hostname="bot-1",lifecycle="ready"} 2
    theeye_job_last_duration_seconds{organization="demo",task_id="6b…",task="backup",hostname="bot-1"} 0.218

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/job`, and
`…/job/{id}` for the result, which the list leaves out.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from theeye_exporter.collectors.base import Checks, Collection
from theeye_exporter.collectors.runs import LastRuns, Run, task_id_of
from theeye_exporter.collectors.tasks import TaskDirectory
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.render import LabelCache, Samples, format_labels
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES, Outcome
from theeye_exporter.theeye.models import Job, text, timestamp

__all__ = ["DetailBudget", "JobsCollector"]

_OVERLAP: Final = 60.0
"""Seconds before the newest change seen from which changes are listed again: writes do not become visible in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailBudget:
    """How much is asked for the results of single jobs.

    Attributes:
        per_cycle: jobs fetched in one attempt; the rest waits for the next.
        concurrency: requests at the same time.
        seconds: time after which no further one is sent in one attempt.
    """

    per_cycle: int
    concurrency: int
    seconds: float


class JobsCollector:
    """Collects an organisation's jobs.

    Args:
        organization: its name, the first label of every series.
        directory: the names of its tasks.
        budget: for fetching results.
    """

    name: Final = "jobs"

    def __init__(self, organization: str, directory: TaskDirectory, budget: DetailBudget) -> None:
        self._organization = organization
        self._directory = directory
        self._budget = budget
        self._runs = LastRuns()
        self._cursor: float | None = None
        self._lifecycles_seen: defaultdict[str, set[str]] = defaultdict(set)
        self._unlisted_since: dict[str, int] = {}
        self._tasks = directory.listed
        self._labels = LabelCache(f.TASK_LABELS)

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - only TheEye's times count here
        """See `Collector`."""
        version_before = self._directory.listed.version
        changed = client.jobs(None if self._cursor is None else self._cursor - _OVERLAP)
        open_jobs = client.open_jobs()
        self._runs.take(changed.items)
        self._runs.reopened(open_jobs.items)
        newest = max((timestamp(job.last_update) or 0 for job in changed.items), default=0)
        if changed.date is not None:
            newest = min(newest, changed.date)  # a job dated in the future must not hide those until then
        self._cursor = max(newest, self._cursor or 0) or None
        self._fetch_results(client)
        self._directory.wait(self._budget.seconds)
        self._tasks = self._directory.listed
        self._forget_gone_tasks(open_jobs.items, version_before)
        samples, checks = Samples(), Checks()
        self._add_open(samples, open_jobs.items)
        for task_id, run in self._runs.by_task.items():
            if (labels := self._task_labels(task_id, run.task)) is not None:
                self._add_last(samples, labels, task_id, run, checks)
        self._labels.prune()
        objects = len({job.id for job in (*changed.items, *open_jobs.items)})
        return Collection(samples, objects, changed.skipped, checks.dropped)

    def _fetch_results(self, client: TheEyeClient) -> None:
        """Fetch the results of last runs that lack one, newest first, within the budget."""
        until = time.monotonic() + self._budget.seconds
        wanted = [(task_id, run, True) for task_id, run in self._runs.suspects.items()]
        wanted += [(task_id, run, False) for task_id, run in self._runs.by_task.items() if not run.complete]
        wanted.sort(key=lambda entry: entry[1].finished, reverse=True)

        def fetch(entry: tuple[str, Run, bool]) -> None:
            task_id, run, suspect = entry
            if time.monotonic() >= until:
                return
            try:
                job = client.job(run.job_id)
            except UpstreamError:
                run.fail()
                if not (suspect and run.complete):
                    return
                job = None
            if suspect:
                self._runs.settle(task_id, job)
            elif job is None:
                run.complete = True
            else:
                run.take_result(job)

        # Each entry is a task of its own, so that the threads share nothing but the dictionaries.
        with ThreadPoolExecutor(self._budget.concurrency, thread_name_prefix="job-results") as pool:
            list(pool.map(fetch, wanted[: self._budget.per_cycle]))

    def _forget_gone_tasks(self, open_jobs: Iterable[Job], version_before: int) -> None:
        """Forget tasks that a list of tasks lacks; a list from before the task's first job says nothing of it."""
        if self._tasks.names is None:
            return
        seen = {*self._runs.by_task, *self._lifecycles_seen, *map(task_id_of, open_jobs)}
        unlisted = seen - self._tasks.names.keys()
        self._unlisted_since = {task_id: self._unlisted_since.get(task_id, version_before) for task_id in unlisted}
        for task_id, version in self._unlisted_since.items():
            if self._tasks.version > version:
                self._runs.forget(task_id)
                self._lifecycles_seen.pop(task_id, None)

    def _task_labels(self, task_id: str, job_name: str) -> str | None:
        """Return a task's rendered labels, None for a task that is not listed."""
        if self._tasks.names is None:
            return self._labels.get(self._organization, task_id, job_name, "")
        names = self._tasks.names.get(task_id)
        return None if names is None else self._labels.get(self._organization, task_id, names.task, names.hostname)

    def _add_open(self, samples: Samples, jobs: Iterable[Job]) -> None:
        everywhere = Counter(text(job.lifecycle) for job in jobs)
        organization = format_labels(("organization",), (self._organization,))
        samples[f.JOBS] += [(f'{organization},lifecycle="{name}"', everywhere[name]) for name in OPEN_LIFECYCLES]
        by_task: defaultdict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            if task_id := task_id_of(job):
                by_task[task_id].append(job)
                self._lifecycles_seen[task_id].add(text(job.lifecycle))
        for task_id, seen in self._lifecycles_seen.items():
            open_jobs = by_task.get(task_id, [])
            run = self._runs.by_task.get(task_id)
            name = text(open_jobs[0].name) if open_jobs else run.task if run else ""
            labels = self._task_labels(task_id, name)
            if labels is None:
                continue
            count = Counter(text(job.lifecycle) for job in open_jobs)
            samples[f.TASK_JOBS] += [(f'{labels},lifecycle="{name}"', count[name]) for name in sorted(seen)]
            created = [at for job in open_jobs if (at := timestamp(job.creation_date)) is not None]
            if created:
                samples[f.TASK_OLDEST_OPEN_JOB].append((labels, min(created)))

    def _add_last(self, samples: Samples, labels: str, task_id: str, run: Run, checks: Checks) -> None:
        if run.duration is not None and (seconds := checks.amount(run.duration)) is not None:
            samples[f.JOB_LAST_DURATION].append((labels, seconds))
        if run.created is not None and (seconds := checks.amount(round(run.finished - run.created, 3))) is not None:
            samples[f.JOB_LAST_TURNAROUND].append((labels, seconds))
        if run.exit_code is not None:
            samples[f.JOB_LAST_EXIT_CODE].append((labels, run.exit_code))
        samples[f.JOB_LAST_OUTCOME] += [
            (f'{labels},outcome="{outcome}"', 1 if outcome is run.outcome else 0) for outcome in Outcome
        ]
        samples[f.JOB_LAST_FINISH].append((labels, run.finished))
        if (success := self._runs.last_success.get(task_id)) is not None:
            samples[f.JOB_LAST_SUCCESS].append((labels, success))
