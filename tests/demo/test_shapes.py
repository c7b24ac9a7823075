"""Tests that simulated responses have the fields and JSON types of those of a real server 4.15.3."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.conftest import RECORDINGS, Client, Clock, Start
from theeye_exporter.demo import DemoSettings, SimulatedTheEye

Document = dict[str, Any]
Shapes = dict[str, tuple[set[str], dict[str, set[str]]]]

FOLDERS = ("supervisor-4.15.3-t0", "supervisor-4.15.3-t1")

# Fields that depend on how a job was started or how far it is; the recorded ones were almost all started by a user.
SOMETIMES = {"user_id", "trigger_name", "result", "timeout", "workflow", "workflow_id", "workflow_job"}
SOMETIMES |= {"workflow_job_id", "state", "output", "expected", "response"}
# Only in the report that changed the state.
ON_CHANGE = {"event_name", "custom_event", "failure_severity"}


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def shapes(documents: Iterable[Document], key: Callable[[Document], str]) -> Shapes:
    """By key: the fields all of them have, and each field's types."""
    found: Shapes = {}
    for document in documents:
        required, types = found.setdefault(key(document), (set(document), {}))
        required &= set(document)
        for name, value in document.items():
            types.setdefault(name, set()).add(json_type(value))
    return found


def recorded_documents(pattern: str) -> list[Document]:
    found: list[Document] = []
    for folder in FOLDERS:
        for file in sorted((RECORDINGS / folder).glob(pattern)):
            value = json.loads(file.read_text())
            found += value if isinstance(value, list) else [value]
    assert found
    return found


def assert_same_shape(
    simulated: Iterable[Document],
    real: Iterable[Document],
    key: Callable[[Document], str],
    optional: set[str] | None = None,
) -> set[str]:
    """Check that every simulated document has the fields of a real one; return the keys that both have."""
    may_miss = optional or set()
    mine, theirs = shapes(simulated, key), shapes(real, key)
    both = set(mine) & set(theirs)
    assert both
    for kind in both:
        (my_required, my_types), (their_required, their_types) = mine[kind], theirs[kind]
        assert their_required - my_required <= may_miss, kind
        assert set(my_types) - set(their_types) <= may_miss, kind
        for name in set(my_types) & set(their_types):
            # The recorded hosts had no swap, so TheEye's "cache" was null.
            assert my_types[name] <= their_types[name] | ({"number"} if name == "cache" else set()), (kind, name)
    return both


def by_type(document: Document) -> str:
    return str(document["type"])


def by_class(document: Document) -> str:
    return str(document["_type"])


def plain(document: Document) -> bool:
    """Whether the object is not one of the unusual ones, which were not recorded."""
    return document["monitor"] is not None and "last_event" in document


@pytest.fixture(scope="module")
def watched() -> dict[str, list[Document]]:
    """The responses of twenty minutes: every state of monitors and jobs."""
    clock = Clock()
    seen: dict[str, list[Document]] = {"monitors": [], "jobs": [], "running": [], "details": []}
    with SimulatedTheEye(DemoSettings(monitors=120), clock) as theeye, requests.Session() as session:
        client = Client(theeye, session)
        for _ in range(40):
            clock.now += 30.5
            seen["monitors"] += client.json("/demo/resource")
            seen["jobs"] += client.json("/demo/job")
            seen["running"] += client.json("/job/running")
        seen["details"] = [client.json(f"/demo/job/{job['id']}") for job in client.json("/demo/job")]
    return seen


def test_monitors(watched: dict[str, list[Document]]) -> None:
    mine = [document for document in watched["monitors"] if plain(document)]
    both = assert_same_shape(mine, recorded_documents("monitor.json"), by_type)
    assert both == {"dstat", "psaux", "host", "scraper", "script", "process", "nested"}


def test_configurations_of_monitors(watched: dict[str, list[Document]]) -> None:
    mine = [document["monitor"] for document in watched["monitors"] if plain(document)]
    real = [document["monitor"] for document in recorded_documents("monitor.json")]
    assert_same_shape(mine, real, by_type)


def test_configuration_details(watched: dict[str, list[Document]]) -> None:
    def configs(documents: list[Document]) -> list[Document]:
        monitors = [document["monitor"] for document in documents if plain(document)]
        return [{"type": one["type"], **one["config"]} for one in monitors if "config" in one]

    both = assert_same_shape(configs(watched["monitors"]), configs(recorded_documents("monitor.json")), by_type)
    assert both == {"dstat", "scraper", "script", "process", "nested"}


