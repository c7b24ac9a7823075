"""A web configuration file that is read again whenever it changes, or a file that it names does."""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import structlog

from theeye_exporter.config.problems import Report
from theeye_exporter.config.web_file import WebFile, read_web_file
from theeye_exporter.theeye.fingerprints import Fingerprint, fingerprint
from theeye_exporter.values.errors import ConfigError, Problem
from theeye_exporter.web.connection import ConnectionTerms

__all__ = ["LiveWebFile"]

_RETRY_SECONDS: Final = 5.0
"""Seconds after which invalid files are tried again, changed or not."""

_OPEN: Final = "missing; whoever reaches the port could start runs"
_CLOSE: Final = "give a password, demand client certificates, or listen on 127.0.0.1"

_log: Final = structlog.get_logger(__name__)


class LiveWebFile:
    """The current rules for new connections and requests. Use it in one thread only.

    An invalid file changes nothing: the last valid state stays in effect, the log says so once, and `successful` is
    False until the file is valid again. The file is tried again from time to time, because the cause (such as too many
    open files) can disappear without a change of the file.

    Args:
        path: the file.
        clock: Unix time, in seconds.
        demand_authentication: whether a file without passwords and without the demand for certificates is invalid.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, path: Path, clock: Callable[[], float], *, demand_authentication: bool = False) -> None:
        self._path = path
        self._demand_authentication = demand_authentication
        self._clock = clock
        self._seen: dict[Path, Fingerprint] = {}
        self._told: tuple[Problem, ...] = ()
        self._current, problems = self._read()
        if problems:
            raise ConfigError(problems)
        self.successful = True
        """Whether the current state matches the file."""
        self.last_success = clock()
        """Unix time at which a valid file was last read."""
        self._tell_remarks(())

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; this does not change until the process ends."""
        return self._current.tls is not None

    def current(self) -> WebFile:
        """Return the current state, after checking the files for changes."""
        failed_for = 0.0 if self.successful else self._clock() - self._read_at
        if failed_for >= _RETRY_SECONDS or any(fingerprint(path) != seen for path, seen in self._seen.items()):
            self._reload()
        return self._current

    def terms(self) -> ConnectionTerms:
        """Return the rules for a new connection, which apply until the file is read again."""
        state = self.current()

        def admits(transport: asyncio.BaseTransport) -> bool:
            if state.allowed_sans is None:
                return True
            names = set(_names(transport.get_extra_info("ssl_object").getpeercert() or {}))
            if names.isdisjoint(map(_comparable, state.allowed_sans)):
                _log.debug("client certificate matches none of client_allowed_sans", names=", ".join(sorted(names)))
                return False
            return True

        return ConnectionTerms(state.tls, admits, lambda: state.tls is None or self.current() is state)

    def _read(self) -> tuple[WebFile, tuple[Problem, ...]]:
        report = Report()
        self._seen = {}
        self._read_at = self._clock()
        read = read_web_file(self._path, report, self._seen)
        problems = report.problems()
        if not problems and self._demand_authentication and not read.authenticates:
            problems = (Problem(str(self._path), "basic_auth_users", _OPEN, _CLOSE),)
        return read, problems

    def _reload(self) -> None:
        before = {path: seen.settled for path, seen in self._seen.items()}
        read, problems = self._read()
        if not problems and (read.tls is None) is self.tls:
            switched = "off" if read.tls is None else "on"
            message = f"TLS cannot be switched {switched} while the exporter runs"
            problems = (Problem(str(self._path), "tls_server_config", message, "restart to apply"),)
        self.successful = not problems
        if problems:
            if problems != self._told:
                _log.error(
                    "web configuration rejected; the last valid one stays in effect",
                    problems="; ".join(map(str, problems)),
                )
            self._told = problems
            return
        remarks = self._current.remarks
        recovered, self._told = bool(self._told), ()
        self._current = read
        self.last_success = self._clock()
        if recovered or before != {path: seen.settled for path, seen in self._seen.items()}:
            _log.info("web configuration reloaded", file=str(self._path))
        self._tell_remarks(remarks)

    def _tell_remarks(self, told: Iterable[str]) -> None:
        for remark in self._current.remarks:
            if remark not in told:
                _log.warning(
                    "the web configuration has a weakness, or a setting without effect",
                    file=str(self._path),
                    remark=remark,
                )


def _names(certificate: object) -> Iterator[str]:
    """Yield the subject alternative names of a certificate."""
    if isinstance(certificate, dict):
        for kind, value in certificate.get("subjectAltName", ()):
            if kind in {"DNS", "IP Address", "email", "URI"}:
                yield _comparable(str(value))


def _comparable(name: str) -> str:
    """Return the name; an IP address in its canonical form."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
