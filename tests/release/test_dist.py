"""What is published: the same bytes from the same sources, and all of them."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from theeye_exporter import __version__

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
EPOCH = "1767225600"
NOT_SOURCES = shutil.ignore_patterns(".venv*", ".git", "dist", "__pycache__", ".*_cache", ".hypothesis", "node_modules")
WHEEL = f"theeye_exporter-{__version__}-py3-none-any.whl"
SDIST = f"theeye_exporter-{__version__}.tar.gz"


def build(source: Path, out: Path, *flags: str) -> Path:
    command: list[str | Path] = [
        UV,
        "build",
        "--quiet",
        "--offline",
        "--no-build-isolation",
        f"--python={sys.executable}",
        *flags,
    ]
    subprocess.run(
        [*command, f"--out-dir={out}", source], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}, timeout=120
    )
    return out


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist, and the wheel that was built from it."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_sources_make_the_same_files_wherever_and_whenever(dist: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(ROOT, tmp_path / "elsewhere", ignore=NOT_SOURCES)
    for path in elsewhere.rglob("*"):
        os.utime(path, (0, 1_000_000_000))
    again = build(elsewhere, tmp_path / "again")

    assert (again / SDIST).read_bytes() == (dist / SDIST).read_bytes()
    assert (again / WHEEL).read_bytes() == (dist / WHEEL).read_bytes()


def test_the_wheel_of_the_sdist_is_that_of_the_sources(dist: Path, tmp_path: Path) -> None:
    direct = build(ROOT, tmp_path, "--wheel")

    assert (direct / WHEEL).read_bytes() == (dist / WHEEL).read_bytes()


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(dist / WHEEL) as archive:
        names = archive.namelist()
        metadata = archive.read(f"theeye_exporter-{__version__}.dist-info/METADATA").decode()

    package = {name for name in names if name.startswith("theeye_exporter/")}
    sources = ROOT / "exporter"
    assert package == {
        str(path.relative_to(sources)) for path in sources.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert {name.partition("/")[0] for name in names} == {"theeye_exporter", f"theeye_exporter-{__version__}.dist-info"}
    assert "License-Expression: Apache-2.0" in metadata
    assert "License-File: LICENSE" in metadata


def test_the_sdist_has_what_its_own_checks_need(dist: Path) -> None:
    with tarfile.open(dist / SDIST) as archive:
        names = {Path(name).parts[1] for name in archive.getnames()}

    assert {"exporter", "tests", "docs", "release", "Dockerfile", "Makefile", "requirements-dev.lock"} <= names
    assert not {".git", ".venv", "dist"} & names
