"""Tests the requests to TheEye and the handling of its responses."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import answered
from playback import T0, T1, TOKEN, Asked, Reply, Server, http_server
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing, decode_list
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.monitor_models import Monitor, Resource
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import fixed_token
from theeye_exporter.theeye.transport import Transport

import msgspec  # isort: skip

NO_ROUTE = Reply((T0 / "error_unknown_path.json").read_bytes(), 404)
NO_ORGANIZATION = Reply((T0 / "wrong_customer_job.json").read_bytes(), 404)


@contextmanager
def client_of(answer: Callable[[Asked], Reply], *, organization: str = "demo") -> Iterator[tuple[TheEyeClient, Server]]:
    with answered(answer) as server:
        settings = TransportSettings(
            url=server.url, auth="header", timeout=20, list_timeout=20, max_bytes=10**8, user_agent="tests/1"
        )
        client = TheEyeClient(Transport(settings, fixed_token(TOKEN), lambda *_: None), organization)
        try:
            yield client, server
        finally:
            client.close()


def routes(**bodies: Any) -> Callable[[Asked], Reply]:
    """Answer by path, `/` written as `__`; everything else has no route."""

    def answer(asked: Asked) -> Reply:
        body = bodies.get(asked.path.strip("/").replace("/", "__"))
        return NO_ROUTE if body is None else body if isinstance(body, Reply) else Reply(json.dumps(body).encode())

    return answer


def monitors_of(client: TheEyeClient) -> Listing[Monitor]:
    (listing,) = client.monitors()
    return listing


def monitor(**fields: Any) -> dict[str, Any]:
    return {"id": "a" * 24, "name": "m", "type": "host", "state": "normal", **fields}


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        ("demo__resource", ["/demo/job", "/demo/resource"]),
        ("monitor", ["/demo/job", "/demo/resource", "/monitor"]),
        ("demo__monitor", ["/demo/job", "/demo/resource", "/monitor", "/demo/monitor"]),
    ],
)
def test_monitors_come_from_the_first_route_that_exists_and_it_is_remembered(served: str, asked: list[str]) -> None:
    with client_of(routes(**{served: [monitor()]})) as (client, server):
        assert [m.name for m in monitors_of(client).items] == ["m"]
        monitors_of(client)
        assert [a.path for a in server.asked] == [*asked, asked[-1]]


def test_a_remembered_route_that_vanishes_is_looked_for_again() -> None:
    bodies: dict[str, Any] = {"demo__monitor": [monitor()]}

    def answer(asked: Asked) -> Reply:
        return routes(**bodies)(asked)

    with client_of(answer) as (client, _):
        monitors_of(client)
        bodies.clear()
        bodies["demo__resource"] = [monitor()]
        assert monitors_of(client).items
        bodies.clear()
        with pytest.raises(UpstreamError, match="not_found"):
            monitors_of(client)


def test_a_server_without_workflows_has_none_but_one_that_is_no_theeye_does_not_say_so() -> None:
    with client_of(routes(demo__job=[])) as (client, _):
        assert client.workflows().items == []
    for body in (b"default backend - 404", b"", b"null", b'{"code":404}', b'"workflow not found"'):
        with client_of(routes(demo__job=[], workflows=Reply(body, 404))) as (client, _):
            with pytest.raises(UpstreamError) as caught:
                client.workflows()
            assert caught.value.reason is Reason.NOT_FOUND


def test_an_unknown_organization_is_not_taken_for_a_missing_route() -> None:
    with (
        client_of(routes(demo__resource=NO_ORGANIZATION, monitor=[monitor()])) as (client, _),
        pytest.raises(UpstreamError) as caught,
    ):
        monitors_of(client)
    assert caught.value.reason is Reason.ORGANIZATION_NOT_FOUND


def test_the_organization_is_encoded_in_the_path() -> None:
    with client_of(lambda _: Reply(b"[]"), organization="R&D ñ/x") as (client, server):
        client.jobs()
        assert server.asked[0].path == "/R%26D%20%C3%B1%2Fx/job"


def test_monitors_of_another_organization_are_not_shown_under_this_ones_name() -> None:
    listed = [monitor(customer_name="other"), monitor(id="b" * 24, customer_name="demo"), monitor(id="c" * 24)]
    with client_of(routes(monitor=listed)) as (client, _):
        listing = monitors_of(client)
    assert [m.id for m in listing.items] == ["b" * 24, "c" * 24]
    assert listing.skipped == {"other_organization": 1}


Ask = Callable[[TheEyeClient], Listing[Any]]


def first_tasks(client: TheEyeClient) -> Listing[Any]:
    return next(client.tasks())


BY_TOKEN: dict[Ask, str] = {
    first_tasks: "demo__task",
    TheEyeClient.workflows: "workflows",
    TheEyeClient.hosts: "demo__host",
    TheEyeClient.indicators: "indicator",
    TheEyeClient.webhooks: "demo__webhook",
}
"""Lists that are requested only once the token is verified, and their routes: for most, TheEye ignores the organisation."""


@pytest.mark.parametrize("ask", BY_TOKEN)
def test_nothing_is_listed_before_the_token_is_known_to_be_of_the_organization(
    ask: Ask,
) -> None:
    conflict = Reply(b'{"message":"Incorrect Organizations. Session conflict"}', 409)
    with client_of(routes(**{"demo__job": conflict, BY_TOKEN[ask]: [{"id": "t" * 24}]})) as (client, server):
        for _ in range(2):
            with pytest.raises(UpstreamError) as caught:
                ask(client)
            assert caught.value.reason is Reason.ORGANIZATION_CONFLICT
        assert [a.path for a in server.asked] == ["/demo/job"] * 2


@pytest.mark.parametrize("ask", BY_TOKEN)
def test_every_list_comes_from_its_route_once_the_token_is_known(ask: Ask) -> None:
    listed = [{"id": "t" * 24}, {"name": "without an id"}, {"id": "t" * 24}]
    with client_of(routes(**{"demo__job": [], BY_TOKEN[ask]: listed})) as (client, server):
        listing = ask(client)
        ask(client)
    assert [one.id for one in listing.items] == ["t" * 24]
    assert listing.skipped == {"malformed": 1, "duplicate": 1}
    path = "/" + BY_TOKEN[ask].replace("__", "/")
    assert [a.path for a in server.asked] == ["/demo/job", path, path]


@pytest.mark.parametrize(
    "answer", [Reply(b'"host is required"', 400), Reply(b'{"jobs":[]}'), Reply(b'{"jobs":[{"id":"x"}]}')]
)
def test_a_bots_token_is_refused_for_everything(answer: Reply) -> None:
    with client_of(routes(demo__job=answer, demo__task=[], demo__resource=[monitor()])) as (client, server):
        for ask in (client.jobs, lambda: next(client.tasks()), lambda: list(client.monitors()), client.open_jobs):
            with pytest.raises(UpstreamError) as caught:
                ask()
            assert caught.value.reason is Reason.AGENT_TOKEN
        assert {a.path for a in server.asked} == {"/demo/job"}
        assert not [a for a in server.asked if "hostname" in a.query]


def test_the_look_at_the_token_does_not_read_all_jobs_of_a_server_without_limit() -> None:
    sizes: list[int] = []
    jobs = json.dumps([job(n, 1) for n in range(50_000)]).encode()
    settings = TransportSettings(
        url="", auth="header", timeout=20, list_timeout=20, max_bytes=10**8, user_agent="tests/1"
    )
    with http_server(lambda asked: Reply(jobs if asked.path == "/demo/job" else b"[]")) as server:
        transport = Transport(
            replace(settings, url=server.url), fixed_token(TOKEN), lambda *observed: sizes.append(observed[3])
        )
        client = TheEyeClient(transport, "demo")
        next(client.tasks())
        client.close()
    assert [0 < size < len(jobs) / 4 for size in sizes] == [True, True]


def test_a_failing_list_of_jobs_does_not_hide_monitors_and_tasks() -> None:
    served = routes(demo__job=Reply(b"", 500), demo__resource=[monitor()], demo__task=[{"id": "t" * 24}])
    with client_of(served) as (client, _):
        assert next(client.tasks()).items
        assert monitors_of(client).items


OLD_MONITOR = {
    "name": "demo",
    "id": "5bb755f42f78660012bdd9af",
    "type": "dstat",
    "resource": {
        "state": "normal",
        "last_event": {"data": {"cpu": 3, "mem": 36.7, "cache": 4.6, "disk": [{"name": "xvda2", "value": 84.8}]}},
    },
}


def test_the_shape_before_2_0_becomes_todays() -> None:
    full = OLD_MONITOR | {
        "id": "5bb755f42f78660012bdd9b1",
        "looptime": 15000,
        "tags": ["b", "a"],
        "config": {"limit": {"cpu": 50}},
        "resource": {"id": "5bb755f42f78660012bdd9b0", "hostname": "h", "fails_count": 2, "state": "failure"},
    }
    with client_of(routes(demo__monitor=[OLD_MONITOR, full])) as (client, _):
        bare, rich = monitors_of(client).items
    assert (bare.id, bare.name, bare.type, bare.state) == ("5bb755f42f78660012bdd9af", "demo", "dstat", "normal")
    assert (rich.id, rich.hostname, rich.fails_count) == ("5bb755f42f78660012bdd9b0", "h", 2)
    assert msgspec.to_builtins(rich.settings()) == {
        "looptime": 15000,
        "tags": ["b", "a"],
        "config": {"limit": {"cpu": 50, "mem": None, "cache": None, "disk": None}},
    }


def test_two_monitors_of_one_resource_before_2_0_are_one() -> None:
    resource = {"id": "r" * 24, "state": "normal"}
    listed = [{"id": "a" * 24, "resource": resource}, {"id": "b" * 24, "name": "last", "resource": resource}]
    with client_of(routes(demo__monitor=listed)) as (client, _):
        listing = monitors_of(client)
    assert [m.name for m in listing.items] == ["last"]
    assert listing.skipped == {"duplicate": 1}


def test_in_todays_shape_the_nested_monitors_resource_is_an_id() -> None:
    with client_of(routes(demo__resource=json.loads((T0 / "monitor.json").read_text()))) as (client, _):
        listing = monitors_of(client)
    assert len(listing.items) == 17
    assert not [m for m in listing.items if isinstance(m.resource, Resource)]
    assert not listing.skipped


def jobs_server(jobs: list[dict[str, Any]], *, filters: bool) -> Callable[[Asked], Reply]:
    """Serve a list of jobs with TheEye's where, sort and limit, or, as old servers do, without."""

    def answer(asked: Asked) -> Reply:
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        listed = jobs
        if filters:
            since = query.get("where[last_update][$gte]", "")
            lifecycles = parse_qs(asked.query).get("where[lifecycle][$in][]")
            listed = [j for j in jobs if j["last_update"] >= since]
            listed = [j for j in listed if not lifecycles or j["lifecycle"] in lifecycles]
            if "sort[last_update]" in query:
                listed = sorted(listed, key=lambda j: str(j["last_update"]))
            listed = listed[: int(query.get("limit", 0)) or None]
        return Reply(json.dumps(listed).encode())

    return answer


