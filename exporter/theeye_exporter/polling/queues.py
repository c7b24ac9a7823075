"""Decides which poll gets a thread: the number of threads is limited, and no organisation may use all of them.

Most polls take milliseconds. A few threads would be enough for hundreds of organisations, if every TheEye answered.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

__all__ = ["POLLS", "PROBES", "READY_WITHIN", "Entry", "Group", "Polling", "Queues"]

POLLS: Final = 28
"""Maximum number of threads that poll."""

PROBES: Final = 16
"""Maximum number of threads that probe organisations whose TheEye does not answer."""

_SLOW_POLLS: Final = 12
"""Maximum number of threads for slow polls; polls that turn out to be slow can exceed it until a quick one waits."""

_SLOW_AT_LEAST: Final = 4
"""Number of slow polls that may run whatever waits."""

_SLOW: Final = 3.0
"""Seconds; a poll that takes this long is slow, and so is the next one of this collector."""

_LONGEST_RUN: Final = 3600.0
"""Seconds; no poll takes this long."""

READY_WITHIN: Final = 120.0
"""Seconds after which a polling begins even if what it needs has not been polled yet; 10 000 tasks are listed within 83 s."""


@dataclass(frozen=True, slots=True)
class Polling:
    """A task that is repeated.

    Attributes:
        name: unique name.
        interval: seconds from one start to the next, at least 5.5 times the duration of a run; jitter shortens this.
        run: the function to call, which must not raise; returns whether TheEye seems to be absent.
        organization: name of the organisation; its pollings stop while TheEye is absent for one of them.
        lane: pollings of an organisation in the same lane run one after the other; empty for a lane of its own.
        probe: returns whether TheEye is still absent; it must not raise.
        give_up: makes `run` end soon.
        unrepeated: returns how many seconds of the last run were for lists that the next runs do not request again.
        is_ready: returns whether what its first run needs has been polled.
    """

    name: str
    interval: float
    run: Callable[[], object]
    organization: str = ""
    lane: str = ""
    probe: Callable[[], object] = lambda: False
    give_up: Callable[[], None] = lambda: None
    unrepeated: Callable[[], float] = lambda: 0.0
    is_ready: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Lane:
    """What runs one after the other: who has the turn, and who waits for it."""

    turn: "Entry | None" = None
    waiting: "deque[Entry]" = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Entry:
    """A polling and its schedule; times are monotonic, in seconds.

    Attributes:
        polling: the polling.
        group: the entries of its organisation.
        lane: its lane; None for a probe.
        interval: the current number of seconds from one start to the next.
        unready_until: when it begins even if it is not ready.
        due: when it should run next.
        plan: number of the plan for `due`; None after the polling was removed.
        is_planned: whether it is not due yet.
        is_slow: whether its last run was slow.
        order: number of the last order to run it; older orders do nothing.
        ordered: when that order was given; None if there is none.
        began: when the current run began; None if it is not running.
        given_up: whether the current run was asked to end.
    """

    polling: Polling
    group: "Group"
    lane: _Lane | None
    interval: float
    unready_until: float
    due: float = 0.0
    plan: int | None = -1
    is_planned: bool = True
    is_slow: bool = False
    order: int = 0
    ordered: float | None = None
    began: float | None = None
    given_up: bool = False

    def is_late(self, now: float) -> bool:
        """Whether it should have started, or ended, by now; one that waits for TheEye is not late."""
        if self.began is not None:
            return now - self.began > _LONGEST_RUN
        if self.ordered is not None or (self.is_planned and self.due <= now):
            return True
        return self.lane is not None and self.lane.turn is self

    def has_run_for(self, now: float) -> float:
        """Return the seconds since the current run began."""
        return 0.0 if self.began is None else now - self.began


class Group:
    """The entries of an organisation.

    Attributes:
        name: the organisation's name.
        probe: its entry for probes.
        entries: its pollings.
        is_absent: whether TheEye seems to be absent.
        parked: those that are due, and wait for TheEye or for names of objects.
    """

    def __init__(self, polling: Polling, now: float) -> None:
        self.name = polling.organization or polling.name
        self.entries: list[Entry] = []
        self.is_absent = False
        self.parked: list[Entry] = []
        self._lanes: dict[str, _Lane] = {}
        probe = Polling(f"{self.name}: probe", polling.interval, polling.probe, self.name, probe=polling.probe)
        self.probe = Entry(probe, self, None, polling.interval, now)

    def add(self, polling: Polling, now: float) -> Entry:
        """Add a polling."""
        lane = self._lanes.setdefault(polling.lane or polling.name, _Lane())
        entry = Entry(polling, self, lane, polling.interval, now + READY_WITHIN)
        self.entries.append(entry)
        self.probe.interval = min(other.polling.interval for other in self.entries)
        return entry


class _Kind(Enum):
    PROBE = auto()
    QUICK = auto()
    SLOW = auto()


class Queues:
    """The entries that are due, and those that run. Not safe for threads.

    Attributes:
        running: the entries that run, or are about to, each with the kind that it had when it started.
    """

    def __init__(self) -> None:
        self.running: dict[Entry, _Kind] = {}
        self._waiting: dict[_Kind, deque[Entry]] = {kind: deque() for kind in _Kind}

    def admit(self, entry: Entry, now: float) -> None:
        """Take an entry that is due: it waits for TheEye, for names of objects, for its lane, or for a thread."""
        entry.is_planned = False
        lane, group = entry.lane, entry.group
        if lane is None:
            self._waiting[_Kind.PROBE].append(entry)
        elif group.is_absent or (now < entry.unready_until and not entry.polling.is_ready()):
            group.parked.append(entry)
        elif lane.turn is not None:
            lane.waiting.append(entry)
        else:
            self._enter(entry, lane)

    def readmit(self, group: Group, now: float) -> None:
        """Look anew at those that waited for TheEye or for names of objects."""
        parked, group.parked = group.parked, []
        for entry in parked:
            if entry.plan is not None:
                self.admit(entry, now)

    def forget(self, entry: Entry) -> None:
        """Remove an entry, whether it runs or not."""
        entry.plan = None
        entry.group.entries.remove(entry)
        self._leave(entry)

    def start(self) -> Iterator[Entry]:
        """Take out those that can start."""
        for kind in (_Kind.PROBE, _Kind.SLOW, _Kind.QUICK, _Kind.SLOW):
            waiting = self._waiting[kind]
            at_most = _SLOW_AT_LEAST if kind is _Kind.SLOW and self._waiting[_Kind.QUICK] else None
            while waiting and self._has_room(kind, at_most):
                entry = waiting.popleft()
                if entry.plan is None:
                    continue
                if entry.group.is_absent and entry.lane is not None:
                    entry.lane.turn = None
                    entry.group.parked.append(entry)
                    continue
                self.running[entry] = kind
                yield entry

    def end(self, entry: Entry, took: float) -> None:
        """Note that an entry has run."""
        self.running.pop(entry, None)
        entry.is_slow = took >= _SLOW
        entry.ordered = entry.began = None
        entry.given_up = False
        self._leave(entry)

    def relieve(self, now: float) -> None:
        """Make slow runs end while quick ones wait for a thread.

        A run of an entry that was known to be slow may go on: so each collector is interrupted once, and then it waits
        for its turn among the slow ones.
        """
        if not self._waiting[_Kind.QUICK]:
            return
        slow = [entry for entry in self._polls if entry.has_run_for(now) >= _SLOW or self.running[entry] is _Kind.SLOW]
        new = [entry for entry in slow if self.running[entry] is _Kind.QUICK]
        for entry in sorted(new, key=lambda entry: entry.due)[: max(0, len(slow) - _SLOW_POLLS)]:
            if not entry.given_up:
                entry.given_up = True
                entry.polling.give_up()

    def looks(self) -> Iterator[float]:
        """Yield when there may be something to do again: a run becomes slow, or an order was not carried out."""
        for entry in self.running:
            if entry.began is None:
                yield (entry.ordered or 0.0) + entry.interval
            elif self._waiting[_Kind.QUICK]:
                yield entry.began + _SLOW

    @property
    def _polls(self) -> list[Entry]:
        return [entry for entry, kind in self.running.items() if kind is not _Kind.PROBE]

    def _has_room(self, kind: _Kind, at_most: int | None) -> bool:
        numbers = Counter(self.running.values())
        if kind is _Kind.PROBE:
            return numbers[kind] < PROBES
        slow = _SLOW_POLLS if at_most is None else at_most
        polls = numbers[_Kind.QUICK] + numbers[_Kind.SLOW]
        return polls < POLLS and (kind is _Kind.QUICK or numbers[kind] < slow)

    def _enter(self, entry: Entry, lane: _Lane) -> None:
        lane.turn = entry
        self._waiting[_Kind.SLOW if entry.is_slow else _Kind.QUICK].append(entry)

    def _leave(self, entry: Entry) -> None:
        """Let the next one in the lane have its turn."""
        lane = entry.lane
        if lane is None or lane.turn is not entry:
            return
        lane.turn = None
        while lane.waiting:
            following = lane.waiting.popleft()
            if following.plan is None:
                continue
            if following.group.is_absent:
                following.group.parked.append(following)
                continue
            self._enter(following, lane)
            return
