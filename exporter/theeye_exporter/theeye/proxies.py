"""Which hosts are reached through a proxy."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

__all__ = ["bypasses", "origin_of"]

_PORTS: Final = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Return host and port of a URL, without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"[{host}]:{_port(url)}" if ":" in host else f"{host}:{_port(url)}"


def _port(url: str) -> int | None:
    parts = urlsplit(url)
    return parts.port or _PORTS.get(parts.scheme)


def bypasses(url: str, no_proxy: str) -> bool:
    """Whether a URL is requested without the proxy.

    Args:
        url: the URL.
        no_proxy: a list with commas, as in Go and curl. Each item is a domain (with its subdomains; only these if it
            begins with a dot or `*.`), an address, or a network such as `10.0.0.0/8`, with a port if only that one is
            meant. `*` is every host.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    return any(_matches(item.strip().lower(), host, str(_port(url))) for item in no_proxy.split(",") if item.strip())


def _matches(item: str, host: str, port: str) -> bool:
    if item == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(item.strip("[]"), strict=False)
    except ValueError:
        pass  # a name, or something with a port
    name, colon, wanted = item.rpartition(":")
    if colon and wanted.isdecimal() and (":" not in name or name.endswith("]")):
        return wanted == port and _matches(name, host, port)
    item = item.removeprefix("*").rstrip(".")
    return host.endswith(item) if item.startswith(".") else host == item or host.endswith(f".{item}")
