"""Makes the samples of counted runs and of open jobs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.collectors.jobs import families as f
from theeye_exporter.collectors.jobs.run_labels import RunLabels
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.labels import escape_label_value, format_labels
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.ledger.reading import name_of, run_key_of
from theeye_exporter.ledger.records import Bounds, Histogram, RunKey, RunKind, RunTotals
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES, Outcome
from theeye_exporter.theeye.memory import Room
from theeye_exporter.theeye.models import Job

__all__ = ["OpenJobs", "add_counters", "add_last_run", "add_other_runs"]

_EXEMPLAR_LIMIT: Final = 128
"""OpenMetrics limits the names and values of an exemplar's labels to this many characters."""


@dataclass(frozen=True, slots=True)
class _Families:
    runs: Family
    turnaround: Family
    last_turnaround: Family
    last_outcome: Family
    consecutive_failures: Family
    last_finish: Family
    last_success: Family
    jobs: Family
    oldest: Family


_FAMILIES: Final = {
    RunKind.TASK: _Families(
        f.JOB_RUNS,
        f.JOB_TURNAROUND,
        f.JOB_LAST_TURNAROUND,
        f.JOB_LAST_OUTCOME,
        f.JOB_CONSECUTIVE_FAILURES,
        f.JOB_LAST_FINISH,
        f.JOB_LAST_SUCCESS,
        f.TASK_JOBS,
        f.TASK_OLDEST_OPEN_JOB,
    ),
    RunKind.WORKFLOW: _Families(
        f.WORKFLOW_RUNS,
        f.WORKFLOW_TURNAROUND,
        f.WORKFLOW_LAST_TURNAROUND,
        f.WORKFLOW_LAST_OUTCOME,
        f.WORKFLOW_CONSECUTIVE_FAILURES,
        f.WORKFLOW_LAST_FINISH,
        f.WORKFLOW_LAST_SUCCESS,
        f.WORKFLOW_JOBS,
        f.WORKFLOW_OLDEST_OPEN_JOB,
    ),
}

_NOTHING: Final = RunTotals()


def add_last_run(samples: Samples, run_key: RunKey, labels: str, totals: RunTotals) -> None:
    """Add the gauges of the last runs, and of a missed trigger."""
    families = _FAMILIES[run_key.kind]
    if totals.triggers is not None and totals.triggers.missed and totals.triggers.waiting is not None:
        samples[f.TASK_MISSED_TRIGGER].add(labels, totals.triggers.waiting)
    if totals.last_success is not None:
        samples[families.last_success].add(labels, totals.last_success)
    last = totals.last
    if last is None:
        return
    samples[families.last_finish].add(labels, last.finished)
    samples[families.consecutive_failures].add(labels, totals.consecutive_failures)
    samples[families.last_outcome].add(labels, f.OUTCOMES.index(last.outcome))
    if last.turnaround is not None:
        samples[families.last_turnaround].add(labels, round(last.turnaround, 3))
    if last.duration is not None:
        samples[f.JOB_LAST_DURATION].add(labels, last.duration)
    if last.exit_code is not None:
        samples[f.JOB_LAST_EXIT_CODE].add(labels, last.exit_code)


def add_counters(samples: Samples, run_key: RunKey, labels: str, totals: RunTotals | None, bounds: Bounds) -> None:
    """Add counters and histograms; they are zero before the first counted run."""
    totals = totals or _NOTHING
    families = _FAMILIES[run_key.kind]
    _add_runs(samples, families.runs, labels, totals)
    if run_key.kind is RunKind.TASK:
        _add_histogram(samples, families.turnaround, labels, totals.turnaround, bounds.turnaround)
        _add_histogram(samples, f.JOB_DURATION, labels, totals.duration, bounds.duration)
        samples[f.TASK_UNSEEN_RUNS].add(labels, totals.unseen)
    else:
        _add_histogram(samples, families.turnaround, labels, totals.turnaround, bounds.workflow_turnaround)


