"""The flags of `theeye-exporter check`."""

import argparse

from theeye_exporter import config

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the configuration, and those that only this command has."""
    config.add_flags(parser)
    config.add_variables(parser)
    parser.add_argument(
        "--show-config", action="store_true", help="also print the effective configuration, without secrets"
    )
    parser.add_argument(
        "--config-only", action="store_true", help="check the configuration only; send nothing to TheEye"
    )
    parser.add_argument(
        "--organization",
        action="append",
        metavar="NAME",
        help="collect only from this organisation (may be repeated; default all)",
    )
