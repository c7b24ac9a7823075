"""The flags of `theeye-exporter actions`."""

import argparse

from theeye_exporter import config
from theeye_exporter.actions.settings import ActionsSettings

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the configuration, and describe the environment variables."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="check|test|history",
        choices=("check", "test", "history"),
        help="check: read the configuration, and look in TheEye for everything that it names; test: say what would be decided "
        "about the alerts in FILE; history: show the last runs and decisions in the state file. These three start nothing. "
        "Without any of them, start runs until SIGTERM",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="for test: a file with what Alertmanager posts (JSON)")
    config.add_flags(parser, ActionsSettings)
    config.add_variables(parser)