def events(documents: list[Document]) -> list[Document]:
    return [
        {"type": f"{one['type']} {one['last_event']['state']}", **one["last_event"]} for one in documents if plain(one)
    ]


def test_last_events(watched: dict[str, list[Document]]) -> None:
    both = assert_same_shape(
        events(watched["monitors"]), events(recorded_documents("monitor.json")), by_type, optional=ON_CHANGE | {"event"}
    )
    wanted = {"dstat normal", "dstat failure", "scraper normal", "scraper failure", "script failure", "process normal"}
    assert wanted <= both


def test_data_of_last_events(watched: dict[str, list[Document]]) -> None:
    def data(documents: list[Document]) -> list[Document]:
        found = [one for one in events(documents) if "data" in one and "error" not in one["data"]]
        return [
            {"type": one["type"], **one["data"]}
            for one in found
            if "lastline" not in one["data"] or "code" in one["data"]
        ]

    both = assert_same_shape(
        data(watched["monitors"]), data(recorded_documents("monitor.json")), by_type, optional={"response", "output"}
    )
    assert {"dstat normal", "scraper failure", "script failure", "process normal"} <= both


def test_the_output_of_an_event_repeats_its_data_as_json(watched: dict[str, list[Document]]) -> None:
    found = [one["last_event"] for one in watched["monitors"] if plain(one) and "data" in one["last_event"]]
    assert len(found) > 100
    for event in found:
        assert [json.loads(text) for text in event["output"]] in (
            [event["data"]],
            [{**event["data"], "response": {}}],  # what the database drops for being empty is still there
        )


def test_jobs(watched: dict[str, list[Document]]) -> None:
    both = assert_same_shape(watched["jobs"], recorded_documents("job_list.json"), by_class, optional=SOMETIMES)
    assert both == {"ScriptJob", "ScraperJob", "DummyJob", "ApprovalJob", "AgentUpdateJob", "WorkflowJob"}


def test_job_details(watched: dict[str, list[Document]]) -> None:
    real = recorded_documents("job_[0-9a-f]*[0-9a-f].json")
    both = assert_same_shape(watched["details"], real, by_class, optional=SOMETIMES)
    assert both == {"ScriptJob", "ScraperJob", "DummyJob", "ApprovalJob", "AgentUpdateJob", "WorkflowJob"}


def test_tasks_inside_job_details(watched: dict[str, list[Document]]) -> None:
    def tasks(documents: list[Document]) -> list[Document]:
        return [{"kind": f"{one['_type']} {one['task']['_type']}", **one["task"]} for one in documents if "task" in one]

    real = recorded_documents("job_[0-9a-f]*[0-9a-f].json")
    both = assert_same_shape(
        tasks(watched["details"]), tasks(real), lambda document: str(document["kind"]), optional=SOMETIMES
    )
    assert "WorkflowJob ScriptTask" in both


def test_results_of_jobs(watched: dict[str, list[Document]]) -> None:
    def results(documents: list[Document]) -> list[Document]:
        return [{"kind": f"{one['_type']} {one['state']}", **one["result"]} for one in documents if "result" in one]

    real = recorded_documents("job_[0-9a-f]*[0-9a-f].json")
    both = assert_same_shape(
        [one for one in results(watched["details"]) if not one["kind"].endswith("canceled")],
        results(real),
        lambda document: str(document["kind"]),
        optional=SOMETIMES,
    )
    assert {"ScriptJob success", "ScriptJob failure", "DummyJob success", "AgentUpdateJob success"} <= both


def test_running_jobs(watched: dict[str, list[Document]]) -> None:
    real = [one for folder in FOLDERS for one in json.loads((RECORDINGS / folder / "job_running.json").read_text())]
    both = assert_same_shape(watched["running"], real, by_class, optional=SOMETIMES)
    assert "ScriptJob" in both


def test_tasks(living: Client) -> None:
    mine = living.json("/demo/task")
    both = assert_same_shape(mine, recorded_documents("task_list.json"), by_class, optional=SOMETIMES)
    assert both == {"ScriptTask", "ScraperTask", "DummyTask", "ApprovalTask"}
    assert {task["type"] for task in mine} >= {"nodejs", "notification"}


