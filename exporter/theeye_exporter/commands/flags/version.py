"""The flags of `theeye-exporter version`."""

import argparse

__all__ = ["add_flags"]


def add_flags(_parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no flags of its own."""
