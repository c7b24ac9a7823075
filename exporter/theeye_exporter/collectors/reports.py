"""What a list of monitors says, taken down while it is decoded.

Of a monitor only what is shown is kept, as columns: a list of numbers takes a tenth of the memory of the objects that
they come from, and what is done with it as a whole is done in half the time.
"""

from collections.abc import Sequence
from typing import Any, Final

from theeye_exporter.collectors.columns import arranged_rows, picked
from theeye_exporter.collectors.fleet import Fleet, fingerprints
from theeye_exporter.collectors.hosts import HostReports
from theeye_exporter.exposition.families import MONITOR_STATES
from theeye_exporter.theeye.models import Event, EventData, Monitor, text, timestamp, timestamps

__all__ = ["STATE_POSITIONS", "Reports"]

STATE_POSITIONS: Final = {state: position for position, state in enumerate(MONITOR_STATES)}
_UNKNOWN: Final = STATE_POSITIONS["unknown"]
_NONE: Final = type(None)


class Reports:
    """Takes monitors in any order, and arranges what they report in the order of their ids.

    Args:
        fleet: the monitors of the list before.

    Attributes:
        places: by position, the monitors' places in the fleet; None for those that are new or edited.
        edited: by position, the monitors without a place, and their fingerprints.
        states: the positions of the states among those that there are.
        failures: in a row, unchecked.
        recoveries: unchecked.
        updates: Unix times of the last updates; None without one that can be true.
        checks: Unix times of the last checks, like the updates.
        without_update: positions of the monitors that tell no time of their last update.
        impossible: times that cannot be true.
        hosts: the reports of dstat monitors.
        others: positions and reports of other monitors that measure something, by type.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.places: list[int | None] = []
        self.edited: dict[int, tuple[Monitor, int]] = {}
        self.states: list[float] = []
        self.failures: list[Any] = []
        self.recoveries: list[Any] = []
        self.updates: list[float | None] = []
        self.checks: list[float | None] = []
        self.without_update: list[int] = []
        self.impossible = 0
        self.hosts = HostReports()
        self.others: dict[str, tuple[list[int], list[EventData]]] = {
            kind: ([], []) for kind in ("script", "scraper", "process")
        }

    def take(self, monitors: list[Monitor]) -> None:
        """Take the next monitors."""
        first = len(self.states)
        self._take_facts(first, monitors)
        self.states += _states([monitor.state for monitor in monitors])
        self.failures += [monitor.fails_count for monitor in monitors]
        self.recoveries += [monitor.recovery_count for monitor in monitors]
        self._take_times(first, monitors)
        self._take_events(first, monitors)

    def repeats(self) -> bool:
        """Return whether an id came twice."""
        if not self.edited:
            return len(set(self.places)) < len(self.places)
        ids = [
            self.edited[position][0].id if place is None else self._fleet.ids[place]
            for position, place in enumerate(self.places)
        ]
        return len(set(ids)) < len(ids)

    def arrange(self, order: Sequence[int], places: Sequence[int]) -> None:
        """Sort everything: `order` has the positions by place, `places` the places by position."""
        self.states, self.failures, self.recoveries, self.updates, self.checks = (
            picked(column, order) for column in (self.states, self.failures, self.recoveries, self.updates, self.checks)
        )
        self.without_update = [places[position] for position in self.without_update]
        self.hosts.arrange(places)
        for kind, (positions, data) in self.others.items():
            rows, arranged = arranged_rows(positions, places)
            self.others[kind] = arranged, picked(data, rows)

    def _take_facts(self, first: int, monitors: list[Monitor]) -> None:
        numbers = fingerprints(monitors)
        places = list(map(self._fleet.places.get, numbers))
        self.places += places
        if None in places:
            for position, (monitor, place, number) in enumerate(zip(monitors, places, numbers, strict=True), first):
                if place is None:
                    self.edited[position] = monitor, number

    def _take_times(self, first: int, monitors: list[Monitor]) -> None:
        last_updates = [monitor.last_update for monitor in monitors]
        last_checks = [monitor.last_check for monitor in monitors]
        updates: Sequence[float | None] | None = timestamps(last_updates)
        if updates is None:
            updates = [timestamp(value) for value in last_updates]
            self.without_update += [position for position, value in enumerate(last_updates, first) if value is None]
            self.impossible += _impossible(last_updates, updates)
        # A report sets both.
        checks = [
            updated if checked == last else timestamp(checked)
            for checked, last, updated in zip(last_checks, last_updates, updates, strict=True)
        ]
        if _NONE in set(map(type, checks)):
            self.impossible += _impossible(last_checks, checks)
        self.updates += updates
        self.checks += checks

    def _take_events(self, first: int, monitors: list[Monitor]) -> None:
        hosts, reports = [], []
        for position, monitor in enumerate(monitors, first):
            event = monitor.last_event
            if type(event) is Event and type(event.data) is EventData:
                kind = monitor.type
                if kind == "dstat":
                    hosts.append(position)
                    reports.append(event.data)
                elif type(kind) is str and kind in self.others:
                    positions, data = self.others[kind]
                    positions.append(position)
                    data.append(event.data)
        self.hosts.add(hosts, reports)


def _impossible(values: Sequence[object], times: Sequence[float | None]) -> int:
    return sum(at is None and value is not None for value, at in zip(values, times, strict=True))


def _states(states: list[Any]) -> list[float]:
    try:
        return [STATE_POSITIONS.get(state, _UNKNOWN) for state in states]
    except TypeError:  # an object or a list, which cannot be a key
        return [STATE_POSITIONS.get(text(state), _UNKNOWN) for state in states]
