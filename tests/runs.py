"""Fixtures for tests of `theeye-exporter run`: a simulated TheEye, a task in it, and the command in this process."""

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from theeye_exporter.cli import main
from theeye_exporter.commands import run
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task

__all__ = ["Execute", "Ran", "afflict", "environment", "execute", "jobs_of", "posts", "task", "theeye"]

FAST = 50.0


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=30, tasks=24, speed=FAST, calm=True)) as server:
        yield server


@pytest.fixture
def task(theeye: SimulatedTheEye) -> Task:
    """A task that only tests start."""
    host = next(host for host in theeye.world.hosts.values() if not host.silent)
    task = Task("6a30f0c1a2b3c4d5e6f70809", "restart nginx", "script", host, theeye.world.now_ms - 1000)
    task.script_id, task.secret, task.ends = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64, (Ending("success", 1.5), None)
    return theeye.world.add_task(task)


Execute = Callable[..., Ran]


@pytest.fixture
def execute(theeye: SimulatedTheEye, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Execute:
    """Runs the command in this process, with short pauses."""
    monkeypatch.setattr(run, "PAUSES", (0.02, 0.02))
    for name in os.environ:
        if name.startswith("THEEYE_"):
            monkeypatch.delenv(name)

    def executed(*arguments: str, token: str | None = "", **variables: str) -> Ran:
        environ = environment(theeye, token) | variables
        if token is None:
            monkeypatch.delenv("THEEYE_TOKEN", raising=False)
        if not any(argument.startswith("--timeout") for argument in arguments):
            arguments = (*arguments, "--timeout=30s")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        try:
            code = main(["run", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        return Ran(code, *capsys.readouterr())

    return executed


def environment(theeye: SimulatedTheEye, token: str | None = "") -> dict[str, str]:
    found = {"THEEYE_SUPERVISOR_URL": theeye.url, "THEEYE_ORGANIZATION_NAME": theeye.settings.organization}
    return found if token is None else {**found, "THEEYE_TOKEN": token or theeye.settings.user_token}


def posts(theeye: SimulatedTheEye) -> int:
    return sum(request.method == "POST" for request in theeye.requests)


def jobs_of(theeye: SimulatedTheEye, task: Task) -> list[Any]:
    return [job for job in theeye.world.jobs.values() if job.task_id == task.id]


def afflict(theeye: SimulatedTheEye, *faults: str) -> None:
    theeye.faults = tuple(map(parse_fault, faults))
