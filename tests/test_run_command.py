"""`theeye-exporter run` as a command: credentials, flags and signals."""

import argparse
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import eventually, exporter_command
from runs import Execute, afflict, environment, execute, jobs_of, posts, task, theeye
from theeye_exporter.commands import CommandError, flags_of, run
from theeye_exporter.demo import SimulatedTheEye, parse_fault
from theeye_exporter.demo.tasks import Task

__all__ = ["execute", "task", "theeye"]


# Credentials.


def secret_file(tmp_path: Path, secret: str) -> str:
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    return f"--secret-file={file}"


def test_the_secret_key_of_a_task(theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path) -> None:
    flag = secret_file(tmp_path, task.secret)
    ran = execute(task.id, flag)
    assert ran.code == 0
    assert [job.origin for job in jobs_of(theeye, task)] == ["secret"]
    ran = execute(task.id, flag, "--no-wait", token=None)
    assert (ran.code, len(jobs_of(theeye, task))) == (0, 2)
    assert task.secret not in ran.out + ran.err


def test_a_secret_key_alone_cannot_follow(
    theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path
) -> None:
    flag = secret_file(tmp_path, task.secret)
    for arguments, message in (
        ([task.id], "without a token, the run can be started, but not followed: add --no-wait"),
        (
            ["restart nginx", "--no-wait"],
            "without a token, the task cannot be looked up by its name: give its id, 24 hexadecimal digits",
        ),
        (
            ["ETL", "--workflow"],
            "without a token, the workflow cannot be looked up by its name: give its id, 24 hexadecimal digits",
        ),
        (["--attach", "f" * 24], "without a token, no run can be followed"),
    ):
        ran = execute(*arguments, flag, token=None)
        assert (ran.code, ran.out, ran.err) == (2, "", f"theeye-exporter: error: {message}\n")
    assert posts(theeye) == 0


def test_the_secret_key_of_a_workflow(theeye: SimulatedTheEye, execute: Execute, tmp_path: Path) -> None:
    workflow = next(iter(theeye.world.workflows.values()))
    ran = execute("ETL", "--workflow", secret_file(tmp_path, workflow.secret))
    assert ran.code == 0
    ran = execute(workflow.id, "--workflow", "--no-wait", secret_file(tmp_path, workflow.secret), token=None)
    assert ran.code == 0


def test_a_lost_answer_to_a_secret_key(theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path) -> None:
    afflict(theeye, "applied-no-answer")
    flag = secret_file(tmp_path, task.secret)
    ran = execute(task.id, flag)
    assert (ran.code, posts(theeye)) == (0, 1)
    ran = execute(task.id, flag, "--no-wait", token=None)
    assert (ran.code, posts(theeye)) == (4, 2)
    assert "without a token, the run cannot be looked for" in ran.out


def test_a_wrong_secret_key(task: Task, execute: Execute, tmp_path: Path) -> None:
    ran = execute(task.id, secret_file(tmp_path, "0" * 64))
    assert (ran.code, ran.out) == (3, "Nothing was started: TheEye answered 403: invalid secret.\n")
    ran = execute(task.id, secret_file(tmp_path, "short"))
    assert ran.code == 2
    assert "does not contain a secret key of 64 digits" in ran.err


