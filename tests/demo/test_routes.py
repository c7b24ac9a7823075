"""Tests the paths, and the errors for unknown paths."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from demo.conftest import Client, Start


@pytest.mark.parametrize(
    "path",
    [
        "/monitor",
        "/demo/resource",
        "/demo/job",
        "/job/running",
        "/job/running_count",
        "/demo/task",
        "/task",
        "/workflows",
        "/demo/host",
        "/indicator",
        "/indicator?customer=demo",
        "/demo/webhook",
    ],
)
def test_lists(living: Client, path: str) -> None:
    answer = living.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert isinstance(answer.json(), list)
    assert path == "/job/running_count" or answer.json() != [] or path == "/job/running"


@pytest.mark.parametrize(
    "path",
    [
        "/demo/monitor",
        "/",
        "",
        "/demo/job/",
        "/demo/resource/",
        "/demo//job/running",
        "/Demo/Job",
        "/scheduler",
        "/demo/scheduler",
        "/demo/workflows",
        "/api",
        "/demo/job/5cdc367240f0bb000f8e9653/x",
    ],
)
def test_no_route(living: Client, path: str) -> None:
    answer = living.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "ResourceNotFound")


def test_no_route_is_said_as_the_real_server_says_it(living: Client, recorded: Callable[[str], Any]) -> None:
    assert living.get("/demo/monitor").json() == {"code": "ResourceNotFound", "message": "/demo/monitor does not exist"}
    assert set(living.get("/demo/monitor").json()) == set(recorded("error_unknown_path.json"))


def test_monitors_of_old_servers_are_elsewhere(start: Start) -> None:
    old = start(shape="old")
    assert old.get("/demo/monitor").status_code == 200
    assert [old.get(path).status_code for path in ("/monitor", "/demo/resource")] == [404, 404]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods(living: Client, method: str) -> None:
    answer = living.session.request(
        method, f"{living.theeye.url}/demo/job", headers={"Authorization": "Bearer x"}, timeout=30
    )
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"
    assert (answer.content == b"") == (method == "HEAD")


@pytest.mark.parametrize("path", ["/job", "/demo/task/5cdc367240f0bb000f8e9653/job"])
def test_paths_for_posting_only(living: Client, path: str) -> None:
    assert living.get(path).status_code == 405


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406),
        ("text/html,application/xml;q=0.9", 406),
        ("application/json", 200),
        ("*/*", 200),
        ("text/html,*/*;q=0.1", 200),
        ("application/json; charset=utf-8", 200),
    ],
)
def test_accept(living: Client, accept: str, status: int) -> None:
    assert living.get("/demo/job", headers={"Accept": accept}).status_code == status


def test_one_monitor_is_as_in_the_list(living: Client) -> None:
    for one in living.json("/demo/resource")[:5]:
        assert living.json(f"/monitor/{one['id']}") == one
        assert living.json(f"/demo/resource/{one['id']}") == one


def test_one_job_has_everything_the_list_has_and_more(living: Client) -> None:
    dropped = {"result", "output", "task", "task_arguments_values", "script_arguments", "script", "env"}
    for listed in living.json("/demo/job"):
        detailed = living.json(f"/demo/job/{listed['id']}")
        assert {name: value for name, value in detailed.items() if name not in dropped} == listed
        assert dropped.isdisjoint(listed)
        assert len(listed["secret"]) == 64


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/demo/job/5cdc367240f0bb000f8e9653", 404, "job not found"),
        ("/demo/job/xyz", 400, "job id is invalid"),
        ("/demo/job/running", 400, "job id is invalid"),
        ("/monitor/5cdc367240f0bb000f8e9653", 404, "resource not found"),
        ("/demo/task/5cdc367240f0bb000f8e9653", 404, {"statusCode": 404, "message": "task not found"}),
        ("/demo/task/xyz", 400, {"statusCode": 400, "message": "task id is invalid"}),
    ],
)
def test_unknown_ids(living: Client, path: str, status: int, body: object) -> None:
    answer = living.get(path)
    assert (answer.status_code, answer.json()) == (status, body)


def test_status_needs_no_token(living: Client) -> None:
    assert living.json("/api/status", token=None)["status"] == "Node is ok."


def test_scripts_without_a_host_are_hidden_unless_asked_for(living: Client) -> None:
    listed = {task["id"] for task in living.json("/demo/task")}
    every = {task["id"]: task for task in living.json("/demo/task?unassigned=1")}
    hidden = [every[task_id] for task_id in set(every) - listed]
    assert hidden
    assert all(task["type"] == "script" and task["host"] is None and "hostname" not in task for task in hidden)
    assert set(every) == set(living.theeye.world.tasks)


def test_gzip_comes_in_chunks_and_plain_with_a_length(living: Client) -> None:
    packed = living.get("/demo/resource", headers={"Accept-Encoding": "gzip"})
    plain = living.get("/demo/resource", headers={"Accept-Encoding": "identity"})
    refused = living.get("/demo/resource", headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in packed.headers
    assert plain.headers["Content-Length"] == str(len(plain.content))
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in refused.headers
    assert packed.json() == plain.json()


def test_the_date_is_the_simulated_one(living: Client) -> None:
    assert living.get("/api/status").headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    living.theeye.world.advance(61)
    assert living.get("/api/status").headers["Date"] == "Fri, 15 Jan 2027 08:01:01 GMT"


def test_an_agents_token_takes_jobs_off_the_queue(frozen: Client) -> None:
    world, agent = frozen.theeye.world, frozen.theeye.settings.agent_token
    task = next(task for task in world.tasks.values() if task.hostname and task.type == "script")
    job = world.create_job(task.id)
    refused = frozen.get("/demo/job", token=agent)
    assert (refused.status_code, refused.json()) == (400, "host is required")
    assert (job.lifecycle, world.taken_by_agents) == ("ready", ())
    frozen.json("/demo/job")
    assert (job.lifecycle, world.taken_by_agents) == ("ready", ())
    answer = frozen.json(f"/demo/job?hostname={task.hostname}", token=agent)
    assert [one["id"] for one in answer["jobs"]] == [job.id]
    assert (job.lifecycle, world.taken_by_agents) == ("assigned", (job.id,))
    assert frozen.get("/demo/job?hostname=nowhere", token=agent).status_code == 404


def test_a_viewer_sees_hosts_and_webhooks_and_nothing_else(living: Client) -> None:
    viewer = living.theeye.settings.viewer_token
    lists = (
        "/demo/resource",
        "/monitor",
        "/demo/job",
        "/demo/task",
        "/workflows",
        "/indicator",
        "/job/running",
        "/job/running_count",
    )
    assert [living.json(path, token=viewer) for path in lists] == [[]] * len(lists)
    for path in ("/demo/host", "/demo/webhook"):
        assert living.json(path, token=viewer) == living.json(path) != []
    refused = living.get("/usage/counters", token=viewer)
    assert (refused.status_code, refused.json()) == (403, "forbidden")


def test_an_object_that_a_viewer_asks_for_never_comes(living: Client) -> None:
    job = next(iter(living.theeye.world.jobs))
    with pytest.raises(requests.exceptions.ReadTimeout):
        living.get(f"/demo/job/{job}", token=living.theeye.settings.viewer_token, timeout=(30, 0.05))
