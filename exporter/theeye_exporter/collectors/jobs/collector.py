"""Jobs: every finished run, counted once; the run that finished last; and open jobs.

    theeye_job_runs_total{organization="demo",task_id="6b…",task="backup",hostname="bot-1",outcome="success"} 42
    theeye_task_jobs{organization="demo",task_id="6b…",task="backup",hostname="bot-1",lifecycle="ready"} 2

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/job`, and
`…/job/{id}` for the result, which the list leaves out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import structlog

from theeye_exporter.collectors import tasks, workflows
from theeye_exporter.collectors.base import Collection, CollectorKind, Context
from theeye_exporter.collectors.faults import FAULT, Faults
from theeye_exporter.collectors.jobs.details import DetailLimits, DetailMemory, JobDetails
from theeye_exporter.collectors.jobs.executions import Executions, find_missed_triggers
from theeye_exporter.collectors.jobs.families import FAMILIES, QUERIES
from theeye_exporter.collectors.jobs.full_list import FullListSchedule
from theeye_exporter.collectors.jobs.helpers import HELPERS
from theeye_exporter.collectors.jobs.run_labels import RunLabels, Unlisted
from theeye_exporter.collectors.jobs.run_samples import OpenJobs, add_counters, add_last_run, add_other_runs
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.ledger.reading import run_key_of
from theeye_exporter.ledger.records import RunKey, RunKind
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.ledger.update import LedgerUpdate, Poll
from theeye_exporter.observability.throttle import LogThrottle
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Job
from theeye_exporter.values.settings import Setting, duration, integer

__all__ = ["KIND", "JobsCollector", "JobsMemory", "JobsSettings"]

_GRACE: Final = 600.0
"""Seconds for which the counters of a deleted task or workflow are still shown, so that its last runs are scraped."""

_OVERLAP: Final = 60.0
"""Changes from this many seconds before the newest one are listed again: writes do not become visible in order."""

_TOLD_AT_ONCE: Final = 10
"""Number of different unknown outcomes that are logged immediately; above that, TheEye seems to invent them."""

_log: Final = structlog.get_logger(__name__)


class JobsSettings(CollectorSettings):
    """How jobs are polled; the result of each finished job takes a separate request."""

    max_details_per_cycle: Annotated[
        int, Setting(integer(0, 100_000), "maximum number of results of runs that one poll fetches")
    ] = 200
    detail_concurrency: Annotated[
        int,
        Setting(
            integer(1, 64),
            "number of results that are fetched at the same time; each poll has one thread for this, and all organisations "
            f"share {HELPERS} more",
        ),
    ] = 4
    full_list_interval: Annotated[float, Setting(duration(60.0), "time from one list of all jobs to the next")] = 3600.0


@dataclass(slots=True)
class JobsMemory:
    """What has to be kept over a reload.

    Attributes:
        open_jobs: the open jobs that were seen.
        unlisted: tasks and workflows that are no longer listed.
        details: how requests for single jobs went.
        executions_from: version of the first list of tasks whose executions are compared: a list that was requested
            earlier may lack executions of jobs that existed before counting began.
    """

    open_jobs: OpenJobs = field(default_factory=OpenJobs)
    unlisted: Unlisted = field(default_factory=Unlisted)
    details: DetailMemory = field(default_factory=DetailMemory)
    executions_from: int = 0

    def copy(self) -> "JobsMemory":
        """Return a copy that does not change with this one."""
        return JobsMemory(self.open_jobs.copy(), self.unlisted.copy(), self.details.copy(), self.executions_from)


class JobsCollector:
    """Collects an organisation's jobs."""

    def __init__(self, context: "Context[JobsSettings]") -> None:
        self._organization = context.organization
        self._room = context.room
        self._settings = context.settings
        self._timeout = context.timeout
        self._monotonic = context.clocks.monotonic
        self._ledger = context.ledger
        self._memory: JobsMemory = context.memory
        self._indexes = {
            RunKind.TASK: context.names[tasks.KIND.name],
            RunKind.WORKFLOW: context.names[workflows.KIND.name],
        }
        self._run_labels = RunLabels(context.organization, self._indexes, self._memory.unlisted, grace=_GRACE)
        self._full_lists = FullListSchedule(context.settings.full_list_interval)
        self._executions = Executions()
        self._faults = Faults(context.organization, KIND.name, context.clocks.monotonic)
        self._details = JobDetails(
            context.organization,
            DetailLimits(context.settings.max_details_per_cycle, context.settings.detail_concurrency, context.timeout),
            self._memory.details,
            self._faults,
            context.clocks,
        )
        self._unknown: set[tuple[str, str]] = set()
        self._repetition = LogThrottle()

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        # Names come first: if a task is listed only after its jobs, some of its jobs may be missing.
        listed_before = {kind: index.listed for kind, index in self._indexes.items()}
        listed_tasks = listed_before[RunKind.TASK]
        started = self._monotonic()
        complete = self._full_lists.is_due(started, comparable=bool(listed_tasks.entries))
        since = None if complete or self._ledger.cursor is None else self._ledger.cursor - _OVERLAP
        changed = client.jobs(since)
        unrepeated = self._monotonic() - started if complete else 0.0
        open_jobs = client.open_jobs()
        poll = Poll(
            changed=changed.items,
            open_jobs=open_jobs.items,
            date=now if changed.date is None else changed.date,
            # An unreadable object may be any job.
            complete=complete and since is None and not changed.skipped["malformed"],
            room=self._room,
        )
        first = self._ledger.cursor is None
        update, poll = self._work_out(poll)
        unanswered = self._details.fetch(client, update)
        self._run_labels.refresh()
        known_ids = {job.id for job in (*poll.changed, *poll.open_jobs)}
        faulty = len({job.id for job in (*changed.items, *open_jobs.items)} - known_ids)
        skipped = changed.skipped + Counter({FAULT: faulty})
        counted = self._executions.choose(listed_tasks)
        if counted.version >= self._memory.executions_from and self._saw_all(poll, skipped + open_jobs.skipped):
            self._executions.count(counted, update)
        find_missed_triggers(listed_tasks, update, saw_all=not skipped + open_jobs.skipped)
        if poll.complete:
            self._executions.all_jobs_listed(listed_tasks)
        if first:
            # The next list may have been requested already, but not the one after it.
            self._memory.executions_from = self._indexes[RunKind.TASK].listed.version + 2
        versions = {kind: listed.version for kind, listed in listed_before.items()}
        try:
            self._ledger.commit(update)
            known = {*self._ledger.totals, *self._memory.open_jobs.run_keys, *self._memory.unlisted.entries}
            gone = self._run_labels.gone(known, versions, started)
            if poll.complete:
                self._ledger.drop_totals(lambda run_key: run_key in gone or self._run_labels.never_listed(run_key.kind))
        except LedgerError as error:
            raise UpstreamError(Reason.LEDGER, str(error)) from None
        if complete:
            self._full_lists.listed(started, unrepeated, compared=poll.complete and bool(listed_tasks.entries))
        self._memory.open_jobs.forget([*gone, *self._closed(poll)])
        self._log_unknown(update, started)
        dropped = Counter(impossible=update.impossible, without_result=update.without_result, unanswered=unanswered)
        samples, not_shown = self._faults.make(poll.open_jobs, self._samples)
        skipped[FAULT] += not_shown
        return Collection(samples, len(known_ids), skipped, +dropped, poll.complete, unrepeated=unrepeated)

    def _work_out(self, poll: Poll) -> tuple[LedgerUpdate, Poll]:
        """Return the changes of a poll, and the poll without the jobs for which they cannot be worked out."""
        try:
            return self._ledger.prepare(poll), poll
        except (UpstreamError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - find out which jobs cause it
            part = replace(poll, changed=(), open_jobs=(), complete=False)
        sift, prepare = self._faults.sift, self._ledger.prepare
        sound = replace(
            part,
            changed=sift(poll.changed, lambda jobs: prepare(replace(part, changed=jobs))),
            open_jobs=sift(poll.open_jobs, lambda jobs: prepare(replace(part, open_jobs=jobs))),
        )
        return prepare(sound), sound

    def _closed(self, poll: Poll) -> list[RunKey]:
        """Return tasks and workflows without open jobs, where no list shows whether they still exist."""
        still_open = {run_key_of(job) for job in poll.open_jobs}
        return [
            run_key
            for run_key in self._memory.open_jobs.run_keys
            if poll.complete
            and self._run_labels.never_listed(run_key.kind)
            and run_key not in still_open
            and run_key not in self._ledger.totals
        ]

    def _saw_all(self, poll: Poll, skipped: Counter[str]) -> bool:
        """Whether every existing job was seen, so that a job that TheEye counted but that is unknown was deleted."""
        cursor = self._ledger.cursor
        set_back = cursor is not None and poll.date is not None and poll.date < cursor
        # An empty list can hide an error. A job is only deleted when a newer one is created, which would be listed.
        return bool(poll.changed) and not skipped and not set_back

    def _samples(self, open_jobs: Sequence[Job]) -> Samples:
        samples = Samples()
        self._memory.open_jobs.add(samples, self._organization, open_jobs, self._run_labels, self._room)
        all_totals = self._ledger.totals
        add_other_runs(samples, self._organization, all_totals)
        listed = {
            RunKey(kind, object_id)
            for kind in (RunKind.TASK, RunKind.WORKFLOW)
            for object_id in self._run_labels.listed(kind).entries or {}
        }
        for run_key in self._room.watched([*{**all_totals, **dict.fromkeys(listed)}]):
            totals = all_totals.get(run_key)
            if run_key.kind is RunKind.OTHER:
                continue
            last = None if totals is None else totals.last
            name = self._memory.open_jobs.name(run_key) if last is None else last.name
            labels = self._run_labels.labels(run_key, name)
            if labels is not None and totals is not None:
                add_last_run(samples, run_key, labels, totals)
            if (labels := labels or self._run_labels.former_labels(run_key)) is not None:
                add_counters(samples, run_key, labels, totals, self._ledger.bounds)
        return samples

    def _log_unknown(self, update: LedgerUpdate, now: float) -> None:
        for lifecycle, state in sorted(update.unknown - self._unknown):
            suppressed = 0 if len(self._unknown) < _TOLD_AT_ONCE else self._repetition.allow(now)
            if suppressed is None:
                continue
            if len(self._unknown) < _TOLD_AT_ONCE:
                self._unknown.add((lifecycle, state))
            _log.warning(
                "unknown outcome; the run is counted as unknown",
                organization=self._organization,
                lifecycle=lifecycle,
                state=state,
                **({"suppressed": suppressed} if suppressed else {}),
            )


KIND: Final = CollectorKind(
    name="jobs",
    title="Jobs",
    families=FAMILIES,
    make=JobsCollector,
    settings=JobsSettings,
    interval=15.0,
    cardinality=(
        "for each task 7 counters, 2 histograms of 21 series with the default buckets, 12 about its last runs, and 1 for a "
        "missed trigger. For each workflow 6 counters, 1 histogram, and 10 about its last runs. For each task and workflow also "
        "1 for each lifecycle that its open jobs have had, and 1 for each that they have now. 18 for the organisation."
    ),
    needs=(tasks.KIND, workflows.KIND),
    implies=(tasks.KIND,),
    memory=JobsMemory,
    keeps_ledger=True,
    may_hide_errors_as_empty=False,
    queries=QUERIES,
)
