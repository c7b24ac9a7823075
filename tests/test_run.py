"""`theeye-exporter run` against the simulated TheEye: each way to end, with its exit code and its words."""

import json
import re
from pathlib import Path

import pytest

from runs import Execute, afflict, execute, jobs_of, posts, task, theeye
from theeye_exporter.demo import SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task

__all__ = ["execute", "task", "theeye"]

ARGUMENTS = (
    {"order": 0, "label": "first", "type": "input", "id": 0},
    {"order": 1, "label": "fixed one", "type": "fixed", "id": 1, "value": "FIX"},
    {"order": 2, "label": "second", "type": "input", "id": 2},
)
NASTY = "\x1b]0;owned\x07\x1b[31mred\u202e\r\n\x9b2J"


# How a run ends.


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending("success", 1.5), 0),
        (Ending("failure", 1.5, code=3), 1),
        (Ending("timeout", 1.5), 1),
        (Ending("canceled", 1.5), 1),
    ],
)
def test_a_run_to_its_end(theeye: SimulatedTheEye, task: Task, execute: Execute, ending: Ending, code: int) -> None:
    task.ends = (ending, None)
    ran = execute("restart nginx", "--timeout=1m")
    (job,) = jobs_of(theeye, task)
    assert ran.code == code
    assert ran.out.splitlines()[0] == f"Job {job.id} of 'restart nginx' ended: {ending.state}."
    assert ("run time: 1.5 s" in ran.out) == (ending.state != "canceled")
    assert posts(theeye) == 1


