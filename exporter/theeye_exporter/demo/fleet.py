"""Simulates hosts and monitors over time: reports, temporary problems, bots that fall silent and return."""

import random
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from theeye_exporter.demo.event_queue import EventQueue
from theeye_exporter.demo.events import trouble_for
from theeye_exporter.demo.ids_and_time import MS, Ids
from theeye_exporter.demo.monitors import FAILURE, NORMAL, STOPPED, Host, Monitor
from theeye_exporter.demo.population import build_hosts, build_monitors

__all__ = ["Fleet"]

_CHECK_EVERY_S: Final = 10
_TROUBLE_EVERY_S: Final = 40.0
_TROUBLES_PER_MONITORS: Final = 200
_SILENCE_EVERY_S: Final = 320.0
_SILENCES_PER_HOSTS: Final = 20
_MOST_SILENT: Final = 0.1
_FIRST_RETURN_S: Final = 40
_SHORTEST_PAUSE_S: Final = 5.0


class Fleet:
    """The hosts and monitors, simulated second by second.

    Attributes:
        hosts: The hosts, by name.
        monitors: The monitors, by resource id, in the order of the list.
        version: Grows with each change of a monitor.
        host_stopped: Called with the host and the time when the server notices that a bot is silent.
        host_returned: Called with the host and the time when a bot reports again.
    """

    def __init__(self, count: int, ids: Ids, seed: int, now_ms: int, *, calm: bool = False) -> None:
        self._chance = random.Random(f"{seed} fleet")
        hosts = build_hosts(count, ids, self._chance, now_ms)
        monitors = build_monitors(count, hosts, ids, self._chance, now_ms, calm=calm)
        self._all_hosts = tuple(hosts)
        self.hosts = {host.hostname: host for host in hosts}
        self.monitors = {monitor.id: monitor for monitor in monitors}
        self.version = 1
        self.host_stopped: Callable[[Host, int], None] = _ignore
        self.host_returned: Callable[[Host, int], None] = _ignore
        self._loops: dict[int, list[list[Monitor]]] = {}
        self._nested = [monitor for monitor in monitors if monitor.type == "nested"]
        for monitor in monitors:
            self._enrol(monitor)
        self._queue = EventQueue(now_ms)
        if not calm:
            self._plan(hosts, now_ms // MS)

    def _enrol(self, monitor: Monitor) -> None:
        loop_s = monitor.looptime_ms // MS
        if loop_s:
            wheel = self._loops.setdefault(loop_s, [[] for _ in range(loop_s)])
            wheel[(monitor.last_update_ms + monitor.phase_ms) // MS % loop_s].append(monitor)

    def _plan(self, hosts: Sequence[Host], now_s: int) -> None:
        for host in hosts:
            if host.silent:
                self._at(now_s + _FIRST_RETURN_S, partial(self._come_back, host))
        self._at(now_s + self._pause(_SHORTEST_PAUSE_S), self._start_troubles)
        self._at(now_s + self._pause(_SILENCE_EVERY_S / 4), self._start_silences)
        for monitor in self.monitors.values():
            if monitor.failing:
                self._at(now_s + self._chance.randrange(20, 240), partial(_mend, monitor))

    def step(self, now_s: int) -> None:
        """Simulates the second that ends now (seconds since the epoch)."""
        self._queue.run(now_s * MS)
        for loop_s, wheel in self._loops.items():
            reporting = wheel[now_s % loop_s]
            if reporting:
                self._report(reporting, now_s * MS)
        if now_s % _CHECK_EVERY_S == 0:
            self._check(now_s * MS)

    def _report(self, monitors: Iterable[Monitor], now_ms: int) -> None:
        self.version += 1
        for monitor in monitors:
            monitor.report(now_ms - monitor.phase_ms)

    def _check(self, now_ms: int) -> None:
        for monitor in self._nested:
            if monitor.sum_up(now_ms):
                self.version += 1
        silent = [monitor for host in self.hosts.values() if host.silent for monitor in host.monitors]
        self.version += bool(silent)
        for monitor in silent:
            if monitor.check_for_reports(now_ms) and monitor.type == "host":
                self.host_stopped(monitor.host, now_ms)

    # Random events: problems of single monitors, silent hosts.

    def _at(self, due_s: int, action: Callable[[int], None]) -> None:
        self._queue.at(due_s * MS, action)

    def _pause(self, mean_s: float) -> int:
        return 1 + int(self._chance.expovariate(1 / mean_s))

    def _start_troubles(self, now_ms: int) -> None:
        now_s = now_ms // MS
        per_second = max(1 / 3, len(self.monitors) / _TROUBLES_PER_MONITORS) / _TROUBLE_EVERY_S
        mean_s = max(1 / per_second, _SHORTEST_PAUSE_S)
        for _ in range(round(per_second * mean_s)):
            monitor = self._any_monitor()
            if monitor is None or not _can_fail(monitor) or not monitor.has_event or monitor.failing:
                continue
            monitor.failing = True
            monitor.trouble = trouble_for(monitor, self._chance.getrandbits(8))
            lasts_s = monitor.looptime_ms // MS * 2 + self._chance.randrange(20, 200)
            self._at(now_s + lasts_s, partial(_mend, monitor))
        self._at(now_s + self._pause(mean_s), self._start_troubles)

    def _any_monitor(self) -> Monitor | None:
        # Picked by way of the hosts: copying a large fleet for each problem would be slow.
        monitors = self._any_host().monitors
        return monitors[self._chance.randrange(len(monitors))] if monitors else None

    def _any_host(self) -> Host:
        return self._all_hosts[self._chance.randrange(len(self._all_hosts))]

    def _start_silences(self, now_ms: int) -> None:
        now_s = now_ms // MS
        per_second = max(1 / 4, len(self.hosts) / _SILENCES_PER_HOSTS) / _SILENCE_EVERY_S
        mean_s = max(1 / per_second, _SHORTEST_PAUSE_S)
        silent = sum(host.silent for host in self.hosts.values())
        for _ in range(round(per_second * mean_s)):
            host = self._any_host()
            if not host.silent and silent < len(self.hosts) * _MOST_SILENT:
                silent += 1
                host.silent = True
                lasts_s = self._chance.randrange(200, 420)
                self._at(now_s + lasts_s, partial(self._come_back, host))
        self._at(now_s + self._pause(mean_s), self._start_silences)

    def _come_back(self, host: Host, now_ms: int) -> None:
        if not host.held:
            self.revive(host, now_ms)

    # Faults.

    def hold(self, failing: Sequence[str], silent: Sequence[str], now_ms: int) -> None:
        """Keeps monitors failing and bots silent, as already noticed by TheEye; releases all others that it held.

        Args:
            failing: Patterns of `HOSTNAME/MONITOR`; disabled monitors, and those of type host or nested, cannot fail.
            silent: Patterns of host names.
            now_ms: Milliseconds since the epoch.
        """
        for host in self.hosts.values():
            hold = any(fnmatchcase(host.hostname, pattern) for pattern in silent)
            if hold != host.held:
                host.held = hold
                (self.silence if hold else self.revive)(host, now_ms, at_once=True)
        for monitor in self.monitors.values():
            name = f"{monitor.hostname}/{monitor.name}"
            hold = any(fnmatchcase(name, pattern) for pattern in failing)
            hold = hold and monitor.enable and _can_fail(monitor)
            if hold != monitor.held:
                monitor.held = monitor.failing = hold
                monitor.trouble = trouble_for(monitor, monitor.seed)
                if not monitor.host.silent:
                    monitor.set_state(FAILURE if hold else NORMAL, now_ms)
        self.version += 1

    def mend(self, host: Host, name: str, now_ms: int) -> None:
        """Lets the monitors of a host with this name work again, also if a fault holds them."""
        for monitor in host.monitors:
            if monitor.name == name and monitor.failing:
                monitor.held = monitor.failing = False
                if not host.silent:
                    monitor.set_state(NORMAL, now_ms)
                self.version += 1

    # For tests.

    def silence(self, host: Host, now_ms: int, *, at_once: bool) -> None:
        """Stops the bot of a host; with `at_once`, the server has already noticed."""
        host.silent = True
        if at_once:
            for monitor in host.monitors:
                if monitor.enable and monitor.looptime_ms:
                    monitor.set_state(STOPPED, now_ms)
                    monitor.silent = False
            self.host_stopped(host, now_ms)
        self.version += 1

    def revive(self, host: Host, now_ms: int, *, at_once: bool = False) -> None:
        """Starts the bot of a host again; with `at_once`, it has already sent the reports of all its monitors."""
        host.silent = False
        if at_once:
            for monitor in host.monitors:
                monitor.report(now_ms)
        self.host_returned(host, now_ms)
        self.version += 1

    def set_state(self, monitor: Monitor, state: str, now_ms: int) -> None:
        """Sets the state of a monitor at once."""
        monitor.set_state(state, now_ms)
        self.version += 1

    def edit(self, monitor: Monitor, fields: dict[str, object]) -> None:
        """Sets fields in a monitor's JSON, unchanged."""
        monitor.overrides = {**(monitor.overrides or {}), **fields}
        monitor.static = monitor.encoded = None
        self.version += 1

    def delete(self, monitor: Monitor) -> None:
        """Removes a monitor."""
        del self.monitors[monitor.id]
        monitor.host.monitors.remove(monitor)
        if monitor in self._nested:
            self._nested.remove(monitor)
        for wheel in self._loops.values():
            for reporting in wheel:
                if monitor in reporting:
                    reporting.remove(monitor)
        self.version += 1


def _can_fail(monitor: Monitor) -> bool:
    # A host monitor stops instead of failing; a nested monitor depends on its members.
    return monitor.type not in {"host", "nested"}


def _mend(monitor: Monitor, _: int) -> None:
    if not monitor.held:
        monitor.failing = False


def _ignore(_host: Host, _now_ms: int) -> None:
    return