def test_one_task_is_as_in_the_list(living: Client) -> None:
    first = living.json("/demo/task")[0]
    assert living.json(f"/demo/task/{first['id']}") == first


@pytest.mark.parametrize(
    ("path", "file"), [("/workflows", "workflow_list.json"), ("/indicator", "indicator_list.json")]
)
def test_workflows_and_indicators(living: Client, path: str, file: str) -> None:
    both = assert_same_shape(living.json(path), recorded_documents(file), by_class)
    assert both


def test_the_graph_of_a_workflow(living: Client, recorded: Callable[[str], Any]) -> None:
    mine, real = living.json("/workflows")[0]["graph"], recorded("workflow_list.json")[0]["graph"]
    assert_same_shape([mine], [real], lambda _: "graph")
    assert_same_shape(mine["nodes"], real["nodes"], lambda _: "node")
    assert_same_shape(mine["edges"], real["edges"], lambda _: "edge")


def test_hosts(living: Client) -> None:
    mine, real = living.json("/demo/host"), recorded_documents("host_list.json")
    assert_same_shape(mine, real, lambda _: "host")
    assert_same_shape(
        [one for host in mine for one in host["fingerprints"]],
        [one for host in real for one in host["fingerprints"]],
        lambda _: "fingerprint",
    )


def test_webhooks(living: Client) -> None:
    real = json.loads((RECORDINGS / "supervisor-4.15.3-more" / "webhook_list.json").read_text())
    mine = living.json("/demo/webhook")
    assert_same_shape(mine, real, lambda _: "webhook")
    assert {one["enable"] for one in mine} == {True, False}


@pytest.mark.parametrize(
    ("path", "file"),
    [("/api/status", "status.json"), ("/usage/counters", "usage_counters.json")],
)
def test_status_and_usage(living: Client, path: str, file: str) -> None:
    assert_same_shape([living.json(path)], recorded_documents(file), lambda _: "one")


def test_running_count(frozen: Client) -> None:
    task = next(iter(frozen.theeye.world.tasks.values()))
    workflow = next(iter(frozen.theeye.world.workflows.values()))
    before = frozen.json("/job/running_count")
    frozen.theeye.world.create_job(task.id)
    frozen.theeye.world.create_job(task.id)
    frozen.theeye.world.create_workflow_job(workflow.id)
    counted = [group for group in frozen.json("/job/running_count") if group not in before]
    assert {"_id": {"task": task.id}, "count": 2} in counted
    assert {"_id": {"workflow": workflow.id}, "count": 1} in counted
    assert {"_id": {"task": workflow.steps[0].id, "workflow": workflow.id}, "count": 1} in counted
    assert_same_shape(counted, recorded_documents("job_running_count.json"), lambda _: "group")


def test_servers_before_2_have_the_state_inside_the_monitor(start: Start) -> None:
    new, old = start(), start(shape="old")
    flat = {one["id"]: one for one in new.json("/demo/resource") if one["monitor"] is not None}
    nested = old.json("/demo/monitor")
    assert {one["resource"]["id"] for one in nested} == set(flat)
    for one in nested:
        today = flat[one["resource"]["id"]]
        assert "_id" not in one
        assert "recovery_count" not in one["resource"]
        assert one["id"] == today["monitor_id"]
        assert one["resource_id"] == today["id"]
        assert (one["looptime"], one["tags"]) == (today["monitor"]["looptime"], today["monitor"]["tags"])
        assert one["resource"].get("last_event") == today.get("last_event")
        assert one["resource"]["state"] == today["state"]
    assert old.json(f"/demo/monitor/{nested[0]['id']}") == nested[0]


def test_servers_before_2_put_the_result_into_the_list(start: Start) -> None:
    old = start(shape="old")
    everything = old.json("/demo/job")
    assert any(job.get("result", {}).get("times") for job in everything)
    narrowed = old.json("/demo/job?where[last_update][$gte]=2999-01-01T00:00:00.000Z&limit=1&sort[last_update]=-1")
    assert narrowed == everything


def test_the_recordings_are_there() -> None:
    assert [Path(RECORDINGS / folder / "index.json").is_file() for folder in FOLDERS] == [True, True]
