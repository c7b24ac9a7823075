"""All that is kept about alerts and their runs, in memory and in the state file: a change is in both, or in neither."""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from theeye_exporter.actions.records import (
    DECISIONS_KEPT,
    ActionTotals,
    Begun,
    Decision,
    KnownEpisode,
    Order,
    PastRun,
    Said,
    count,
)
from theeye_exporter.actions.state_file import Change, StateFile

__all__ = ["AlertRecords", "Draft"]

T = TypeVar("T")

_KINDS: Final[dict[type, str]] = {
    KnownEpisode: "episode",
    Order: "order",
    PastRun: "past",
    Said: "said",
    ActionTotals: "action",
    Begun: "begun",
    float: "time",
}
_BORN: Final = "born"


class AlertRecords:
    """Documents by kind and key. `lock` is held by whoever reads several of them, or changes any.

    Args:
        file: The state file.
        now: Unix time.
    """

    def __init__(self, file: StateFile, now: float) -> None:
        self.lock = threading.RLock()
        self._file = file
        self._documents: dict[str, dict[str, Any]] = {kind: file.load(kind, form) for form, kind in _KINDS.items()}
        if self.get(float, _BORN) is None:
            with self.draft() as draft:
                draft.put(_BORN, now)

    @property
    def born(self) -> float:
        """Unix time when the file was made, or later if it has forgotten episodes: it may not know what began before."""
        return self.get(float, _BORN) or 0.0

    def get(self, form: type[T], key: str) -> T | None:
        """Return a document."""
        found: T | None = self._documents[_KINDS[form]].get(key)
        return found

    def all(self, form: type[T]) -> dict[str, T]:
        """Return the documents of a kind by key."""
        return dict(self._documents[_KINDS[form]])

    def totals(self, action: str) -> ActionTotals:
        """Return what is counted for an action; it must not be changed."""
        return self.get(ActionTotals, action) or ActionTotals()

    def said(self, action: str) -> list[Said]:
        """Return the last decisions about an action, the newest first."""
        with self.lock:
            last = self.totals(action).said
            keys = (f"{action}/{number % DECISIONS_KEPT}" for number in range(last - 1, last - 1 - DECISIONS_KEPT, -1))
            return [said for key in keys if (said := self.get(Said, key)) is not None]

    @contextmanager
    def draft(self, write: Callable[[Iterable[Change]], None] | None = None) -> Iterator["Draft"]:
        """Collect changes, and make all of them at the end, unless the block or the writing fails.

        Args:
            write: Writes the changes into the file together with others; None to write only these.

        Raises:
            LedgerError: They could not be written; then nothing has changed.
        """
        with self.lock:
            draft = Draft(self)
            yield draft
            changes = draft.changes()
            (write or self._file.write)(changes)
            for kind, key, document in changes:
                if document is None:
                    self._documents[kind].pop(key, None)
                else:
                    self._documents[kind][key] = document


class Draft:
    """Changes that are not made yet; it reads as if they were."""

    def __init__(self, records: AlertRecords) -> None:
        self._records = records
        self._changes: dict[tuple[str, str], Any] = {}
        self._totals: dict[str, ActionTotals] = {}

    def get(self, form: type[T], key: str) -> T | None:
        """Return a document."""
        changed: T | None = self._changes.get((_KINDS[form], key))
        return changed if (_KINDS[form], key) in self._changes else self._records.get(form, key)

    def put(self, key: str, document: Any) -> None:
        """Change a document."""
        self._changes[_KINDS[type(document)], key] = document

    def remove(self, form: type, key: str) -> None:
        """Remove a document."""
        self._changes[_KINDS[form], key] = None

    def forget_until(self, at: float) -> None:
        """Note that what began until this Unix time may be forgotten, whatever the clock says later."""
        self.put(_BORN, max(self._records.born, at))

    def totals(self, action: str) -> ActionTotals:
        """Return what is counted for an action; it may be changed."""
        if action not in self._totals:
            self._totals[action] = copy.deepcopy(self._records.totals(action))
            self.put(action, self._totals[action])
        return self._totals[action]

    def say(self, action: str, said: Said) -> Decision:
        """Count a decision, and keep it among the last ones."""
        totals = self.totals(action)
        count(totals.decisions, said.decision)
        self.put(f"{action}/{totals.said % DECISIONS_KEPT}", said)
        totals.said += 1
        return said.decision

    def changes(self) -> list[Change]:
        """Return the changes for the state file."""
        return [(kind, key, document) for (kind, key), document in self._changes.items()]
