"""Starts runs in the background, and serves metrics about them; `theeye-exporter actions`."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

import structlog
from starlette.requests import Request

from theeye_exporter import config
from theeye_exporter.actions.checking import check
from theeye_exporter.actions.loading import load, state_file
from theeye_exporter.actions.page import actions_page
from theeye_exporter.actions.process import ActionsProcess
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.actions.trying import history, try_payload
from theeye_exporter.clocks import Clocks
from theeye_exporter.commands import CommandError
from theeye_exporter.commands.listening import Listening
from theeye_exporter.ledger.failures import LedgerError
from theeye_exporter.machine import keep_memory_together
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.reload import Reloader
from theeye_exporter.web.humanize import span
from theeye_exporter.web.scrapes import Scrapes
from theeye_exporter.web.site import links_to, site

__all__ = ["run"]

_log: Final = structlog.get_logger(__name__)


def run(flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Start runs until SIGTERM or SIGINT, or check the configuration.

    Returns:
        The exit code: 0 for success, 1 if `check` found something, 2 if `test` got nothing that Alertmanager posts.

    Raises:
        CommandError: The process cannot listen on an address, or use its state file, or would let anybody start runs.
        ConfigError: The configuration is wrong.
    """
    if flags.what == "history":
        return _history(state_file(flags, environ), out)
    settings = load(flags, environ)
    level = settings.log.level if flags.what is None else "error"
    configure_logging(level, settings.log.format, config.secrets_in(settings))
    if flags.what == "check":
        return check(settings, out)
    if flags.what == "test":
        if flags.file is None:
            raise CommandError("test needs the name of a file with what Alertmanager posts")
        return try_payload(settings, Path(flags.file), out)
    first = [settings]
    return _serve(lambda: first.pop() if first else load(flags, environ))


def _history(path: Path | None, out: TextIO) -> int:
    if path is None:
        raise CommandError("history needs --state.file, or the --config.file that names it")
    try:
        return history(path, out)
    except LedgerError as error:
        raise CommandError(str(error)) from None


def _serve(read: Callable[[], ActionsSettings]) -> int:
    keep_memory_together()
    settings, clocks = read(), Clocks()
    try:
        process = ActionsProcess(settings, clocks)
    except LedgerError as error:
        raise CommandError(str(error)) from None
    listening = Listening(settings.web, clocks.wall, demand_authentication=process.receives)
    process.telemetry.web_file = listening.web_file
    reloader = Reloader(read, process)
    started = clocks.wall()

    def unhealthy() -> str:
        seconds = process.stalled_for()
        return (
            ""
            if seconds is None
            else f"the process has done no work for {span(seconds)}; restart it, and please report this"
        )

    def page(_: Request) -> bytes:
        return actions_page(
            [view for part in process.parts for view in part.views()],
            now=clocks.wall(),
            started=started,
            links=links_to(settings.web.telemetry_path),
            troubles=process.troubles(),
        )

    app = site(
        metrics=Scrapes(process.store, process.telemetry, process.publish),
        telemetry_path=settings.web.telemetry_path,
        unhealthy=unhealthy,
        waiting=process.waiting,
        page=page,
        reload=reloader.reload if settings.web.enable_lifecycle else None,
        more=[route for part in process.parts for route in part.routes],
    )
    reloader.reload_on_sighup()
    process.start()
    listening.log_addresses(canaries=len(settings.canaries), actions=len(settings.actions))
    listening.serve(app, process.stop, reads_bodies=process.receives)
    _log.info("stopped")
    return 0