def job(number: int, second: int, lifecycle: str = "finished") -> dict[str, Any]:
    minute, second = divmod(second, 60)
    return {
        "id": f"{number:024x}",
        "lifecycle": lifecycle,
        "last_update": f"2026-11-22T13:{minute:02}:{second:02}.000Z",
    }


@pytest.mark.parametrize("filters", [True, False], ids=["filters", "old server"])
@pytest.mark.parametrize(
    "jobs",
    [
        [job(n, n % 3000) for n in range(2500)],
        [job(n, 7) for n in range(2500)],  # more than a page of one moment
        [job(n, 7 if n < 1500 else 8) for n in range(3000)],
        [job(n, n) for n in range(1000)],  # exactly a page
        [],
    ],
    ids=["spread", "one moment", "two moments", "one page", "none"],
)
def test_all_pages_of_jobs_are_listed_once(jobs: list[dict[str, Any]], filters: bool) -> None:
    with client_of(jobs_server(jobs, filters=filters)) as (client, server):
        listing = client.jobs()
        assert sorted(j.id for j in listing.items) == [j["id"] for j in jobs]
        assert not listing.skipped
        assert len(server.asked) <= 6


@pytest.mark.parametrize("filters", [True, False], ids=["filters", "old server"])
def test_jobs_since_and_open_jobs_are_the_same_with_and_without_filters(filters: bool) -> None:
    jobs = [job(1, 10), job(2, 20, "ready"), job(3, 30), job(4, 40, "onhold"), job(5, 50, "canceled")]
    with client_of(jobs_server(jobs, filters=filters)) as (client, server):
        since = client.jobs(1795352430.0).items  # 13:00:30
        assert [int(j.id, 16) for j in since] == [3, 4, 5]
        assert [int(j.id, 16) for j in client.open_jobs().items] == [2, 4]
        queries = [parse_qs(a.query) for a in server.asked]
    assert queries == [
        {
            "sort[last_update]": ["1"],
            "limit": ["1000"],
            "where[last_update][$gte]": ["2026-11-22T13:00:30.000Z"],
        },
        {"where[lifecycle][$in][]": ["ready", "assigned", "onhold", "syncing", "locked", "started"]},
    ]


