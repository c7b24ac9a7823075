"""Tests responses that once caused a bug."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fuzz.polled import Polled, TheEye, theeye
from theeye_exporter.theeye.errors import Reason

AT = "2026-11-22T13:08:00.000Z"


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


@pytest.fixture
def polled(server: TheEye) -> Iterator[Polled]:
    made = Polled(server)
    yield made
    made.close()
    server.headers = {}


def text(*objects: dict[str, Any]) -> bytes:
    return json.dumps(objects).encode()


def monitor(**fields: Any) -> dict[str, Any]:
    return {"id": "m1", "name": "web", "type": "script", "state": "normal", "enable": True, **fields}


@pytest.mark.parametrize(
    ("field", "label", "values", "shown"),
    [
        ("name", "monitor", (1, 1.0), "1.0"),
        ("name", "monitor", (-1, -2), "-2"),
        ("name", "monitor", (0, 2**61 - 1), str(2**61 - 1)),
        ("hostname", "hostname", (1, True), ""),
        ("alerts", "alerts", (True, 1), ""),
        ("alerts", "alerts", (0, False), "false"),
    ],
)
def test_a_label_changes_with_what_only_seems_equal(
    field: str, label: str, values: tuple[Any, Any], shown: str, polled: Polled
) -> None:
    for value in values:
        polled.poll({"monitors": text(monitor(**{field: value}))})
    (info,) = [dict(labels) for name, labels in polled.series() if name == "theeye_monitor_info"]
    assert info[label] == shown


@pytest.mark.parametrize("counts", [(-1e308, 1.7e308), (0, 10**300), (-(10**300), 1.7e308)])
def test_executions_that_cannot_be_are_no_unseen_runs(counts: tuple[float, ...], polled: Polled) -> None:
    job = {"id": "j", "task_id": "t1", "_type": "ScriptJob", "last_update": AT, "lifecycle": "finished"}
    for count in (*counts, counts[-1]):
        task = {"id": "t1", "name": "task", "execution_count": count}
        reasons = polled.poll({"tasks": text(task), "jobs": text(job)})
        assert set(reasons.values()) == {None}
    unseen = [value for (name, _), value in polled.series().items() if name == "theeye_task_unseen_runs_total"]
    assert unseen == [0]


@pytest.mark.parametrize("task_ids", [("a" * 600, "a" * 601), ("\x00", "\x01"), ("a\x85", "a\u2028")])
def test_owners_whose_ids_would_look_alike_are_none(task_ids: tuple[str, str], polled: Polled) -> None:
    jobs = [
        {"id": f"{kind}{number}", "_type": kind, "task_id": task_id, "workflow_id": task_id, **state}
        for kind in ("ScriptJob", "WorkflowJob")
        for number, task_id in enumerate(task_ids)
        for state in ({"lifecycle": "ready", "last_update": AT},)
    ]
    done = [{**job, "id": f"{job['id']}x", "lifecycle": "finished"} for job in jobs]
    for _ in range(4):  # until the names of tasks are given up
        polled.poll({"tasks": b"broken", "workflows": b"broken", "jobs": text(*done), "open_jobs": text(*jobs)})
        polled.series()


def test_nesting_to_the_limit_costs_a_list_at_most(polled: Polled) -> None:
    # Only at the very limit is something still decoded and then too deep for what comes after.
    fields = ("name", "last_update", "config", "last_event", "tags", "monitor", "state")
    for depth in range(900, 1000):
        nested = "[" * depth + "]" * depth
        objects = [f'{{"id":"{field}","last_check":{nested},"{field}":{nested}}}' for field in fields]
        objects += [f'{{"resource":{{"id":"{field}r"}},"{field}":{nested}}}' for field in fields]
        reasons = polled.poll({"monitors": f"[{','.join(objects)}]".encode()})
        assert reasons["monitors"] in {None, Reason.INVALID_RESPONSE}, polled.log
    polled.series()


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 0100 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Fri, 99 Dec 99999999999999999999 23:59:59 GMT",
        "Mon, 01 Jan 2026 00:00:00 +999999999999",
        ", ,",
        "\x80",
        "9" * 5000,
    ],
)
def test_no_date_of_theeyes_is_a_bug_of_ours(date: str, polled: Polled) -> None:
    polled.theeye.headers = {"Date": date}
    job = {"id": "j", "task_id": "t1", "_type": "ScriptJob", "last_update": AT, "lifecycle": "finished"}
    for _ in range(3):
        reasons = polled.poll({"monitors": text(monitor(last_update=AT)), "jobs": text(job)})
        assert Reason.INTERNAL not in reasons.values(), polled.log
    polled.series()
