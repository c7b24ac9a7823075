"""Prints a script for a shell that completes commands and flags; `theeye-exporter completion`."""

import argparse
from collections.abc import Mapping
from typing import TextIO

import shtab

from theeye_exporter.commands import COMMANDS, flags_of

__all__ = ["run"]


def run(flags: argparse.Namespace, _environ: Mapping[str, str], out: TextIO) -> int:
    """Print the script."""
    print(shtab.complete(_whole_parser(), shell=flags.shell), file=out)
    return 0


def _whole_parser() -> argparse.ArgumentParser:
    """Return one parser of all commands; those of `serve` need no command."""
    whole = argparse.ArgumentParser(prog="theeye-exporter")
    flags_of("serve").add_flags(whole)
    parsers = whole.add_subparsers()
    for name, text in COMMANDS.items():
        flags_of(name).add_flags(parsers.add_parser(name, help=text))
    return whole
