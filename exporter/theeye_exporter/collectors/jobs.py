"""Jobs: every finished run counted once, the run that finished last, and what is open.

    theeye_job_runs_total{organization="demo",task_id="6b…",task="backup",hostname="bot-1",outcome="success"} 42
    theeye_task_jobs{organization="demo",task_id="6b…",task="backup",hostname="bot-1",lifecycle="ready"} 2

The raw data: `curl -H "Authorization: Bearer $THEEYE_TOKEN" $THEEYE_SUPERVISOR_URL/$THEEYE_ORGANIZATION_NAME/job`, and
`…/job/{id}` for the result, which the list leaves out.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.directory import Directory, Listed
from theeye_exporter.collectors.owners import Owners
from theeye_exporter.collectors.run_samples import OpenJobs, add_account, add_counters, add_other_runs
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.ledger.book import Book
from theeye_exporter.ledger.cycle import Cycle, Poll
from theeye_exporter.ledger.records import Bounds, Owner, OwnerKind
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Job

__all__ = ["JobsCollector", "JobsPolicy"]

_OVERLAP: Final = 60.0
"""Seconds before the newest change seen from which changes are listed again: writes do not become visible in order."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPolicy:
    """How jobs are asked for and counted.

    Attributes:
        details_per_cycle: jobs looked at in full in one attempt; the rest waits for the next.
        detail_concurrency: requests at the same time.
        detail_seconds: time after which no further one is sent in one attempt.
        full_list_interval: seconds after which all jobs are listed instead of the changed ones.
        grace: seconds for which the counters of a deleted task or workflow stay.
        bounds: buckets of the histograms.
    """

    details_per_cycle: int
    detail_concurrency: int
    detail_seconds: float
    full_list_interval: float
    grace: float
    bounds: Bounds