def test_json_for_programs(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    ran = execute(task.id, "--format=json")
    told = json.loads(ran.out)
    (job,) = jobs_of(theeye, task)
    assert {
        key: told[key] for key in ("exit_code", "outcome", "job_id", "lifecycle", "target_id", "name", "hostname")
    } == {
        "exit_code": 0,
        "outcome": "success",
        "job_id": job.id,
        "lifecycle": "finished",
        "target_id": task.id,
        "name": "restart nginx",
        "hostname": task.hostname,
    }
    assert (told["run_seconds"], told["script_exit_code"]) == (1.5, 0)
    assert told["log"].startswith("restart nginx\n")
    assert re.fullmatch(r"((ready|assigned), \d+ s\n)+", ran.err)
    assert job.secret not in ran.out + ran.err


def test_arguments_reach_their_places(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    task.arguments = ARGUMENTS
    assert execute(task.id, "--argument=A b", "--argument=C").code == 0
    assert [job.arguments for job in jobs_of(theeye, task)] == [["A b", "FIX", "C"]]


def test_no_wait(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    ran = execute(f"restart nginx@{task.hostname}", "--no-wait")
    assert (ran.code, ran.out) == (0, f"Started job {jobs_of(theeye, task)[0].id}.\n")


def test_an_output_that_wants_to_control_the_terminal(task: Task, execute: Execute) -> None:
    result = {"code": 0, "log": NASTY, "lastline": NASTY, "killed": False, "output": [NASTY]}
    task.ends = (Ending("success", 1.0), result)
    for_people, for_programs = execute(task.id), execute(task.id, "--format=json")
    for ran in (for_people, for_programs):
        assert ran.code == 0
        assert all(c.isprintable() or c == "\n" for c in ran.out + ran.err)
    assert json.loads(for_programs.out)["log"] == NASTY


def test_a_log_of_ten_megabytes(task: Task, execute: Execute) -> None:
    log = "0123456789abcdef" * (10 * 2**20 // 16)
    task.ends = (Ending("success", 1.0), {"code": 0, "log": log, "lastline": log})
    ran = execute(task.id)
    assert (ran.code, len(ran.out) < 2000) == (0, True)
    assert "… (10,485,760 characters)" in ran.out
    assert json.loads(execute(task.id, "--format=json").out)["log"] == log


def test_a_workflow_of_two_tasks(theeye: SimulatedTheEye, execute: Execute) -> None:
    workflow = next(iter(theeye.world.workflows.values()))
    before = set(theeye.world.jobs)
    ran = execute("ETL", "--workflow", "--timeout=1m")
    ours = [job for job in theeye.world.jobs.values() if job.id not in before and job.origin == "user"]
    assert ran.code == 0
    (run_of_workflow,) = [job for job in ours if job.type == "WorkflowJob"]
    assert f"Job {run_of_workflow.id} of 'ETL' ended: success." in ran.out
    assert [job.task_id for job in theeye.world.jobs.values() if job.workflow_job is run_of_workflow] == [
        step.id for step in workflow.steps
    ]


def test_a_workflow_of_version_1_never_ends(theeye: SimulatedTheEye, execute: Execute) -> None:
    next(iter(theeye.world.workflows.values())).version = 1
    ran = execute("ETL", "--workflow", "--timeout=1s")
    assert ran.code == 5
    assert "note: the workflow is of version 1: TheEye never ends its runs" in ran.err
    assert ran.out.startswith("The command stopped waiting after --timeout: job ")


def test_a_task_that_waits_for_approval(theeye: SimulatedTheEye, execute: Execute) -> None:
    theeye.world.frozen = True
    ran = execute("approve release", "--timeout=300ms")
    assert ran.code == 5
    assert "is on hold: it waits for a person" in ran.out
    assert "follow it: theeye-exporter run --attach " in ran.out


def test_attach_to_a_run(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    theeye.world.frozen = True
    job = theeye.world.create_job(task.id)
    ran = execute("--attach", job.id, "--timeout=200ms")
    assert (ran.code, posts(theeye)) == (5, 0)
    theeye.world.frozen = False
    ran = execute("--attach", job.id)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"Job {job.id} ended: success.")


def test_a_job_that_theeye_has_deleted(execute: Execute) -> None:
    ran = execute("--attach", "f" * 24)
    assert (ran.code, ran.out) == (1, f"Job {'f' * 24} has been deleted by TheEye: nobody knows how it ended.\n")


# What is refused.


def test_a_wrong_number_of_arguments(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    task.arguments = ARGUMENTS
    for given in (["--argument=A"], [], ["--argument=A", "--argument=B", "--argument=C"]):
        ran = execute(task.id, *given)
        assert ran.code == 2
        count = "1 value is" if len(given) == 1 else f"{len(given) or 'no'} values are"
        assert f"the task has 2 arguments (first, second), but {count} given" in ran.err
    assert posts(theeye) == 0


@pytest.mark.parametrize("kind", ["foreign", "hidden", "not shared", "unknown"])
def test_a_task_that_is_not_shown(theeye: SimulatedTheEye, task: Task, execute: Execute, kind: str) -> None:
    task.foreign = kind == "foreign"
    task.host = None if kind == "hidden" else task.host
    task.acl = () if kind == "not shared" else task.acl
    wanted = "f" * 24 if kind == "unknown" else task.id
    ran = execute(wanted)
    assert ran.code == 2
    assert f"this token sees no task '{wanted}' in organisation demo that TheEye can run" in ran.err
    assert posts(theeye) == 0


def test_an_ambiguous_name(theeye: SimulatedTheEye, execute: Execute) -> None:
    same = [task for task in theeye.world.tasks.values() if task.name == "Get IP Address"]
    assert len(same) == 2
    ran = execute("Get IP Address")
    assert ran.code == 2
    assert ran.err.startswith("theeye-exporter: error: 2 tasks are named 'Get IP Address' (")
    assert all(f"{task.hostname}, {task.id}" in ran.err for task in same)
    assert posts(theeye) == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("creation:token-expired", "TheEye answered 401: authentication failed"),
        ("creation:forbidden", "TheEye answered 403: forbidden"),
        ("creation:error=404", "TheEye answered 404: Not Found"),
        ("creation:redirect=https://elsewhere.example/", "TheEye answered 302"),
        ("invalid-members", "TheEye could not look up the token's user"),
        ("tasks:error=404", "this TheEye has no such route"),
        ("token-expired", "401; the token is wrong or expired, or its user is disabled."),
        ("forbidden", "the token's user needs at least the level user, and the task must be shared with this user"),
        ("conflict", "the token belongs to another organisation"),
    ],
)
def test_what_theeye_refuses(theeye: SimulatedTheEye, task: Task, execute: Execute, fault: str, said: str) -> None:
    afflict(theeye, fault)
    ran = execute(task.id)
    assert ran.code == 3
    assert ran.out.startswith("Nothing was started: ")
    assert said in ran.out
    assert jobs_of(theeye, task) == []


def test_a_viewer_may_not_start(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    task.acl = ("watcher@example.com",)
    ran = execute(task.id, token=theeye.settings.viewer_token)
    assert (ran.code, ran.out) == (3, "Nothing was started: TheEye answered 403: forbidden.\n")


def test_a_job_that_cannot_be_built_is_a_refusal(theeye: SimulatedTheEye, execute: Execute) -> None:
    step = next(iter(theeye.world.workflows.values())).steps[0]
    ran = execute(step.id)
    assert (ran.code, ran.out) == (
        3,
        "Nothing was started: TheEye could not build the job: missing workflow job.\n",
    )


def test_nobody_listens(task: Task, execute: Execute) -> None:
    ran = execute(task.id, THEEYE_SUPERVISOR_URL="http://127.0.0.1:9")
    assert ran.code == 3
    assert "Nothing was started: connection refused" in ran.out


# Lost answers.


@pytest.mark.parametrize("fault", ["applied-no-answer", "applied-error=500", "applied-late=5s", "creation:truncate"])
@pytest.mark.parametrize("kind", ["task", "workflow"])
def test_a_lost_answer_is_found(theeye: SimulatedTheEye, task: Task, execute: Execute, fault: str, kind: str) -> None:
    afflict(theeye, fault)
    if kind == "task":
        ran = execute(task.id, "--timeout=1m")
        assert len(jobs_of(theeye, task)) == 1
    else:
        ran = execute("ETL", "--workflow", "--timeout=1m")
    assert (ran.code, posts(theeye)) == (0, 1)
    assert "the answer was lost; looking for the run" in ran.err
    assert "ended: success." in ran.out


def test_a_lost_answer_is_not_found(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    afflict(theeye, "creation:drop")
    ran = execute(task.id, "--timeout=500ms")
    assert (ran.code, posts(theeye)) == (4, 1)
    assert ran.out.startswith(
        "Nobody knows whether the run was started: the connection was closed without a response. "
        f"Before you start it again, look in TheEye for a job of task {task.id} created since "
    )


def test_an_answer_that_never_comes(theeye: SimulatedTheEye, task: Task, execute: Execute, tmp_path: Path) -> None:
    afflict(theeye, "creation:hang")
    file = tmp_path / "config.yml"
    file.write_text("theeye: {timeout: 3s}\n")
    ran = execute(task.id, "--timeout=4s", f"--config.file={file}")
    assert (ran.code, posts(theeye)) == (4, 1)
    assert "the response was not complete in time" in ran.out


def test_theeye_is_down_while_a_run_is_followed(theeye: SimulatedTheEye, task: Task, execute: Execute) -> None:
    afflict(theeye, "jobs:error=503", "job:error=503")
    ran = execute(task.id, "--timeout=1s")
    assert ran.code == 5
    assert "Requests to TheEye fail: TheEye answered 503" in ran.out
