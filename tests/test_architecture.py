"""Tests that the package follows docs/architecture.md."""

import ast
import re
from pathlib import Path
from typing import Final

from make_imports import imports

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "exporter" / "theeye_exporter"
TEXT: Final = (ROOT / "docs" / "architecture.md").read_text()
PARTS: Final = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
OPEN_TO_ALL: Final = {"clocks", "observability", "signals"}
CLOSED: Final = {"theeye", "exposition", "values", "demo"}
MACHINE: Final = "machine"
LONGEST: Final = 60
"""Lines that a function may have, with its docstring."""


def arrows() -> dict[str, set[str]]:
    """Return what each part may import: every part that it reaches along the arrows."""
    direct: dict[str, set[str]] = {}
    for line in re.findall(r"^    (\w+ → .*)$", TEXT, re.MULTILINE):
        *chain, last = (re.sub(r"\(.*?\)", "", step).replace(" ", "") for step in line.split("→"))
        for part, following in zip(chain, [*chain[1:], last], strict=True):
            direct.setdefault(part, set()).update(following.split(","))

    def reached(part: str) -> set[str]:
        return direct.get(part, set()).union(*map(reached, direct.get(part, set())))

    return {part: reached(part) for part in direct}


def test_imports_run_along_the_arrows() -> None:
    allowed = arrows()
    assert {part for part, others in allowed.items() if part in others} == set()
    assert set(allowed).union(*allowed.values()) <= PARTS
    found = set(imports())
    assert len(found) > 20
    for part, imported in found:
        if imported == MACHINE:
            continue
        assert part not in CLOSED, f"{part} imports {imported}"
        assert imported in allowed.get(part, set()) | OPEN_TO_ALL, f"{part} imports {imported}"


def test_every_part_is_in_the_table() -> None:
    table = TEXT.partition("## Parts")[2].partition("\n## ")[0]
    named = re.findall(r"`([\w/]+?)/?(?:\.py)?`", " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    assert {name.partition("/")[0] for name in named} == PARTS - {"__init__", "__main__"}


def test_a_collector_takes_from_another_only_what_its_package_exports() -> None:
    collectors = PACKAGE / "collectors"
    packages = {path.name for path in collectors.iterdir() if (path / "__init__.py").exists()}
    assert "monitors" in packages
    for path in collectors.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("theeye_exporter.collectors."):
                owner, *inner = str(node.module).split(".")[2:]
                reached = inner and owner in packages and owner not in path.relative_to(collectors).parts
                assert not reached, f"{path.relative_to(PACKAGE)} imports {node.module}"


def test_no_function_is_long() -> None:
    functions = [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}: {node.name}")
        for part in (PACKAGE, ROOT / "grafana")
        for path in part.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert len(functions) > 1000
    assert [f"{name} has {lines} lines" for lines, name in sorted(functions) if lines > LONGEST] == []
