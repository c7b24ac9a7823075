"""Prints a script for a shell that completes commands and flags; `theeye-exporter completion`."""

import argparse
import importlib
from collections.abc import Mapping
from typing import TextIO, cast

import shtab

from theeye_exporter.commands import COMMANDS, Command

__all__ = ["add_flags", "run"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell that will read the script")


def run(flags: argparse.Namespace, _environ: Mapping[str, str], out: TextIO) -> int:
    """Print the script."""
    print(shtab.complete(_whole_parser(), shell=flags.shell), file=out)
    return 0


def _whole_parser() -> argparse.ArgumentParser:
    """Return one parser of all commands; those of `serve` need no command."""
    whole = argparse.ArgumentParser(prog="theeye-exporter")
    _command("serve").add_flags(whole)
    parsers = whole.add_subparsers()
    for name, text in COMMANDS.items():
        _command(name).add_flags(parsers.add_parser(name, help=text))
    return whole


def _command(name: str) -> Command:
    return cast("Command", importlib.import_module(f"theeye_exporter.commands.{name}"))
