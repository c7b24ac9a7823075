"""Parses addresses: TheEye's URL, the address to listen on, and the path of the metrics."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.text import expect_text, shown

__all__ = [
    "ListenAddress",
    "parse_listen_address",
    "parse_proxy_url",
    "parse_server_name",
    "parse_telemetry_path",
    "parse_url",
    "show_proxy_url",
]

_EXAMPLE_URL = "https://supervisor.theeye.io"
_EXAMPLE_PROXY = "http://proxy.example.com:3128"
_HIGHEST_PORT = 65535
_PORT_HINT = f"a port is a number from 0 to {_HIGHEST_PORT}"
_HOST = re.compile(r"\w([\w-]*\w)?(\.\w([\w-]*\w)?)*\.?")
# A hint may repeat text in lower case with a dot; tokens do not look like this.
_BARE_HOST = re.compile(r"(?:[a-z]+:/{0,2})?((?:[a-z0-9-]{1,30}\.){1,5}[a-z]{2,12}(?::[0-9]{1,5})?)/?")
_RESERVED_PATHS = {
    "/": "the status page",
    "/-/healthy": "the health check",
    "/-/ready": "the readiness check",
    "/-/status.js": "the script of the status page",
    "/-/reload": "the endpoint for reloads",
}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the web server listens; an empty host means all addresses, and port 0 means any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(value: object) -> str:
    """Return the address of a TheEye supervisor without a trailing slash.

    Raises:
        InvalidValueError: the address is invalid; the text never repeats it, because it may contain a password.
    """
    text = expect_text(value, f"an address such as {_EXAMPLE_URL}")
    # urlsplit silently drops line breaks and tabs.
    if not text.isprintable() or " " in text or "\\" in text:
        raise InvalidValueError("expected an address without spaces, backslashes or control characters")
    parts = _split(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        bare = _BARE_HOST.fullmatch(text)
        raise InvalidValueError(
            "expected an address that starts with https:// or http://",
            f'did you mean "https://{bare[1]}"?' if bare and _is_host(bare[1]) else f"for example {_EXAMPLE_URL}",
        )
    if "@" in parts.netloc:
        raise InvalidValueError("expected an address without a user name or password", "use token or token_file")
    if "?" in text or "#" in text:
        raise InvalidValueError('expected an address without "?" or "#"', f"for example {_EXAMPLE_URL}")
    if not _is_host(parts.netloc):
        raise InvalidValueError(
            f"expected a host, and a port from 1 to {_HIGHEST_PORT} if any", f"for example {_EXAMPLE_URL}"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def parse_proxy_url(value: object) -> SecretStr:
    """Return the address of an HTTP proxy; the messages never repeat it, because it may contain a password."""
    text = expect_text(value, f"an address such as {_EXAMPLE_PROXY}")
    if not text.isprintable() or not text.isascii() or " " in text or "\\" in text:
        raise InvalidValueError(
            "expected only visible ASCII characters, and no backslashes",
            "write other characters percent-encoded, such as %20 for a space",
        )
    parts = _split(text)
    if parts is not None and parts.scheme.startswith("socks"):
        raise InvalidValueError("SOCKS proxies are not supported", f"use an HTTP proxy, such as {_EXAMPLE_PROXY}")
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InvalidValueError(
            "expected an address that starts with http:// or https://", f"for example {_EXAMPLE_PROXY}"
        )
    if parts.path.rstrip("/") or "?" in text or "#" in text:
        raise InvalidValueError(
            "expected an address that ends with the port", "write / ? # @ in a password as %2F %3F %23 %40"
        )
    user, at, host = parts.netloc.rpartition("@")
    if "@" in user:
        raise InvalidValueError("expected an address with one @", "write @ in a password as %40")
    if not _is_host(host):
        raise InvalidValueError(
            f"expected a host, and a port from 1 to {_HIGHEST_PORT} if any", f"for example {_EXAMPLE_PROXY}"
        )
    return SecretStr(f"{parts.scheme}://{user}{at}{host}")


def show_proxy_url(value: SecretStr) -> str:
    """Return the address without user and password; some proxies take a token as the user."""
    parts = urlsplit(value.get_secret_value())
    user, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'<redacted>' if user else ''}{at}{host}"


def parse_server_name(value: object) -> str:
    """Accept the name or the address of a host."""
    text = expect_text(value, "the name of a host")
    if not _is_host(text) or _host_and_port(text)[1] is not None:
        raise InvalidValueError(
            "expected the name of a host, without a scheme or port", "for example theeye.example.com"
        )
    return text


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _is_host(netloc: str) -> bool:
    host, port = _host_and_port(netloc)
    return bool(host) and (port is None or (_is_port(port) and int(port) > 0))


def _host_and_port(text: str) -> tuple[str, str | None]:
    """Return the host if it is valid, otherwise an empty text, and the text after the colon if there is one."""
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
    if not _is_port(port):
        raise InvalidValueError(expected, _listen_hint(value) or _PORT_HINT)
    return ListenAddress(host, int(port))


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and int(text) <= _HIGHEST_PORT


def _listen_hint(text: str) -> str:
    if re.fullmatch("[0-9]+", text):
        return f'did you mean ":{text}"?' if _is_port(text) else _PORT_HINT
    host, _, port = text.rpartition(":")
    if _is_ipv6(host) and _is_port(port):
        return f'did you mean "[{host}]:{port}"?'
    return ""


def parse_telemetry_path(value: object) -> str:
    """Accept a path for the metrics that no other page uses."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise InvalidValueError(f'expected a path that starts with "/", such as /metrics, got {shown(value)}')
    if not re.fullmatch(r"[A-Za-z0-9._~/-]+", value):
        raise InvalidValueError("expected a path of letters, digits and . _ ~ - / only, such as /metrics")
    if value in _RESERVED_PATHS:
        raise InvalidValueError(
            f"{value} is already the path of {_RESERVED_PATHS[value]}", "use another one, such as /metrics"
        )
    return str(value)
