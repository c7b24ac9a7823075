"""Runs that are started over HTTP: bots take them, and the faults that lose the answer."""

from collections.abc import Iterable
from typing import Any

import pytest
import requests

from demo.conftest import Client, Clock, Start
from theeye_exporter.demo import parse_fault
from theeye_exporter.demo.tasks import Task

Document = dict[str, Any]


def a_task(client: Client) -> Task:
    tasks = client.theeye.world.tasks.values()
    return next(task for task in tasks if task.type == "script" and task.host and task.interval_s and task.listed)


def create(client: Client, task: Task, token: str = "", faults: Iterable[str] = ()) -> requests.Response:
    client.theeye.faults = tuple(map(parse_fault, faults))
    headers = {"Authorization": f"Bearer {token or client.theeye.settings.user_token}"}
    url = f"{client.theeye.url}/demo/task/{task.id}/job"
    return client.session.post(url, json={}, headers=headers, timeout=30)


def test_a_bot_runs_what_was_started(start: Start, clock: Clock) -> None:
    client = start(calm=True)
    task = a_task(client)
    created = create(client, task).json()
    seen = [created["lifecycle"]]
    for _ in range(600):
        clock.now += 1
        seen.append(client.json(f"/demo/job/{created['id']}")["lifecycle"])
        if seen[-1] == "finished":
            break
    assert list(dict.fromkeys(seen)) == ["ready", "assigned", "finished"]


def test_a_user_of_level_user_sees_what_is_shared(frozen: Client) -> None:
    user = frozen.theeye.settings.user_token
    task = a_task(frozen)
    before = {one["id"] for one in frozen.json("/demo/task", token=user)}
    task.acl = ()
    assert before - {one["id"] for one in frozen.json("/demo/task", token=user)} == {task.id}
    with pytest.raises(requests.ReadTimeout):
        frozen.get(f"/demo/task/{task.id}", token=user, timeout=(30, 0.05))


@pytest.mark.parametrize(
    ("fault", "answer"), [("applied-no-answer", None), ("applied-error=502", 502), ("creation:applied-error=500", 500)]
)
def test_a_run_whose_answer_is_lost_exists(frozen: Client, fault: str, answer: int | None) -> None:
    task = a_task(frozen)
    executions = task.execution_count
    if answer is None:
        with pytest.raises(requests.ConnectionError):
            create(frozen, task, faults=[fault])
    else:
        assert create(frozen, task, faults=[fault]).status_code == answer
    assert task.execution_count == executions + 1
    assert [job["lifecycle"] for job in frozen.json(f"/demo/job?where[task_id]={task.id}&where[lifecycle]=ready")]


def test_a_late_run_appears_when_the_client_has_gone(frozen: Client, clock: Clock) -> None:
    task = a_task(frozen)
    asked = f"/demo/job?where[task_id]={task.id}&where[lifecycle]=ready"
    with pytest.raises(requests.ConnectionError):
        create(frozen, task, faults=["applied-late=5s"])
    assert frozen.json(asked) == []
    clock.now += 4.9
    assert frozen.json(asked) == []
    clock.now += 1.0  # over HTTP, time passes in whole seconds
    assert len(frozen.json(asked)) == 1


def test_members_that_cannot_be_looked_up_start_nothing(frozen: Client) -> None:
    task = a_task(frozen)
    executions = task.execution_count
    refused = create(frozen, task, faults=["invalid-members"])
    assert (refused.status_code, refused.json()["message"][:17]) == (400, "Invalid members. ")
    assert task.execution_count == executions


def test_what_reads_is_not_affected_by_lost_answers(frozen: Client) -> None:
    frozen.theeye.faults = tuple(map(parse_fault, ("applied-no-answer", "applied-error=500", "invalid-members")))
    assert frozen.json("/demo/job")


def test_a_post_without_a_body_or_a_route_is_answered(frozen: Client) -> None:
    headers = {"Authorization": f"Bearer {frozen.theeye.settings.token}"}
    for path, status in (("/job", 400), ("/demo/host", 405), ("/nothing", 404)):
        assert frozen.session.post(frozen.theeye.url + path, headers=headers, timeout=30).status_code == status


def test_the_job_of_a_workflow_of_version_1_never_ends(frozen: Client) -> None:
    world = frozen.theeye.world
    workflow = next(iter(world.workflows.values()))
    workflow.version = 1
    run = world.create_workflow_job(workflow.id)
    for _ in workflow.steps:
        job = next(job for job in world.jobs.values() if job.workflow_job is run and not job.ended)
        world.assign_job(job.id)
        world.finish_job(job.id)
    assert run.lifecycle == "started"


def test_a_workflows_run_is_cancelled_with_its_step(frozen: Client) -> None:
    world = frozen.theeye.world
    run = world.create_workflow_job(next(iter(world.workflows)))
    step = next(job for job in world.jobs.values() if job.workflow_job is run)
    headers = {"Authorization": f"Bearer {frozen.theeye.settings.token}"}
    answer = frozen.session.put(f"{frozen.theeye.url}/demo/job/{run.id}/cancel", headers=headers, timeout=30)
    assert (answer.status_code, run.lifecycle, step.lifecycle) == (204, "canceled", "canceled")
