"""Tests the memory limits for responses: few large ones at once, no bombs, and nothing above the limit of the process."""

import errno
import gzip
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from playback import TOKEN, Reply, http_server
from theeye_exporter.theeye import memory
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.deadline import Step
from theeye_exporter.theeye.decode import decode_list, decode_object
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.failures import error_from_exception
from theeye_exporter.theeye.memory import LARGE, LargeAnswers, Room, lacking, resident
from theeye_exporter.theeye.models import Job, Task
from theeye_exporter.theeye.settings import Route, TransportSettings
from theeye_exporter.theeye.tokens import fixed_token
from theeye_exporter.theeye.transport import Transport

MEBIBYTE = 2**20
LARGE_BODY = b"[" + b" " * LARGE + b"]"
DECODER = msgspec.json.Decoder(list[Task])


class Transports:
    """Transports that share places; `observed` has the status of each request."""

    def __init__(self, places: int) -> None:
        self.places = LargeAnswers(places)
        self.observed: list[str] = []
        self._made: list[Transport] = []

    def make(self, url: str, *, timeout: float = 60, max_bytes: int = 64 * MEBIBYTE) -> Transport:
        made = Transport(
            TransportSettings(
                url=url, auth="header", timeout=timeout, list_timeout=timeout, max_bytes=max_bytes, user_agent="tests/1"
            ),
            fixed_token(TOKEN),
            lambda _endpoint, status, _seconds, _size: self.observed.append(status),
            self.places,
        )
        self._made.append(made)
        return made

    def free(self) -> int:
        """Return how many places are free."""
        taken = 0
        while self.places.free.acquire(blocking=False):
            taken += 1
        for _ in range(taken):
            self.places.free.release()
        return taken

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
def two_places() -> Iterator[Transports]:
    made = Transports(2)
    yield made
    made.close()


def test_a_large_answer_has_a_place_until_it_is_used(two_places: Transports) -> None:
    with http_server(lambda _: Reply(LARGE_BODY)) as server:
        answer = two_places.make(server.url).get("/monitor", "/monitor")
        assert two_places.free() == 1
        with answer:
            assert answer.body == LARGE_BODY
            assert two_places.free() == 1
        assert two_places.free() == 2
    assert not answer.body


def test_a_small_answer_needs_no_place(two_places: Transports) -> None:
    with http_server(lambda _: Reply(b"[]")) as server:
        made = two_places.make(server.url, timeout=5)
        held = [two_places.places.free.acquire(blocking=False) for _ in range(2)]
        assert made.get("/monitor", "/monitor").body == b"[]"
    assert held == [True, True]


def test_without_a_place_nothing_large_is_asked_for(two_places: Transports) -> None:
    with http_server(lambda _: Reply(LARGE_BODY)) as server:
        made = two_places.make(server.url, timeout=2)
        for _ in range(2):
            two_places.places.free.acquire()
        for asked in (1, 1):  # the first time, nobody knows yet that it is large
            with pytest.raises(UpstreamError) as caught:
                made.get("/monitor", "/monitor")
            assert caught.value.reason is Reason.OUT_OF_RESOURCES
            assert len(server.asked) == asked
    assert two_places.observed == ["out_of_resources"]


def test_who_waits_asks_when_there_is_a_place_and_is_given_its_whole_time(two_places: Transports) -> None:
    with http_server(lambda _: Reply(LARGE_BODY)) as server, ThreadPoolExecutor(1) as pool:
        made = two_places.make(server.url)
        for _ in range(2):
            two_places.places.free.acquire()
        waiting = pool.submit(made.get, "/monitor", "/monitor")
        while not two_places.observed:
            threading.Event().wait(0.001)
        two_places.places.free.release()
        with waiting.result(timeout=60) as answer:
            assert answer.body == LARGE_BODY
    assert two_places.observed == ["out_of_resources", "200"]


def test_no_more_large_answers_than_places_are_read_at_once(two_places: Transports) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def get(made: Transport) -> None:
        nonlocal now, most
        with made.get("/monitor", "/monitor"):
            with lock:
                now += 1
                most = max(most, now)
            with lock:
                now -= 1

    with http_server(lambda _: Reply(LARGE_BODY)) as server, ThreadPoolExecutor(8) as pool:
        for made in [two_places.make(server.url) for _ in range(8)]:
            pool.submit(get, made)
    assert (two_places.observed.count("200"), most, two_places.free()) == (8, 1, 2)


