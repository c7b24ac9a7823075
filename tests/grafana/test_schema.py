"""Compares the dashboards with Grafana's own types: no unknown key, no value of another type."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards import DASHBOARDS, FOLDER
from tools import lack, require_tool

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"

Validate = Callable[[list[Path]], list[str]]


@pytest.fixture(scope="session")
def validate() -> Validate:
    node, npm = require_tool("node"), require_tool("npm")
    lock = HERE / "package-lock.json"
    installed = MODULES / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            lack(f"npm cannot install what checks dashboards: {done.stderr}")

    def run(files: list[Path]) -> list[str]:
        ran = subprocess.run(
            [node, "validate.mjs", *map(str, files)], cwd=HERE, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        problems: list[str] = json.loads(ran.stdout)
        return problems

    return run


def test_the_dashboards_are_what_grafana_reads(validate: Validate) -> None:
    assert validate(sorted(FOLDER.glob("*.json"))) == []


def test_mistakes_in_dashboards_are_found(validate: Validate, tmp_path: Path) -> None:
    dashboard: dict[str, Any] = json.loads(json.dumps(DASHBOARDS["overview"]))
    dashboard["uidd"] = "theeye"
    first, *_, last = dashboard["panels"]
    first["gridpos"] = first["gridPos"]
    first["options"]["colourMode"] = "value"
    last["fieldConfig"]["defaults"]["decimals"] = "two"
    last["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "dots"
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(dashboard))
    problems = "\n".join(validate([path]))
    for mistake in ("uidd", "gridpos", "colourMode", "/fieldConfig/defaults/decimals", "/drawStyle"):
        assert mistake in problems


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
