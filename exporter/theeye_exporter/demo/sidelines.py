"""The smaller endpoints: hosts, indicators, usage, status."""

from typing import Any, Final

from theeye_exporter.demo.basics import MS, Organization, iso, wave
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.world import World

__all__ = ["host_document", "indicators", "status_document", "usage_counters"]

Document = dict[str, Any]

_HOUR_MS: Final = 3_600 * MS
_TASK_TYPES_PER_RUN: Final = 2
_TITLES: Final = (("Revenue", "counter"), ("Queue %", "progress"), ("Note", "text"), ("Chart", "chart"))


def host_document(host: Host, owner: Organization) -> Document:
    """A host, with the fingerprint its bot took at registration."""
    number = int(host.id[-6:], 16)
    address = f"192.0.2.{number % 254 + 1}"
    fingerprint = f"{host.id[:8]}-0000-5000-a000-{host.id[12:]}"
    taken: Document = {
        "extras": {
            "user": {"uid": 0, "gid": 0, "username": "root", "homedir": "/root", "shell": "/bin/bash"},
            "agent_pid": str(1000 + number % 20_000),
        },
        "cpu": [{"model": "Simulated CPU", "speed": 2500}],
        "net": [{"name": "eth0", "address": address, "mac": f"02:00:5e:00:53:{number % 256:02x}"}],
        "_id": f"{host.id[:-6]}{number ^ 1:06x}",
        "platform": "linux",
        "hostname": host.hostname,
        "type": "Linux",
        "release": "6.12.0",
        "arch": "x64",
        "totalmem": str(8 * 1024**3),
        "cwd": "/opt/theeye/agent",
        "agent_version": "v2.1.1",
        "agent_username": "root",
        "fingerprint": fingerprint,
        "creation_date": iso(host.creation_ms + MS),
    }
    return {
        "order": 0,
        "enable": True,
        "_id": host.id,
        "customer_name": owner.name,
        "customer_id": owner.id,
        "creation_date": iso(host.creation_ms),
        "last_update": iso(host.creation_ms + MS),
        "hostname": host.hostname,
        "fingerprints": [taken],
        "current_fingerprint": fingerprint,
        "id": host.id,
    }


def indicators(world: World) -> list[Document]:
    """Four indicators, one of each common type; their values move."""
    now_ms = world.now_ms // MS * MS
    values: Document = {
        "counter": round(wave(3, now_ms, 10.0, 90.0), 1),
        "progress": int(wave(5, now_ms, 0, 100)),
        "text": "hello",
        "chart": [1, 2, int(wave(7, now_ms, 0, 9))],
    }
    made = iso(int(world.owner.id[:8], 16) * MS)
    return [
        {
            "order": 0,
            "enable": True,
            "acl": [],
            "severity": "HIGH",
            "alerts": True,
            "state": "normal",
            "sticky": False,
            "read_only": False,
            "tags": [],
            "width": 2,
            "height": 2,
            "value": values[kind],
            "type": kind,
            "_type": f"{kind.capitalize()}Indicator",
            "creation_date": made,
            "last_update": iso(now_ms),
            "secret": f"{number + 1:x}" * 64,
            "title": title,
            "customer_id": world.owner.id,
            "customer_name": world.owner.name,
            "id": f"{world.owner.id[:-1]}{number:x}",
        }
        for number, (title, kind) in enumerate(_TITLES)
    ]


def usage_counters(world: World) -> Document:
    """How much there is and how much it was used; a part without anything is absent."""
    tasks = world.workload.tasks.values()
    monitors = world.fleet.monitors.values()
    executions = sum(task.execution_count for task in tasks)
    counters: Document = {
        "tasks": {"count": len(tasks), "query_count": executions * _TASK_TYPES_PER_RUN},
        "monitors": {
            "count": len(monitors),
            "recovery_count": sum(monitor.recovery_count for monitor in monitors),
            "query_count": sum(
                (monitor.last_update_ms - monitor.creation_ms) // monitor.looptime_ms
                for monitor in monitors
                if monitor.looptime_ms
            ),
        },
        "bots": {"count": len(world.fleet.hosts)},
    }
    return {name: part for name, part in counters.items() if part["count"]}


def status_document(world: World) -> Document:
    """The server about itself; the two uptimes are the times of the starts, as the server has it."""
    now_ms = world.now_ms // MS * MS
    return {
        "status": "Node is ok.",
        "node_hostname": "simulated-theeye",
        "node_uptime": iso(world.started_ms - _HOUR_MS),
        "process_uptime": iso(world.started_ms),
        "theeye_version": "",
        "load_average": [round(wave(seed, now_ms, 0.1, 2.0), 2) for seed in (11, 12, 13)],
        "env": "demo",
    }
