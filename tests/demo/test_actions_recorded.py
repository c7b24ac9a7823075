"""Each recorded request that starts or changes a run gets the recorded status and the recorded shape of answer."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import pytest
import requests

from demo.conftest import RECORDINGS, Clock
from demo.test_shapes import json_type
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.jobs import ENDED, Job
from theeye_exporter.demo.tasks import STARTER, WATCHER, Task
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.workload import Start

Document = dict[str, Any]

FOLDER: Final = RECORDINGS / "supervisor-4.15.3-actions"
REQUESTS: Final = {
    path.stem: found
    for path in sorted(FOLDER.glob("*.json"))
    if isinstance(found := json.loads(path.read_text()), dict) and "request" in found
}
RACES: Final = {"d_synced_parallel_note", "g05_synced_client_gives_up"}
"""Recorded while something else happened at the same time; the request alone says nothing."""

ACL: Final = (STARTER.email, WATCHER.email)
FIRST: Final = {"order": 0, "label": "first", "type": "input", "id": 0}
ARGUMENTS: Final = (
    FIRST,
    {"order": 1, "label": "fixed one", "type": "fixed", "id": 1, "value": "FIX"},
    {"order": 2, "label": "second", "type": "input", "id": 2},
)
OF_NOTIFICATION: Final = tuple({**FIRST, "order": order, "id": order + 1} for order in range(3))
TASKS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "6b0a38a00345525a7e4df6a3": ("ok task", "script", {}),
    "6b0a38a10345525a7e4df6b3": ("failing task", "script", {}),
    "6b0a38a10345525a7e4df6cf": ("hanging task", "script", {"timeout_ms": 10_000}),
    "6b0a38a10345525a7e4df6dd": ("args task", "script", {"arguments": ARGUMENTS}),
    "6b0a38a10345525a7e4df6eb": ("args json task", "script", {"arguments": (FIRST,), "arguments_type": "json"}),
    "6b0a38a10345525a7e4df6f9": ("task without acl", "script", {"acl": ()}),
    "6b0a38a10345525a7e4df707": ("task with user inputs", "script", {"arguments": (FIRST,), "user_inputs": True}),
    "6b0a38a10345525a7e4df715": ("disabled task", "script", {}),
    "6b0a38a20345525a7e4df731": ("exit three", "script", {}),
    "6b0a38a20345525a7e4df73f": ("single tasking", "script", {}),
    "6b0a38a30345525a7e4df7b1": ("grace task", "script", {}),
    "6b0a38a30345525a7e4df7cb": ("approval task", "approval", {}),
    "6b0a38a30345525a7e4df7d4": ("dummy task", "dummy", {"arguments": (FIRST,)}),
    "6b0a38a30345525a7e4df7dd": ("dummy no args", "dummy", {}),
    "6b0a38a30345525a7e4df7e6": ("notification task", "notification", {"arguments": OF_NOTIFICATION}),
    "6b0a38a30345525a7e4df7f0": ("web task", "scraper", {"timeout_ms": 5000}),
    "6b0a38a30345525a7e4df7fc": ("node task", "nodejs", {}),
    "6b0a38a35bcb97ebca95245d": ("task of other", "script", {"foreign": True}),
    "6b0a38a35bcb97ebca95245e": ("task without host", "script", {"host": None}),
    "6b0a38a35bcb97ebca952460": ("ghost task", "script", {}),
    "6b0a38a30345525a7e4df814": ("noargs one", "script", {"acl": (), "workflow_id": "6b0a38a30345525a7e4df813"}),
}
WORKFLOWS: Final[dict[str, tuple[str, tuple[Document, ...]]]] = {
    "6b0a38a30345525a7e4df813": ("noargs", ()),
    "6b0a38a30345525a7e4df806": ("etl", (FIRST,)),
    "6b0a38a30345525a7e4df820": ("breaks", ()),
}
LIFECYCLES: Final = ("syncing", "onhold", "locked", "ready", "assigned", "finished", "terminated", "canceled")
BEFORE: Final = {
    "c34_synced_twice": "ready",
    "c35_synced_onhold": "onhold",
    "c36_synced_locked": "locked",
    "d_cancel_again": "canceled",
    "d_lifecycle": "canceled",
    "d_restart_args": "finished",
}
"""The lifecycle of the job before the request, where neither the name nor the default says it."""
FAULTS: Final = {"g01": "invalid-members", "g02": "invalid-members", "g03": "hang"}
VALUES: Final = {"lifecycle", "state", "origin", "result", "output", "message", "code", "statusCode"}


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    settings = DemoSettings(monitors=30, tasks=8, neighbour="other")
    with SimulatedTheEye(settings, Clock()) as server:
        server.world.frozen = True
        yield server


def placed(theeye: SimulatedTheEye, task_id: str, name: str, kind: str, fields: dict[str, Any]) -> Task:
    host = next(iter(theeye.world.hosts.values())) if kind in {"script", "scraper"} else None
    task = Task(task_id, name, kind, host, round(Clock().now * 1000) - 10_000)
    task.acl = ACL
    task.script_id = "6b0a389f0345525a7e4df66f"
    for field, value in fields.items():
        setattr(task, field, value)
    return theeye.world.add_task(task)


def prepare(theeye: SimulatedTheEye, name: str, request: Document) -> None:
    """Makes the objects that the request names, with their recorded ids and secret keys."""
    parts = request["path"].partition("?")[0].split("/")[1:]
    ids = {*parts, (request["json"] or {}).get("task") if isinstance(request["json"], dict) else None}
    for task_id in ids & set(TASKS):
        task = placed(theeye, str(task_id), *TASKS[str(task_id)])
        task.secret = secret_in(parts)
    for workflow_id in ids & set(WORKFLOWS):
        title, arguments = WORKFLOWS[str(workflow_id)]
        step = placed(theeye, "6b0a38a30345525a7e4df8ff", f"{title} one", "script", {"arguments": arguments})
        step.workflow_id = str(workflow_id)
        workflow = Workflow(str(workflow_id), title, (step,), step.creation_ms, 3600)
        workflow.acl, workflow.secret = ACL, secret_in(parts)
        theeye.world.workload.workflows[workflow.id] = workflow
    job_id = next((after for before, after in pairwise(parts) if before == "job"), "")
    if len(job_id) == 24 and not job_id.startswith("fff"):
        add_job(theeye, name, job_id, parts)


def secret_in(parts: list[str]) -> str:
    given = next((after for before, after in pairwise(parts) if before == "secret"), "")
    return given if len(given) == 64 and set(given) != {"0"} else "f" * 64


def add_job(theeye: SimulatedTheEye, name: str, job_id: str, parts: list[str]) -> None:
    workload = theeye.world.workload
    now_ms = theeye.world.now_ms
    start = Start("user", STARTER, ("marker-123",) if name.startswith("c2") else (), "syncing")
    if parts[0] == "workflows":
        job = workload.create_run(workload.workflows[parts[1]], now_ms, start)
    elif name == "e02_wf_synced_parent":
        step = placed(theeye, "6b0a38a30345525a7e4df814", "step", "script", {})
        job = workload.create_run(Workflow("f" * 24, "run", (step,), now_ms, 3600), now_ms, start)
    else:
        task_id = "6b0a38a10345525a7e4df6eb" if name.startswith("c2") else "6b0a38a00345525a7e4df6a3"
        job = workload.create(placed(theeye, task_id, *TASKS[task_id]), now_ms, start)
    del workload.jobs[job.id]
    job.id, job.encoded = job_id, None
    workload.jobs[job_id] = job
    before = BEFORE.get(name) or next((one for one in LIFECYCLES if name.endswith(one)), "syncing")
    bring_to(theeye, job, before)


def bring_to(theeye: SimulatedTheEye, job: Job, lifecycle: str) -> None:
    if lifecycle in {"finished", "terminated", "assigned"}:
        theeye.world.assign_job(job.id)
    if lifecycle in ENDED:
        job.lifecycle = "ready" if lifecycle == "canceled" else job.lifecycle
        state = {"finished": "success", "terminated": "timeout"}.get(lifecycle, "canceled")
        theeye.world.finish_job(job.id, state=state)
    elif lifecycle != "assigned":
        job.lifecycle = lifecycle
    assert job.lifecycle == lifecycle


def ask(theeye: SimulatedTheEye, request: Document, seconds: float = 30.0) -> requests.Response:
    settings = theeye.settings
    tokens = {"user": settings.user_token, "admin": settings.token, "integration": settings.token}
    tokens |= {"user2": settings.user_token, "viewer": settings.viewer_token, "agent": settings.agent_token}
    tokens |= {"other": settings.neighbour_token, "bogus": "bogus"}
    headers = dict(request["headers"] or {})
    if request["token"] is not None:
        headers["Authorization"] = f"Bearer {tokens[request['token']]}"
    return requests.request(
        request["method"],
        theeye.url + request["path"],
        headers=headers,
        json=request["json"],
        data=request["form"],
        timeout=(30, seconds),
        allow_redirects=False,
    )


def named_as_here(request: Document) -> Document:
    """Return a recorded request with the users of the simulated TheEye."""
    text = json.dumps(request).replace("@demo.example", "@example.com")
    renamed: Document = json.loads(text.replace("user2@", "starter@").replace("user@", "starter@"))
    return renamed


@pytest.mark.parametrize("name", sorted(set(REQUESTS) - RACES))
def test_a_recorded_request(theeye: SimulatedTheEye, name: str) -> None:
    recorded = REQUESTS[name]
    request = named_as_here(recorded["request"])
    prepare(theeye, name, request)
    if fault := next((FAULTS[start] for start in FAULTS if name.startswith(start)), None):
        theeye.faults = (parse_fault(fault),)
    if recorded["status"] is None:
        with pytest.raises(requests.ReadTimeout):
            ask(theeye, request, 0.2)
        return
    answer = ask(theeye, request)
    assert answer.status_code == recorded["status"], answer.text[:300]
    body: Any = answer.json() if answer.content else ""
    expected = recorded["body"]
    assert json_type(body) == json_type(expected)
    if isinstance(expected, str):
        assert body == expected
    elif isinstance(expected, dict):
        assert_alike(body, expected)
        if request["method"] == "POST" and "task_arguments_values" in expected:
            assert body["task_arguments_values"] == named_as_here(expected["task_arguments_values"])
    elif body and isinstance(expected[0], dict):
        assert_alike(body[0], next(one for one in expected if one.get("_type") == body[0].get("_type")))


def assert_alike(body: Document, expected: Document) -> None:
    assert set(body) == set(expected)
    assert {key: json_type(value) for key, value in body.items()} == {
        key: json_type(value) for key, value in expected.items()
    }
    for key in VALUES & set(expected):
        if "Invalid JSON" not in str(expected[key]) and "bbbb" not in str(expected[key]):
            assert body[key] == named_as_here({"": expected[key]})[""], key
