"""Names of an organisation's tasks and workflows as last listed, for jobs, which do not carry them all."""

import threading
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Final, TypeVar

from theeye_exporter.collectors.base import EmptyListGuard
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.models import Task, Workflow

__all__ = ["Directory", "Entry", "Listed"]

_ATTEMPTS: Final = 3
"""Lists that may fail before jobs are shown under the names that they carry themselves: other labels, other series."""


T = TypeVar("T", Task, Workflow)


@dataclass(frozen=True, slots=True)
class Entry:
    """What jobs need to know of a task or workflow.

    Attributes:
        labels: the label values that follow organisation and id.
        executions: TheEye's own count of its executions, if it keeps one.
        created: Unix time, in seconds, of its creation, if known.
    """

    labels: tuple[str, ...]
    executions: int | None = None
    created: float | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What was listed at one moment.

    Attributes:
        version: grows with each list.
        entries: by id; None while no list has arrived.
    """

    version: int = 0
    entries: Mapping[str, Entry] | None = field(default=None)


class Directory:
    """Hands the last list from the collector that fetches it to the collector of jobs. Safe for threads.

    Args:
        expected: whether a collector will fill it.
        former: the one whose list is good until there is a new one.
    """

    def __init__(self, *, expected: bool, former: "Directory | None" = None) -> None:
        self._attempted = threading.Event()
        self.expected: bool = expected
        """Whether a collector will fill it."""
        self.failures: int = 0 if former is None or not former.expected else former.failures
        """Lists that failed since the last one."""
        self.guard: EmptyListGuard = EmptyListGuard() if former is None else copy(former.guard)
        before = Listed() if former is None else former.listed
        self.listed: Listed = before if expected else Listed(before.version)
        """The last list; a new one is a new object."""
        if not expected or self.listed.entries is not None:
            self._attempted.set()

    def fetch(self, ask: Callable[[], Listing[T]], entry_of: Callable[[T], Entry]) -> Listing[T]:
        """Ask TheEye for the list of all there are, and take it over.

        Raises:
            UpstreamError: there is no list, or none that can be believed.
        """
        try:
            listing = ask()
            self.guard.check(len(listing.items), listing.skipped)
        except UpstreamError:
            self.fail()
            raise
        self.update({item.id: entry_of(item) for item in listing.items})
        return listing

    def update(self, entries: Mapping[str, Entry]) -> None:
        """Take over a list of all there are."""
        self.listed = Listed(self.listed.version + 1, entries)
        self.failures = 0
        self._attempted.set()

    def fail(self) -> None:
        """Take note that a list failed; those who wait for the first one go on."""
        self.failures += 1
        self._attempted.set()

    @property
    def hopeless(self) -> bool:
        """Whether no list is to be had any more, so that jobs have to do with what they know themselves."""
        return not self.expected or self.failures >= _ATTEMPTS

    def wait(self, seconds: float) -> None:
        """Wait until the first list has arrived or failed, at most for `seconds`."""
        self._attempted.wait(seconds)
