"""Hosts with their bots, monitors, and the rules that derive a monitor's state from its reports."""

from typing import Any, Final

__all__ = ["ALERT_AFTER", "FAILURE", "NORMAL", "STOPPED", "Host", "Monitor"]

NORMAL: Final = "normal"
FAILURE: Final = "failure"
STOPPED: Final = "updates_stopped"

ALERT_AFTER: Final = 3
"""After this many consecutive failing or missed reports, the state changes; the server's default."""

_PATIENCE_MS: Final = 60_000
_PATIENCE_LOOPS: Final = 3


class Host:
    """A machine with a bot.

    Attributes:
        id: Its object id.
        hostname: Its name; the `hostname` of monitors and tasks.
        creation_ms: When it registered, in milliseconds since the epoch.
        silent: Its bot neither reports nor takes jobs.
        held: A fault keeps it silent; it does not come back at random.
        disks: Its disks' names.
        swap: It has swap; without swap, the bot reports null for what TheEye calls cache.
        monitors: Its monitors.
        queue: Its jobs that are ready, oldest first.
        running: The one job its bot is running.
    """

    __slots__ = ("creation_ms", "disks", "held", "hostname", "id", "monitors", "queue", "running", "silent", "swap")

    def __init__(self, host_id: str, hostname: str, creation_ms: int, *, disks: tuple[str, ...], swap: bool) -> None:
        self.id = host_id
        self.hostname = hostname
        self.creation_ms = creation_ms
        self.silent = False
        self.held = False
        self.disks = disks
        self.swap = swap
        self.monitors: list[Monitor] = []
        self.queue: list[Any] = []
        self.running: Any = None


