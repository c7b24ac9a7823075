"""Requests cost a simulated supervisor what they cost a real one."""

from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest

from demo.conftest import Client, Start
from theeye_exporter.demo.cost import Cost, Supervisor, cost_of


@pytest.mark.parametrize(
    ("kind", "objects", "cost"),
    [
        ("tasks", 0, Cost(0.01, 0.02)),
        ("tasks", 500, Cost(0.85, 2.7)),
        ("tasks", 10_000, Cost(26.0, 144.0)),
        ("tasks", 300, Cost(0.505, 1.6)),
        ("monitors", 500, Cost(0.4, 0.8)),
        ("monitors", 10_000, Cost(7.6, 18.0)),
        ("jobs", 19_000, Cost(6.2, 13.3)),
        ("job", 0, Cost(0.005, 0.02)),
        ("indicators", 4, Cost(0.005, 0.02)),
    ],
)
def test_a_request_costs_what_was_measured_and_what_lies_between(kind: str, objects: int, cost: Cost) -> None:
    assert cost_of(kind, objects) == pytest.approx(cost)


def test_requests_wait_for_each_other_and_go_on_without_their_clients() -> None:
    now = 100.0
    supervisor = Supervisor(lambda: now)
    assert supervisor.take("tasks", 10_000) == pytest.approx(144.0)
    assert supervisor.take("monitors", 0) == pytest.approx(26.02)  # nobody waits for the tasks any more
    now += 26.01
    assert supervisor.take("monitors", 500) == pytest.approx(0.8)
    now += 1000
    assert supervisor.take("jobs", 0) == pytest.approx(0.02)
    assert supervisor.busy == pytest.approx(26.42)
    assert supervisor.longest == pytest.approx({"tasks": 26.0, "monitors": 0.4, "jobs": 0.01})


def test_a_served_list_is_paid_for(start: Start) -> None:
    client = start(cost="supervisor", monitors=3, tasks=2)
    client.json("/demo/resource")
    client.json("/demo/task")
    supervisor = client.theeye.supervisor
    assert supervisor is not None
    assert supervisor.longest == pytest.approx({"monitors": 0.01 + 0.39 * 3 / 500, "tasks": 0.01 + 0.15 * 2 / 100})


def pages_by_id(client: Client, path: str, limit: int) -> set[str]:
    ids: set[str] = set()
    after = ""
    while True:
        query = {"sort[_id]": "1", "limit": str(limit), **({"where[_id][$gt]": after} if after else {})}
        page: list[dict[str, Any]] = client.json(f"{path}?{urlencode(query)}")
        ids |= {one["id"] for one in page}
        if len(page) < limit:
            return ids
        after = max(one["id"] for one in page)


def test_pages_by_id_list_all_tasks_and_lose_monitors(frozen: Client) -> None:
    tasks = {one["id"] for one in frozen.json("/demo/task")}
    monitors = {one["id"] for one in frozen.json("/demo/resource")}
    assert pages_by_id(frozen, "/demo/task", 7) == tasks
    assert pages_by_id(frozen, "/demo/resource", 7) < monitors
    bounds = ["", *sorted(monitors)[9::10], ""]
    ranges: set[str] = set()
    for low, high in pairwise(bounds):
        query = {f"where[_id][{name}]": one for name, one in (("$gt", low), ("$lte", high)) if one}
        ranges |= {one["id"] for one in frozen.json(f"/demo/resource?{urlencode(query)}")}
    assert ranges == monitors


def test_changed_tasks_are_found_by_their_time(frozen: Client) -> None:
    tasks = frozen.json("/demo/task")
    before = max(one["last_update"] for one in tasks)
    frozen.theeye.world.advance(60)
    frozen.theeye.world.create_job(tasks[3]["id"])
    query = urlencode({"where[last_update][$gt]": before, "sort[last_update]": "1", "limit": "500"})
    assert [one["id"] for one in frozen.json(f"/demo/task?{query}")] == [tasks[3]["id"]]
    assert frozen.json(f"/demo/task?{urlencode({'where[$or][0][name]': 'x'})}") == frozen.json("/demo/task")
    made = frozen.get("/indicator").headers["Date"]
    recent = urlencode({"where[last_update][$gte]": parsedate_to_datetime(made).isoformat()})
    assert len(frozen.json(f"/indicator?{recent}")) == 4
    assert len(frozen.json(f"/workflows?{recent}")) == 0


def test_tasks_are_listed_by_their_ids_but_not_by_too_many(frozen: Client) -> None:
    ids = [one["id"] for one in frozen.json("/demo/task")][:3]
    assert {
        one["id"] for one in frozen.json(f"/demo/task?{urlencode([('where[_id][$in][]', one) for one in ids])}")
    } == set(ids)
    many = urlencode([("where[_id][$in][]", "a" * 24)] * 350)
    assert frozen.get(f"/demo/task?{many}").status_code == 431
