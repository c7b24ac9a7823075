"""The flags of `theeye-exporter metrics`."""

import argparse

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="explain only these metrics")
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text", help="format of the list (default text)"
    )
