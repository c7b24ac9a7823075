"""Addresses: where TheEye is, where the exporter listens, and under which path it shows metrics."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from theeye_exporter.config.problems import InvalidValueError
from theeye_exporter.config.text import expect_text, shown

__all__ = ["ListenAddress", "parse_listen_address", "parse_telemetry_path", "parse_url"]

_EXAMPLE_URL = "https://supervisor.theeye.io"
_HIGHEST_PORT = 65535
_HOST = re.compile(r"\w([\w-]*\w)?(\.\w([\w-]*\w)?)*\.?")
# What may be repeated in a hint: lower case and with a dot, which tokens are not.
_BARE_HOST = re.compile(r"(?:[a-z]+:/{0,2})?((?:[a-z0-9-]{1,30}\.){1,5}[a-z]{2,12}(?::[0-9]{1,5})?)/?")
_RESERVED_PATHS = {
    "/": "the status page",
    "/-/healthy": "the health check",
    "/-/ready": "the readiness check",
    "/-/reload": "where the configuration is reloaded",
}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the web server listens; an empty host means all addresses, port 0 any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(value: object) -> str:
    """Return the address of a TheEye supervisor without a slash at its end.

    Raises:
        InvalidValueError: it is no such address; the text never repeats it, for it may hold a password.
    """
    text = expect_text(value, f"an address such as {_EXAMPLE_URL}")
    # urlsplit drops line breaks and tabs in silence.
    if not text.isprintable() or " " in text or "\\" in text:
        raise InvalidValueError("expected an address without blanks, backslashes and control characters")
    parts = _split(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        bare = _BARE_HOST.fullmatch(text)
        raise InvalidValueError(
            "expected an address that starts with https:// or http://",
            f'did you mean "https://{bare[1]}"?' if bare else f"for example {_EXAMPLE_URL}",
        )
    if "@" in parts.netloc:
        raise InvalidValueError("expected an address without user name and password", "use token or token_file")
    if "?" in text or "#" in text:
        raise InvalidValueError('expected an address without "?" and "#"', f"for example {_EXAMPLE_URL}")
    if not _is_host(parts.netloc):
        raise InvalidValueError("the address has no valid host and port", f"for example {_EXAMPLE_URL}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _is_host(netloc: str) -> bool:
    host, port = _host_and_port(netloc)
    return bool(host) and (port is None or (port.isdecimal() and port.isascii() and 0 < int(port[:6]) <= _HIGHEST_PORT))


def _host_and_port(text: str) -> tuple[str, str | None]:
    """Return a valid host, or nothing, and what stands after the colon, if there is one."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    if bracketed:
        return (bracketed[1] if _is_ipv6(bracketed[1]) else ""), bracketed[2]
    host, colon, port = text.partition(":")
    return (host if _HOST.fullmatch(host) else ""), (port if colon else None)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def parse_listen_address(value: object) -> ListenAddress:
    """Accept ``:9855``, ``host:9855`` and ``[::1]:9855``."""
    expected = f"expected an address such as :9855, 127.0.0.1:9855 or [::1]:9855, got {shown(value)}"
    if not isinstance(value, str):
        raise InvalidValueError(expected)
    host, port = _host_and_port(value)
    everywhere = value.startswith(":")
    if port is None or not (host or everywhere):
        raise InvalidValueError(expected, _listen_hint(value))
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > _HIGHEST_PORT:
        raise InvalidValueError(expected, _listen_hint(value) or f"ports go from 0 to {_HIGHEST_PORT}")
    return ListenAddress(host, int(port))


def _listen_hint(text: str) -> str:
    if re.fullmatch("[0-9]{1,5}", text):
        return f'did you mean ":{text}"?'
    host, _, port = text.rpartition(":")
    if _is_ipv6(host) and re.fullmatch("[0-9]{1,5}", port):
        return f'did you mean "[{host}]:{port}"?'
    return ""


def parse_telemetry_path(value: object) -> str:
    """Accept a path of its own for the metrics page."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise InvalidValueError(f'expected a path that starts with "/", such as /metrics, got {shown(value)}')
    if not re.fullmatch(r"[A-Za-z0-9._~/-]+", value):
        raise InvalidValueError("expected a path of letters, digits and . _ ~ - / only, such as /metrics")
    if value in _RESERVED_PATHS:
        raise InvalidValueError(f"{value} is {_RESERVED_PATHS[value]}", "for example /metrics")
    return str(value)
