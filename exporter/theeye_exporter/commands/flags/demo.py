"""The flags of `theeye-exporter demo`."""

import argparse
from typing import Final

from theeye_exporter import config
from theeye_exporter.demo.faults import FAULTS, parse_fault
from theeye_exporter.demo.settings import DemoSettings

__all__ = ["ACTIONS_ADDRESS", "ONLY_TASKS", "add_flags"]

ACTIONS_ADDRESS: Final = "127.0.0.1:9856"
"""Where the process of actions listens by default: only this machine may reach it without a password."""

ONLY_TASKS: Final = "none"
"""Given instead of an address: the tasks are added, but no process is started."""

_DEFAULTS: Final = DemoSettings()
_LISTEN: Final = "127.0.0.1:60080"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the configuration, and those of the simulated TheEye."""
    config.add_flags(parser)
    group = parser.add_argument_group("the simulated TheEye")
    _add_flags_of_content(group)
    _add_flags_of_behaviour(group)
    group.add_argument(
        "--demo.listen-address",
        dest="demo_listen_address",
        default=_LISTEN,
        metavar="ADDRESS",
        help=f"address on which the simulated TheEye listens (default {_LISTEN})",
    )
    group.add_argument(
        "--demo.actions",
        dest="actions",
        nargs="?",
        const=ACTIONS_ADDRESS,
        metavar="ADDRESS",
        help=f"also run a live action and a canary, in another process that listens on this address (default {ACTIONS_ADDRESS}); "
        f"--demo.actions={ONLY_TASKS} only adds the tasks that the action and the canary would start",
    )
    group.add_argument(
        "--demo.only", dest="only", action="store_true", help="run only the simulated TheEye, without the exporter"
    )


def _add_flags_of_content(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--demo.monitors",
        dest="monitors",
        type=int,
        default=_DEFAULTS.monitors,
        metavar="COUNT",
        help=f"monitors at the start (default {_DEFAULTS.monitors})",
    )
    group.add_argument(
        "--demo.tasks",
        dest="tasks",
        type=int,
        default=_DEFAULTS.tasks,
        metavar="COUNT",
        help=f"tasks at the start (default {_DEFAULTS.tasks})",
    )


def _add_flags_of_behaviour(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--demo.speed",
        dest="speed",
        type=float,
        default=_DEFAULTS.speed,
        metavar="FACTOR",
        help=f"simulated seconds per real second; above 1, the simulated clock runs ahead of yours (default {_DEFAULTS.speed:g})",
    )
    group.add_argument(
        "--demo.shape",
        dest="shape",
        choices=("new", "old"),
        default=_DEFAULTS.shape,
        help="API to simulate: that of TheEye 2.0 and later (new), or that of earlier versions (old); default new",
    )
    group.add_argument(
        "--demo.cost",
        dest="cost",
        choices=("none", "supervisor"),
        default=_DEFAULTS.cost,
        help="supervisor: requests take as long as with a real TheEye, and are handled one after the other; default none",
    )
    group.add_argument(
        "--demo.calm",
        dest="calm",
        action="store_true",
        help="no failures unless --demo.fault causes them: no failing monitor, no silent bot, no failed job",
    )
    group.add_argument(
        "--demo.fault",
        dest="faults",
        type=_fault,
        action="append",
        default=[],
        metavar="FAULT",
        help="fault that is active from the start, such as latency=2s, error=503, drip or jobs:hang; may be repeated",
    )


def _fault(text: str) -> object:
    try:
        return parse_fault(text)
    except ValueError as error:
        first, several_lines, _ = str(error).partition("\n")
        raise argparse.ArgumentTypeError(f"{first} {', '.join(FAULTS)}" if several_lines else first) from None
