"""Tests every fault, from its syntax to its effect on a client."""

import gzip
import http.client
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from demo.conftest import Client, Start
from theeye_exporter.demo import FAULTS, Fault, parse_fault
from theeye_exporter.demo.faults import KINDS, FaultSwitch, parse_faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hang", Fault(name="hang")),
        (" drip ", Fault(name="drip")),
        ("latency=2s", Fault(name="latency", seconds=2.0)),
        ("latency=1.5", Fault(name="latency", seconds=1.5)),
        ("latency=250ms", Fault(name="latency", seconds=0.25)),
        ("latency=2m", Fault(name="latency", seconds=120.0)),
        ("error=503", Fault(name="error", value="503")),
        ("error=429,retry-after=7", Fault(name="error", value="429", retry_after=7)),
        ("jobs:error=500,p=0.2", Fault(name="error", kind="jobs", value="500", p=0.2)),
        ("jobs:error=500,p=0.2,retry-after=3", Fault(name="error", kind="jobs", value="500", p=0.2, retry_after=3)),
        ("monitors:malformed", Fault(name="malformed", kind="monitors")),
        ("job:drop", Fault(name="drop", kind="job")),
        ("redirect=http://x.example:1/y?a=b,c=d", Fault(name="redirect", value="http://x.example:1/y?a=b,c=d")),
        ("tasks:redirect=https://x/,p=0.5", Fault(name="redirect", kind="tasks", value="https://x/", p=0.5)),
    ],
)
def test_faults_are_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unknown fault. The faults are:\n  latency=2s: "),
        ("slow", "unknown fault. The faults are:\n  latency=2s: "),
        ("pages:hang", "unknown kind of endpoint; the kinds are action, "),
        ("latency", "expected latency=2s"),
        ("latency=", "expected latency=2s"),
        ("latency=long", "expected latency=2s"),
        ("error=200", "expected error=503"),
        ("error=99999", "expected error=503"),
        ("error", "expected error=503"),
        ("hang=3", "expected hang"),
        ("hang,p=2", "p is a probability from 0 to 1"),
        ("hang,p=often", "p is a probability from 0 to 1"),
        ("hang,p=nan", "p is a probability from 0 to 1"),
        ("error=429,retry-after=soon", "retry-after is a number of seconds"),
        ("hang,retry-after=3", "retry-after is allowed only with error"),
        ("redirect=", "expected redirect=URL"),
    ],
)
def test_an_invalid_fault_is_rejected_with_help(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        parse_fault(text)
    assert (repr(text) in str(refused.value)) == ("unknown" not in said)  # a misspelt name is not repeated


def test_the_help_names_every_fault() -> None:
    with pytest.raises(ValueError, match="The faults are") as refused:
        parse_fault("?")
    assert all(f"\n  {name}" in str(refused.value) for name in FAULTS)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        fault = parse_fault(text)
    except ValueError:
        return
    assert fault.name in FAULTS
    assert fault.kind is None or fault.kind in KINDS


def test_many_faults_in_a_text() -> None:
    assert parse_faults("# a list\n\nhang\n jobs:drop \n") == (parse_fault("hang"), parse_fault("jobs:drop"))


def test_chances_are_the_same_for_the_same_seed() -> None:
    faults = [parse_fault("hang,p=0.3")]
    one, same, other = (FaultSwitch(faults, seed) for seed in (5, 5, 6))
    drawn = [[bool(switch.hits("jobs")) for _ in range(400)] for switch in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 80 < sum(drawn[0]) < 160


def test_a_fault_for_one_kind_leaves_the_others_alone(living: Client) -> None:
    living.theeye.faults = (parse_fault("jobs:error=503"),)
    paths = ("/demo/job", "/demo/resource", "/demo/task", f"/demo/job/{next(iter(living.theeye.world.jobs))}")
    assert [living.get(path).status_code for path in paths] == [503, 200, 200, 200]
    living.theeye.faults = (parse_fault("job:error=503"),)
    assert [living.get(path).status_code for path in paths] == [200, 200, 200, 503]


def test_faults_from_the_start(start: Start) -> None:
    client = start(faults=(parse_fault("error=500"),))
    assert client.get("/demo/job").status_code == 500
    assert client.get("/no/such/route/at/all").status_code == 500


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("error=503", 503, {"code": "ServiceUnavailable", "message": "Service Unavailable"}),
        ("error=499", 499, {"code": "Error", "message": "Error"}),
        ("forbidden", 403, "forbidden"),
        ("no-organization", 404, "organization not found"),
        ("empty", 200, []),
    ],
)
def test_other_answers(living: Client, fault: str, status: int, body: object) -> None:
    living.theeye.faults = (parse_fault(fault),)
    answer = living.get("/demo/resource")
    assert (answer.status_code, answer.json()) == (status, body)


