"""A web configuration file that is read again whenever it, or a file it names, changes."""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import structlog

from theeye_exporter.config.problems import ConfigError, Problem, Report
from theeye_exporter.config.web_file import Fingerprint, WebFile, fingerprint, read_web_file
from theeye_exporter.web.connection import Terms

__all__ = ["LiveWebFile"]

_RETRY_SECONDS: Final = 5.0
"""After which files that could not be used are tried again, changed or not."""

_log: Final = structlog.get_logger(__name__)


class LiveWebFile:
    """The state that new connections and requests are judged by. To be used by one thread.

    A file that cannot be used changes nothing: the last good state stays, is told once in the log, and `successful`
    is False until the file is right again. It is tried again now and then: what was in the way (too many open files)
    may go without a trace on the file.

    Args:
        path: the file.
        clock: Unix time, in seconds.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._seen: dict[Path, Fingerprint] = {}
        self._told: tuple[Problem, ...] = ()
        self._current, problems = self._read()
        if problems:
            raise ConfigError(problems)
        self.successful = True
        """Whether the current state is what the file says."""
        self.last_success = clock()
        """Unix time at which the file was read and could be used."""
        self._tell_remarks(())

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted, which stays as it is until the process ends."""
        return self._current.tls is not None

    def current(self) -> WebFile:
        """Return the state, after a look at the files."""
        failed_for = 0.0 if self.successful else self._clock() - self._read_at
        if failed_for >= _RETRY_SECONDS or any(fingerprint(path) != seen for path, seen in self._seen.items()):
            self._reload()
        return self._current

    def terms(self) -> Terms:
        """Return the terms of a new connection, which are in force until the file is read again."""
        state = self.current()

        def admits(transport: asyncio.BaseTransport) -> bool:
            if state.allowed_sans is None:
                return True
            names = set(_names(transport.get_extra_info("ssl_object").getpeercert() or {}))
            if names.isdisjoint(map(_comparable, state.allowed_sans)):
                _log.debug("a client's certificate has none of client_allowed_sans", names=", ".join(sorted(names)))
                return False
            return True

        return Terms(state.tls, admits, lambda: state.tls is None or self.current() is state)

    def _read(self) -> tuple[WebFile, tuple[Problem, ...]]:
        report = Report()
        self._seen = {}
        self._read_at = self._clock()
        read = read_web_file(self._path, report, self._seen)
        return read, report.problems()

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
                    "web configuration cannot be used; the last good one stays", problems="; ".join(map(str, problems))
                )
            self._told = problems
            return
        remarks = self._current.remarks
        recovered, self._told = bool(self._told), ()
        self._current = read
        self.last_success = self._clock()
        if recovered or before != {path: seen.settled for path, seen in self._seen.items()}:
            _log.info("web configuration read again", file=str(self._path))
        self._tell_remarks(remarks)

    def _tell_remarks(self, told: Iterable[str]) -> None:
        for remark in self._current.remarks:
            if remark not in told:
                _log.warning("web configuration", file=str(self._path), remark=remark)


def _names(certificate: object) -> Iterator[str]:
    """Yield the subject alternative names of a certificate."""
    if isinstance(certificate, dict):
        for kind, value in certificate.get("subjectAltName", ()):
            if kind in {"DNS", "IP Address", "email", "URI"}:
                yield _comparable(str(value))


def _comparable(name: str) -> str:
    """Return the name; an IP address in its one canonical form."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
