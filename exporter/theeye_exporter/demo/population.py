"""The hosts and monitors at the start: a mixed fleet with everything that makes monitoring hard."""

import random
from typing import Final

from theeye_exporter.demo.events import trouble_for
from theeye_exporter.demo.ids_and_time import MS, Ids
from theeye_exporter.demo.monitors import ALERT_AFTER, FAILURE, STOPPED, Host, Monitor

__all__ = ["LOOPTIMES_S", "NASTY_NAME", "build_hosts", "build_monitors"]

NASTY_NAME: Final = 'disk "C:\\data"\nsecond line ñ 🙂'
"""A name like those that users really type: quotes, a backslash, a line break, an emoji."""

LOOPTIMES_S: Final = (10, 15, 30, 60)
"""Times between two reports, in seconds."""

_ROLES: Final = ("web", "db", "app", "cache", "etl", "mail", "edge")
_TAGS: Final = (("prod", "web"), ("db", "prod"), (), ("staging",), ("prod",))
_SEVERITIES: Final = ("LOW", "HIGH", "CRITICAL", "HIGH", "LOW")
_DISKS: Final = (("vda",), ("sda", "sdb"), ("nvme0n1p1",), ("sda",))
_MONITORS_PER_HOST: Final = 10
_FEWEST_HOSTS: Final = 3
_NESTED_EVERY: Final = 100
_MEMBERS: Final = 4
_FAILING_AT_START: Final = 0.02
_DAY_MS: Final = 86_400 * MS
_LONG_SILENT_MS: Final = 2_400 * MS

# Monitors that TheEye's bots set up have the same names on every host: "Health", "Processes List".
_PER_HOST: Final = (
    ("host", "{host}"),
    ("dstat", "Health"),
    ("psaux", "Processes List"),
    ("dstat", "{host} stats"),
    ("process", "service process"),
    ("scraper", "{host} answers"),
    ("script", "rows waiting"),
    ("dstat", "disk watch"),
    ("file", "configuration"),
    ("script", "certificate check"),
)


def build_hosts(monitors: int, ids: Ids, chance: random.Random, now_ms: int) -> list[Host]:
    """Hosts for the given number of monitors: ten on each; every third host has no swap."""
    count = max(_FEWEST_HOSTS, -(-monitors // _MONITORS_PER_HOST))
    hosts = []
    for number in range(count):
        born_ms = now_ms - chance.randrange(20 * _DAY_MS, 400 * _DAY_MS)
        hostname = f"{_ROLES[number % len(_ROLES)]}-{number // len(_ROLES) + 1:02d}"
        disks = _DISKS[number % len(_DISKS)]
        hosts.append(Host(ids(born_ms), hostname, born_ms, disks=disks, swap=number % 3 != 1))
    return hosts


def build_monitors(  # noqa: PLR0913 - the properties of a monitor
    count: int, hosts: list[Host], ids: Ids, chance: random.Random, now_ms: int, *, calm: bool = False
) -> list[Monitor]:
    """Monitors in the server's order, which is random; unless `calm`, some are failing, and one host is long silent."""
    monitors: list[Monitor] = []
    for number in range(count):
        host = hosts[number // _MONITORS_PER_HOST % len(hosts)]
        monitor = _build(number, host, ids, chance)
        host.monitors.append(monitor)
        monitors.append(monitor)
    _make_special(monitors)
    for monitor in monitors:
        _give_past(monitor, chance, now_ms, failing=0.0 if calm else _FAILING_AT_START)
    if not calm and len(monitors) >= 2 * _MONITORS_PER_HOST:
        _silence(hosts[1], now_ms)
    chance.shuffle(monitors)
    return monitors


def _build(number: int, host: Host, ids: Ids, chance: random.Random) -> Monitor:
    kind, name = _PER_HOST[number % _MONITORS_PER_HOST]
    seed = chance.getrandbits(24)
    looptime_s = 60 if kind == "host" else LOOPTIMES_S[seed % len(LOOPTIMES_S)]
    both = (ids(host.creation_ms), ids(host.creation_ms))
    name = name.format(host=host.hostname)
    monitor = Monitor(both, name, kind, host, seed)
    monitor.looptime_ms = looptime_s * MS
    monitor.severity = _SEVERITIES[number % len(_SEVERITIES)]
    monitor.tags = _TAGS[number // _MONITORS_PER_HOST % len(_TAGS)]
    return monitor


def _make_special(monitors: list[Monitor]) -> None:
    for number in range(_NESTED_EVERY - 2, len(monitors), _NESTED_EVERY):
        nested = monitors[number]
        nested.type, nested.name, nested.looptime_ms = "nested", f"{nested.hostname} all", 0
        nested.members = tuple(monitors[number - 1 - back] for back in range(_MEMBERS))
    if len(monitors) < 2 * _MONITORS_PER_HOST:
        return
    monitors[2].has_event = False
    monitors[4].name = NASTY_NAME
    monitors[5].alerts = False
    monitors[6].enable = False
    monitors[9].has_configuration = False


def _give_past(monitor: Monitor, chance: random.Random, now_ms: int, *, failing: float) -> None:
    loop_ms = monitor.looptime_ms or 10 * MS
    monitor.last_update_ms = now_ms - now_ms % MS - monitor.phase_ms - monitor.seed % (loop_ms // MS) * MS
    monitor.last_check_ms = monitor.last_update_ms
    monitor.recovery_count = chance.randrange(12)
    if not monitor.enable:
        monitor.last_update_ms = monitor.last_check_ms = now_ms - _DAY_MS
    elif monitor.type != "nested" and monitor.has_event and chance.random() < failing:
        monitor.state = monitor.event_state = FAILURE
        monitor.failing = True
        monitor.trouble = trouble_for(monitor, chance.getrandbits(8))
        monitor.fails_count = ALERT_AFTER + chance.randrange(40)


def _silence(host: Host, now_ms: int) -> None:
    host.silent = True
    for monitor in host.monitors:
        if monitor.enable and monitor.looptime_ms:
            monitor.state = STOPPED
            monitor.fails_count = max(ALERT_AFTER, monitor.fails_count)
            monitor.last_update_ms -= _LONG_SILENT_MS
            monitor.last_check_ms = monitor.last_update_ms + 4 * monitor.looptime_ms
            monitor.last_check_ms = min(monitor.last_check_ms, now_ms)
