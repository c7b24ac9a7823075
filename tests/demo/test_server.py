"""The server itself: connections, the log of requests, starting and stopping."""

import http.client
import socket
import threading
from contextlib import closing

import pytest
import requests

from demo.conftest import Client, Clock, Start
from theeye_exporter.demo import DemoSettings, RequestRecord, SimulatedTheEye, parse_fault


def test_one_connection_serves_many_requests(living: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", living.theeye.port, timeout=30)
    headers = {"Authorization": f"Bearer {living.theeye.settings.token}"}
    with closing(connection):
        connection.request("GET", "/demo/job", headers=headers)
        used = connection.sock
        assert connection.getresponse().read()
        connection.request("GET", "/demo/task", headers={**headers, "Accept-Encoding": "gzip"})
        assert connection.getresponse().read()
        assert connection.sock is used is not None


@pytest.mark.parametrize(
    "request_line", ["GET /api/status HTTP/1.0\r\n\r\n", "GET /api/status HTTP/1.1\r\nConnection: close\r\n\r\n"]
)
def test_a_connection_that_is_to_be_closed(living: Client, request_line: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", living.theeye.port), timeout=30)) as connection:
        connection.sendall(request_line.encode())
        with connection.makefile("rb") as stream:
            head, _, body = stream.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body.startswith(b"{")


@pytest.mark.parametrize(
    "sent", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_not_http_is_hung_up_on(living: Client, sent: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", living.theeye.port), timeout=30)) as connection:
        connection.sendall(sent)
        assert connection.recv(10) == b""
    assert living.get("/demo/job").status_code == 200


def test_the_log_of_requests(living: Client) -> None:
    living.get("/demo/job?limit=3&where[state]=success")
    living.get("/monitor", token=None, params={"access_token": living.theeye.settings.token})
    living.get("/no/where/at/all", token=None)
    assert list(living.theeye.requests) == [
        RequestRecord("GET", "/demo/job", "limit=3&where%5Bstate%5D=success", "header", "jobs"),
        RequestRecord("GET", "/monitor", "", "query", "monitors"),
        RequestRecord("GET", "/no/where/at/all", "", "none", ""),
    ]
    both = {"Authorization": "Bearer x"}
    living.get("/demo/task", token=None, headers=both, params={"access_token": "x"})
    assert living.theeye.requests[-1].auth == "both"


def test_requests_at_the_same_time_are_counted(start: Start) -> None:
    client = start(faults=(parse_fault("hang"),))
    sockets = [socket.create_connection(("127.0.0.1", client.theeye.port), timeout=30) for _ in range(5)]
    for one in sockets:
        one.sendall(b"GET /api/status HTTP/1.1\r\n\r\n")
    arrived = threading.Event()
    for _ in range(3000):
        if client.theeye.concurrent == 5:
            break
        arrived.wait(0.01)
    assert (client.theeye.concurrent, client.theeye.most_concurrent) == (5, 5)
    client.theeye.stop()
    assert [one.recv(1) for one in sockets] == [b""] * 5
    for one in sockets:
        one.close()
    assert (client.theeye.concurrent, client.theeye.most_concurrent) == (0, 5)


def test_a_client_that_gives_up_is_forgotten(start: Start) -> None:
    client = start(faults=(parse_fault("hang"),))
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.get("/api/status", timeout=(30, 0.05))
    client.session.close()
    given_up = threading.Event()
    for _ in range(3000):
        if client.theeye.concurrent == 0:
            break
        given_up.wait(0.01)
    assert client.theeye.concurrent == 0


def test_many_threads_see_a_world_that_fits_together(living: Client, clock: Clock) -> None:
    wrong: list[str] = []

    def watch() -> None:
        with requests.Session() as session:
            mine = Client(living.theeye, session)
            for _ in range(15):
                jobs = mine.json("/demo/job")
                if len({job["id"] for job in jobs}) != len(jobs):
                    wrong.append("an id twice")

    threads = [threading.Thread(target=watch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        clock.now += 1
        living.theeye.world.sync()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(living.theeye.requests) == 90


def test_starting_and_stopping(clock: Clock) -> None:
    theeye = SimulatedTheEye(DemoSettings(monitors=10, tasks=2), clock)
    theeye.stop()  # nothing to stop
    with pytest.raises(RuntimeError, match="not started"):
        assert theeye.url
    for _ in range(2):
        with theeye:
            assert requests.get(f"{theeye.url}/api/status", timeout=30).status_code == 200
            with pytest.raises(RuntimeError, match="started already"):
                theeye.start()
    with pytest.raises(RuntimeError, match="not started"):
        assert theeye.port


def test_an_address_that_is_taken(living: Client) -> None:
    second = SimulatedTheEye(DemoSettings(monitors=0, tasks=0, port=living.theeye.port))
    with pytest.raises(OSError, match="in use"):
        second.start()


def test_an_address_for_everybody_is_reached_on_loopback() -> None:
    with SimulatedTheEye(DemoSettings(monitors=0, tasks=0, host="0.0.0.0")) as theeye:  # noqa: S104 - is what it is about
        assert theeye.url == f"http://127.0.0.1:{theeye.port}"
        assert requests.get(f"{theeye.url}/api/status", timeout=30).status_code == 200


def test_the_body_is_prepared_once_for_each_state_of_the_world(living: Client, clock: Clock) -> None:
    clock.now = float(int(clock.now)) + 5
    path = f"{living.theeye.url}/demo/resource"
    assert path
    living.json("/demo/resource")
    before = living.theeye._api._reading._bodies["monitors", "[]"][1]
    living.json("/monitor?customer=demo")
    assert living.theeye._api._reading._bodies["monitors", "[]"][1] is before
    clock.now += 60
    living.json("/demo/resource")
    assert living.theeye._api._reading._bodies["monitors", "[]"][1] is not before
