"""The version stands in one place; wherever else it must be written, it is the same."""

import re
from pathlib import Path

import yaml

from theeye_exporter import __version__

ROOT = Path(__file__).parents[2]


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(rc[1-9]\d*)?", __version__)


def test_the_image_says_it() -> None:
    found = re.findall(r'org\.opencontainers\.image\.version="([^"]*)"', (ROOT / "Dockerfile").read_text())

    assert found == [__version__]


def test_the_chart_says_it() -> None:
    chart = ROOT / "helm/theeye-exporter/Chart.yaml"

    assert str(yaml.safe_load(chart.read_text())["appVersion"]) == __version__


def test_the_image_stays_with_one_python() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (tag,) = re.findall(r"^ARG PYTHON_TAG=(\S+)$", dockerfile, re.MULTILINE)

    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["docker.io/library/python:${PYTHON_TAG}"] * 2
    assert f'image.base.name="docker.io/library/python:{tag}"' in dockerfile


def test_the_tests_run_on_every_python_that_is_promised() -> None:
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())

    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == promised
