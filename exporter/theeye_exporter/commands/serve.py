"""Polling and serving, the default command."""

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from starlette.types import ASGIApp

from theeye_exporter import __version__
from theeye_exporter.assembly import Exporter
from theeye_exporter.commands import CommandError
from theeye_exporter.config import Settings
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.reloading import Reloader
from theeye_exporter.web.app import create_app
from theeye_exporter.web.connection import Terms
from theeye_exporter.web.security.auth import BasicAuth
from theeye_exporter.web.security.guard import Guard
from theeye_exporter.web.security.live import LiveWebFile
from theeye_exporter.web.security.telemetry import WebFileCollector
from theeye_exporter.web.server import BindError, bind
from theeye_exporter.web.server import serve as serve_http

__all__ = ["favour_scrapes", "keep_memory_together", "serve"]

_DRAIN_SECONDS: Final = 5.0

_SWITCH_SECONDS: Final = 0.0005
"""Python's default, ten times as long, is what a scrape waits each time it wants the interpreter from a poll."""

_GARBAGE_THRESHOLDS: Final = (50_000, 20, 100)
"""A poll makes many objects that live on and no cycles: looking for some, by default seventy times as often, takes a
sixth of its time, and holds everything else up for as long as a fleet is large."""

_M_ARENA_MAX: Final = -8
"""The parameter's number in glibc's malloc.h."""

_log: Final = structlog.get_logger(__name__)


def serve(load: Callable[[], Settings], announce: Callable[[str], None] = lambda _: None) -> int:
    """Poll TheEye and serve metrics until SIGTERM or SIGINT; on SIGHUP, load the configuration anew.

    Args:
        load: returns the configuration as it is now.
        announce: is called with the scheme of our URLs when nothing is in the way of serving any more.

    Returns:
        The exit code: 0 after a signal.

    Raises:
        CommandError: an address cannot be listened on, or the state file not be used.
        ConfigError: the configuration, or the web configuration file, is wrong.
    """
    keep_memory_together()
    settings = load()
    web_file = LiveWebFile(settings.web.config_file, time.time) if settings.web.config_file is not None else None
    try:
        sockets = bind(settings.web.listen_addresses)
    except BindError as error:
        raise CommandError(str(error)) from None
    try:
        exporter = Exporter(settings)
    except LedgerError as error:
        raise CommandError(str(error)) from None
    reloader = Reloader(load, exporter)
    app: ASGIApp = create_app(
        store=exporter.store,
        telemetry=exporter.telemetry,
        board=exporter.board,
        telemetry_path=settings.web.telemetry_path,
        clock=exporter.clocks.wall,
        started=exporter.clocks.wall(),
        reload=reloader.reload if settings.web.enable_lifecycle else None,
    )
    auth = BasicAuth()
    if web_file is not None:
        exporter.telemetry.registry.register(WebFileCollector(web_file))
        app = Guard(app, web_file, auth)
    scheme = "https" if web_file is not None and web_file.tls else "http"
    favour_scrapes()
    reloader.heed_signals()
    announce(scheme)
    exporter.start()
    for sock in sockets:
        host, port = sock.getsockname()[:2]
        _log.info(
            "serving",
            version=__version__,
            address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            path=settings.web.telemetry_path,
            scheme=scheme,
            organizations=len(settings.organizations),
            **({"shard": f"{settings.shard.index}/{settings.shard.count}"} if settings.shard.count > 1 else {}),
        )
    try:
        serve_http(app, sockets, drain_seconds=_DRAIN_SECONDS, doorman=web_file.terms if web_file else Terms)
    finally:
        auth.close()
        exporter.stop()
    _log.info("stopped")
    return 0


def keep_memory_together() -> None:
    """Let all threads take their memory from one place.

    glibc has several, and what one poll's thread has given back, the next one's cannot take: the memory of a large
    fleet was a seventh more. Other C libraries know nothing of this.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def favour_scrapes() -> None:
    """Tune the interpreter, so that polls keep scrapes waiting as little as can be."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    gc.freeze()  # what is there by now is there to stay
