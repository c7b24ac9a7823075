"""The commands of the exporter: one module per command, which imports what the command needs, and one for its flags."""

import argparse
import importlib
from collections.abc import Mapping
from typing import Final, Protocol, TextIO, cast

__all__ = ["COMMANDS", "Command", "CommandError", "Flags", "command_of", "flags_of"]

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


class Flags(Protocol):
    """The module with the flags of a command."""

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags to a parser."""


class Command(Protocol):
    """The module of a command."""

    def run(self, flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
        """Run the command, and return the exit code.

        Raises:
            ConfigError: the configuration is wrong.
            CommandError: any other error that the user can fix.
        """


class CommandError(Exception):
    """A command failed; the text explains why to the user, in one line."""


def flags_of(name: str) -> Flags:
    """Import the flags of a command, for help and completion without what the command needs to run."""
    return cast("Flags", importlib.import_module(f"{__name__}.flags.{name}"))


def command_of(name: str) -> Command:
    """Import a command with everything that it needs."""
    return cast("Command", importlib.import_module(f"{__name__}.{name}"))
