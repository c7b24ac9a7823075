"""Reads a web configuration file: TLS, client certificates, users and headers, ready for use by a web server."""

import ssl
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from theeye_exporter.config.document import Document, cannot_read, read_document
from theeye_exporter.config.problems import Report
from theeye_exporter.config.schema import check_document
from theeye_exporter.config.web_schema import (
    HttpSection,
    RateLimitSection,
    TlsSection,
    WebFileSchema,
    parse_hash,
    parse_header,
    parse_user,
)
from theeye_exporter.config.web_tls import TlsContext, check_certificates, check_key
from theeye_exporter.theeye.fingerprints import Fingerprint, fingerprint
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.text import shown_path

__all__ = ["RateLimit", "WebFile", "read_web_file"]

_FLAG: Final = "--web.config.file"
_LARGEST_PEM: Final = 2**20
_TLS: Final = "tls_server_config"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A burst of requests, and then one request per interval."""

    interval: float
    """Seconds."""
    burst: int


@dataclass(frozen=True, slots=True)
class WebFile:
    """The content of the file."""

    tls: ssl.SSLContext | None = None
    """Certificates, versions and ciphers; None for plain HTTP."""
    allowed_sans: frozenset[str] | None = None
    """If not None, a client's certificate must contain one of these names."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every response."""
    users: Mapping[str, bytes] = field(default_factory=dict)
    """bcrypt hashes by user name; if empty, no password is required."""
    rate_limit: RateLimit | None = None
    remarks: tuple[str, ...] = ()
    """Remarks for the operator about a valid file."""

    @property
    def authenticates(self) -> bool:
        """Whether every client needs a password or a certificate."""
        return bool(self.users) or (self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED)


def read_web_file(path: Path, report: Report, seen: dict[Path, Fingerprint] | None = None) -> WebFile:
    """Return the content of the file; use it only if the report is empty.

    Args:
        path: the file; relative paths in it are relative to its folder.
        report: receives the mistakes.
        seen: receives the fingerprint of each file, taken just before reading it.
    """
    seen = {} if seen is None else seen
    seen[path] = fingerprint(path)
    if _is_endless(path):
        report.add_flag(_FLAG, f"a pipe or a device, which cannot be read again: {shown_path(path)}")
        return WebFile()
    document = read_document(path, report, _FLAG, _TLS)
    file = check_document(document, WebFileSchema)
    remarks: list[str] = []
    users = _users(document, file.basic_auth_users or {})
    tls = None
    sans = None
    if file.tls_server_config is not None:
        builder = _TlsReader(document, file.tls_server_config, path.parent, seen)
        tls = builder.build()
        sans = file.tls_server_config.client_allowed_sans
        remarks += builder.remarks
    elif users:
        remarks.append("passwords are sent unencrypted: there are basic_auth_users, but no tls_server_config")
    return WebFile(
        tls=tls,
        allowed_sans=None if sans is None else frozenset(sans),
        headers=_headers(document, file.http_server_config),
        users=users,
        rate_limit=_rate_limit(document, file.rate_limit),
        remarks=tuple(remarks),
    )


