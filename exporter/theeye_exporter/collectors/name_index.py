"""Names of an organisation's tasks, workflows and hosts as last listed, for collectors that need them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Entry", "Listed", "NameIndex"]

_ATTEMPTS: Final = 3
"""After this many failed lists, jobs get the names that they contain, which changes labels and so the series."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What other collectors need to know about a task, workflow or host.

    Attributes:
        labels: the label values that follow organisation and id.
        executions: TheEye's own count of its executions, if it keeps one.
        created: Unix time, in seconds, of its creation, if known.
        triggered: when one of its schedules was last due and handled, unless it has none or all were disabled.
    """

    labels: tuple[str, ...]
    executions: int | None = None
    created: float | None = None
    triggered: float | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The result of one list.

    Attributes:
        version: grows with each list.
        entries: by id; None before the first list.
        date: TheEye's Unix time, in seconds, if it said.
    """

    version: int = 0
    entries: Mapping[str, Entry] | None = field(default=None)
    date: float | None = None


class NameIndex:
    """Passes the last list from the collector that fetches it to those that need its names. Safe for threads.

    Attributes:
        attempted: whether nobody has to wait for the first list: it has arrived or failed, or no collector fills this index.
        expected: whether a collector fills it.
        failures: lists that failed since the last one.
        listed: the last list; a new one is a new object.
    """

    def __init__(self, *, expected: bool = False) -> None:
        self.attempted = True
        self.expected = False
        self.failures = 0
        self.listed = Listed()
        self.expect(expected)

    def expect(self, expected: bool) -> None:  # noqa: FBT001 - the only argument, and obvious
        """Set whether a collector fills it from now on; the last list stays valid until there is a new one."""
        self.expected = expected
        if not expected:
            self.failures, self.listed = 0, Listed(self.listed.version)
        self.attempted = not expected or self.listed.entries is not None

    def update(self, entries: Mapping[str, Entry], date: float | None = None) -> None:
        """Store a complete list, and the time at which TheEye made it."""
        self.listed = Listed(self.listed.version + 1, entries, date)
        self.failures = 0
        self.attempted = True

    def fail(self) -> None:
        """Record that a list failed; what waits for the first list need not wait any more."""
        self.failures += 1
        self.attempted = True

    @property
    def unavailable(self) -> bool:
        """Whether no list is available any more, so that only the names in the jobs are left."""
        return not self.expected or self.failures >= _ATTEMPTS