def test_a_job_in_full_and_a_deleted_one() -> None:
    name = "job_6b02e788409f6d2a624a3821"
    served = routes(**{f"demo__{name.replace('_', '__')}": json.loads((T1 / f"{name}.json").read_text())})
    with client_of(served) as (client, _):
        found = client.job(name.removeprefix("job_"))
        assert found is not None
        assert msgspec.to_builtins(found.result) == {
            "code": None,
            "times": {"seconds": 8, "nanoseconds": 29259650},
        }
        assert client.job("f" * 24) is None


MONITORS = msgspec.json.Decoder(list[Monitor])


@pytest.mark.parametrize(
    ("body", "ids", "skipped"),
    [
        (b'[{"id":"a"},null,"x",5,[],true,{"id":"b"}]', ["a", "b"], {"malformed": 5}),
        (b'[{"id":"a"},{},{"id":null},{"id":7},{"id":""}]', ["a"], {"malformed": 4}),
        (b'[{"id":"a"},{"id":"b\\u0000"},{"id":"b\\u0001"},{"id":"\\u00f1"}]', ["a"], {"malformed": 3}),
        (b'[{"id":"a"},{"id":"' + b"b" * 129 + b'"}]', ["a"], {"malformed": 1}),
        (b'[{"id":"a","name":"tab\there"}]', ["a"], {}),
        (b'[{"id":"a","name":"1"},{"id":"b"},{"id":"a","name":"2"}]', ["a", "b"], {"duplicate": 1}),
        (b'[{"id":"a","name":"\\ud83d"},{"id":"b"}]', ["a", "b"], {}),
        (b'[{"id":"a","name":"\xff"},{"id":"b"}]', ["a", "b"], {}),
        (b'[{"id":"a","name":"\\ud83d","last_event":{"data":{"ps":[{"pid":"1"},7]}}}]', ["a"], {}),
        (b'[{"id":"a","fails_count":NaN},{"id":"b"}]', ["a", "b"], {}),
        (b'[{"id":"a","monitor":"x","last_event":[1],"resource":7,"state":{}}]', ["a"], {}),
        (b'[{"id":"a","last_event":{"data":{"times":3,"response":"x","ps":{"a":1}}}}]', ["a"], {}),
        (b"[]", [], {}),
    ],
)
def test_a_malformed_object_costs_itself_only(body: bytes, ids: list[str], skipped: dict[str, int]) -> None:
    items, left_out = decode_list(body, MONITORS, room=UNBOUNDED)
    assert [item.id for item in items] == ids
    assert left_out == skipped


