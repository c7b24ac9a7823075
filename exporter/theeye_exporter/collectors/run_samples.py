"""Samples of what the ledger has counted, and of open jobs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from theeye_exporter.collectors.owners import Owners
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import escape_label_value, format_labels
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.ledger.reading import owner_of
from theeye_exporter.ledger.records import Account, Bounds, Histogram, Owner, OwnerKind
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES, Outcome
from theeye_exporter.theeye.models import Job, text, timestamp

__all__ = ["OpenJobs", "add_account", "add_counters", "add_other_runs"]

_EXEMPLAR_LIMIT: Final = 128
"""Characters of names and values that OpenMetrics allows the labels of an exemplar."""


@dataclass(frozen=True, slots=True)
class _Families:
    runs: Family
    turnaround: Family
    last_turnaround: Family
    last_outcome: Family
    last_finish: Family
    last_success: Family
    jobs: Family
    oldest: Family


_FAMILIES: Final = {
    OwnerKind.TASK: _Families(
        f.JOB_RUNS,
        f.JOB_TURNAROUND,
        f.JOB_LAST_TURNAROUND,
        f.JOB_LAST_OUTCOME,
        f.JOB_LAST_FINISH,
        f.JOB_LAST_SUCCESS,
        f.TASK_JOBS,
        f.TASK_OLDEST_OPEN_JOB,
    ),
    OwnerKind.WORKFLOW: _Families(
        f.WORKFLOW_RUNS,
        f.WORKFLOW_TURNAROUND,
        f.WORKFLOW_LAST_TURNAROUND,
        f.WORKFLOW_LAST_OUTCOME,
        f.WORKFLOW_LAST_FINISH,
        f.WORKFLOW_LAST_SUCCESS,
        f.WORKFLOW_JOBS,
        f.WORKFLOW_OLDEST_OPEN_JOB,
    ),
}

_NOTHING: Final = Account()


def add_account(samples: Samples, owner: Owner, labels: str, account: Account) -> None:
    """Add the gauges of an owner's last run."""
    families = _FAMILIES[owner.kind]
    if account.last_success is not None:
        samples[families.last_success].add(labels, account.last_success)
    last = account.last
    if last is None:
        return
    samples[families.last_finish].add(labels, last.finished)
    samples[families.last_outcome].add(labels, f.OUTCOMES.index(last.outcome))
    if last.turnaround is not None:
        samples[families.last_turnaround].add(labels, round(last.turnaround, 3))
    if last.duration is not None:
        samples[f.JOB_LAST_DURATION].add(labels, last.duration)
    if last.exit_code is not None:
        samples[f.JOB_LAST_EXIT_CODE].add(labels, last.exit_code)


def add_counters(samples: Samples, owner: Owner, labels: str, account: Account | None, bounds: Bounds) -> None:
    """Add an owner's counters and histograms, zeros for one that nothing was counted of."""
    account = account or _NOTHING
    families = _FAMILIES[owner.kind]
    _add_runs(samples, families.runs, labels, account)
    if owner.kind is OwnerKind.TASK:
        _add_histogram(samples, families.turnaround, labels, account.turnaround, bounds.turnaround)
        _add_histogram(samples, f.JOB_DURATION, labels, account.duration, bounds.duration)
        samples[f.TASK_UNSEEN_RUNS].add(labels, account.unseen)
    else:
        _add_histogram(samples, families.turnaround, labels, account.turnaround, bounds.workflow_turnaround)


def add_other_runs(samples: Samples, organization: str, accounts: Mapping[Owner, Account]) -> None:
    """Add the counters of jobs of neither task nor workflow, zeros for the types that are to be expected."""
    others = {owner.id: account for owner, account in accounts.items() if owner.kind is OwnerKind.OTHER}
    for job_type in sorted({"AgentUpdateJob", "other", *others}):
        labels = format_labels(("organization", "job_type"), (organization, job_type))
        _add_runs(samples, f.OTHER_JOB_RUNS, labels, others.get(job_type, _NOTHING))


class OpenJobs:
    """Counts open jobs; a lifecycle that an owner's job was once seen in stays, at 0 if need be.

    Args:
        seen: the lifecycles that were seen before, by owner.
        names: the owners' names as their jobs had them.
    """

    def __init__(self, seen: Mapping[Owner, set[str]] | None = None, names: Mapping[Owner, str] | None = None) -> None:
        self._seen: defaultdict[Owner, set[str]] = defaultdict(set, seen or {})
        self._names: dict[Owner, str] = dict(names or {})

    def copy(self) -> "OpenJobs":
        """Return one that has seen the same, also while a poll goes on with this one."""
        return OpenJobs({owner: seen.copy() for owner, seen in list(self._seen.items())}, self._names.copy())

    @property
    def owners(self) -> Iterable[Owner]:
        """Tasks and workflows of which an open job was seen."""
        return self._seen.keys()

    def name(self, owner: Owner) -> str:
        """Return the owner's name as its open jobs had it, empty if none was seen."""
        return self._names.get(owner, "")

    def forget(self, owners: Iterable[Owner]) -> None:
        """Forget owners that are gone."""
        for owner in owners:
            self._seen.pop(owner, None)
            self._names.pop(owner, None)

    def add(self, samples: Samples, organization: str, jobs: Iterable[Job], owners: Owners) -> None:
        """Add the samples of all open jobs."""
        everywhere: Counter[str] = Counter()
        by_owner: defaultdict[Owner, list[Job]] = defaultdict(list)
        for job in jobs:
            everywhere[text(job.lifecycle)] += 1
            owner = owner_of(job)
            if owner.kind in _FAMILIES:
                by_owner[owner].append(job)
                self._seen[owner].add(text(job.lifecycle))
        label = format_labels(("organization",), (organization,))
        for name in OPEN_LIFECYCLES:
            samples[f.JOBS].add(f'{label},lifecycle="{name}"', everywhere[name])
        for owner, seen in self._seen.items():
            open_jobs = by_owner.get(owner, [])
            if open_jobs:
                self._names[owner] = text(open_jobs[0].name)
            labels = owners.labels(owner, self.name(owner))
            if labels is None:
                continue
            families = _FAMILIES[owner.kind]
            count = Counter(text(job.lifecycle) for job in open_jobs)
            for name in sorted(seen):
                samples[families.jobs].add(f'{labels},lifecycle="{name}"', count[name])
            created = [at for job in open_jobs if (at := timestamp(job.creation_date)) is not None]
            if created:
                samples[families.oldest].add(labels, min(created))


def _add_runs(samples: Samples, family: Family, labels: str, account: Account) -> None:
    for outcome in Outcome:
        samples[family].add(f'{labels},outcome="{outcome}"', account.runs.get(outcome, 0))


def _add_histogram(
    samples: Samples, family: Family, labels: str, histogram: Histogram | None, bounds: tuple[float, ...] | None
) -> None:
    if bounds is None:
        return
    histogram = histogram or Histogram.empty(bounds)
    exemplars = {
        bucket: f'{{job_id="{escape_label_value(job_id)}"}} {value} {at}'
        for bucket, (job_id, value, at) in histogram.latest.items()
        if len("job_id") + len(job_id) <= _EXEMPLAR_LIMIT
    }
    value = HistogramValue(bounds, tuple(histogram.counts), histogram.sum, exemplars)
    samples.histograms[family].add(labels, value)