def test_retry_after(living: Client) -> None:
    living.theeye.faults = (parse_fault("error=429,retry-after=7"),)
    answer = living.get("/demo/job")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_an_expired_token_and_a_conflict(living: Client) -> None:
    living.theeye.faults = (parse_fault("token-expired"),)
    assert (living.get("/demo/job").status_code, living.get("/demo/job").json()["statusCode"]) == (401, 401)
    living.theeye.faults = (parse_fault("conflict"),)
    assert living.get("/demo/job").json()["message"].startswith("Incorrect Organizations")


def test_garbage_claims_to_be_json(living: Client) -> None:
    living.theeye.faults = (parse_fault("garbage"),)
    answer = living.get("/demo/job")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_redirect(living: Client) -> None:
    living.theeye.faults = (parse_fault("redirect=https://elsewhere.example/"),)
    answer = living.get("/demo/job", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example/")


def test_malformed_objects(frozen: Client) -> None:
    true = frozen.json("/demo/resource")
    frozen.theeye.faults = (parse_fault("monitors:malformed"),)
    spoilt = frozen.json("/demo/resource")
    assert len(spoilt) == len(true)
    different = [index for index, one in enumerate(spoilt) if one not in true]
    assert different == list(range(3, 120, 10))
    kinds: list[Any] = [spoilt[index] for index in different[:6]]
    assert kinds[:3] == [None, "an object, really", 42]
    assert (kinds[3]["state"], kinds[3]["fails_count"]) == (7, "three")
    assert kinds[3]["id"] in {one["id"] for one in true}
    assert {"id", "_id"}.isdisjoint(kinds[4])
    assert kinds[5] == {}


def test_a_malformed_detail(frozen: Client) -> None:
    job = next(job for job in frozen.theeye.world.jobs.values() if job.type == "ScriptJob")
    frozen.theeye.faults = (parse_fault("job:malformed"),)
    document = frozen.json(f"/demo/job/{job.id}")
    assert (document["id"], document["state"], document["result"]) == (job.id, 7, "x")


def test_duplicates(frozen: Client) -> None:
    true = frozen.json("/demo/job")
    frozen.theeye.faults = (parse_fault("duplicates"),)
    doubled = frozen.json("/demo/job")
    assert doubled[: len(true)] == true
    assert doubled[len(true) :] == [{**one, "order": 99} for one in true[3::10]]
    assert frozen.json("/usage/counters")["bots"]["count"] == 12  # only lists have duplicates


def test_latency_waits_before_the_answer(living: Client) -> None:
    living.theeye.faults = (parse_fault("latency=60s"), parse_fault("error=503"))
    with pytest.raises(requests.exceptions.ReadTimeout):
        living.get("/demo/job", timeout=(30, 0.05))
    living.theeye.faults = (parse_fault("latency=1ms"), parse_fault("error=503"))
    assert living.get("/demo/job").status_code == 503


@contextmanager
def raw(client: Client, path: str = "/demo/job") -> Iterator[socket.socket]:
    """A connection on which a request has been sent."""
    with closing(socket.create_connection(("127.0.0.1", client.theeye.port), timeout=30)) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.theeye.settings.token}\r\n\r\n".encode()
        )
        yield connection


def test_drop_closes_without_a_response(living: Client) -> None:
    living.theeye.faults = (parse_fault("drop"),)
    with raw(living) as connection:
        assert connection.recv(100) == b""


