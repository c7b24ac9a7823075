"""Tests jobs that a test controls: the server's rules, and the counted runs."""

from typing import Any

import pytest

from demo.conftest import START, Client, Clock
from theeye_exporter.demo import Tally
from theeye_exporter.demo.ids_and_time import iso
from theeye_exporter.demo.tasks import Task

Document = dict[str, Any]


def task_of(client: Client, kind: str = "script") -> Task:
    tasks = client.theeye.world.tasks.values()
    return next(task for task in tasks if task.type == kind and task.workflow_id is None and task.listed)


def listed(client: Client, task: Task) -> dict[str, Document]:
    return {job["id"]: job for job in client.json("/demo/job") if job.get("task_id") == task.id}


def detail(client: Client, job_id: str) -> Document:
    found: Document = client.json(f"/demo/job/{job_id}")
    return found


def test_a_frozen_world_stands_still(frozen: Client, clock: Clock) -> None:
    before = [frozen.json(path) for path in ("/demo/resource", "/demo/job", "/demo/task")]
    clock.now += 3600
    assert [frozen.json(path) for path in ("/demo/resource", "/demo/job", "/demo/task")] == before
    assert frozen.theeye.world.now == START + 3600


def test_a_run_from_creation_to_end(frozen: Client, clock: Clock) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    executions = task.execution_count
    job_id = world.create_job(task.id).id
    job = detail(frozen, job_id)
    assert (job["lifecycle"], job["state"]) == ("ready", "in_progress")
    assert job["creation_date"] == job["last_update"] == iso(round(START * 1000))
    assert "result" not in job
    assert "trigger_name" not in job
    assert frozen.json(f"/demo/task/{task.id}")["execution_count"] == executions + 1
    assert job["task"]["execution_count"] == executions
    clock.now += 5
    world.assign_job(job_id)
    job = detail(frozen, job_id)
    assert job["lifecycle"] == "assigned"
    assert job["last_update"] == job["creation_date"]  # the server does not save it then
    clock.now += 7.125
    world.finish_job(job_id, state="success", duration=6.5)
    job = listed(frozen, task)[job_id]
    assert (job["lifecycle"], job["state"], job["trigger_name"]) == ("finished", "success", "success")
    assert job["last_update"] == iso(round(START * 1000) + 12_125)
    result = detail(frozen, job_id)["result"]
    assert result["times"] == {"seconds": 6, "nanoseconds": 500_000_000}
    assert (result["code"], result["killed"], result["signal"]) == (0, False, None)


@pytest.mark.parametrize(
    ("state", "lifecycle", "code", "killed"),
    [("failure", "finished", 1, False), ("timeout", "terminated", None, True), ("normal", "finished", 0, False)],
)
def test_ends(frozen: Client, state: str, lifecycle: str, code: int | None, *, killed: bool) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    job = world.finish_job(world.create_job(task.id).id, state=state)
    assert (job.lifecycle, job.state) == (lifecycle, state)
    result = detail(frozen, job.id)["result"]
    assert (result["code"], result["killed"]) == (code, killed)


def test_a_result_as_the_test_wants_it(frozen: Client) -> None:
    world = frozen.theeye.world
    job = world.create_job(task_of(frozen).id)
    world.finish_job(job.id, result={"times": {"seconds": -5, "nanoseconds": 0}})
    assert detail(frozen, job.id)["result"] == {"times": {"seconds": -5, "nanoseconds": 0}}


def test_a_run_nobody_timed(frozen: Client) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    job = world.finish_job(world.create_job(task.id).id, duration=None)
    assert "times" not in detail(frozen, job.id)["result"]
    assert world.ended_runs[task.id, "success"] == Tally(runs=1)


def test_cancellations(frozen: Client) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    waiting, assigned, hung = (world.create_job(task.id) for _ in range(3))
    world.assign_job(assigned.id)
    world.assign_job(hung.id)
    world.cancel_job(waiting.id)
    world.cancel_job(assigned.id)
    world.cancel_job(hung.id, by_server=True)
    assert [job.lifecycle for job in (waiting, assigned, hung)] == ["canceled", "terminated", "terminated"]
    assert {job.state for job in (waiting, assigned, hung)} == {"canceled"}
    assert set(detail(frozen, waiting.id)["result"]) == {"user", "output"}
    assert detail(frozen, hung.id)["result"]["killed"] is True
    assert world.ended_runs.runs(task.id) == world.ended_runs.runs(outcome="canceled") == 3


def test_a_job_that_could_not_be_built(frozen: Client) -> None:
    world = frozen.theeye.world
    job = world.finish_job(world.create_job(task_of(frozen).id).id, state="error")
    assert (job.lifecycle, job.state) == ("terminated", "error")
    assert set(detail(frozen, job.id)["result"]) == {"log"}


def test_only_the_newest_five_jobs_of_a_task_stay(frozen: Client) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    created = []
    for _ in range(8):
        created.append(world.create_job(task.id).id)
        world.finish_job(created[-1])
        assert len(listed(frozen, task)) <= 5
    assert list(listed(frozen, task)) == created[-5:]
    assert frozen.get(f"/demo/job/{created[0]}").status_code == 404
    assert world.ended_runs.runs(task.id) == 8


def test_what_has_not_ended_is_not_pruned(frozen: Client) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    old = [world.create_job(task.id).id for _ in range(2)]
    newer = []
    for _ in range(7):
        newer.append(world.create_job(task.id).id)
        world.finish_job(newer[-1])
    assert list(listed(frozen, task)) == [*old, *newer[-5:]]
    world.finish_job(old[0])
    assert set(old) < set(listed(frozen, task))  # only the creation of another one prunes
    latest = world.create_job(task.id).id
    assert list(listed(frozen, task)) == [old[1], *newer[-4:], latest]


