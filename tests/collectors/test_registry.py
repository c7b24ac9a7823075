"""Tests the declarations of collectors, and that no other module names a collector."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import theeye_exporter
from theeye_exporter.collectors.base import CollectorKind
from theeye_exporter.collectors.registry import CATALOGUE, COLLECTORS, in_order
from theeye_exporter.values.settings import Setting

PACKAGE: Final = Path(theeye_exporter.__file__).parent
NAMES: Final = tuple(kind.name for kind in COLLECTORS)

MAY_NAME_THEM: Final = ("collectors/", "demo/", "commands/flags/demo.py", "theeye/")
"""Collectors themselves, the simulated TheEye, and what TheEye calls its routes and keys."""


def named_in(source: str) -> Iterator[str]:
    """Return the collectors that a module names: as text, as a setting, or as a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A name in a sentence is a word.
            yield from [name for name in NAMES if re.fullmatch(rf"(theeye_exporter\.collectors\.)?{name}", node.value)]
        if isinstance(node, ast.Attribute) and node.attr in NAMES and "collector" in ast.unparse(node.value):
            yield node.attr
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            imported = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from [name for name in NAMES if f"theeye_exporter.collectors.{name}" in imported]


@pytest.mark.parametrize(
    "source",
    [
        f"x = ['{NAMES[0]}']",
        f"y = settings.collectors.{NAMES[0]}.enabled",
        f"from theeye_exporter.collectors import {NAMES[0]}",
        f"from theeye_exporter.collectors.{NAMES[0]} import KIND",
    ],
)
def test_a_name_is_found(source: str) -> None:
    assert list(named_in(source)) == [NAMES[0]]


def test_nobody_else_knows_a_collector_by_name() -> None:
    modules = {str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")}
    others = {name: path for name, path in modules.items() if not name.startswith(MAY_NAME_THEM)}
    assert len(others) > 50
    assert {name: found for name, path in others.items() if (found := list(named_in(path.read_text())))} == {}


def test_no_collector_knows_another_one_by_name() -> None:
    for path in PACKAGE.joinpath("collectors").rglob("*.py"):
        part = path.relative_to(PACKAGE / "collectors").parts[0].removesuffix(".py")
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert texts & set(NAMES) <= {part}, path


def test_names_are_keys_flags_and_labels() -> None:
    for kind in COLLECTORS:
        assert re.fullmatch("[a-z]+", kind.name)
        assert kind.title
        assert kind.default_settings().max_age == 5 * kind.interval
        for name, field in kind.settings.model_fields.items():
            assert [one for one in field.metadata if isinstance(one, Setting)], name


def test_every_family_is_in_the_catalogue_once() -> None:
    names = [family.name for family in CATALOGUE]
    assert len(names) == len(set(names)) == sum(len(kind.families) for kind in COLLECTORS)


def test_what_others_need_comes_first() -> None:
    first, second = COLLECTORS[0], replace(COLLECTORS[1], needs=(COLLECTORS[0],))
    assert in_order(first, second) == (first, second)
    with pytest.raises(ValueError, match=f"{second.name} needs {first.name} before it"):
        in_order(second, first)


def test_two_collectors_with_the_same_name_are_an_error() -> None:
    kind: CollectorKind[Any] = COLLECTORS[0]
    with pytest.raises(ValueError, match=f"two collectors are called {kind.name}"):
        in_order(kind, replace(kind, title="Another"))
