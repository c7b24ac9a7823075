"""The schema of a web configuration file, in the format of the Exporter Toolkit."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from pydantic import BeforeValidator, SecretStr

from theeye_exporter.config.schema import Section
from theeye_exporter.config.web_tls import CIPHERS, CURVES, VERSIONS, ClientAuth
from theeye_exporter.values import parsers as values
from theeye_exporter.values.errors import InvalidValueError, did_you_mean
from theeye_exporter.values.settings import integer
from theeye_exporter.values.text import expect_text, shown

__all__ = ["HttpSection", "RateLimitSection", "TlsSection", "WebFileSchema", "parse_hash", "parse_header", "parse_user"]

_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
"""Headers that may be set, and their valid values if these are limited."""

# 16 bytes of salt use only two bits of the last character; with any other character, no password matches.
_HASH: Final = re.compile(r"\$2[abxy]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_COSTS: Final = range(4, 32)

_GO_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_GO_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|μs|ns)")
_GO_DURATION: Final = re.compile(f"(?:{_GO_PART.pattern})+")
_LONGEST_INTERVAL: Final = 24 * 3600.0

_OLD_VERSIONS: Final = frozenset({"TLS10", "TLS11"})
_WITHOUT_VERIFYING: Final = frozenset({"RequireAnyClientCert", "RequireClientCert"})


def _parse_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise InvalidValueError(f"expected a list, got {shown(value)}", 'each item starts with "- "')
    if not value:
        raise InvalidValueError("expected a list, got an empty one")
    return value


def _parse_pem(value: object) -> bytes:
    text = expect_text(value, "the text of a PEM file")
    return text.encode()


def _parse_secret_pem(value: object) -> SecretStr:
    return SecretStr(expect_text(value, "the text of a PEM file"))


def _parse_version(value: object) -> str:
    if isinstance(value, str) and value in _OLD_VERSIONS:
        raise InvalidValueError(f"{value} is obsolete and not supported", f"use {' or '.join(VERSIONS)}")
    return values.parse_choice(value, VERSIONS)


def _parse_client_auth(value: object) -> str:
    if isinstance(value, str) and value in _WITHOUT_VERIFYING:
        raise InvalidValueError(
            f"{value} is not supported: Python's TLS cannot ask for a certificate without verifying it",
            "use RequireAndVerifyClientCert with client_ca_file",
        )
    return values.parse_choice(value, get_args(ClientAuth))


def _parse_san(value: object) -> str:
    return expect_text(value, "a DNS name, IP address, e-mail address or URI")


def _parse_interval(value: object) -> float:
    expected = f"expected a duration such as 1s or 500ms, got {shown(value)}"
    if value == "0":
        return 0.0
    if not isinstance(value, str) or not _GO_DURATION.fullmatch(value):
        raise InvalidValueError(expected, "units are h, m, s, ms, us, ns")
    seconds = sum(float(count) * _GO_UNITS[unit] for count, unit in _GO_PART.findall(value))
    if seconds > _LONGEST_INTERVAL:
        raise InvalidValueError("expected a duration of at most 24h")
    return seconds


def parse_user(name: str) -> str:
    """Accept names without a colon, as Basic authentication requires."""
    if not name or ":" in name:
        raise InvalidValueError("expected the name of a user, without a colon")
    return name


def parse_hash(value: object) -> bytes:
    """Accept a bcrypt hash; the messages never repeat it."""
    match = _HASH.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(
            "expected a bcrypt hash, which starts with $2y$ or $2b$", "htpasswd -nBC 10 USER prints it after the colon"
        )
    if int(match[1]) not in _COSTS:
        raise InvalidValueError(f"expected a bcrypt cost from {_COSTS[0]:02} to {_COSTS[-1]}, got {match[1]}")
    return match[0].encode("ascii")


def parse_header(name: str, value: object) -> str:
    """Return the value of a header that may be set; empty text or no value means that it is not set."""
    if name not in _HEADERS:
        hint = did_you_mean(name, _HEADERS)
        raise InvalidValueError("unknown header", hint or f"valid headers are {', '.join(_HEADERS)}")
    if value is None or value == "":
        return ""
    allowed = _HEADERS[name]
    if allowed:
        return values.parse_choice(value, allowed)
    text = expect_text(value, "the value of a header")
    if not (text.isascii() and text.isprintable()):
        raise InvalidValueError("expected the value of a header: visible ASCII on one line")
    return text


_Path = Annotated[Path | None, BeforeValidator(values.parse_file_path)]
_Pem = Annotated[bytes | None, BeforeValidator(_parse_pem)]
_Boolean = Annotated[bool | None, BeforeValidator(values.parse_boolean)]
_Cipher = Annotated[str, BeforeValidator(partial(values.parse_choice, choices=CIPHERS))]
_Ciphers = Annotated[tuple[_Cipher, ...] | None, BeforeValidator(_parse_list)]
_Curve = Annotated[str, BeforeValidator(partial(values.parse_choice, choices=CURVES))]
_Curves = Annotated[tuple[_Curve, ...] | None, BeforeValidator(_parse_list)]
_San = Annotated[str, BeforeValidator(_parse_san)]
_Sans = Annotated[tuple[_San, ...] | None, BeforeValidator(_parse_list)]
_Version = Annotated[str | None, BeforeValidator(_parse_version)]


class TlsSection(Section):
    """``tls_server_config:``."""

    cert: _Pem = None
    key: Annotated[SecretStr | None, BeforeValidator(_parse_secret_pem)] = None
    client_ca: _Pem = None
    cert_file: _Path = None
    key_file: _Path = None
    client_auth_type: Annotated[ClientAuth | None, BeforeValidator(_parse_client_auth)] = None
    client_ca_file: _Path = None
    client_allowed_sans: _Sans = None
    min_version: _Version = None
    max_version: _Version = None
    cipher_suites: _Ciphers = None
    prefer_server_cipher_suites: _Boolean = None
    curve_preferences: _Curves = None


class HttpSection(Section):
    """``http_server_config:``."""

    http2: _Boolean = None
    headers: dict[str, Any] | None = None
    """As written; `parse_header` checks each."""


class RateLimitSection(Section):
    """``rate_limit:``."""

    interval: Annotated[float | None, BeforeValidator(_parse_interval)] = None
    burst: Annotated[int | None, BeforeValidator(integer(0, 10**6).parse)] = None


class WebFileSchema(Section):
    """The whole file."""

    tls_server_config: TlsSection | None = None
    http_server_config: HttpSection | None = None
    basic_auth_users: dict[str, Any] | None = None
    """As written; `parse_hash` checks each."""
    rate_limit: RateLimitSection | None = None
