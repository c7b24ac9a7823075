"""The last_event of a monitor: its bot's report, by type. It depends only on the monitor and its last_update."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from theeye_exporter.demo.ids_and_time import iso, wave
from theeye_exporter.demo.monitors import NORMAL, Monitor

__all__ = ["LIMIT", "last_event", "pattern_of", "trouble_for"]

Event = dict[str, Any]

LIMIT: Final = 90
"""Percent at which a dstat monitor fails; TheEye's default for cpu, mem, cache and disk."""

_PROGRAMS: Final = ("redis-server", "postgres", "nginx", "node core/main.js", "java -jar billing.jar")
_TROUBLES: Final[Mapping[str, tuple[str, ...]]] = {
    "dstat": ("cpu", "mem", "disk", "cpu", "disk", "worker"),
    "script": ("exit", "exit", "error", "download"),
    "scraper": ("status", "request", "status", "expression"),
    "process": ("gone",),
    "file": ("missing",),
}


def trouble_for(monitor: Monitor, choice: int) -> str:
    """One of the problems that a monitor of this type can have."""
    kinds = _TROUBLES.get(monitor.type, ("report",))
    return kinds[choice % len(kinds)]


def pattern_of(monitor: Monitor) -> str:
    """The pattern that a process monitor looks for."""
    return _PROGRAMS[monitor.seed % len(_PROGRAMS)]


def last_event(monitor: Monitor) -> Event | None:
    """The last report; None if there is none, because the server leaves out empty objects."""
    if not monitor.has_event:
        return None
    event: Event = {"state": monitor.event_state, **_BY_TYPE.get(monitor.type, _plain)(monitor)}
    if monitor.changed:
        event |= {
            "event_name": f"monitor:{monitor.type}:{monitor.state}",
            "custom_event": None,
            "failure_severity": monitor.severity,
        }
    return event


def _plain(_: Monitor) -> Event:
    return {}


def _reported(event: str | None, data: Event, full: Event | None = None) -> Event:
    # The data appears twice: as an object and as JSON in a string, which keeps what the database drops.
    named = {} if event is None else {"event": event}
    return {**named, "data": data, "output": [msgspec.json.encode(data if full is None else full).decode()]}


def _dstat(monitor: Monitor) -> Event:
    if monitor.trouble == "worker" and monitor.event_state != NORMAL:
        error = {"message": "spawn ENOMEM", "code": "ENOMEM", "more": {"module": "dstat"}}
        return _reported("agent:worker:error", {"error": error})
    seed, at_ms = monitor.seed, monitor.last_update_ms
    high = (monitor.trouble or "cpu") if monitor.event_state != NORMAL else ""
    bad = wave(seed, at_ms, LIMIT + 1.5, 99.5)
    busy = seed % 50
    disks = [
        {
            "name": name,
            "value": bad if high == "disk" and not index else wave(seed + index, at_ms // 60, 9 + busy, 22 + busy),
        }
        for index, name in enumerate(monitor.host.disks)
    ]
    data = {
        "cpu": int(bad if high == "cpu" else wave(seed, at_ms, 1, 30 + busy)),
        "mem": bad if high == "mem" else wave(seed + 7, at_ms // 20, 18 + busy / 2, 46 + busy / 2),
        "cache": wave(seed + 9, at_ms // 90, 0, 12) if monitor.host.swap else None,
        "disk": disks,
    }
    return _reported(f"host:stats:{high}:high" if high else "host:stats:normal", data)


def _script(monitor: Monitor) -> Event:
    failing = monitor.event_state != NORMAL
    if failing and monitor.trouble == "download":
        return _reported(None, {"lastline": "failure", "log": "the script could not be downloaded"})
    line = monitor.event_state if failing else NORMAL
    log = (
        f"connection refused\n{line}\n"
        if failing
        else f"{int(wave(monitor.seed, monitor.last_update_ms, 3, 900))} rows\n{line}\n"
    )
    took = wave(monitor.seed + 3, monitor.last_update_ms, 0.002, 0.2 + monitor.seed % 40 / 10)
    data: Event = {"code": 1 + monitor.seed % 3 if failing else 0, "log": log, "lastline": line}
    data |= {"signal": None, "killed": False}
    data["times"] = {"seconds": int(took), "nanoseconds": int(took % 1 * 1e9)}
    return _reported(None, data)


def _scraper(monitor: Monitor) -> Event:
    if monitor.event_state == NORMAL:
        response = _response(monitor, 200)
        return _reported("success", {"message": "request success", "response": response, "output": ""})
    if monitor.trouble == "request":
        data: Event = {"message": "Error. connect ECONNREFUSED 192.0.2.7:443", "expected": "200"}
        return _reported("scraper:error:request", data, {**data, "response": {}})
    if monitor.trouble == "expression":
        return _reported(
            "scraper:error:pattern", {"message": "Invalid regular expression: /(/", "error": "SyntaxError"}
        )
    status = (404, 500, 502, 503)[monitor.seed % 4]
    data = {"message": f"status code {status} expected to match 200", "expected": "200"}
    return _reported("scraper:mismatch:status_code", {**data, "response": _response(monitor, status), "output": ""})


def _response(monitor: Monitor, status: int) -> Event:
    headers = {"server": "nginx", "content-type": "text/html", "connection": "close"}
    headers["date"] = iso(monitor.last_update_ms)
    return {"status_code": status, "body": "", "headers": headers}


def _process(monitor: Monitor) -> Event:
    program = pattern_of(monitor)
    count = (
        0 if monitor.event_state != NORMAL else 1 + int(wave(monitor.seed, monitor.last_update_ms, 0, monitor.seed % 6))
    )
    first = 900 + monitor.seed % 20_000
    found = [{"pid": str(first + 7 * index), "command": program, "ppid": "1"} for index in range(count)]
    return _reported("", {"ps": found})


def _file(monitor: Monitor) -> Event:
    if monitor.event_state != NORMAL:
        return _reported("file:error", {"message": "ENOENT: no such file or directory", "error": {"code": "ENOENT"}})
    if monitor.changed:
        return {"event": "file:restored"}  # its data is empty, so it is absent
    size = int(wave(monitor.seed, monitor.last_update_ms // 100, 200, 9000))
    when = iso(monitor.creation_ms)
    stats = {"dev": 65024, "mode": 33188, "nlink": 1, "uid": 0, "gid": 0, "size": size, "mtime": when, "ctime": when}
    return _reported("success", {"stats": stats})


_BY_TYPE: Final[Mapping[str, Callable[[Monitor], Event]]] = {
    "dstat": _dstat,
    "script": _script,
    "scraper": _scraper,
    "process": _process,
    "file": _file,
}
