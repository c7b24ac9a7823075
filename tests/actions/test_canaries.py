"""Canaries against the simulated TheEye: credentials, requests, reload and restart."""

import argparse
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from config.configurations import CANARY
from processes import eventually
from theeye_exporter.actions.canaries import Canaries
from theeye_exporter.actions.canary import Canary
from theeye_exporter.actions.connections import Connections
from theeye_exporter.actions.loading import load
from theeye_exporter.actions.rows import Phase, Row, Target
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.actions.state_file import StateFile
from theeye_exporter.actions.store import FileStore, FileStores
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import add_flags
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.polling.telemetry import Telemetry

TASK_ID = "6a30f0c1a2b3c4d5e6f70809"


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=10, tasks=24, speed=50.0, calm=True)) as server:
        yield server


@pytest.fixture
def task(theeye: SimulatedTheEye) -> Task:
    """A task that only tests start."""
    host = next(host for host in theeye.world.hosts.values() if not host.silent)
    task = Task(TASK_ID, "canary", "script", host, theeye.world.now_ms - 1000)
    task.script_id, task.secret, task.ends = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64, (Ending("success", 1.5), None)
    return theeye.world.add_task(task)


class Process:
    """The canaries of a configuration, whose time passes only when a test says so."""

    def __init__(self, theeye: SimulatedTheEye, folder: Path) -> None:
        self.theeye = theeye
        self.file = folder / "actions.yaml"
        self.now = 1_700_000_000.0
        self.connections = Connections(Telemetry(SnapshotStore((), lambda: 0.0)))
        self.state = StateFile(folder / "state")
        self.canaries = Canaries(Clocks(wall=lambda: self.now, monotonic=lambda: self.now), FileStores(self.state))

    def apply(self, *items: str, credential: str = "token: demo-user-token") -> ActionsSettings:
        """Load this configuration: canaries, each with its name and more keys."""
        listed = "\n".join(f"  - {{{item}}}" for item in items)
        organization = f"{{name: demo, {credential}}}"
        self.file.write_text(
            f"theeye: {{url: '{self.theeye.url}'}}\norganizations: [{organization}]\ncanaries:\n{listed}\n"
        )
        parser = argparse.ArgumentParser()
        add_flags(parser, ActionsSettings)
        settings = load(parser.parse_args([f"--config.file={self.file}"]), {})
        self.canaries.apply(settings, self.connections)
        return settings

    @property
    def by_name(self) -> dict[str, Canary]:
        return {one.plan.name: one for flock in self.canaries.flocks for one in flock.canaries}

    def stop(self) -> None:
        self.canaries.stop()
        self.state.close()

    def until(self, condition: Callable[[], Any], what: str, *, step: float = 0.2) -> None:
        """Let time pass until the condition holds: slowly, so that no timeout is over before a busy machine has answered."""

        def attempt() -> Any:
            self.now += step
            self.canaries.tick()
            return condition()

        eventually(attempt, what)


@pytest.fixture
def process(theeye: SimulatedTheEye, tmp_path: Path) -> Iterator[Process]:
    made = Process(theeye, tmp_path)
    yield made
    made.stop()


def jobs_of(theeye: SimulatedTheEye, task: Task) -> list[Any]:
    return [job for job in theeye.world.jobs.values() if job.task_id == task.id]


def posts(theeye: SimulatedTheEye) -> list[str]:
    return [request.path for request in theeye.requests if request.method == "POST"]


@pytest.mark.parametrize("target", [f"task: {TASK_ID}", "task: canary"])
@pytest.mark.usefixtures("task")
def test_a_canary_runs_its_task(process: Process, target: str) -> None:
    process.apply(f"name: one, {target}")
    assert process.canaries.waiting() == ["demo"]
    process.until(lambda: process.by_name["one"].state.success, "a run")
    state = process.by_name["one"].state
    assert dict(state.runs) == {"success": 1}
    assert state.phases is not None
    assert state.phases.run == 1.5
    assert process.canaries.waiting() == []
    assert len(posts(process.theeye)) == 1


