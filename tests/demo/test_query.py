"""Tests where, sort and limit, with and without HTTP."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.conftest import Client
from theeye_exporter.demo.ids_and_time import iso, parse_time
from theeye_exporter.demo.query import BadQueryError, parse_query, read_selection, select


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a=1", {"a": "1"}),
        ("a", {"a": ""}),
        ("a=1&a=2", {"a": ["1", "2"]}),
        ("where[x]=1", {"where": {"x": "1"}}),
        ("where[x][$gte]=1&where[x][$lt]=2", {"where": {"x": {"$gte": "1", "$lt": "2"}}}),
        ("where[x][$in][]=1", {"where": {"x": {"$in": ["1"]}}}),
        ("where[x][$in][]=1&where[x][$in][]=2", {"where": {"x": {"$in": ["1", "2"]}}}),
        ("where[x][$in][0]=1&where[x][$in][1]=2", {"where": {"x": {"$in": ["1", "2"]}}}),
        ("where[x][$in][20]=1", {"where": {"x": {"$in": {"20": "1"}}}}),
        ("where%5Bx%5D%5B%24gte%5D=a%20b", {"where": {"x": {"$gte": "a b"}}}),
        ("[x]=1&a[=2", {"[x]": "1", "a[": "2"}),
    ],
)
def test_parameters_nest(query: str, tree: dict[str, Any]) -> None:
    assert parse_query(query) == tree


@given(st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=60))
def test_arrays_of_any_length_arrive_whole(values: list[str]) -> None:
    query = urlencode([("where[type][$in][]", value) for value in values])
    assert parse_query(query) == {"where": {"type": {"$in": values}}}


@given(st.text(max_size=200))
def test_no_query_string_breaks_the_parser(text: str) -> None:
    tree = parse_query(quote(text, safe="[]&=$"))
    try:
        selection = read_selection(tree)
    except BadQueryError:
        return
    assert selection.limit >= 0
    assert len(select([{"id": "a"}, {"id": "b", "name": "x"}], selection, lambda one: one)) <= 2


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_times_go_there_and_back(at_ms: int) -> None:
    assert parse_time(iso(at_ms)) == at_ms
    assert parse_time(str(at_ms)) == at_ms


JOBS = [
    {"id": f"{number:024x}", "name": f"job {number}", "last_update": 1000 + number, "state": state}
    for number, state in enumerate(["success", "failure", "success", None, "timeout"])
]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("limit=2", [0, 1]),
        ("limit=0", [0, 1, 2, 3, 4]),
        ("limit=-3", [0, 1, 2]),
        ("skip=3", [0, 1, 2, 3, 4]),  # documented upstream, and never read
        ("where[state]=success", [0, 2]),
        ("where[state][$ne]=success", [1, 3, 4]),
        ("where[state][$in][]=failure&where[state][$in][]=timeout", [1, 4]),
        ("where[state][$nin][]=failure", [0, 2, 3, 4]),
        ("where[state][$exists]=false", [3]),
        ("where[last_update][$gte]=1003", [3, 4]),
        ("where[last_update][$gt]=1003", [4]),
        ("where[last_update][$lt]=1002", [0, 1]),
        ("where[last_update][$lte]=1970-01-01T00:00:01.002Z", [0, 1, 2]),
        ("where[last_update][$gt]=1000&where[last_update][$lt]=1003&where[state]=success", [2]),
        ("where[_id][$gt]=000000000000000000000002", [3, 4]),
        ("where[id]=000000000000000000000002", []),  # only `_id` is stored
        ("where[customer_id]=somebody", [0, 1, 2, 3, 4]),  # cannot be overridden
        ("sort[last_update]=-1", [4, 3, 2, 1, 0]),
        ("sort[last_update]=-1&limit=2", [4, 3]),
        ("sort[state]=1&sort[last_update]=-1", [3, 1, 2, 0, 4]),
    ],
)
def test_selections(query: str, numbers: list[int]) -> None:
    chosen = select(JOBS, read_selection(parse_query(query)), lambda one: one)
    assert [JOBS.index(one) for one in chosen] == numbers


@pytest.mark.parametrize(
    "query",
    [
        "where[last_update][$gte]=yesterday",
        "where[_id]=xyz",
        "where[fails_count]=many",
        "where[enable]=perhaps",
        "where[state][$near]=1",
        "where[state][$gt][x]=1",
        "where=state",
        "limit=all",
        "sort[name]=up",
        "where[type][$in][25]=x",
    ],
)
def test_bad_queries(living: Client, query: str) -> None:
    with pytest.raises(BadQueryError):
        read_selection(parse_query(query))
    jobs = living.get(f"/demo/job?{query}")
    assert (jobs.status_code, jobs.json()) == (500, "Internal Server Error")
    if not query.startswith("sort"):
        monitors = living.get(f"/demo/resource?{query}")
        assert (monitors.status_code, monitors.json()) == (200, [])


def test_a_projection_of_jobs_is_a_database_error(living: Client) -> None:
    answer = living.get("/demo/job?include[name]=1")
    assert (answer.status_code, answer.json()) == (500, "Internal Server Error")


def test_a_cursor_over_jobs(living: Client) -> None:
    every = living.json("/demo/job")
    times = sorted(job["last_update"] for job in every)
    cursor = times[len(times) // 2]
    query = urlencode({"where[last_update][$gte]": cursor, "sort[last_update]": "1", "limit": "10"})
    page = living.json(f"/demo/job?{query}")
    expected = sorted((job for job in every if job["last_update"] >= cursor), key=lambda job: job["last_update"])
    assert [job["last_update"] for job in page] == [job["last_update"] for job in expected[:10]]
    assert len(page) == 10


def test_monitors_by_state_and_type(living: Client) -> None:
    every = living.json("/demo/resource")
    stopped = living.json("/demo/resource?where[state]=updates_stopped")
    assert {one["id"] for one in stopped} == {one["id"] for one in every if one["state"] == "updates_stopped"} != set()
    two = living.json("/demo/resource?where[type][$in][]=dstat&where[type][$in][]=host&limit=7")
    assert len(two) == 7
    assert {one["type"] for one in two} <= {"dstat", "host"}
    assert [one["id"] for one in living.json("/demo/resource?sort[name]=1")] == [one["id"] for one in every]


def test_indicators_know_where_only(living: Client) -> None:
    titles = [one["title"] for one in living.json("/indicator?limit=1&where[type]=counter")]
    assert titles == ["Revenue"]
    assert len(living.json("/indicator?limit=1")) == 4