class Monitor:
    """One monitor; times are milliseconds since the epoch.

    Attributes:
        id: Id of the resource, which holds the state.
        monitor_id: Id of the monitor, which holds the configuration.
        name: Not unique, not even on one host.
        type: dstat, psaux, host, scraper, script, process, file or nested.
        host: Where it runs.
        looptime_ms: Time between two reports; 0 for nested.
        phase_ms: How long before a full simulated second its reports arrive.
        severity: LOW, HIGH or CRITICAL.
        tags: Tags of its configuration.
        enable: False freezes its state.
        alerts: False stops mails only.
        members: The monitors that a nested one combines.
        seed: Its values depend on this and on the time.
        has_configuration: If False, its JSON has `monitor: null`.
        has_event: If False, its JSON has no last_event.
        state: normal, failure, updates_stopped.
        fails_count: Consecutive failing or missed reports; 0 after a normal one.
        recovery_count: Returns to normal; never falls.
        last_update_ms: The last report.
        last_check_ms: The last report, or check for a missing one.
        event_state: State in the last report: normal, failure, or error.
        changed: The last report changed the state.
        failing: Its reports fail.
        held: A fault keeps it failing; it does not recover at random.
        trouble: The reason why the reports fail, or last failed.
        silent: It does not report, though its bot may.
        overrides: Fields that replace those of its JSON, unchanged.
        static: JSON of the fields that do not change; None if out of date.
        encoded: JSON of the other fields, or of all of them; None if out of date.
    """

    __slots__ = (
        "alerts",
        "changed",
        "creation_ms",
        "enable",
        "encoded",
        "event_state",
        "failing",
        "fails_count",
        "has_configuration",
        "has_event",
        "held",
        "host",
        "id",
        "last_check_ms",
        "last_update_ms",
        "looptime_ms",
        "members",
        "monitor_id",
        "name",
        "overrides",
        "phase_ms",
        "recovery_count",
        "seed",
        "severity",
        "silent",
        "state",
        "static",
        "tags",
        "trouble",
        "type",
    )

    def __init__(self, ids: tuple[str, str], name: str, kind: str, host: Host, seed: int) -> None:
        self.id, self.monitor_id = ids
        self.name = name
        self.type = kind
        self.host = host
        self.looptime_ms = 60_000
        self.seed = seed
        self.phase_ms = seed % 997
        self.creation_ms = host.creation_ms + seed % 60_000
        self.severity = "LOW"
        self.tags: tuple[str, ...] = ()
        self.enable = True
        self.alerts = True
        self.members: tuple[Monitor, ...] = ()
        self.has_configuration = True
        self.has_event = True
        self.state = NORMAL
        self.fails_count = 0
        self.recovery_count = 0
        self.last_update_ms = self.creation_ms
        self.last_check_ms = self.creation_ms
        self.event_state = NORMAL
        self.changed = False
        self.failing = False
        self.held = False
        self.trouble = ""
        self.silent = False
        self.overrides: dict[str, Any] | None = None
        self.static: bytes | None = None
        self.encoded: bytes | None = None

    @property
    def hostname(self) -> str:
        """Name of its host."""
        return self.host.hostname

    def report(self, at_ms: int) -> None:
        """The bot sends a report: normal, or failing if there is a problem.

        A failing report adds one to fails_count and changes the state once there are three in a row; a normal one
        resets the count, and adds one to recovery_count if the state was another.
        """
        if self.enable and not self.silent and not self.host.silent:
            self._take(at_ms)

    def _take(self, at_ms: int) -> None:
        self.last_update_ms = self.last_check_ms = at_ms
        self.encoded = None
        self.changed = False
        if self.failing:
            self.event_state = "error" if self.trouble == "error" else FAILURE
            self.fails_count += 1
            if self.state != FAILURE and self.fails_count >= ALERT_AFTER:
                self.state = FAILURE
                self.changed = True
        else:
            self.event_state = NORMAL
            self.fails_count = 0
            if self.state != NORMAL:
                self.state = NORMAL
                self.recovery_count += 1
                self.changed = True

    def check_for_reports(self, now_ms: int) -> bool:
        """The server checks whether reports have stopped; True if this changed the state.

        Nothing happens until the last report is older than 60 s and the looptime. Then each further looptime counts as
        one failure; after four looptimes, each check does. The third failure changes the state to updates_stopped.
        Neither last_update nor last_event change, so a stopped monitor shows its old values.
        """
        age = now_ms - self.last_update_ms
        skip = not self.enable or self.state == STOPPED or not self.looptime_ms
        if skip or age <= max(_PATIENCE_MS, self.looptime_ms):
            return False
        loops = age // self.looptime_ms
        if loops <= _PATIENCE_LOOPS and loops != self.fails_count + 1:
            return False
        self.fails_count += 1
        self.last_check_ms = now_ms
        self.encoded = None
        if self.fails_count < ALERT_AFTER:
            return False
        self.state = STOPPED
        return True

    def sum_up(self, now_ms: int) -> bool:
        """A nested monitor checks its members, and is normal if all of them are; True if anything about it changed.

        A failing nested monitor does not change, including its times, until every member is normal.
        """
        healthy = all(member.state == NORMAL for member in self.members)
        if not self.enable or self.silent or (self.state == FAILURE and not healthy):
            return False
        self.failing = not healthy
        self._take(now_ms)
        return True

    def set_state(self, state: str, now_ms: int) -> None:
        """Sets its state at once, as enough reports would do; the simulation then continues from there.

        normal and failure stay as long as its reports say the same. Any other state silences the monitor.
        """
        was = self.state
        self.state = state
        self.encoded = None
        self.last_check_ms = now_ms
        self.silent = state not in {NORMAL, FAILURE}
        if self.silent:
            self.fails_count = max(self.fails_count, ALERT_AFTER)
            return
        self.changed = was != state
        self.last_update_ms = now_ms
        self.event_state = state
        if state == FAILURE:
            self.failing = True
            self.fails_count = max(self.fails_count, ALERT_AFTER)
        else:
            self.failing = False
            self.fails_count = 0
            self.recovery_count += was != NORMAL
