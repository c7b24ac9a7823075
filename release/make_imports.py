#!/usr/bin/env python3
"""Generates the table of the imports in docs/architecture.md; with --check, it fails if the table is out of date."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from made_document import keep

__all__ = ["imports", "main", "with_picture"]

_ROOT: Final = Path(__file__).parents[1]
_PACKAGE: Final = _ROOT / "exporter" / "theeye_exporter"
_DOCUMENT: Final = _ROOT / "docs" / "architecture.md"

_PICTURE: Final = re.compile(r"(<!-- imports: made by `make docs` -->\n).*?(<!-- /imports -->\n)", re.DOTALL)


def imports(package: Path = _PACKAGE) -> Iterator[tuple[str, str]]:
    """Return which part of the package imports which other one; a part is a module or a package at the top."""
    parts = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    for path in package.rglob("*.py"):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            for name in names:
                top, _, inner = name.partition(".")
                imported = inner.partition(".")[0]
                if top == package.name and imported in parts - {part}:
                    yield part, imported


def with_picture(document: str, package: Path = _PACKAGE) -> str:
    """Return the document with a row for each part that imports others, the highest parts first.

    Raises:
        ValueError: it has no place for them, or several; or parts import each other.
    """
    found: dict[str, set[str]] = {}
    for part, imported in imports(package):
        found.setdefault(part, set()).add(imported)
    rows = [f"| `{part}` | {', '.join(f'`{one}`' for one in sorted(found[part]))} |\n" for part in _from_the_top(found)]
    table = "".join(["\n| part | imports |\n| --- | --- |\n", *rows, "\n"])
    made, count = _PICTURE.subn(rf"\1{table}\2", document)
    if count != 1:
        raise ValueError(f"architecture.md has {count or 'no'} places for the imports")
    return made


def _from_the_top(found: dict[str, set[str]]) -> list[str]:
    """Return the parts that import others, each before those that it imports."""
    order: list[str] = []
    left = dict(found)
    while left:
        highest = sorted(part for part in left if not any(part in others for others in left.values()))
        if not highest:
            raise ValueError(f"there is a circle among {', '.join(sorted(left))}")
        order += highest
        for part in highest:
            del left[part]
    return order


def main(arguments: list[str], document: Path = _DOCUMENT) -> int:
    """Return the exit code."""
    return keep(document, with_picture, arguments, "Make the table of the imports in docs/architecture.md.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