def test_of_duplicates_the_last_one_wins() -> None:
    items, _ = decode_list(b'[{"id":"a","name":"1"},{"id":"a","name":"2"}]', MONITORS, room=UNBOUNDED)
    assert [item.name for item in items] == ["2"]


def test_a_lone_surrogate_is_replaced() -> None:
    items, _ = decode_list(b'[{"id":"a","name":"x\\ud83dy"}]', MONITORS, room=UNBOUNDED)
    assert items[0].name == "x\ufffdy"


@pytest.mark.parametrize("body", [b"", b"<html>", b'"a string"', b"{}", b"null", b'[{"id":"a"}', b"[" * 100_000])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode_list(body, MONITORS, room=UNBOUNDED)
    assert caught.value.reason is Reason.INVALID_RESPONSE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "name", "last_event", "data", "monitor", "resource", "config", "times", "disk", "ps"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6), st.integers(0, 5))
def test_any_json_in_a_list_is_taken_or_counted(values: list[Any], position: int) -> None:
    good = {"id": "good", "state": "normal"}
    values.insert(position, good)
    items, skipped = decode_list(json.dumps(values).encode(), MONITORS, room=UNBOUNDED)
    assert "good" in [item.id for item in items]
    assert len(items) + skipped.total() == len(values)
    assert [item.flat() for item in items]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(body: bytes) -> None:
    try:
        decode_list(body, MONITORS, room=UNBOUNDED)
    except UpstreamError as error:
        assert error.reason is Reason.INVALID_RESPONSE  # noqa: PT017 - not raising is fine, too


