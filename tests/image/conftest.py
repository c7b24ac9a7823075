"""The image, built once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.containers import BASE, Engine
from tools import lack, require_tool

ROOT = Path(__file__).parents[2]
NAME = "localhost/theeye-exporter:test"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    for tool in ("buildah", "podman", "runc"):
        require_tool(tool)
    if os.geteuid():
        lack("containers with a memory limit need root here")
    # Not below pytest's own folders: podman wants its paths to be short.
    engine = Engine(Path(tempfile.mkdtemp(prefix="engine-")))
    try:
        yield engine
    finally:
        engine.clean()


@pytest.fixture(scope="session")
def base(engine: Engine) -> str:
    """Return the name of the base, pulled if IMAGE_UNDER_TEST was built on the real one."""
    if os.environ.get("IMAGE_UNDER_TEST"):
        engine.podman("pull", "--quiet", BASE)
    else:
        engine.import_stand_in(BASE)
    return BASE


@pytest.fixture(scope="session")
def image(engine: Engine, request: pytest.FixtureRequest) -> str:
    """Return the name of the image: the archive that IMAGE_UNDER_TEST names, or one that is built here."""
    archive = os.environ.get("IMAGE_UNDER_TEST")
    if archive:
        loaded = engine.podman("load", "--quiet", "--input", archive)
        engine.podman("tag", loaded.split()[-1], NAME)
    else:
        request.getfixturevalue("base")
        engine.build(ROOT, NAME)
    return NAME
