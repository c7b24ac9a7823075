"""The tasks and workflows whose jobs are shown, and their labels."""

from collections.abc import Iterable

from theeye_exporter.collectors.directory import Directory, Entry, Listed
from theeye_exporter.exposition import families as f
from theeye_exporter.exposition.labels import LabelCache
from theeye_exporter.ledger.records import Owner, OwnerKind

__all__ = ["Owners"]


class Owners:
    """Finds the labels of tasks and workflows, also of those that were deleted a while ago.

    Args:
        organization: the first label of every series.
        tasks: the directory of tasks.
        workflows: the directory of workflows.
        grace: seconds for which the counters of a deleted one are still shown.
        former: whoever found them before.
    """

    def __init__(
        self,
        organization: str,
        tasks: Directory,
        workflows: Directory,
        *,
        grace: float,
        former: "Owners | None" = None,
    ) -> None:
        self._organization = organization
        self._directories = {OwnerKind.TASK: tasks, OwnerKind.WORKFLOW: workflows}
        self._grace = grace
        self._listed = {kind: directory.listed for kind, directory in self._directories.items()}
        self._labels = {OwnerKind.TASK: LabelCache(f.TASK_LABELS), OwnerKind.WORKFLOW: LabelCache(f.WORKFLOW_LABELS)}
        self.unlisted_since: dict[Owner, tuple[int, float]] = {} if former is None else former.unlisted_since.copy()
        """Since when owners are unlisted: the version of the first list that lacked them, and monotonic seconds."""
        self.deleted: dict[Owner, Entry] = {} if former is None else former.deleted.copy()
        """Owners that a list once had, as it had them."""

    def refresh(self, wait: float) -> None:
        """Take the lists as they are now; for the first ones, wait so many seconds at most."""
        for cache in self._labels.values():
            cache.prune()
        for kind, directory in self._directories.items():
            directory.wait(wait)
            before = self._listed[kind]
            self._listed[kind] = directory.listed
            for owner_id in (before.entries or {}).keys() - (directory.listed.entries or {}).keys():
                self.deleted[Owner(kind, owner_id)] = (before.entries or {})[owner_id]

    def listed(self, kind: OwnerKind) -> Listed:
        """Return the list of all tasks or workflows."""
        return self._listed[kind]

    def labels(self, owner: Owner, name: str) -> str | None:
        """Return rendered labels; None for an owner that is not listed (yet), or is neither task nor workflow.

        Args:
            owner: the task or workflow.
            name: its name if no list is to be had.
        """
        listed = self._listed.get(owner.kind)
        if listed is None:
            return None
        if listed.entries is None:
            return self._render(owner, self._own(owner, name)) if self.hopeless(owner.kind) else None
        entry = listed.entries.get(owner.id)
        if entry is None:
            return self._render(owner, self._own(owner, name)) if self.hopeless(owner.kind) else None
        return self._render(owner, entry.labels)

    def hopeless(self, kind: OwnerKind) -> bool:
        """Whether there is no list to find labels in, or none that is kept up."""
        directory = self._directories.get(kind)
        return directory is not None and directory.hopeless

    def never_listed(self, kind: OwnerKind) -> bool:
        """Whether nobody is to list them, so that only their jobs can tell that they are still there."""
        directory = self._directories.get(kind)
        return directory is not None and not directory.expected

    def former_labels(self, owner: Owner) -> str | None:
        """Return the rendered labels that a deleted owner had, None if it is not known that it ever had some."""
        entry = self.deleted.get(owner)
        return None if entry is None else self._render(owner, entry.labels)

    def gone(self, owners: Iterable[Owner], versions_before: dict[OwnerKind, int], monotonic: float) -> list[Owner]:
        """Return those of `owners` that have been deleted for longer than the grace period.

        Args:
            owners: tasks and workflows that jobs were seen of.
            versions_before: versions of the lists when the jobs were asked for: a list from before an owner's first
                job says nothing of it.
            monotonic: the time, in seconds.
        """
        unlisted = {
            owner
            for owner in owners
            if (listed := self._listed.get(owner.kind)) is not None
            and listed.entries is not None
            and owner.id not in listed.entries
        }
        self.unlisted_since = {
            owner: self.unlisted_since.get(owner, (versions_before[owner.kind], monotonic)) for owner in unlisted
        }
        gone = [
            owner
            for owner, (version, since) in self.unlisted_since.items()
            if self._listed[owner.kind].version > version and monotonic - since >= self._grace
        ]
        for owner in gone:
            self.deleted.pop(owner, None)
        return gone

    @staticmethod
    def _own(owner: Owner, name: str) -> tuple[str, ...]:
        """Return the label values that an owner's jobs tell."""
        return (name, "") if owner.kind is OwnerKind.TASK else (name,)

    def _render(self, owner: Owner, labels: tuple[str, ...]) -> str:
        return self._labels[owner.kind].get(self._organization, owner.id, *labels)