def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theeye_exporter.theeye.client.ITEMS_AT_MOST", 3000)
    pages = iter(range(10))

    def answer(_: Asked) -> Reply:
        page = next(pages)
        at = f"2026-11-22T13:{page:02}:00.000Z"
        return Reply(json.dumps([{"id": f"{page}-{number}", "last_update": at} for number in range(1000)]).encode())

    with client_of(answer) as (client, _), pytest.raises(UpstreamError) as caught:
        client.jobs()
    assert caught.value.reason is Reason.TOO_LARGE


class Ranged:
    """A TheEye with many monitors that answers ranges of ids, and counts the monitors of each answer."""

    def __init__(self, count: int) -> None:
        self.monitors = {f"{number:024x}": monitor(id=f"{number:024x}") for number in range(count)}
        self.listed: list[int] = []
        self.knows_where = True

    @property
    def ids(self) -> list[str]:
        return list(self.monitors)

    def answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/job"):
            return Reply(b"[]")
        where = parse_qs(asked.query)
        assert "limit" not in where
        low, high = (where.get(f"where[_id][{end}]", [None])[0] for end in ("$gt", "$lte"))
        shown = [
            one
            for one in self.monitors.values()
            if not self.knows_where or ((low is None or one["id"] > low) and (high is None or one["id"] <= high))
        ]
        self.listed.append(len(shown))
        return Reply(json.dumps(shown).encode())


def ids_of(listings: Iterator[Listing[Monitor]]) -> list[str]:
    return [one.id for listing in listings for one in listing.items]


def test_a_large_fleet_is_listed_in_ranges_of_ids() -> None:
    theeye = Ranged(1700)
    with client_of(theeye.answer) as (client, _):
        assert ids_of(client.monitors()) == theeye.ids
        theeye.monitors["f" * 24] = monitor(id="f" * 24)  # a new one
        del theeye.monitors[f"{700:024x}"]
        assert ids_of(client.monitors(theeye.ids[::-1])) == theeye.ids
    assert theeye.listed == [1700, 500, 500, 500, 200]


def test_a_fleet_that_is_not_large_is_listed_at_once() -> None:
    theeye = Ranged(1000)
    with client_of(theeye.answer) as (client, _):
        for _ in range(2):
            assert ids_of(client.monitors(theeye.ids)) == theeye.ids
    assert theeye.listed == [1000, 1000]


def test_a_server_that_ignores_where_is_asked_once_for_the_same_monitors() -> None:
    theeye = Ranged(1700)
    theeye.knows_where = False
    with client_of(theeye.answer) as (client, _):
        for _ in range(2):
            assert ids_of(client.monitors(theeye.ids)) == theeye.ids
    assert theeye.listed == [1700, 1700]


@given(st.integers(1001, 2600), st.sets(st.integers(0, 2700), max_size=40))
def test_ranges_are_all_monitors_that_there_are(count: int, changed: set[int]) -> None:
    theeye = Ranged(count)
    with client_of(theeye.answer) as (client, _):
        known = ids_of(client.monitors())
        for number in changed:
            name = f"{number:024x}"
            if theeye.monitors.pop(name, None) is None:
                theeye.monitors[name] = monitor(id=name)
        assert sorted(ids_of(client.monitors(known))) == sorted(theeye.monitors)


def test_monitors_of_the_shape_before_2_0_are_never_asked_for_by_range() -> None:
    known = [f"{number:024x}" for number in range(1700)]
    with client_of(routes(demo__job=[], demo__monitor=[monitor()])) as (client, server):
        for _ in range(2):
            assert len(ids_of(client.monitors(known))) == 1
    assert not any("where" in asked.query for asked in server.asked)
