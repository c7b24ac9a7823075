"""The flags of `theeye-exporter completion`."""

import argparse

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell that will read the script")
