"""The flags of `theeye-exporter`, of which `serve` is the default command."""

import argparse

from theeye_exporter import config

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the configuration, and describe the environment variables."""
    config.add_flags(parser)
    config.add_variables(parser)