def test_the_real_server_pruned_the_same_way(frozen: Client) -> None:
    # Recorded: five ended jobs, three created before one of them ended; five remain.
    world, task = frozen.theeye.world, task_of(frozen)
    first = [world.create_job(task.id).id for _ in range(5)]
    for job_id in first:
        world.finish_job(job_id)
    second = [world.create_job(task.id).id for _ in range(3)]
    for job_id in second:
        world.finish_job(job_id)
    assert list(listed(frozen, task)) == [*first[3:], *second]


def test_a_restart_keeps_id_and_creation_date(frozen: Client, clock: Clock) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    job_id = world.create_job(task.id).id
    clock.now += 10
    world.finish_job(job_id, duration=3.0)
    before = listed(frozen, task)[job_id]
    clock.now += 60
    world.restart_job(job_id)
    job = detail(frozen, job_id)
    assert (job["lifecycle"], job["state"]) == ("ready", "in_progress")
    assert job["creation_date"] == before["creation_date"]
    assert job["last_update"] > before["last_update"]
    assert {"result", "trigger_name"}.isdisjoint(job)
    with pytest.raises(ValueError, match="cannot be restarted"):
        world.restart_job(job_id)
    clock.now += 5
    world.finish_job(job_id, state="failure", duration=4.0)
    assert {key: tally.seconds for key, tally in world.ended_runs.items()} == {
        (task.id, "success"): 3.0,
        (task.id, "failure"): 4.0,
    }


def test_an_edit_is_not_a_run(frozen: Client, clock: Clock) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    job_id = world.create_job(task.id).id
    world.finish_job(job_id)
    before, truth = detail(frozen, job_id), world.ended_runs
    clock.now += 30
    world.edit_job(job_id)
    after = detail(frozen, job_id)
    assert after.pop("last_update") > before.pop("last_update")
    assert after == before
    assert world.ended_runs == truth


def test_a_job_ends_once(frozen: Client) -> None:
    world = frozen.theeye.world
    job = world.finish_job(world.create_job(task_of(frozen).id).id)
    with pytest.raises(ValueError, match="has ended already"):
        world.finish_job(job.id)
    assert world.ended_runs.runs() == 1


def test_an_approval_waits_on_hold(frozen: Client) -> None:
    world = frozen.theeye.world
    job = world.create_job(task_of(frozen, "approval").id)
    assert detail(frozen, job.id)["lifecycle"] == "onhold"
    assert job.id in {one["id"] for one in frozen.json("/job/running")}
    world.finish_job(job.id)
    assert set(detail(frozen, job.id)["result"]) == {"user", "output"}


def test_a_workflow_from_extract_to_load(frozen: Client) -> None:
    world = frozen.theeye.world
    workflow = next(iter(world.workflows.values()))
    extract, load = workflow.steps
    run = world.create_workflow_job(workflow.id)
    first = extract.jobs[-1]
    assert (run.lifecycle, first.lifecycle) == ("ready", "ready")
    created = run.last_update_ms
    world.assign_job(first.id)
    assert (run.lifecycle, run.last_update_ms) == ("started", created)
    world.finish_job(first.id)
    second = load.jobs[-1]
    assert (second.origin, second.workflow_job) == ("workflow", run)
    assert not run.ended
    world.finish_job(second.id, state="failure")
    assert (run.lifecycle, run.state) == ("finished", "failure")
    job = detail(frozen, second.id)
    assert (job["workflow_id"], job["workflow_job_id"]) == (workflow.id, run.id)
    assert "result" not in detail(frozen, run.id)
    outcomes = {key: tally.runs for key, tally in world.ended_runs.items()}
    assert outcomes == {(extract.id, "success"): 1, (load.id, "failure"): 1, (workflow.id, "failure"): 1}


def test_a_workflow_ends_with_a_step_that_fails(frozen: Client) -> None:
    world = frozen.theeye.world
    workflow = next(iter(world.workflows.values()))
    run = world.create_workflow_job(workflow.id)
    before = len(workflow.steps[1].jobs)
    world.finish_job(workflow.steps[0].jobs[-1].id, state="timeout")
    assert (run.lifecycle, run.state) == ("finished", "failure")
    assert len(workflow.steps[1].jobs) == before


def test_an_agents_update_has_no_task(frozen: Client) -> None:
    world = frozen.theeye.world
    job = world.create_agent_update(next(iter(world.hosts)))
    document = detail(frozen, job.id)
    assert {"task_id", "origin", "state"}.isdisjoint(document)
    world.finish_job(job.id)
    assert world.ended_runs.runs("AgentUpdateJob", "success") == 1


@pytest.mark.parametrize("jobs", [True, False])
def test_a_deleted_task(frozen: Client, *, jobs: bool) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    job = world.create_job(task.id)
    world.delete_task(task.id, jobs=jobs)
    assert task.id not in {one["id"] for one in frozen.json("/demo/task")}
    assert frozen.get(f"/demo/task/{task.id}").status_code == 404
    assert frozen.get(f"/demo/job/{job.id}").status_code == (404 if jobs else 200)


def test_the_truth_counts_times(frozen: Client) -> None:
    world, task = frozen.theeye.world, task_of(frozen)
    for duration in (1.5, 2.25):
        job = world.create_job(task.id)
        world.finish_job(job.id, duration=duration)
    assert world.ended_runs == {(task.id, "success"): Tally(runs=2, timed=2, seconds=3.75)}
    job = world.create_job(task.id)
    world.finish_job(job.id, state="stranger than that")
    assert world.ended_runs.runs(task.id, "unknown") == 1