def _is_endless(path: Path) -> bool:
    """Whether it is a pipe or a device, which may never end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False  # opening it will show why
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _users(document: Document, written: Mapping[str, object]) -> dict[str, bytes]:
    users = {}
    for name, value in written.items():
        with document.noting("basic_auth_users", name):
            users[parse_user(name)] = parse_hash(value)
    return users


def _headers(document: Document, section: HttpSection | None) -> dict[str, str]:
    headers = {}
    for name, value in ((section.headers if section else None) or {}).items():
        with document.noting("http_server_config", "headers", name):
            headers[name] = parse_header(name, value)
    return {name: value for name, value in headers.items() if value}


def _rate_limit(document: Document, section: RateLimitSection | None) -> RateLimit | None:
    if section is None or not section.interval:
        return None
    if not section.burst:
        message = "burst is missing" if section.burst is None else "a burst of 0 admits no requests"
        if not document.faulty_keys(("rate_limit",)):
            document.add_fault(("rate_limit", "burst"), InvalidValueError(message))
        return None
    return RateLimit(section.interval, section.burst)


class _TlsReader:
    """Builds a TLS context, and reports each mistake at its place."""

    def __init__(self, document: Document, section: TlsSection, folder: Path, seen: dict[Path, Fingerprint]) -> None:
        self._document = document
        self._section = section
        self._folder = folder
        self._seen = seen
        self.remarks: list[str] = []

    def build(self) -> ssl.SSLContext:
        """Return the context."""
        section = self._section
        tls = TlsContext()
        with self._noting("min_version"):
            tls.set_versions(section.min_version or "TLS12", section.max_version or "TLS13")
        if section.cipher_suites is not None:
            with self._noting("cipher_suites"):
                tls.set_ciphers(section.cipher_suites)
        if section.prefer_server_cipher_suites is not None:
            tls.prefer_server_ciphers(prefer=section.prefer_server_cipher_suites)
        if section.curve_preferences is not None:
            with self._noting("curve_preferences"):
                chosen = tls.set_curve(section.curve_preferences)
                if len(section.curve_preferences) > 1:
                    self.remarks.append(f"only {chosen} of curve_preferences is used")
        self._load_certificate(tls)
        self._set_clients(tls)
        return tls.context

    def _load_certificate(self, tls: TlsContext) -> None:
        section = self._section
        certificate = self._pem("cert", section.cert, section.cert_file, required=True)
        key_text = None if section.key is None else section.key.get_secret_value().encode()
        key = self._pem("key", key_text, section.key_file, required=True)
        if certificate is not None:
            with self._noting(self._given("cert")):
                check_certificates(certificate)
        if key is not None:
            with self._noting(self._given("key")):
                check_key(key)
        if certificate and key and not self._is_faulty(self._given("cert"), self._given("key")):
            with self._noting(self._given("key")):
                tls.load_certificate(certificate, key)

    def _set_clients(self, tls: TlsContext) -> None:
        section = self._section
        authorities = self._pem("client_ca", section.client_ca, section.client_ca_file, required=False)
        auth = section.client_auth_type or "NoClientCert"
        given = self._given("client_ca")
        if self._is_faulty("client_auth_type", "client_ca", "client_ca_file"):
            return
        with self._noting(given):
            if auth == "NoClientCert" and authorities is not None:
                raise InvalidValueError("given, but client_auth_type does not ask for a certificate")
            if auth in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"} and authorities is None:
                raise InvalidValueError(f"{auth} needs client_ca_file or client_ca")
            tls.set_clients(auth, authorities)
        if section.client_allowed_sans is not None and auth != "RequireAndVerifyClientCert":
            message = "needs client_auth_type: RequireAndVerifyClientCert"
            self._document.add_fault((_TLS, "client_allowed_sans"), InvalidValueError(message))
        if auth == "RequestClientCert":
            self.remarks.append(
                "client_auth_type RequestClientCert works like NoClientCert: no certificate is requested, "
                "as none would be verified"
            )

    def _pem(self, key: str, text: bytes | None, file: Path | None, *, required: bool) -> bytes | None:
        """Return the content, which is either in this file or in a file that it names."""
        in_file = f"{key}_file"
        if text is not None and file is not None:
            self._document.add_fault(
                (_TLS, in_file), InvalidValueError(f"given together with {key}", "remove one of them")
            )
            return None
        content = text
        if file is not None:
            with self._noting(in_file):
                content = self._read(file)
        elif text is None and required and not self._is_faulty(key, in_file):
            self._document.add_fault((_TLS, in_file), InvalidValueError(f"neither {in_file} nor {key} is given"))
        return content

    def _read(self, file: Path) -> bytes:
        path = self._folder / file
        self._seen[path] = fingerprint(path)
        try:
            if _is_endless(path):
                raise InvalidValueError(f"a pipe or a device, which cannot be read again: {shown_path(path)}")
            with path.open("rb") as opened:
                content = opened.read(_LARGEST_PEM + 1)
        except OSError as error:
            raise InvalidValueError(cannot_read(error, path)) from None
        if len(content) > _LARGEST_PEM:
            raise InvalidValueError("the file is larger than 1 MiB")
        return content

    def _given(self, key: str) -> str:
        return key if getattr(self._section, key) is not None else f"{key}_file"

    def _is_faulty(self, *keys: str) -> bool:
        return self._document.is_faulty(*((_TLS, key) for key in keys))

    def _noting(self, key: str) -> AbstractContextManager[None]:
        return self._document.noting(_TLS, key)
