"""Tests the image: its metadata, its content, and what it must not contain."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.containers import BASE, Container, Engine
from locked import locked_for_linux
from theeye_exporter import __version__

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MEGABYTES = 1_000_000


@pytest.fixture(scope="module")
def demo(engine: Engine, image: str) -> Iterator[Container]:
    with engine.running(image, "demo") as container:
        yield container


def test_it_says_how_to_run_it(engine: Engine, image: str) -> None:
    described = engine.inspect(image)
    settings = described["Config"]

    assert settings["User"] == "65532:65532"
    assert settings["Entrypoint"] == ["theeye-exporter"]
    assert settings["StopSignal"] == "SIGTERM"
    assert list(settings["ExposedPorts"]) == ["9855/tcp"]
    assert list(settings["Volumes"]) == ["/var/lib/theeye-exporter"]
    assert settings["WorkingDir"] == "/var/lib/theeye-exporter"
    assert described["Healthcheck"]["Test"] == ["CMD", "python", "-m", "theeye_exporter.healthcheck"]


def test_it_says_what_it_is(engine: Engine, image: str) -> None:
    labels = engine.inspect(image)["Labels"]

    assert labels["org.opencontainers.image.title"] == "theeye-exporter"
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert {"org.opencontainers.image.revision", "org.opencontainers.image.created"} <= set(labels)


def test_it_is_small(engine: Engine, image: str, base: str) -> None:
    above = engine.inspect(image)["Size"] - engine.inspect(base)["Size"]

    assert 0 < above < 120 * MEGABYTES


def test_the_build_is_given_the_sources_and_nothing_else(engine: Engine) -> None:
    files = engine.context(ROOT)
    beside = {str(path) for path in files if path.parts[0] != "exporter"}

    assert beside == {"LICENSE", "README.md", "pyproject.toml", "requirements.lock", "requirements-build.lock"}
    assert Path("exporter/theeye_exporter/web/templates/landing.html") in files
    assert [path for path in files if path.suffix == ".pyc" or any(part.startswith(".") for part in path.parts)] == []


def test_it_holds_the_wheel_with_the_locked_dependencies_and_nothing_else(demo: Container) -> None:
    program = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    # Only the environment of the exporter: the base may have packages of its own beside.
    installed = json.loads(demo.python(program))

    assert {name.lower().replace("_", "-"): version for name, version in installed.items()} == {
        **locked_for_linux(),
        "theeye-exporter": __version__,
    }


def test_nothing_of_the_build_is_left(demo: Container) -> None:
    program = """if True:
        import os
        left = []
        for folder, folders, files in os.walk("/"):
            if folder == "/":
                folders[:] = [name for name in folders if name not in {"proc", "sys", "dev"}]
            left += [os.path.join(folder, name) for name in [*folders, *files]]
        print(*left, sep=chr(10))
    """
    paths = [Path(line) for line in demo.python(program).splitlines()]
    ours = [path for path in paths if Path("/opt/theeye-exporter") in path.parents]

    assert len(ours) > 1000
    unwanted = {".git", ".env", ".venv", "conftest.py", "pip", "hatchling", "recordings", "wheels"}
    assert [path for path in ours if path.name in unwanted] == []
    assert not {Path("/build"), Path("/root/.cache/pip"), Path("/usr/bin/gcc"), Path("/usr/bin/cc")} & set(paths)
    assert [path for path in paths if path.name in {"requirements.lock", "requirements-build.lock"}] == []


def test_every_module_has_its_bytecode(demo: Container) -> None:
    program = """if True:
        import os, sys
        import theeye_exporter.cli, theeye_exporter.commands.demo
        modules = [m for m in list(sys.modules.values()) if getattr(m, "__cached__", None)]
        assert len(modules) > 300, len(modules)
        print(*[m.__name__ for m in modules if not os.path.exists(m.__cached__)])
    """

    assert demo.python(program).split() == []
