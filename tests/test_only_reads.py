"""What serves metrics never changes anything in TheEye: it cannot, and it does not."""

import argparse
import ast
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.commands import check, demo, flags_of
from theeye_exporter.config import Settings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.observability.logs import configure_logging

PACKAGE: Final = Path(check.__file__).parents[1]
READING: Final = ("serve", "check", "demo")
ACTING: Final = ("theeye_exporter.theeye.starting", "theeye_exporter.actions")


def module_file(name: str) -> Path | None:
    path = PACKAGE.parent / Path(*name.split("."))
    found = path.with_suffix(".py"), path / "__init__.py"
    return next((file for file in found if file.exists()), None)


def imported_by(file: Path) -> set[str]:
    """Return the modules of the package that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("theeye_exporter") and module_file(name)}


def reached_from(*start: str) -> set[str]:
    found: set[str] = set()
    queue = [*start]
    while queue:
        name = queue.pop()
        if name not in found and (file := module_file(name)) is not None:
            found.add(name)
            queue += imported_by(file)
    return found


@pytest.mark.parametrize("command", READING)
def test_nothing_that_reads_reaches_what_acts(command: str) -> None:
    reached = reached_from(f"theeye_exporter.commands.{command}", f"theeye_exporter.commands.flags.{command}")
    assert len(reached) > 10
    assert [name for name in reached if name.startswith(ACTING)] == []


def test_the_catalogue_of_metrics_reaches_nothing_that_sends() -> None:
    reached = reached_from("theeye_exporter.commands.metrics")
    assert {name for name in reached if name.startswith(ACTING)} == {
        "theeye_exporter.actions.alert_families",
        "theeye_exporter.actions.families",
    }


def environment(theeye: SimulatedTheEye) -> dict[str, str]:
    return {
        "THEEYE_SUPERVISOR_URL": theeye.url,
        "THEEYE_ORGANIZATION_NAME": theeye.settings.organization,
        "THEEYE_TOKEN": theeye.settings.token,
    }


def assert_only_reads(theeye: SimulatedTheEye) -> None:
    assert len({request.kind for request in theeye.requests}) > 5
    assert {request.method for request in theeye.requests} == {"GET"}


def test_serve_sends_nothing_but_get(tmp_path: Path) -> None:
    with SimulatedTheEye(DemoSettings(monitors=30, tasks=10)) as theeye:
        port = free_port()
        command = exporter_command(f"--web.listen-address=127.0.0.1:{port}", f"--state.file={tmp_path / 'state'}")
        with running(command, tmp_path / "log", env=environment(theeye)):
            eventually(lambda: len({request.kind for request in theeye.requests}) > 6, "every collector polled")
        assert_only_reads(theeye)


def test_check_sends_nothing_but_get() -> None:
    parser = argparse.ArgumentParser()
    flags_of("check").add_flags(parser)
    with SimulatedTheEye(DemoSettings(monitors=30, tasks=10)) as theeye:
        assert check.run(parser.parse_args([]), environment(theeye), io.StringIO()) == 0
        assert_only_reads(theeye)


def test_the_exporter_of_demo_sends_nothing_but_get(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[SimulatedTheEye] = []

    class Kept(SimulatedTheEye):
        def start(self) -> None:
            started.append(self)
            super().start()

    def serve_once(load: Callable[[], Settings], *_: Any) -> int:
        configure_logging("error", "logfmt")
        return check.check(load(), io.StringIO())

    monkeypatch.setattr(demo, "SimulatedTheEye", Kept)
    monkeypatch.setattr(demo, "serve", serve_once)
    parser = argparse.ArgumentParser()
    flags_of("demo").add_flags(parser)
    assert demo.run(parser.parse_args(["--demo.listen-address=127.0.0.1:0"]), {}, io.StringIO()) == 0
    assert_only_reads(started[0])