def test_a_token_file_is_replaced_meanwhile(
    theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("outdated-token")
    assert execute(task.id, token=None, THEEYE_TOKEN_FILE=str(file)).code == 3
    file.write_text(theeye.settings.user_token)
    assert execute(task.id, token=None, THEEYE_TOKEN_FILE=str(file)).code == 0


# The command line.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either TASK or --attach JOB"),
        (["x", "--attach", "f" * 24], "give either TASK or --attach JOB"),
        (["--attach", "x"], "--attach: expected the id of a job: 24 hexadecimal digits"),
        (["x", "--organization=other"], 'command line: --organization: no organisation has the name "other"'),
        (["x", "--timeout=soon"], "argument --timeout: "),
        (["x", "--timeout=0s"], "argument --timeout: expected more than 0s"),
        (["x", "--secret-file=/nowhere"], "--secret-file: cannot read /nowhere: No such file or directory"),
    ],
)
def test_a_mistyped_command_line(execute: Execute, arguments: list[str], message: str) -> None:
    ran = execute(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert f"error: {message}" in ran.err


def test_several_organisations(task: Task, execute: Execute, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("organizations: [{name: demo}, {name: acme, token: t}]\n")
    ran = execute(task.id, f"--config.file={file}")
    assert (ran.code, ran.err) == (
        2,
        "theeye-exporter: error: 2 organisations are configured; choose one with --organization\n",
    )
    assert execute(task.id, f"--config.file={file}", "--organization=demo").code == 0


def test_the_command_that_follows_has_the_same_configuration(
    theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path
) -> None:
    file = tmp_path / "our config.yml"
    file.write_text("organizations: [{name: demo}, {name: acme, token: t}]\n")
    theeye.world.frozen = True
    ran = execute(task.id, f"--config.file={file}", "--organization=demo", "--timeout=100ms")
    (job,) = jobs_of(theeye, task)
    again = f"theeye-exporter run '--config.file={file}' --organization=demo --attach {job.id}"
    assert (ran.code, ran.out.splitlines()[-1]) == (5, f"follow it: {again}")


# Signals.


@contextmanager
def started(theeye: SimulatedTheEye, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("THEEYE_")}
    with subprocess.Popen(
        exporter_command("run", *arguments),
        env=environ | environment(theeye),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def waiting(theeye: SimulatedTheEye, task: Task) -> Iterator[subprocess.Popen[str]]:
    """A command that follows a run which does not end."""
    theeye.world.frozen = True
    with started(theeye, task.id) as process:
        eventually(lambda: jobs_of(theeye, task), "a job")
        yield process


def test_an_interruption_leaves_the_run_alone(
    theeye: SimulatedTheEye, task: Task, waiting: subprocess.Popen[str]
) -> None:
    assert waiting.stderr is not None
    waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    out, _ = waiting.communicate(timeout=60)
    (job,) = jobs_of(theeye, task)
    assert (waiting.returncode, job.lifecycle) == (5, "ready")
    assert out.startswith(f"The command was interrupted, and the run continues: job {job.id} is ready.")


def test_an_interruption_can_cancel_the_run(theeye: SimulatedTheEye, task: Task) -> None:
    theeye.world.frozen = True
    with started(theeye, task.id, "--cancel-on-interrupt") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    (job,) = jobs_of(theeye, task)
    assert (process.returncode, job.lifecycle) == (1, "canceled")
    assert "ended: canceled." in out


def test_a_cancellation_that_theeye_does_not_take_at_once_is_repeated(theeye: SimulatedTheEye, task: Task) -> None:
    theeye.world.frozen = True
    theeye.faults = (parse_fault("action:error=503"),)
    with started(theeye, task.id, "--cancel-on-interrupt") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        eventually(lambda: any(one.method == "PUT" for one in theeye.requests), "a cancellation")
        theeye.faults = ()
        out, _ = process.communicate(timeout=60)
    (job,) = jobs_of(theeye, task)
    assert (process.returncode, job.lifecycle, posts(theeye)) == (1, "canceled", 1)
    assert "ended: canceled." in out


def test_a_killed_command_is_attached_to_again(
    theeye: SimulatedTheEye, task: Task, waiting: subprocess.Popen[str], execute: Execute
) -> None:
    waiting.kill()
    waiting.wait()
    (job,) = jobs_of(theeye, task)
    theeye.world.frozen = False
    assert execute("--attach", job.id).code == 0


def test_flags_are_described() -> None:
    parser = argparse.ArgumentParser()
    flags_of("run").add_flags(parser)
    told = parser.format_help()
    for flag in ("--attach", "--no-wait", "--secret-file", "--config.file", "--log.level", "THEEYE_TOKEN"):
        assert flag in told
    assert "--web.listen-address" not in told
    with pytest.raises(CommandError):
        run.run(parser.parse_args([]), {}, io.StringIO())
