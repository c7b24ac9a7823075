"""`theeye-exporter actions` as a process: its commands, port, pages, reload and end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=10, tasks=24, speed=50.0, calm=True)) as server:
        host = next(host for host in server.world.hosts.values() if not host.silent)
        task = Task("6a30f0c1a2b3c4d5e6f70809", "canary", "script", host, server.world.now_ms - 1000)
        task.script_id, task.secret, task.ends = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64, (Ending("success", 1.5), None)
        server.world.add_task(task)
        yield server


def configuration(theeye: SimulatedTheEye, folder: Path, *canaries: str) -> Path:
    file = folder / "actions.yaml"
    listed = "\n".join(f"  - {{{canary}}}" for canary in canaries)
    organization = f"{{name: demo, token: {theeye.settings.user_token}}}"
    file.write_text(f"theeye: {{url: '{theeye.url}'}}\norganizations: [{organization}]\ncanaries:\n{listed}\n")
    return file


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return the canaries' samples by name and canary, outcome or phase."""
    return {
        (
            sample.name,
            sample.labels.get("outcome") or sample.labels.get("phase") or sample.labels["canary"],
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("theeye_canary") and "le" not in sample.labels
    }


def test_the_process_from_start_to_end(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path, "name: one, task: canary, interval: 10s, timeout: 5s")
    url = f"http://127.0.0.1:{free_port()}"
    flags = (f"--config.file={file}", f"--web.listen-address={url[7:]}", "--web.enable-lifecycle")
    with running(exporter_command("actions", *flags), tmp_path / "log") as process:
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).status_code == 200, "readiness")

        def found() -> dict[tuple[str, str], float] | None:
            read = samples(requests.get(f"{url}/metrics", timeout=5).text)
            return read if read.get(("theeye_canary_success", "one")) else None

        values = eventually(found, "a run")
        assert values["theeye_canary_runs_total", "success"] >= 1
        assert values["theeye_canary_runs_total", "lost"] == 0
        assert values["theeye_canary_interval_seconds", "one"] == 10
        phases = [values["theeye_canary_last_duration_seconds", phase] for phase in ("submit", "queue", "run")]
        assert sum(phases) == pytest.approx(values["theeye_canary_last_turnaround_seconds", "one"])
        assert requests.get(f"{url}/-/healthy", timeout=5).text == "OK\n"
        page = requests.get(url, timeout=5)
        assert "The canary works" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "theeye_exporter_shards" not in requests.get(f"{url}/metrics", timeout=5).text

        configuration(theeye, tmp_path, "name: one, task: canary", "name: two, task: canary")
        assert requests.post(f"{url}/-/reload", timeout=5).text == "reloaded\n"
        configuration(theeye, tmp_path, "name: one, task: canary", "name: three, task: canary")
        os.kill(process.pid, signal.SIGHUP)
        eventually(lambda: "three" in requests.get(url, timeout=5).text, "the reload")
        file.write_text("canaries: 1\n")
        assert requests.post(f"{url}/-/reload", timeout=5).status_code == 500
        assert "theeye-exporter actions check" in requests.get(url, timeout=5).text
        process.terminate()
        assert process.wait(30) == 0
    log = (tmp_path / "log").read_text()
    assert "stopped" in log
    assert theeye.settings.user_token not in log


def test_a_new_process_goes_on_with_the_run_of_one_that_was_killed(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    (task,) = (one for one in theeye.world.tasks.values() if one.name == "canary")
    task.ends = (Ending("success", 500.0), None)
    file = configuration(theeye, tmp_path, "name: one, task: canary, timeout: 4m")
    url = f"http://127.0.0.1:{free_port()}"
    flags = (f"--config.file={file}", f"--web.listen-address={url[7:]}", f"--state.file={tmp_path / 'state'}")

    def jobs() -> list[Job]:
        return [job for job in theeye.world.jobs.values() if job.task_id == task.id]

    with running(exporter_command("actions", *flags), tmp_path / "log") as process:
        eventually(jobs, "a job")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(exporter_command("actions", *flags), tmp_path / "log2"):
        eventually(lambda: requests.get(f"{url}/-/healthy", timeout=5).ok, "health")
        eventually(lambda: all(job.ended for job in jobs()), "its end")
        eventually(
            lambda: samples(requests.get(f"{url}/metrics", timeout=5).text)["theeye_canary_runs_total", "success"] == 1,
            "its count",
        )
        assert "The canary works ·" in requests.get(url, timeout=5).text  # and nothing about actions
    assert len(jobs()) == 1
    assert "an earlier run is still open" in (tmp_path / "log2").read_text()


def check(file: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("THEEYE_")}
    command = exporter_command("actions", "check", f"--config.file={file}")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def test_check_finds_what_can_start(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    ran = check(configuration(theeye, tmp_path, "name: one, task: canary"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].split() == ["organization", "name", "result", "target"]
    assert "ok" in ran.stdout.splitlines()[1]
    assert "Nothing was started" in ran.stdout
    assert {request.method for request in theeye.requests} == {"GET"}


def test_check_says_what_cannot_start(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path, "name: one, task: canary, arguments: [x]", "name: two, task: nothing")
    ran = check(file)
    assert ran.returncode == 1
    assert "the task has 0 arguments, but 1 value is given" in ran.stdout
    assert "this token sees no task 'nothing' in organisation" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "Canaries and actions that cannot start anything: 2 of 2."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["history"], "history needs --state.file, or the --config.file that names it"),
        (
            ["history", "--state.file=/nowhere/state"],
            "there is no state file /nowhere/state; name the one that the process `theeye-exporter actions` uses",
        ),
        (["test"], "command line: --config.file: missing; name a file that has canaries or actions"),
        (["tset"], "argument check|test|history: invalid choice: \"tset\" (choose from 'check', 'test', 'history')"),
    ],
)
def test_a_mistyped_command_line(arguments: list[str], message: str) -> None:
    ran = subprocess.run(exporter_command("actions", *arguments), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"theeye-exporter: error: {message}\n" in ran.stderr


def test_a_wrong_configuration_ends_with_2(tmp_path: Path) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text("canaries:\n  - {name: one}\n")
    ran = check(file)
    assert ran.returncode == 2
    assert f"{file}:2: canaries[0]: neither task nor workflow is given" in ran.stderr
