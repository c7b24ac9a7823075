"""The commands of the exporter: one module per command, which imports what the command needs."""

import argparse
from collections.abc import Mapping
from typing import Final, Protocol, TextIO

__all__ = ["COMMANDS", "Command", "CommandError"]

COMMANDS: Final = {
    "serve": "poll TheEye and serve metrics (the default)",
    "check": "check the configuration, collect once and print the result",
    "demo": "serve the metrics of a simulated TheEye",
    "run": "start a task or workflow, and follow it to its end",
    "actions": "start tasks and workflows at intervals (canaries) and when alerts fire, and show metrics of these runs",
    "metrics": "list all metrics, or explain some",
    "completion": "print a script that completes commands and flags in a shell",
    "version": "print the version",
}


class Command(Protocol):
    """The module of a command."""

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of the command to a parser."""

    def run(self, flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
        """Run the command, and return the exit code.

        Raises:
            ConfigError: the configuration is wrong.
            CommandError: any other error that the user can fix.
        """


class CommandError(Exception):
    """A command failed; the text explains why to the user, in one line."""
