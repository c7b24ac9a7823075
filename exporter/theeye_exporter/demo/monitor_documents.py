"""Monitors as JSON: the configuration inside the resource, as today, or the other way round, as before 2.0.0."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from theeye_exporter.demo.events import LIMIT, last_event, pattern_of
from theeye_exporter.demo.ids_and_time import Organization, iso
from theeye_exporter.demo.monitors import Monitor

__all__ = ["encode_monitor", "encode_old_monitor", "monitor_document", "old_monitor_document", "stored_monitor"]

Document = dict[str, Any]

_SAVED_AFTER_MS: Final = 10
_encode: Final = msgspec.json.Encoder().encode


def monitor_document(monitor: Monitor, organization: Organization) -> Document:
    """A monitor in the format since 2.0.0: the resource, with the monitor's configuration in `monitor`."""
    document = _static(monitor, organization) | _dynamic(monitor)
    return document if monitor.overrides is None else document | monitor.overrides


def encode_monitor(monitor: Monitor, organization: Organization) -> tuple[bytes, bytes]:
    """The JSON of `monitor_document` in two pieces, followed by a comma.

    The first piece, about two thirds, never changes; the second one is encoded again after a change.
    """
    if monitor.static is None:
        monitor.static = _encode(_static(monitor, organization))[:-1] if monitor.overrides is None else b""
    if monitor.encoded is None:
        if monitor.overrides is None:
            monitor.encoded = b"," + _encode(_dynamic(monitor))[1:] + b","
        else:
            monitor.encoded = _encode(monitor_document(monitor, organization)) + b","
    return monitor.static, monitor.encoded


def old_monitor_document(monitor: Monitor, organization: Organization) -> Document:
    """A monitor in the format before 2.0.0: the monitor, with the state in `resource`; ids are the monitor's."""
    configuration = _configuration(monitor, organization)
    resource = _static(monitor, organization) | _dynamic(monitor)
    for newer in ("monitor", "recovery_count", "_id", "order"):
        del resource[newer]
    document = {name: configuration[name] for name in configuration if name not in {"order", "resource", "_type"}}
    document |= {"template": None, "template_id": None, "resource": resource}
    return document if monitor.overrides is None else document | monitor.overrides


def encode_old_monitor(monitor: Monitor, organization: Organization) -> tuple[bytes, bytes]:
    """The JSON of `old_monitor_document`, also in two pieces (one is empty), followed by a comma."""
    if monitor.encoded is None:
        monitor.encoded = _encode(old_monitor_document(monitor, organization)) + b","
    return b"", monitor.encoded


def stored_monitor(monitor: Monitor) -> Document:
    """The fields of the resource in the database, for where; times in milliseconds since the epoch."""
    return {
        "id": monitor.id,
        "monitor_id": monitor.monitor_id,
        "name": monitor.name,
        "type": monitor.type,
        "state": monitor.state,
        "enable": monitor.enable,
        "alerts": monitor.alerts,
        "failure_severity": monitor.severity,
        "fails_count": monitor.fails_count,
        "recovery_count": monitor.recovery_count,
        "host_id": monitor.host.id,
        "hostname": monitor.hostname,
        "creation_date": monitor.creation_ms,
        "last_update": monitor.last_update_ms,
        "last_check": monitor.last_check_ms,
    }


def _static(monitor: Monitor, organization: Organization) -> Document:
    host = monitor.host
    document: Document = {
        "order": 0,
        "acl": [],
        "failure_severity": monitor.severity,
        "alerts": monitor.alerts,
        "enable": monitor.enable,
        "_type": "Resource",
        "_id": monitor.id,
        "name": monitor.name,
        "type": monitor.type,
        "host_id": host.id,
        "customer": organization.id,
        "customer_id": organization.id,
        "customer_name": organization.name,
        "hostname": host.hostname,
        "creation_date": iso(monitor.creation_ms),
    }
    if monitor.type == "host":
        document["description"] = monitor.name
    else:
        document["host"] = host.id
    document["monitor"] = _configuration(monitor, organization) if monitor.has_configuration else None
    document["monitor_id"] = monitor.monitor_id
    return document


def _dynamic(monitor: Monitor) -> Document:
    document: Document = {
        "fails_count": monitor.fails_count,
        "recovery_count": monitor.recovery_count,
        "state": monitor.state,
        "last_update": iso(monitor.last_update_ms),
        "last_check": iso(monitor.last_check_ms),
    }
    event = last_event(monitor)
    if event is not None:
        document["last_event"] = event
    document["id"] = monitor.id
    return document


def _configuration(monitor: Monitor, organization: Organization) -> Document:
    document: Document = {
        "tags": list(monitor.tags),
        "order": 0,
        "enable": monitor.enable,
        "_type": "ResourceMonitor",
        "customer_name": organization.name,
        "host": monitor.host.id,
        "host_id": monitor.host.id,
        "name": monitor.name,
        "type": monitor.type,
        "looptime": monitor.looptime_ms,
        "creation_date": iso(monitor.creation_ms),
        "last_update": iso(monitor.creation_ms + _SAVED_AFTER_MS),
        "resource": monitor.id,
        "resource_id": monitor.id,
        "id": monitor.monitor_id,
    }
    if monitor.type != "host":
        document |= {"customer": organization.id, "customer_id": organization.id}
    config = _config(monitor)
    if config is not None:
        document["config"] = config
    return document


def _config(monitor: Monitor) -> Document | None:
    make = _CONFIGS.get(monitor.type)
    return None if make is None else make(monitor)


def _scraper(monitor: Monitor) -> Document:
    url = f"https://{monitor.hostname}.example.com/"
    request = {"external": False, "url": url, "timeout": 5000, "method": "GET"}
    return {**request, "status_code": "200", "pattern": None, "script": None}


def _script(monitor: Monitor) -> Document:
    script = f"{monitor.monitor_id[:18]}{monitor.seed & 0xFFFFFF:06x}"
    return {"script_id": script, "script_arguments": [], "script_runas": "/bin/bash %script%"}


def _process(monitor: Monitor) -> Document:
    pattern = pattern_of(monitor)
    return {"ps": {"is_regexp": False, "pattern": pattern, "raw_search": pattern, "psargs": "aux"}}


def _file(_: Monitor) -> Document:
    where = {"path": "/etc/app/app.conf", "basename": "app.conf", "dirname": "/etc/app"}
    return {**where, "permissions": "0644", "uid": "0", "gid": "0", "is_manual_path": False}


_CONFIGS: Final[Mapping[str, Callable[[Monitor], Document]]] = {
    "dstat": lambda _: {"limit": dict.fromkeys(("cpu", "disk", "mem", "cache"), LIMIT)},
    "scraper": _scraper,
    "script": _script,
    "process": _process,
    "file": _file,
    "nested": lambda monitor: {"monitors": [{"_id": member.id, "id": member.id} for member in monitor.members]},
}