def add_other_runs(samples: Samples, organization: str, all_totals: Mapping[RunKey, RunTotals]) -> None:
    """Add the counters of jobs without a task or workflow; expected types start at zero."""
    others = {run_key.id: totals for run_key, totals in all_totals.items() if run_key.kind is RunKind.OTHER}
    for job_type in sorted({"AgentUpdateJob", "other", *others}):
        labels = format_labels(("organization", "job_type"), (organization, job_type))
        _add_runs(samples, f.OTHER_JOB_RUNS, labels, others.get(job_type, _NOTHING))


class OpenJobs:
    """Counts open jobs; a lifecycle that was seen once stays, even with 0 jobs.

    Args:
        seen: the lifecycles that were seen before, by task or workflow.
        names: the names of tasks and workflows, as their jobs contained them.
    """

    def __init__(
        self, seen: Mapping[RunKey, set[str]] | None = None, names: Mapping[RunKey, str] | None = None
    ) -> None:
        self._seen: defaultdict[RunKey, set[str]] = defaultdict(set, seen or {})
        self._names: dict[RunKey, str] = dict(names or {})

    def copy(self) -> "OpenJobs":
        """Return a copy, which stays unchanged while a poll continues with this one."""
        return OpenJobs({run_key: seen.copy() for run_key, seen in list(self._seen.items())}, self._names.copy())

    @property
    def run_keys(self) -> Iterable[RunKey]:
        """Tasks and workflows with at least one open job seen so far."""
        return self._seen.keys()

    def name(self, run_key: RunKey) -> str:
        """Return the name from its open jobs; empty if none was seen."""
        return self._names.get(run_key, "")

    def forget(self, run_keys: Iterable[RunKey]) -> None:
        """Forget deleted tasks and workflows."""
        for run_key in run_keys:
            self._seen.pop(run_key, None)
            self._names.pop(run_key, None)

    def add(self, samples: Samples, organization: str, jobs: Sequence[Job], run_labels: RunLabels, room: Room) -> None:
        """Add the samples of all open jobs."""
        everywhere: Counter[str] = Counter()
        by_run_key: defaultdict[RunKey, list[Job]] = defaultdict(list)
        for job in room.watched(jobs):
            everywhere[text(job.lifecycle)] += 1
            run_key = run_key_of(job)
            if run_key.kind in _FAMILIES:
                by_run_key[run_key].append(job)
                self._seen[run_key].add(text(job.lifecycle))
        label = format_labels(("organization",), (organization,))
        for name in OPEN_LIFECYCLES:
            samples[f.JOBS].add(f'{label},lifecycle="{name}"', everywhere[name])
        for run_key, seen in room.watched([*self._seen.items()]):
            open_jobs = by_run_key.get(run_key, [])
            if open_jobs:
                self._names[run_key] = name_of(open_jobs[0])
            labels = run_labels.labels(run_key, self.name(run_key))
            if labels is None:
                continue
            families = _FAMILIES[run_key.kind]
            count = Counter(text(job.lifecycle) for job in open_jobs)
            for name in sorted(seen):
                samples[families.jobs].add(f'{labels},lifecycle="{name}"', count[name])
            for name, oldest in sorted(_oldest(open_jobs).items()):
                samples[families.oldest].add(f'{labels},lifecycle="{name}"', oldest)


def _oldest(jobs: Iterable[Job]) -> dict[str, float]:
    """Return when the oldest job of each lifecycle was created."""
    oldest: dict[str, float] = {}
    for job in jobs:
        created = timestamp(job.creation_date)
        if created is not None:
            name = text(job.lifecycle)
            oldest[name] = min(created, oldest.get(name, created))
    return oldest


def _add_runs(samples: Samples, family: Family, labels: str, totals: RunTotals) -> None:
    for outcome in Outcome:
        samples[family].add(f'{labels},outcome="{outcome}"', totals.runs.get(outcome, 0))


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