def test_an_answer_that_has_become_small_leaves_its_place_at_once(two_places: Transports) -> None:
    bodies = [b"[]", LARGE_BODY]
    with http_server(lambda _: Reply(bodies.pop())) as server:
        made = two_places.make(server.url)
        with made.get("/monitor", "/monitor"):
            assert two_places.free() == 1
        made.get("/monitor", "/monitor")
        assert two_places.free() == 2


@pytest.mark.parametrize(("status", "limit"), [(500, 64 * MEBIBYTE), (401, 64 * MEBIBYTE), (200, 9 * MEBIBYTE)])
def test_a_failure_leaves_its_place(status: int, limit: int, two_places: Transports) -> None:
    with http_server(lambda _: Reply(LARGE_BODY * 2, status)) as server:
        with pytest.raises(UpstreamError):
            two_places.make(server.url, max_bytes=limit).get("/monitor", "/monitor")
        assert two_places.free() == 2


def test_what_unpacks_to_far_more_than_it_is_is_refused_while_it_arrives(two_places: Transports) -> None:
    bomb = gzip.compress(b" " * (60 * MEBIBYTE))
    sent = Reply(bomb, headers={"Content-Encoding": "gzip"})
    with http_server(lambda _: sent) as server, pytest.raises(UpstreamError) as caught:
        two_places.make(server.url).get("/monitor", "/monitor")
    assert caught.value.reason is Reason.TOO_LARGE
    assert caught.value.detail == "the response decompresses to more than 200 times its size (a fixed limit)"


