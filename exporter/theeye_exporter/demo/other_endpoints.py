"""The smaller endpoints: hosts, indicators, webhooks, usage, status.

Another kind of object needs a function and its entry in `ENDPOINTS`; its route, answer and faults follow from that.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from theeye_exporter.demo.ids_and_time import MS, Organization, iso, wave
from theeye_exporter.demo.monitors import Host

if TYPE_CHECKING:  # it needs the faults, and these name the endpoints
    from theeye_exporter.demo.world import World

__all__ = ["ENDPOINTS", "Endpoint", "host_document", "host_stats", "indicators"]

Document = dict[str, Any]

_HOUR_MS: Final = 3_600 * MS
_TASK_TYPES_PER_RUN: Final = 2
_DEPLOY_EVERY_MS: Final = 90 * MS
_TITLES: Final = (("Revenue", "counter"), ("Queue %", "progress"), ("Note", "text"), ("Chart", "chart"))


def _hosts(world: "World") -> list[Document]:
    """The hosts of the organisation."""
    return [host_document(host, world.organization) for host in world.fleet.hosts.values()]


def host_document(host: Host, organization: Organization) -> Document:
    """A host, with the fingerprint that its bot took at registration."""
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
        "agent_version": "v2.1.1" if number % 5 else "v2.0.3",
        "agent_username": "root",
        "fingerprint": fingerprint,
        "creation_date": iso(host.creation_ms + MS),
    }
    return {
        "order": 0,
        "enable": True,
        "_id": host.id,
        "customer_name": organization.name,
        "customer_id": organization.id,
        "creation_date": iso(host.creation_ms),
        "last_update": iso(host.creation_ms + MS),
        "hostname": host.hostname,
        "fingerprints": [taken],
        "current_fingerprint": fingerprint,
        "id": host.id,
    }


def host_stats(host: Host, world: "World") -> list[Document]:
    """The last statistics of a host; none if its bot never measured any."""
    reports = [monitor.last_update_ms for monitor in host.monitors if monitor.type == "dstat" and monitor.enable]
    if not reports:
        return []
    at_ms, seed = max(reports), int(host.id[-6:], 16)
    memory_kb, disk_kb = 8 * 1024**2, 250 * 1024**2
    used_kb = int(wave(seed, at_ms, 0.2, 0.9) * memory_kb)
    load = [round(wave(seed + number, at_ms, 0.1, 4.0), 2) for number in range(3)]
    swap_kb = 2 * 1024**2 if host.swap else 0
    disks: Document = {}
    for number, name in enumerate(host.disks):
        full_kb = int(wave(seed + 7 + number, at_ms, 0.1, 0.95) * disk_kb)
        usage = {"total": disk_kb, "used": full_kb, "available": int((disk_kb - full_kb) * 0.95)}
        disks[name] = {"usage": usage | {"mountedOn": f"/mnt/{name}"}}
    total = {part: sum(disk["usage"][part] for disk in disks.values()) for part in ("total", "used", "available")}
    return [
        {
            "creation_date": iso(host.creation_ms),
            "last_update": iso(at_ms),
            "last_update_timestamp": at_ms,
            "_id": f"{host.id[:-6]}{seed ^ 2:06x}",
            "host_id": host.id,
            "customer_name": world.organization.name,
            "type": "dstat",
            "stats": {
                "load_1_minute": load[0],
                "load_5_minute": load[1],
                "load_15_minute": load[2],
                "mem_used": used_kb,
                "mem_free": memory_kb - used_kb,
                "mem_total": memory_kb,
                "cacheTotal": swap_kb,
                "cacheFree": swap_kb // 2,
                "disk": {"total": {"usage": total}, **disks},
            },
            "__v": 0,
        }
    ]


def indicators(world: "World") -> list[Document]:
    """Four indicators, one of each common type; their values move."""
    now_ms = world.now_ms // MS * MS
    values: Document = {
        "counter": round(wave(3, now_ms, 10.0, 90.0), 1),
        "progress": int(wave(5, now_ms, 0, 100)),
        "text": "hello",
        "chart": [1, 2, int(wave(7, now_ms, 0, 9))],
    }
    made = iso(int(world.organization.id[:8], 16) * MS)
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
            "customer_id": world.organization.id,
            "customer_name": world.organization.name,
            "id": f"{world.organization.id[:-1]}{number:x}",
        }
        for number, (title, kind) in enumerate(_TITLES)
    ]


def _webhooks(world: "World") -> list[Document]:
    """Three webhooks: one is triggered regularly, one never, and one was triggered but is disabled."""
    since_ms = int(world.organization.id[:8], 16) * MS
    triggered = {
        "deploy": max(world.now_ms // MS * MS - world.started_ms, 0) // _DEPLOY_EVERY_MS,
        "never used": 0,
        "retired": 12,
    }
    customer = {
        "display_name": world.organization.name,
        "description": "",
        "organization": None,
        "creation_date": iso(since_ms),
        "last_update": iso(since_ms),
        "name": world.organization.name,
        "config": {"kibana": None, "elasticsearch": {"enabled": False, "url": ""}},
        "id": world.organization.id,
    }
    return [
        {
            "last_update": None,
            "enable": name != "retired",
            "trigger_count": count,
            "_type": "Webhook",
            "name": name,
            "customer": customer,
            "customer_id": world.organization.id,
            "creation_date": iso(since_ms),
            "secret": f"{number + 5:x}" * 64,
            "id": f"{world.organization.id[:-1]}{number + 8:x}",
        }
        for number, (name, count) in enumerate(triggered.items())
    ]


def _usage_counters(world: "World") -> Document:
    """Numbers of objects and of their uses; empty parts are absent."""
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


def _status_document(world: "World") -> Document:
    """The status of the server; as on the real server, the two uptimes are the times of the starts."""
    now_ms = world.now_ms // MS * MS
    return {
        "status": "Node is ok.",
        "node_hostname": "simulated-theeye",
        "node_uptime": iso(world.started_ms - _HOUR_MS),
        "process_uptime": iso(world.started_ms),
        "theeye_version": world.version,
        "load_average": [round(wave(seed, now_ms, 0.1, 2.0), 2) for seed in (11, 12, 13)],
        "env": "demo",
    }


class Endpoint(NamedTuple):
    """An endpoint that answers each request in the same way.

    Attributes:
        path: The segments of its path, as in `Route`.
        document: Makes the answer.
        check: How the organisation is found, as in `Route`.
    """

    path: tuple[str, ...]
    document: Callable[["World"], Any]
    check: str


ENDPOINTS: Final = {
    "hosts": Endpoint((":customer", "host"), _hosts, "session"),
    "webhooks": Endpoint((":customer", "webhook"), _webhooks, "path"),
    "usage": Endpoint(("usage", "counters"), _usage_counters, "query"),
    "status": Endpoint(("api", "status"), _status_document, "open"),
}
"""By kind."""
