"""Prints the version; `theeye-exporter version`."""

import argparse
from collections.abc import Mapping
from typing import TextIO

from theeye_exporter import __version__

__all__ = ["run"]


def run(_flags: argparse.Namespace, _environ: Mapping[str, str], out: TextIO) -> int:
    """Print the version."""
    print(f"theeye-exporter {__version__}", file=out)
    return 0
