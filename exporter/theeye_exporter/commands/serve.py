"""Polls TheEye and serves metrics; this is the default command."""

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Final, TextIO

import structlog

from theeye_exporter.commands import CommandError
from theeye_exporter.commands.listening import Listening
from theeye_exporter.config import Settings, secrets_in
from theeye_exporter.config.loading import load
from theeye_exporter.config.organization_files import Kept
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.machine import favour_scrapes, keep_memory_together
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.reload import Reloader, log_file_problems
from theeye_exporter.web.app import create_app

__all__ = ["run", "serve"]

_log: Final = structlog.get_logger(__name__)


def run(flags: argparse.Namespace, environ: Mapping[str, str], _out: TextIO) -> int:
    """Run `serve` with the configuration that flags and environment give."""
    kept: Kept = {}
    settings = load(flags, environ, kept)
    configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
    first = [settings]  # with thousands of organisations, reading it all a second time would take long
    return serve(lambda: first.pop() if first else load(flags, environ, kept))


def serve(load: Callable[[], Settings], announce: Callable[[str], None] = lambda _: None) -> int:
    """Poll TheEye and serve metrics until SIGTERM or SIGINT; reload the configuration on SIGHUP.

    Args:
        load: returns the current configuration.
        announce: called with the scheme of our URLs as soon as the exporter can serve.

    Returns:
        The exit code: 0 after a signal.

    Raises:
        CommandError: the exporter cannot listen on an address, or cannot use the state file.
        ConfigError: the configuration, or the web configuration file, is wrong.
    """
    keep_memory_together()
    settings = load()
    listening = Listening(settings.web, time.time)
    try:
        exporter = Exporter(settings)
    except LedgerError as error:
        raise CommandError(str(error)) from None
    reloader = Reloader(load, exporter)
    app = create_app(
        store=exporter.store,
        telemetry=exporter.telemetry,
        board=exporter.board,
        telemetry_path=settings.web.telemetry_path,
        clocks=exporter.clocks,
        started=exporter.clocks.wall(),
        stalled_for=exporter.stalled_for,
        uncounted=lambda: exporter.uncounted,
        reload=reloader.reload if settings.web.enable_lifecycle else None,
    )
    exporter.telemetry.web_file = listening.web_file
    favour_scrapes()
    reloader.reload_on_sighup()
    announce(listening.scheme)
    exporter.start()
    log_file_problems(settings, "its organisations are missing")
    shard = {"shard": f"{settings.shard.index}/{settings.shard.count}"} if settings.shard.count > 1 else {}
    listening.log_addresses(organizations=len(settings.organizations), **shard)
    listening.serve(app, exporter.stop)
    _log.info("stopped")
    return 0
