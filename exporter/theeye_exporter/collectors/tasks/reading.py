"""Keeps an organisation's tasks up to date, and asks TheEye for as few of them as possible.

A supervisor needs 26 s of CPU time to list 10 000 tasks, and its bots wait meanwhile.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.doubt import Doubt
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import ITEMS_AT_MOST, Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import timestamp
from theeye_exporter.theeye.models import Task

__all__ = ["TaskReader"]

_SMALL: Final = 1000
"""Up to this many tasks are all listed at every poll."""

_OVERLAP: Final = 30.0
"""Changes from this many seconds before the newest one are listed again: writes do not become visible in order."""

_LATE_AT_MOST: Final = 1000
"""Maximum number of tasks that one poll reads again because of their schedules."""

_SPREAD: Final = 0.75
"""Share of the time between two lists of all tasks over which the pages of one are spread."""


@dataclass(slots=True)
class _Walk:
    """A list of all tasks, page by page; if a page fails, the next poll continues there.

    Attributes:
        began: when it began, in monotonic seconds.
        whole: whether one poll should read it to its end; no poll lists changes meanwhile.
        listed: ids of the tasks listed since then, in order, including those that were listed because they changed.
        number: number of tasks on its pages.
        after: the last id of the last page.
        newest: the newest change of the tasks on its pages, in TheEye's Unix time.
    """

    began: float
    whole: bool
    listed: dict[str, None] = field(default_factory=dict)
    number: int = 0
    after: str = ""
    newest: float = float("-inf")


class TaskReader:
    """Keeps an organisation's tasks up to date.

    Args:
        full_list_interval: seconds from one list of all tasks to the next, for organisations that are not small.
        clocks: the clocks to use.
    """

    def __init__(self, full_list_interval: float, clocks: Clocks) -> None:
        self._full_list_interval = full_list_interval
        self._clocks = clocks
        self._doubt = Doubt()
        self._forget()

    def _forget(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._read_at: dict[str, float] = {}
        self._since: float | None = None
        self._walk: _Walk | None = None
        self._walked: float | None = None

    def read(self, client: TheEyeClient, next_runs: Mapping[str, float]) -> Listing[Task]:
        """Return all tasks: those of the last list of all tasks, with what was listed since.

        Args:
            client: the organisation's client.
            next_runs: the next run of each scheduled task among those that were returned last, in TheEye's Unix time.
        """
        poll = _Poll(self._clocks.wall())
        if self._walked is None or self._since is None or len(self._tasks) <= _SMALL:
            walk = self._walk_on(client, poll, whole=True)
            self._since = self._unchanged_until(walk.newest, walk.began)
        else:
            self._list_changed(client, poll, next_runs)
            if self._is_walk_due():
                self._walk_on(client, poll, whole=False)
        return Listing(list(self._tasks.values()), +poll.skipped, poll.date)

    def _is_walk_due(self) -> bool:
        walked = self._walked
        return walked is not None and (
            self._walk is not None or self._clocks.monotonic() - walked >= self._full_list_interval
        )

    def _walk_on(self, client: TheEyeClient, poll: "_Poll", *, whole: bool) -> _Walk:
        """Go on with the list of all tasks, or begin one: read it to its end, or as many pages as it is time for.

        If the first page failed, the list begins anew. Otherwise it could contain tasks that were deleted before that page.
        """
        if self._walk is None or self._walk.whole != whole or not self._walk.after:
            self._walk = _Walk(self._clocks.monotonic(), whole)
        walk = self._walk
        is_empty = is_paused = False

        def is_enough() -> bool:
            nonlocal is_paused
            is_paused = not whole and walk.number >= len(self._tasks) * self._part_due(walk)
            return is_paused

        for page in client.tasks(walk.after, is_enough):
            is_empty = bool(walk.after) and not page.items and not page.skipped.total()
            walk.newest = max(walk.newest, self._take(page, poll))
            walk.number += len(page.items)
            walk.after = max((task.id for task in page.items), default=walk.after)
        if is_paused:
            return walk
        self._doubt.check(
            suspect=is_empty and any(known > walk.after for known in self._tasks),
            detail="TheEye lists no tasks in a range of ids that had tasks before",
        )
        # Only this removes tasks.
        self._tasks = {task_id: self._tasks[task_id] for task_id in walk.listed}
        self._read_at = {task_id: self._read_at[task_id] for task_id in walk.listed}
        self._walk, self._walked = None, walk.began
        return walk

    def _part_due(self, walk: _Walk) -> float:
        """Return the part of all tasks that should be on the pages by now, so that no poll lists many of them."""
        spent = (self._clocks.monotonic() - walk.began) / (self._full_list_interval * _SPREAD)
        return spent if spent < 1 else float("inf")

    def _list_changed(self, client: TheEyeClient, poll: "_Poll", next_runs: Mapping[str, float]) -> None:
        began, since, newest = self._clocks.monotonic(), self._since or 0.0, float("-inf")
        for page in client.changed_tasks(since):
            newest = max(newest, self._take(page, poll))
            if poll.date is not None and newest > poll.date:
                break  # what has changed since the first page, and may go on changing, is for the next poll
        self._since = max(since, self._unchanged_until(newest, began) or since)
        if poll.clock < since:
            self._walk = self._walked = None  # TheEye's clock was set back, so its changes look old
        for page in client.tasks_by_id(self._late(poll.clock, next_runs)):
            self._take(page, poll)

    def _unchanged_until(self, newest: float, began: float) -> float | None:
        """Return the time before which all changes were listed, in TheEye's Unix time.

        Args:
            newest: the newest change that was listed.
            began: when the first of the lists was requested, in monotonic seconds; a task that was listed then may have
                changed since.
        """
        return None if newest < 0 else newest - (self._clocks.monotonic() - began) - _OVERLAP

    def _late(self, clock: float, next_runs: Mapping[str, float]) -> list[str]:
        """Return the tasks whose next run has passed, the longest wait first.

        A run that creates no job changes the schedule alone. If TheEye is late, the next look is put off for as long as it has
        been late already.
        """
        due = {
            task_id: at + 2 * max(0.0, self._read_at[task_id] - at)
            for task_id, at in next_runs.items()
            if at <= clock and task_id in self._tasks
        }
        late = sorted((task_id for task_id, at in due.items() if at <= clock), key=due.__getitem__)[:_LATE_AT_MOST]
        self._read_at.update(dict.fromkeys(late, clock))
        return late

    def _take(self, page: Listing[Task], poll: "_Poll") -> float:
        """Keep the listed tasks; return their newest change."""
        poll.add(page)
        newest = float("-inf")
        for task in page.items:
            self._tasks[task.id] = task
            self._read_at[task.id] = poll.clock
            if self._walk is not None:
                self._walk.listed[task.id] = None
            changed = timestamp(task.last_update)
            if changed is not None and newest < changed <= poll.clock:  # later ones are wrong
                newest = changed
        if len(self._tasks) > ITEMS_AT_MOST:
            self._forget()
            raise UpstreamError(Reason.TOO_LARGE, f"TheEye lists more than {ITEMS_AT_MOST} tasks (a fixed limit)")
        return newest


class _Poll:
    """What the responses of one poll say.

    Attributes:
        skipped: objects left out, by reason.
        date: TheEye's Unix time at the first response, if it said.
        clock: TheEye's Unix time at the last response, or else this machine's at the beginning.
    """

    def __init__(self, now: float) -> None:
        self.skipped: Counter[str] = Counter()
        self.date: float | None = None
        self.clock = now

    def add(self, page: Listing[Task]) -> None:
        """Take note of a response."""
        self.skipped += page.skipped
        if page.date is not None:
            self.clock = page.date
            self.date = page.date if self.date is None else self.date