class JobsCollector:
    """Collects an organisation's jobs.

    Args:
        organization: its name, the first label of every series.
        tasks: the directory of its tasks.
        workflows: the directory of its workflows.
        book: its ledger.
        policy: how jobs are asked for and counted.
        monotonic: a clock for intervals, in seconds.
        former: the collector that this one takes over from.
    """

    name: Final = "jobs"

    def __init__(  # noqa: PLR0913 - what is known of jobs comes from many sides
        self,
        organization: str,
        *,
        tasks: Directory,
        workflows: Directory,
        book: Book,
        policy: JobsPolicy,
        monotonic: Callable[[], float] = time.monotonic,
        former: "JobsCollector | None" = None,
    ) -> None:
        self._organization = organization
        self._directories = {OwnerKind.TASK: tasks, OwnerKind.WORKFLOW: workflows}
        owners = None if former is None else former.owners
        self.owners: Owners = Owners(organization, tasks, workflows, grace=policy.grace, former=owners)
        self.open_jobs: OpenJobs = OpenJobs() if former is None else former.open_jobs.copy()
        self._book = book
        self._policy = policy
        self._monotonic = monotonic
        self._full_list_at: float | None = None
        self.no_details_before: float = float("-inf") if former is None else former.no_details_before
        """Monotonic time, in seconds, until which TheEye asked not to be asked for single jobs."""
        self._unknown: set[tuple[str, str]] = set()

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        """See `Collector`."""
        listed_before = {kind: directory.listed for kind, directory in self._directories.items()}
        started = self._monotonic()
        complete = self._full_list_at is None or started - self._full_list_at >= self._policy.full_list_interval
        since = None if complete or self._book.cursor is None else self._book.cursor - _OVERLAP
        changed = client.jobs(since)
        open_jobs = client.open_jobs()
        poll = Poll(
            changed=changed.items,
            open_jobs=open_jobs.items,
            date=now if changed.date is None else changed.date,
            # What cannot be read may be any job.
            complete=complete and since is None and not changed.skipped["malformed"],
        )
        cycle = self._book.cycle(poll)
        if started >= self.no_details_before:
            self._look_at_jobs(client, cycle)
        self.owners.refresh(self._policy.detail_seconds)
        if self._saw_all(poll, changed.skipped + open_jobs.skipped):
            self._count_executions(cycle, listed_before[OwnerKind.TASK])
        versions = {kind: listed.version for kind, listed in listed_before.items()}
        try:
            self._book.commit(cycle)
            known = {*self._book.accounts, *self.open_jobs.owners, *self.owners.deleted}
            gone = self.owners.gone(known, versions, started)
            if poll.complete:
                self._book.close_accounts(lambda owner: owner in gone or self.owners.never_listed(owner.kind))
        except LedgerError as error:
            raise UpstreamError(Reason.LEDGER, str(error)) from None
        if complete:
            self._full_list_at = started
        self.open_jobs.forget(gone)
        self._log_unknown(cycle)
        objects = len({job.id for job in (*changed.items, *open_jobs.items)})
        dropped = Counter(impossible=cycle.impossible, without_result=cycle.without_result)
        return Collection(self._samples(open_jobs.items), objects, changed.skipped, +dropped)

    def _saw_all(self, poll: Poll, skipped: Counter[str]) -> bool:
        """Whether every job that exists was seen, so that one that TheEye counted and is not known is gone."""
        cursor = self._book.cursor
        set_back = cursor is not None and poll.date is not None and poll.date < cursor
        # Nothing at all may be a hidden error; and whatever deletes a job is a newer one, which would be listed.
        return bool(poll.changed) and not skipped and not set_back

    def _count_executions(self, cycle: Cycle, tasks: Listed) -> None:
        began = self._book.began
        for task_id, entry in (tasks.entries or {}).items():
            if entry.executions is not None:
                new = began is not None and entry.created is not None and entry.created > began
                cycle.count_executions(Owner(OwnerKind.TASK, task_id), entry.executions, new=new)

    def _look_at_jobs(self, client: TheEyeClient, cycle: Cycle) -> None:
        """Fetch jobs in full, a few at a time, within the budget, and until TheEye asks to be left alone."""
        until = time.monotonic() + self._policy.detail_seconds
        refusals: list[UpstreamError] = []

        def fetch(job_id: str) -> tuple[str, Job | None] | UpstreamError | None:
            if refusals or time.monotonic() >= until:
                return None
            try:
                return job_id, client.job(job_id)
            except UpstreamError as error:
                if error.retry_after is None and error.reason is not Reason.RATE_LIMITED:
                    return error
                refusals.append(error)  # which says nothing of this job
                return None

        wanted = cycle.wanted()[: self._policy.details_per_cycle]
        if not wanted:
            return
        with ThreadPoolExecutor(self._policy.detail_concurrency, thread_name_prefix="job-details") as pool:
            for job_id, answer in zip(wanted, pool.map(fetch, wanted), strict=True):
                if isinstance(answer, UpstreamError):
                    cycle.fail_result(job_id)
                elif answer is not None:
                    cycle.take_result(*answer)
        if refusals:
            self.no_details_before = self._monotonic() + max(error.retry_after or 0.0 for error in refusals)

    def _samples(self, open_jobs: list[Job]) -> Samples:
        samples = Samples()
        self.open_jobs.add(samples, self._organization, open_jobs, self.owners)
        accounts = self._book.accounts
        add_other_runs(samples, self._organization, accounts)
        listed = {
            Owner(kind, owner_id)
            for kind in (OwnerKind.TASK, OwnerKind.WORKFLOW)
            for owner_id in self.owners.listed(kind).entries or {}
        }
        for owner in {**accounts, **dict.fromkeys(listed)}:
            account = accounts.get(owner)
            if owner.kind is OwnerKind.OTHER:
                continue
            last = None if account is None else account.last
            name = self.open_jobs.name(owner) if last is None else last.name
            labels = self.owners.labels(owner, name)
            if labels is not None and account is not None:
                add_account(samples, owner, labels, account)
            if (labels := labels or self.owners.former_labels(owner)) is not None:
                add_counters(samples, owner, labels, account, self._policy.bounds)
        return samples

    def _log_unknown(self, cycle: Cycle) -> None:
        for lifecycle, state in cycle.unknown - self._unknown:
            _log.warning(
                "outcome not understood", organization=self._organization, lifecycle=lifecycle[:64], state=state[:64]
            )
        self._unknown |= cycle.unknown
