"""The port of a process that serves pages: its addresses, its web configuration file, and the end of the process."""

import ipaddress
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp

from theeye_exporter import __version__
from theeye_exporter.commands import CommandError
from theeye_exporter.config import WebSettings
from theeye_exporter.web.connection import ConnectionTerms
from theeye_exporter.web.security.auth import BasicAuth
from theeye_exporter.web.security.guard import Guard
from theeye_exporter.web.security.live import LiveWebFile
from theeye_exporter.web.server import BindError, bind
from theeye_exporter.web.server import serve as serve_http

__all__ = ["Listening"]

_DRAIN_SECONDS: Final = 5.0

_log: Final = structlog.get_logger(__name__)


class Listening:
    """Listens on the addresses of the settings, and answers once `serve` runs.

    Args:
        settings: the section `web`.
        wall: Unix time.
        demand_authentication: whether only users of this machine may send requests without a password or a certificate.

    Attributes:
        web_file: the web configuration file, None without one.
        scheme: the scheme of our URLs.
        addresses: where the process listens.

    Raises:
        CommandError: the process cannot listen on an address, or would let anybody start runs.
        ConfigError: the web configuration file is wrong.
    """

    def __init__(
        self, settings: WebSettings, wall: Callable[[], float], *, demand_authentication: bool = False
    ) -> None:
        file, reached = settings.config_file, [one for one in settings.listen_address if not _is_loopback(one.host)]
        demanded = demand_authentication and bool(reached)
        if demanded and file is None:
            raise CommandError(
                f"whoever reaches {reached[0]} could start runs: give a password or demand client certificates in the file of "
                "--web.config.file, or listen on 127.0.0.1"
            )
        self.web_file = None if file is None else LiveWebFile(file, wall, demand_authentication=demanded)
        self.scheme = "https" if self.web_file is not None and self.web_file.tls else "http"
        try:
            self._sockets = bind(settings.listen_address)
        except BindError as error:
            raise CommandError(f"{error}; {_advice(error.taken)}") from None
        self._path = settings.telemetry_path
        names = (sock.getsockname()[:2] for sock in self._sockets)
        self.addresses = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in names]

    def log_addresses(self, **what: object) -> None:
        """Log each address, and what is served there."""
        for address in self.addresses:
            _log.info("serving", version=__version__, address=address, path=self._path, scheme=self.scheme, **what)

    def serve(self, app: ASGIApp, stop: Callable[[], object], *, reads_bodies: bool = False) -> None:
        """Answer requests until SIGTERM or SIGINT; then call `stop`. Bodies of requests are only read if `reads_bodies`."""
        auth = BasicAuth()
        terms = ConnectionTerms if self.web_file is None else self.web_file.terms
        guarded = app if self.web_file is None else Guard(app, self.web_file, auth)
        try:
            serve_http(guarded, self._sockets, drain_seconds=_DRAIN_SECONDS, policy=terms, reads_bodies=reads_bodies)
        finally:
            auth.close()
            stop()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _advice(taken: int | None) -> str:
    another = "choose another address with --web.listen-address"
    return another if taken is None else f"find out who listens there with `ss -ltnp sport = :{taken}`, or {another}"
