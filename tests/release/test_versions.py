"""The version stands in one place; wherever else it must be written, it is the same."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

from theeye_exporter import __version__

ROOT = Path(__file__).parents[2]
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(rc[1-9]\d*)?", __version__)


def test_the_image_says_it() -> None:
    found = re.findall(r'org\.opencontainers\.image\.version="([^"]*)"', (ROOT / "Dockerfile").read_text())

    assert found == [__version__]


def test_the_chart_says_it() -> None:
    chart = ROOT / "helm/theeye-exporter/Chart.yaml"

    assert str(yaml.safe_load(chart.read_text())["appVersion"]) == __version__


def test_the_pages_say_it() -> None:
    pages = [(ROOT / "docs" / page).read_text() for page in ("image.md", "install.md")]
    images = [re.findall(r"(?<![\w./-])theeye-exporter:(\S+)", page) for page in pages]

    assert [set(found) for found in images] == [{__version__}] * 2


def test_the_image_stays_with_one_python() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (tag,) = re.findall(r"^ARG PYTHON_TAG=(\S+)$", dockerfile, re.MULTILINE)

    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["docker.io/library/python:${PYTHON_TAG}"] * 2
    assert f'image.base.name="docker.io/library/python:{tag}"' in dockerfile


def test_the_tests_run_on_every_python_that_is_promised() -> None:
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())

    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == promised


def test_every_dependency_has_a_lowest_and_an_upper_version() -> None:
    assert [each for each in DEPENDENCIES if not re.fullmatch(r"[a-z0-9-]+>=[\d.]+,<[\d.]+", each)] == []


def test_what_is_imported_is_a_dependency() -> None:
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "exporter").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    others = imported - sys.stdlib_module_names - {"theeye_exporter", "__future__"}
    found = packages_distributions()
    named = {name.lower().replace("_", "-") for module in others for name in found[module]}

    assert named - {"pydantic-core"} == {each.partition(">=")[0] for each in DEPENDENCIES}  # pydantic pins its core