def test_truncate_sends_half_of_what_it_announces(living: Client) -> None:
    true = living.get("/demo/job", headers={"Accept-Encoding": "identity"}).content
    living.theeye.faults = (parse_fault("truncate"),)
    with raw(living) as connection, connection.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    assert f"Content-Length: {len(true)}".encode() in head
    assert body == true[: len(true) // 2]
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        living.get("/demo/job")


@pytest.mark.parametrize(("fault", "at_once"), [("drip", True), ("drip-headers", False)])
def test_a_drip_ends_with_the_server(start: Start, fault: str, *, at_once: bool) -> None:
    client = start(faults=(parse_fault(fault),))
    with raw(client) as connection, connection.makefile("rb") as stream:
        assert stream.read(1) == b"H"
        client.theeye.stop()
        rest = stream.read()
    assert (b"\r\n\r\n" in rest) == at_once
    assert len(rest.partition(b"\r\n\r\n")[2]) <= 2


def test_a_drip_arrives_whole_in_the_end(living: Client) -> None:
    living.theeye.drip_seconds = 0.0
    for fault in ("drip", "drip-headers"):
        living.theeye.faults = (parse_fault(fault),)
        assert living.json("/api/status")["status"] == "Node is ok."


def test_hang_ends_with_the_server(start: Start) -> None:
    client = start(faults=(parse_fault("hang"),))
    with raw(client) as connection:
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        client.theeye.stop()
        connection.settimeout(30)
        assert connection.recv(1) == b""


def test_a_bomb_is_small_and_unpacks_to_much(living: Client) -> None:
    living.theeye.faults = (parse_fault("bomb"),)
    connection = http.client.HTTPConnection("127.0.0.1", living.theeye.port, timeout=30)
    with closing(connection):
        connection.request("GET", "/demo/job", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        packed = answer.read(100_000)
        answer.close()
    unpacked = zlib.decompressobj(31).decompress(packed)
    assert unpacked[:10] == b"[         "
    assert len(unpacked) > 50_000_000


def test_too_large_never_ends(living: Client) -> None:
    living.theeye.faults = (parse_fault("too-large"),)
    with living.get("/demo/job", stream=True) as answer:
        assert "Content-Length" not in answer.headers
        assert "Content-Encoding" not in answer.headers
        assert len(answer.raw.read(10_000_000)) == 10_000_000


def test_faults_over_http(living: Client) -> None:
    url = f"{living.theeye.url}/-/faults"
    assert living.session.get(url, timeout=30).text == ""
    put = living.session.put(url, data="jobs:error=503\nlatency=1ms,p=0.5\n", timeout=30)
    assert (put.status_code, put.text) == (200, "jobs:error=503\nlatency=0.001s,p=0.5\n")
    assert living.get("/demo/job").status_code == 503
    refused = living.session.put(url, data="hang\nhung\n", timeout=30)
    assert refused.status_code == 400
    assert """unknown fault (did you mean "hang"?)""" in refused.text
    assert living.session.get(url, timeout=30).text == put.text
    assert living.session.post(url, timeout=30).status_code == 405
    assert living.session.delete(url, timeout=30).text == ""
    assert living.theeye.faults == ()
    assert living.get("/demo/job").status_code == 200
    assert [record.path for record in living.theeye.requests] == ["/demo/job", "/demo/job"]


def test_faults_do_not_reach_their_own_switch(living: Client) -> None:
    living.theeye.faults = (parse_fault("drop"),)
    assert living.session.get(f"{living.theeye.url}/-/faults", timeout=30).text == "drop\n"


def test_faults_add_up(living: Client) -> None:
    living.theeye.faults = tuple(map(parse_fault, ("tasks:malformed", "tasks:duplicates", "garbage,p=0")))
    spoilt = living.json("/task")
    assert spoilt[3] is None
    assert (len(spoilt), spoilt[38]["order"]) == (39, 99)  # three of the four that would come twice are no objects
    living.theeye.faults = tuple(map(parse_fault, ("tasks:duplicates", "tasks:malformed")))
    both = living.json("/task")
    assert (len(both), both[3], both[39]["order"]) == (42, None, 99)


def test_gzip_of_a_body_is_its_body(living: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", living.theeye.port, timeout=30)
    with closing(connection):
        headers = {"Accept-Encoding": "gzip", "Authorization": f"Bearer {living.theeye.settings.token}"}
        connection.request("GET", "/demo/resource", headers=headers)
        packed = connection.getresponse().read()
    assert gzip.decompress(packed) == living.get("/demo/resource", headers={"Accept-Encoding": "identity"}).content