def test_a_canary_of_a_workflow(process: Process) -> None:
    workflow = next(workflow for workflow in process.theeye.world.workflows.values() if workflow.version == 2)
    process.apply(f"name: one, workflow: {workflow.id}, interval: 10m, timeout: 10m")
    process.until(process.by_name["one"].state.runs.total, "a run")
    state = process.by_name["one"].state
    assert state.why == ""
    assert state.phases is not None
    assert (state.phases.queue, state.phases.run) == (None, None)  # TheEye states no run time of a workflow
    assert state.phases.turnaround > state.phases.submit


def test_a_secret_key_of_a_task(process: Process, task: Task, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("5" * 64 + "\n")
    process.apply("name: one, task: canary, secret_file: key")
    process.until(lambda: process.by_name["one"].state.success, "a run")
    assert [job.origin for job in jobs_of(process.theeye, task)] == ["secret"]


def test_a_secret_key_of_a_workflow(process: Process, tmp_path: Path) -> None:
    workflow = next(workflow for workflow in process.theeye.world.workflows.values() if workflow.version == 2)
    workflow.secret = "7" * 64
    (tmp_path / "key").write_text("7" * 64)
    process.apply(f"name: one, workflow: {workflow.id}, secret_file: key, interval: 10m, timeout: 10m")
    process.until(process.by_name["one"].state.runs.total, "a run")
    assert process.by_name["one"].state.why == ""
    assert f"/workflows/{workflow.id}/secret/{'7' * 64}/job" in posts(process.theeye)


@pytest.mark.usefixtures("task")
def test_a_token_file_that_is_replaced(process: Process, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("wrong-token")
    process.apply("name: one, task: canary, interval: 10s, timeout: 10s", credential="token_file: token")
    process.until(lambda: process.by_name["one"].state.success is False, "a failure")
    assert "401" in process.by_name["one"].state.why
    assert posts(process.theeye) == []
    file.write_text("demo-user-token")
    process.until(lambda: process.by_name["one"].state.success, "a run with the other token")


@pytest.mark.usefixtures("task")
def test_a_token_that_may_not_start_is_refused(process: Process) -> None:
    process.apply(f"name: one, task: {TASK_ID}", credential=f"token: {CANARY}")
    process.until(lambda: process.by_name["one"].state.runs["refused"], "a failure")
    assert process.by_name["one"].state.success is False


def test_a_task_of_another_organisation_is_not_started(process: Process) -> None:
    process.apply("name: one, task: 6a30f0c1a2b3c4d5e6f7ffff, interval: 10s, timeout: 5s")
    process.until(lambda: process.by_name["one"].state.runs["refused"] == 2, "two refusals")
    assert posts(process.theeye) == []
    assert "no task '6a30f0c1a2b3c4d5e6f7ffff'" in process.by_name["one"].state.why


def test_open_runs_are_followed_by_one_list(process: Process, task: Task) -> None:
    task.ends = (Ending("success", 10_000.0), None)
    process.apply(*(f"name: c{index}, task: {TASK_ID}, timeout: 5m" for index in range(120)))
    process.until(lambda: sum(bool(one.job_id) for one in process.by_name.values()) > 20, "many open runs", step=1.0)
    process.theeye.requests.clear()

    def looks() -> list[int]:
        queries = [unquote(request.query) for request in list(process.theeye.requests) if request.path == "/demo/job"]
        return [found for query in queries if (found := query.count("where[_id][$in]"))]

    process.until(lambda: len(looks()) >= 2, "two looks at them")
    assert 20 < max(looks()) <= 100


@pytest.mark.usefixtures("task")
def test_an_unchanged_canary_survives_a_reload(process: Process) -> None:
    process.apply("name: one, task: canary", "name: two, task: canary")
    process.until(lambda: all(one.state.success for one in process.by_name.values()), "two runs")
    one, two = process.by_name["one"], process.by_name["two"]
    process.apply("name: one, task: canary", "name: two, task: canary, interval: 1h", "name: three, task: canary")
    assert process.by_name["one"] is one
    assert process.by_name["two"].plan.interval == 3600
    assert process.by_name["two"].state is two.state
    process.until(lambda: process.by_name["three"].state.success, "a run of the new one")
    process.apply("name: three, task: canary")
    assert list(process.by_name) == ["three"]


def test_a_changed_canary_keeps_its_open_run(process: Process, task: Task) -> None:
    task.ends = (Ending("success", 10_000.0), None)
    process.apply("name: one, task: canary")
    process.until(lambda: process.by_name["one"].job_id, "a start")
    job = process.by_name["one"].job_id
    process.apply("name: one, task: canary, interval: 10m, timeout: 10s")
    assert process.by_name["one"].job_id == job
    process.until(lambda: process.by_name["one"].state.runs["timeout"], "its timeout")
    assert len(posts(process.theeye)) == 1


@pytest.mark.parametrize("restarts", [True, False])
def test_the_run_of_a_canary_that_is_gone_is_cancelled_after_its_timeout(
    process: Process, task: Task, tmp_path: Path, restarts: bool
) -> None:
    task.ends = (Ending("success", 10_000.0), None)
    process.apply("name: a/one, task: canary, timeout: 30s")
    process.until(lambda: process.by_name["a/one"].job_id, "a start")
    (job,) = jobs_of(process.theeye, task)
    after = process
    if restarts:
        process.stop()
        after = Process(process.theeye, tmp_path)
    after.apply("name: two, task: 6a30f0c1a2b3c4d5e6f7ffff")
    assert list(after.by_name) == ["two"]
    after.until(lambda: job.ended, "its end")
    after.until(lambda: after.state.load("start/demo", Row) == {}, "nothing left of it")
    assert len(posts(process.theeye)) == 1
    after.stop()


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.STARTED, Phase.DECIDED])
def test_what_a_canary_left_in_an_organisation_that_is_gone_is_given_up(tmp_path: Path, phase: Phase) -> None:
    state, now = StateFile(tmp_path / "state"), 1_000.0
    row = Row(id="canary:one/1", target=Target("task", TASK_ID, TASK_ID), phase=phase, queued_at=now, timeout=20.0)
    FileStore(state, "gone").save(row)
    canaries = Canaries(Clocks(wall=lambda: now, monotonic=lambda: now), FileStores(state))
    parser = argparse.ArgumentParser()
    add_flags(parser, ActionsSettings)
    (tmp_path / "actions.yaml").write_text(
        "organizations: [{name: acme, token: t}]\ncanaries: [{name: one, task: t}]\n"
    )
    settings = load(parser.parse_args([f"--config.file={tmp_path / 'actions.yaml'}"]), {})
    canaries.apply(settings.model_copy(update={"canaries": ()}), Connections(Telemetry(SnapshotStore((), lambda: 0.0))))

    def settled() -> bool:
        nonlocal now
        now += 1.0
        canaries.tick()
        return state.load("start/gone", Row) == {}

    eventually(settled, "the row to be settled")
    assert now < 1_000.0 + 20.0 + 60.0 + 60.0 or phase is not Phase.DECIDED
    canaries.stop()
    state.close()


def test_another_process_follows_the_open_run(process: Process, task: Task, tmp_path: Path) -> None:
    task.ends = (Ending("success", 500.0), None)
    process.apply("name: one, task: canary")
    process.until(lambda: process.by_name["one"].job_id, "a start")
    job = process.by_name["one"].job_id
    process.stop()
    after = Process(process.theeye, tmp_path)
    after.apply("name: one, task: canary")
    after.until(lambda: after.by_name["one"].job_id, "the run to be found")
    assert after.by_name["one"].job_id == job
    assert len(posts(process.theeye)) == 1
    after.stop()


@pytest.mark.usefixtures("task")
def test_a_canary_that_breaks_does_not_stop_the_others(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    process.apply("name: one, task: canary", "name: two, task: canary")
    broke = threading.Event()

    def breaks(*_: object) -> None:
        broke.set()
        raise ZeroDivisionError

    monkeypatch.setattr(process.by_name["one"], "work", breaks)
    process.until(lambda: broke.is_set() and process.by_name["two"].state.success, "the other one's run")
