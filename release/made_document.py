"""Keeps the part of a document that is made from the code up to date."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["keep"]


def keep(document: Path, make: Callable[[str], str], arguments: Sequence[str], description: str) -> int:
    """Write what `make` returns for a document into it, or with --check, only say if that would change it.

    Args:
        document: The document.
        make: Returns the document with the part that is made.
        arguments: The command line's.
        description: What is made, for --help.

    Returns:
        The exit code: 1 if --check found a difference, otherwise 0.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something differs")
    check = parser.parse_args(arguments).check
    text = document.read_text(encoding="utf-8")
    made = make(text)
    if made == text:
        return 0
    if check:
        sys.stderr.write(f"docs/{document.name} is not what `make docs` makes\n")
        return 1
    document.write_text(made, encoding="utf-8")
    return 0
