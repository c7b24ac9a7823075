"""Names of an organisation's tasks and workflows as last listed, for jobs, which do not carry them all."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Directory", "Entry", "Listed"]


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
    """

    def __init__(self, *, expected: bool) -> None:
        self._attempted = threading.Event()
        if not expected:
            self._attempted.set()
        self.listed = Listed()
        """The last list; a new one is a new object."""

    def update(self, entries: Mapping[str, Entry]) -> None:
        """Take over a list of all there are."""
        self.listed = Listed(self.listed.version + 1, entries)
        self._attempted.set()

    def give_up(self) -> None:
        """Let those go on who wait for the first list: it failed."""
        self._attempted.set()

    def wait(self, seconds: float) -> None:
        """Wait until the first list has arrived or failed, at most for `seconds`."""
        self._attempted.wait(seconds)
