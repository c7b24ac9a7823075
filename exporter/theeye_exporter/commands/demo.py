"""Runs the exporter with a simulated TheEye, for people without a real one; `theeye-exporter demo`."""

import argparse
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final, TextIO

from theeye_exporter import signals
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.commands import CommandError
from theeye_exporter.commands.demo_actions import running_actions
from theeye_exporter.commands.flags.demo import ONLY_TASKS
from theeye_exporter.commands.serve import serve
from theeye_exporter.config import Settings
from theeye_exporter.config.addresses import parse_listen_address
from theeye_exporter.config.loading import load
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.observability.logs import configure_logging

__all__ = ["run"]

_END_SECONDS: Final = 2.0
_FASTER: Final = 6
"""Polls are this many times as frequent: the simulated TheEye can take it, and people who watch do not want to wait."""

_LEAST_INTERVAL: Final = 5.0


def run(flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Run a simulated TheEye and, by default, an exporter for it, until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a signal.

    Raises:
        CommandError: a flag of the simulated TheEye is wrong, or an address is in use.
        ConfigError: a flag of the exporter is wrong.
    """
    try:
        listen = parse_listen_address(flags.demo_listen_address)
        settings = DemoSettings(
            monitors=flags.monitors,
            tasks=flags.tasks,
            speed=flags.speed,
            shape=flags.shape,
            cost=flags.cost,
            calm=flags.calm,
            mending=flags.actions is not None,
            faults=tuple(flags.faults),
            host=listen.host or "0.0.0.0",  # noqa: S104 - requested by an address without a host
            port=listen.port,
        )
        theeye = SimulatedTheEye(settings)
        theeye.start()
    except ValueError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        where = flags.demo_listen_address
        raise CommandError(
            f"--demo.listen-address: cannot listen on {where}: {_why(error)}; "
            "choose another one, such as --demo.listen-address=127.0.0.1:0"
        ) from None
    with ExitStack() as ending:
        ending.callback(theeye.stop)
        actions = ""
        if flags.actions not in {None, ONLY_TASKS}:
            actions = f"\n  actions    {ending.enter_context(running_actions(theeye, flags.actions, environ))}/"
        if flags.only:
            print(_how_to_use(theeye, actions), file=out, flush=True)
            ended = threading.Event()
            signals.at_end(lambda _: ended.set(), _END_SECONDS)
            ended.wait()
            return 0
        exporter = _exporter_settings(flags, environ, theeye)
        configure_logging(exporter.log.level, exporter.log.format)
        return serve(
            lambda: _exporter_settings(flags, environ, theeye),
            lambda scheme: print(_where_to_look(exporter, theeye, scheme, actions), file=out, flush=True),
        )


def _exporter_settings(flags: argparse.Namespace, environ: Mapping[str, str], theeye: SimulatedTheEye) -> Settings:
    kept = {name: value for name, value in environ.items() if not name.startswith("THEEYE_")}
    settings = load(
        flags,
        {
            **kept,
            "THEEYE_ORGANIZATION_NAME": theeye.settings.organization,
            "THEEYE_TOKEN": theeye.settings.token,
            "THEEYE_SUPERVISOR_URL": theeye.url,
        },
    )
    organizations = []
    for organization in settings.organizations:
        if organization.name != theeye.settings.organization:
            continue  # from a configuration file: a demo only connects to the simulated TheEye
        collectors = organization.collectors
        intervals = {kind.name: max(kind.interval / _FASTER, _LEAST_INTERVAL) for kind in COLLECTORS}
        faster = {
            name: getattr(collectors, name).model_copy(update={"interval": interval, "max_age": 5 * interval})
            for name, interval in intervals.items()
        }
        organizations.append(
            organization.model_copy(update={"url": theeye.url, "collectors": collectors.model_copy(update=faster)}),
        )
    return settings.model_copy(update={"organizations": tuple(organizations)})


def _why(error: OSError) -> str:
    # strerror may contain the address, which is already in the line.
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def _where_to_look(settings: Settings, theeye: SimulatedTheEye, scheme: str, actions: str) -> str:
    address = settings.web.listen_address[0]
    host = f"[{address.host}]" if ":" in address.host else address.host or "localhost"
    base = f"{scheme}://{host}:{address.port}"
    return (
        f"A simulated TheEye with {theeye.settings.monitors} monitors and {theeye.settings.tasks} tasks "
        f"runs at {theeye.url}\n"
        f"  status     {base}/\n"
        f"  metrics    {base}{settings.web.telemetry_path}{actions}\n"
        f"  break it   curl -X PUT --data error=503 {theeye.url}/-/faults\n"
        f"  fix it     curl -X DELETE {theeye.url}/-/faults\n"
        "Ctrl-C ends it."
    )


def _how_to_use(theeye: SimulatedTheEye, actions: str) -> str:
    return (
        f"A simulated TheEye with {theeye.settings.monitors} monitors and {theeye.settings.tasks} tasks "
        f"runs at {theeye.url}\n"
        f"  THEEYE_SUPERVISOR_URL={theeye.url} THEEYE_ORGANIZATION_NAME={theeye.settings.organization} "
        f"THEEYE_TOKEN={theeye.settings.token} theeye-exporter{actions}\n"
        "Ctrl-C ends it."
    )