@pytest.mark.parametrize(
    "body",
    [
        b" " * (15 * MEBIBYTE),  # far smaller when compressed, but harmless
        b"".join(b"%d " % (number * 2**61 % (2**61 - 1)) for number in range(800_000)) + b" " * (8 * MEBIBYTE),
    ],
    ids=["small", "ordinary"],
)
def test_what_compresses_well_is_no_bomb(body: bytes, two_places: Transports) -> None:
    reply = Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with http_server(lambda _: reply) as server, two_places.make(server.url).get("/monitor", "/monitor") as answer:
        assert answer.body == body


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process have taken 540 MiB."""
    monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
    monkeypatch.setattr(memory, "resident", lambda: 540 * MEBIBYTE)


@pytest.mark.usefixtures("full")
def test_a_process_that_has_taken_enough_reads_no_more_but_what_is_small(two_places: Transports) -> None:
    bodies = [b" " * 2**19, b" " * (2 * MEBIBYTE)]
    with http_server(lambda _: Reply(bodies.pop())) as server:
        made = two_places.make(server.url)
        with pytest.raises(UpstreamError) as caught:
            made.get("/monitor", "/monitor")
        assert len(made.get("/monitor", "/monitor").body) == 2**19
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
    assert caught.value.detail == "the process would use more than 576 MiB of memory"


@pytest.mark.usefixtures("full")
def test_what_is_only_beginning_leaves_room_for_what_follows() -> None:
    room = Room(64 * MEBIBYTE)
    room.need()
    room.need(35 * MEBIBYTE)
    for size, spare in ((37 * MEBIBYTE, 0.0), (0, 0.1)):
        with pytest.raises(UpstreamError):
            room.need(size, spare=spare)
    room.need_for_samples(MEBIBYTE)
    with pytest.raises(UpstreamError):
        room.need_for_samples(MEBIBYTE + 1)


def test_a_small_limit_of_answers_leaves_room_for_them_beside_the_process_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = [60 * MEBIBYTE]
    monkeypatch.setattr(memory, "resident", lambda: taken[0])
    room = Room(2 * MEBIBYTE)
    room.need(2 * MEBIBYTE, spare=0.4)
    taken.append(taken.pop() + 7 * MEBIBYTE)
    room.need(MEBIBYTE)
    with pytest.raises(UpstreamError) as caught:
        room.need(MEBIBYTE + 1)
    assert caught.value.detail == "the process would use more than 68 MiB of memory"


def test_a_collectors_samples_have_a_limit_of_their_own() -> None:
    Room(200 * MEBIBYTE).need_for_samples(400 * MEBIBYTE)
    with pytest.raises(UpstreamError) as caught:
        Room(200 * MEBIBYTE).need_for_samples(400 * MEBIBYTE + 1)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b'{"id":"a","tags":[' + b",".join([b"[]"] * 1000) + b"]}"] * 1000) + b"]",  # in pieces
        b"[" + b",".join([b"[]"] * 1_000_000) + b"]",  # at once
    ],
    ids=["in pieces", "at once"],
)
def test_a_list_is_not_decoded_without_room(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
    monkeypatch.setattr(memory, "resident", lambda: 520 * MEBIBYTE)
    with pytest.raises(UpstreamError) as caught:
        decode_list(body, DECODER, room=Room(64 * MEBIBYTE))
    assert caught.value.reason is Reason.OUT_OF_RESOURCES


def test_what_is_made_of_many_objects_is_watched_and_leaves_room_for_the_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
    taken = [100 * MEBIBYTE]
    monkeypatch.setattr(memory, "resident", lambda: taken[0])
    room, made = Room(64 * MEBIBYTE), list[int]()

    def make_of(number: int) -> None:
        made.append(number)
        taken[0] += 2**19

    with pytest.raises(UpstreamError) as caught:
        deque(map(make_of, room.watched(range(100_000))), 0)
    # A fifth of what responses may take stays free, apart from the objects between two checks.
    assert made == list(range(750))
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
    assert list(room.watched(range(400))) == list(range(400))


@pytest.mark.parametrize("body", [b"[]", b"[\xff]"], ids=["sound", "invalid UTF-8"])
def test_a_job_is_not_decoded_without_room(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
    monkeypatch.setattr(memory, "resident", lambda: 520 * MEBIBYTE)
    whole = b'{"id":"a","name":[' + b",".join([body] * 1_000_000) + b"]}"
    with pytest.raises(UpstreamError) as caught:
        decode_object(whole, msgspec.json.Decoder(Job), room=Room(64 * MEBIBYTE))
    assert caught.value.reason is Reason.OUT_OF_RESOURCES


@pytest.mark.parametrize("method", ["status", "tasks_page", "workflows", "hosts", "indicators", "webhooks"])
def test_no_response_is_decoded_without_room(
    two_places: Transports, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'[{"id":"a","name":"\xff"}' + b',{"id":"a","tags":[]}' * 300_000 + b"]"
    with http_server(lambda _: Reply(body)) as server:
        client = TheEyeClient(two_places.make(server.url), "demo")
        monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
        monkeypatch.setattr(memory, "resident", lambda: 520 * MEBIBYTE)
        with pytest.raises(UpstreamError) as caught:
            next(client.tasks("", lambda: False)) if method == "tasks_page" else getattr(client, method)()
    assert caught.value.reason is Reason.OUT_OF_RESOURCES


def test_a_slow_decoder_looks_again_whether_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [100, 100, 100, 100, 600]
    monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
    monkeypatch.setattr(memory, "resident", lambda: (taken.pop(0) if len(taken) > 1 else taken[0]) * MEBIBYTE)
    body = b"[" + b",".join([b'{"id":"a","name":"\xff"}'] * 5000) + b"]"
    with pytest.raises(UpstreamError) as caught:
        decode_list(body, DECODER, room=Room(64 * MEBIBYTE))
    assert caught.value.reason is Reason.OUT_OF_RESOURCES


def test_a_large_error_is_not_decoded(two_places: Transports) -> None:
    told = b'{"message":"organization not found","x":[' + b",".join([b"[]"] * 100_000) + b"]}"
    bodies = [told, told[:40].replace(b',"x":', b"}")]
    with http_server(lambda _: Reply(bodies.pop(), 404)) as server:
        made, reasons = two_places.make(server.url), []
        for _ in range(2):
            with pytest.raises(UpstreamError) as caught:
                made.get("/monitor", "/monitor")
            reasons.append(caught.value.reason)
    assert reasons == [Reason.ORGANIZATION_NOT_FOUND, Reason.NOT_FOUND]


def test_the_process_takes_some_memory() -> None:
    before = resident()
    assert before > 10 * MEBIBYTE
    block = bytearray(b"x" * (64 * MEBIBYTE))
    assert resident() > before + 32 * MEBIBYTE
    del block


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "no more memory"),
        (OSError(errno.ENOMEM, "x"), "no more memory"),
        (OSError(errno.EMFILE, "x"), "no more files"),
        (RuntimeError("can't start new thread"), "no more threads"),
    ],
)
def test_what_the_system_refuses_is_told_as_that(error: Exception, words: str) -> None:
    wrapped = ValueError("x")
    wrapped.__cause__ = error
    for one in (error, wrapped):
        assert words in (lacking(one) or "")
        told = error_from_exception(one, Step.RESPONSE, Route("theeye.example:443", "theeye.example", "", "ca.pem"))
        assert told.reason is Reason.OUT_OF_RESOURCES
        assert not told.reason.blames_theeye
        assert "report" not in told.reason.advice


def test_other_errors_are_no_shortage() -> None:
    assert [lacking(error) for error in (ValueError(), RuntimeError("x"), OSError(errno.EACCES, "x"))] == [None] * 3
