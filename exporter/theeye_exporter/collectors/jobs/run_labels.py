"""Finds the labels of the tasks and workflows whose jobs are shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from theeye_exporter.collectors.name_index import Entry, Listed, NameIndex
from theeye_exporter.collectors.tasks import TASK_LABELS
from theeye_exporter.collectors.workflows import WORKFLOW_LABELS
from theeye_exporter.exposition.labels import LabelCache
from theeye_exporter.ledger.records import RunKey, RunKind

__all__ = ["RunLabels", "Unlisted"]


@dataclass(slots=True)
class Unlisted:
    """Tasks and workflows that are no longer listed.

    Attributes:
        since: the version of the first list without them, and when it arrived (monotonic seconds).
        entries: their entries in the last list that contained them.
    """

    since: dict[RunKey, tuple[int, float]] = field(default_factory=dict)
    entries: dict[RunKey, Entry] = field(default_factory=dict)

    def copy(self) -> "Unlisted":
        """Return a copy that does not change with this one."""
        return Unlisted(self.since.copy(), self.entries.copy())


class RunLabels:
    """Finds the labels of tasks and workflows, including recently deleted ones.

    Args:
        organization: the first label of every series.
        indexes: the names of tasks and of workflows.
        unlisted: those that are no longer listed.
        grace: seconds for which the counters of a deleted one are still shown.
    """

    def __init__(
        self, organization: str, indexes: Mapping[RunKind, NameIndex], unlisted: Unlisted, *, grace: float
    ) -> None:
        self._organization = organization
        self._indexes = indexes
        self._unlisted = unlisted
        self._grace = grace
        self._listed = {kind: index.listed for kind, index in self._indexes.items()}
        self._labels = {RunKind.TASK: LabelCache(TASK_LABELS), RunKind.WORKFLOW: LabelCache(WORKFLOW_LABELS)}

    def refresh(self) -> None:
        """Load the current lists."""
        for cache in self._labels.values():
            cache.prune()
        for kind, index in self._indexes.items():
            before = self._listed[kind]
            self._listed[kind] = index.listed
            for object_id in (before.entries or {}).keys() - (index.listed.entries or {}).keys():
                self._unlisted.entries[RunKey(kind, object_id)] = (before.entries or {})[object_id]
            for run_key in [run_key for run_key in self._unlisted.entries if run_key.kind is kind]:
                if run_key.id in (index.listed.entries or {}):
                    del self._unlisted.entries[run_key]

    def listed(self, kind: RunKind) -> Listed:
        """Return the list of all tasks or workflows."""
        return self._listed[kind]

    def labels(self, run_key: RunKey, name: str) -> str | None:
        """Return rendered labels; None if the run key is not listed (yet), or is neither a task nor a workflow.

        Args:
            run_key: the task or workflow.
            name: its name, for when no list is available.
        """
        listed = self._listed.get(run_key.kind)
        if listed is None:
            return None
        if listed.entries is None:
            return self._render(run_key, self._own(run_key, name)) if self.unavailable(run_key.kind) else None
        entry = listed.entries.get(run_key.id)
        if entry is None:
            return self._render(run_key, self._own(run_key, name)) if self.unavailable(run_key.kind) else None
        return self._render(run_key, entry.labels)

    def unavailable(self, kind: RunKind) -> bool:
        """Whether there is no list with its labels, or none that is kept up to date."""
        index = self._indexes.get(kind)
        return index is not None and index.unavailable

    def never_listed(self, kind: RunKind) -> bool:
        """Whether no collector lists them, so that only their jobs show that they still exist."""
        index = self._indexes.get(kind)
        return index is not None and not index.expected

    def former_labels(self, run_key: RunKey) -> str | None:
        """Return the labels of a deleted task or workflow, None if none are known."""
        entry = self._unlisted.entries.get(run_key)
        return None if entry is None else self._render(run_key, entry.labels)

    def gone(self, run_keys: Iterable[RunKey], versions_before: dict[RunKind, int], monotonic: float) -> list[RunKey]:
        """Return those of `run_keys` that have been deleted for longer than the grace period.

        Args:
            run_keys: tasks and workflows whose jobs were seen.
            versions_before: versions of the lists when the jobs were requested: a list from before the first job of
                a task says nothing about the task.
            monotonic: the time, in seconds.
        """
        unlisted = {
            run_key
            for run_key in run_keys
            if (listed := self._listed.get(run_key.kind)) is not None
            and listed.entries is not None
            and run_key.id not in listed.entries
        }
        self._unlisted.since = {
            run_key: self._unlisted.since.get(run_key, (versions_before[run_key.kind], monotonic))
            for run_key in unlisted
        }
        gone = [
            run_key
            for run_key, (version, since) in self._unlisted.since.items()
            if self._listed[run_key.kind].version > version and monotonic - since >= self._grace
        ]
        for run_key in gone:
            self._unlisted.entries.pop(run_key, None)
        return gone

    @staticmethod
    def _own(run_key: RunKey, name: str) -> tuple[str, ...]:
        """Return label values from a job of the task or workflow."""
        return (name, "") if run_key.kind is RunKind.TASK else (name,)

    def _render(self, run_key: RunKey, labels: tuple[str, ...]) -> str:
        return self._labels[run_key.kind].get(self._organization, run_key.id, *labels)
