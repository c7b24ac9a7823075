"""What starts runs: one request for each creation, and what is known after it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from demo.conftest import Clock
from theeye.starting_clients import starting_client
from theeye_exporter.actions.rows import Before, Phase, Row, Target, Timing, answered, begun
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.tasks import Task
from theeye_exporter.theeye.creations import Fate
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.starting import StartingClient
from theeye_exporter.theeye.tokens import token_from_file

MEMBERS = 'Invalid members. ["5bf81d18ca5e7e000f80f8e3"]'
ARGUMENTS = (
    {"order": 0, "label": "first", "type": "input", "id": 0},
    {"order": 1, "label": "fixed", "type": "fixed", "id": 1, "value": "FIX"},
    {"order": 2, "label": "second", "type": "input", "id": 2},
)


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=30, tasks=20), Clock()) as server:
        server.world.frozen = True
        yield server


@pytest.fixture
def client(theeye: SimulatedTheEye) -> StartingClient:
    return starting_client(theeye.url, theeye.settings.user_token)


def a_task(theeye: SimulatedTheEye) -> Task:
    tasks = theeye.world.tasks.values()
    return next(task for task in tasks if task.type == "script" and task.listed and task.workflow_id is None)


def posts(theeye: SimulatedTheEye) -> list[str]:
    return [request.path for request in theeye.requests if request.method == "POST"]


def test_a_task_is_started_with_its_arguments(theeye: SimulatedTheEye, client: StartingClient) -> None:
    task = a_task(theeye)
    task.arguments = ARGUMENTS
    creation = client.start_task(task.id, [{"order": 0, "value": "A b"}, {"order": 2, "value": "C"}])
    assert (creation.fate, creation.why) == (Fate.CREATED, "")
    assert creation.job is not None
    assert (creation.job.lifecycle, creation.job.task_arguments_values) == ("ready", ["A b", "FIX", "C"])
    assert posts(theeye) == [f"/demo/task/{task.id}/job"]
    assert client.runs([creation.job.id])[creation.job.id].lifecycle == "ready"


@pytest.mark.parametrize("kind", ["task", "workflow"])
def test_a_secret_key_starts_without_a_token(theeye: SimulatedTheEye, kind: str) -> None:
    client = starting_client(theeye.url, "no token of anybody")
    if kind == "task":
        task = a_task(theeye)
        creation = client.start_task(task.id, [], task.secret)
    else:
        workflow = next(iter(theeye.world.workflows.values()))
        creation = client.start_workflow(workflow.id, [], workflow.secret)
    assert creation.fate is Fate.CREATED
    assert creation.job is not None
    assert creation.job.origin == "secret"
    assert theeye.requests[-1].auth == "none"


def test_the_token_goes_where_the_configuration_says(theeye: SimulatedTheEye) -> None:
    client = starting_client(theeye.url, theeye.settings.user_token, auth="query")
    assert client.start_task(a_task(theeye).id, []).fate is Fate.CREATED
    assert theeye.requests[-1].auth == "query"


def test_a_token_file_is_read_each_time(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    client = starting_client(theeye.url, token_from_file(file))
    assert client.start_task(a_task(theeye).id, []).why == "TheEye answered 401: authentication failed"
    file.write_text(theeye.settings.user_token)
    assert client.start_task(a_task(theeye).id, []).fate is Fate.CREATED
    file.unlink()
    assert client.start_task(a_task(theeye).id, []).fate is Fate.NOTHING


@pytest.mark.parametrize("kind", ["task", "workflow"])
def test_nothing_is_sent_with_another_token_than_expected(theeye: SimulatedTheEye, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    client = starting_client(theeye.url, token_from_file(file))
    old = client.token_mark()
    file.write_text(theeye.settings.user_token)
    new = client.token_mark()
    assert len({old, new}) == 2
    assert theeye.settings.user_token not in new
    start = client.start_task if kind == "task" else client.start_workflow
    what = a_task(theeye) if kind == "task" else next(iter(theeye.world.workflows.values()))
    creation = start(what.id, [], token_mark=old)
    assert (creation.fate, creation.why) == (Fate.NOTHING, "the token was replaced while the start was prepared")
    assert not theeye.requests
    assert start(what.id, [], token_mark=new).fate is not Fate.NOTHING


@pytest.mark.parametrize(
    ("fault", "fate", "why"),
    [
        ("applied-no-answer", Fate.UNKNOWN, "the connection was closed without a response"),
        ("applied-error=500", Fate.UNKNOWN, "TheEye answered 500: Internal Server Error"),
        ("error=502", Fate.UNKNOWN, "TheEye answered 502: Bad Gateway"),
        ("error=408", Fate.UNKNOWN, "TheEye answered 408: Request Timeout"),
        ("applied-late=5s", Fate.UNKNOWN, "the connection was closed without a response"),
        ("truncate", Fate.UNKNOWN, "the connection was closed before the end of the response"),
        ("garbage", Fate.UNKNOWN, "TheEye answered 200 without a job"),
        ("empty", Fate.UNKNOWN, "TheEye answered 200 without a job"),
        ("bomb", Fate.UNKNOWN, "the answer is larger than any answer of TheEye"),
        ("too-large", Fate.UNKNOWN, "the answer is larger than any answer of TheEye"),
        ("token-expired", Fate.REFUSED, "TheEye answered 401: authentication failed"),
        ("forbidden", Fate.REFUSED, "TheEye answered 403: forbidden"),
        ("error=429", Fate.REFUSED, "TheEye answered 429: Too Many Requests"),
        ("redirect=http://127.0.0.1:1/", Fate.REFUSED, "TheEye answered 302"),
        (
            "invalid-members",
            Fate.NOTHING,
            f"TheEye answered 400: {MEMBERS}: TheEye could not look up the token's user",
        ),
    ],
)
def test_each_answer_and_none(
    theeye: SimulatedTheEye, client: StartingClient, fault: str, fate: Fate, why: str
) -> None:
    theeye.faults = (parse_fault(f"creation:{fault}"),)
    creation = client.start_task(a_task(theeye).id, [])
    assert (creation.fate, creation.why, creation.job) == (fate, why, None)
    assert len(posts(theeye)) == 1


def test_an_answer_that_never_comes(theeye: SimulatedTheEye) -> None:
    theeye.faults = (parse_fault("creation:hang"),)
    client = starting_client(theeye.url, theeye.settings.user_token, timeout=0.2)
    creation = client.start_task(a_task(theeye).id, [])
    assert (creation.fate, creation.why) == (Fate.UNKNOWN, "the response was not complete in time")
    assert len(posts(theeye)) == 1


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = starting_client(f"http://127.0.0.1:{port}", "t")
    creation = client.start_task("f" * 24, [])
    assert (creation.fate, creation.why) == (Fate.NOTHING, f"connection refused by 127.0.0.1:{port}")


def test_a_connection_that_is_reset_may_have_carried_the_request() -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            assert connection.recv(1) == b"P"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        client = starting_client(f"http://127.0.0.1:{listener.getsockname()[1]}", "t")
        assert client.start_task("f" * 24, []).fate is Fate.UNKNOWN
        thread.join()
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()  # there is no second attempt


def test_a_tls_server_that_is_none_got_nothing(theeye: SimulatedTheEye) -> None:
    client = starting_client(theeye.url.replace("http:", "https:"), theeye.settings.user_token)
    assert client.start_task(a_task(theeye).id, []).fate is Fate.NOTHING
    assert posts(theeye) == []


def test_a_secret_key_is_not_repeated_in_messages(theeye: SimulatedTheEye) -> None:
    secret = "s" * 63 + "/"  # not a path that the server knows
    creation = starting_client(theeye.url, "t").start_task(a_task(theeye).id, [], secret)
    assert creation.fate is Fate.REFUSED
    assert "does not exist" in creation.why
    assert "sss" not in creation.why


@contextmanager
def answering(head: str, said: object) -> Iterator[str]:
    """Answer one creation with a document, once it has arrived as a whole; yield the address."""
    body = json.dumps(said).encode()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("by", ["secret", "header", "query"])
@pytest.mark.parametrize("before", [0, 250, 290, 299, 300])
def test_no_part_of_a_secret_is_repeated_where_an_answer_is_cut(by: str, before: int) -> None:
    secret = "0123456789/abcdef" * 4
    said = {"message": f"{'x' * before}{secret}{quote(secret, safe='')} {secret}"}
    with answering("403 Forbidden", said) as url:
        client = starting_client(url, secret if by != "secret" else "t", auth=by)
        creation = client.start_task("f" * 24, [], secret if by == "secret" else None)
    assert creation.fate is Fate.REFUSED
    assert "012" not in creation.why
    assert len(creation.why) < 350


def test_a_secret_is_not_repeated_in_why_a_job_was_not_built() -> None:
    secret = "0123456789/abcdef" * 4
    job = {
        "id": "f" * 24,
        "lifecycle": "terminated",
        "state": "error",
        "result": {"log": f"{'x' * 290}{secret}{'y' * 1000}"},
    }
    with answering("200 OK", job) as url:
        creation = starting_client(url, "t").start_task("f" * 24, [], secret)
    row = begun(Row(id="r", target=Target("task", "t", "t")), Before(None, None, 5), "", 0.0)
    row = answered(row, creation, 1.0, Timing(), can_look=True)
    assert row.phase is Phase.REFUSED
    assert "012" not in row.why
    assert len(row.why) < 350


def test_tasks_and_workflows_by_id_and_name(theeye: SimulatedTheEye, client: StartingClient) -> None:
    task = a_task(theeye)
    assert [one.id for one in client.startable_tasks(task_id=task.id).items] == [task.id]
    same = {one.id for one in theeye.world.tasks.values() if one.name == task.name and one.listed}
    assert {one.id for one in client.startable_tasks(name=task.name).items} == same
    workflow = next(iter(theeye.world.workflows.values()))
    assert [one.name for one in client.startable_workflows(workflow_id=workflow.id).items] == [workflow.name]
    assert [one.id for one in client.startable_workflows(name=workflow.name).items] == [workflow.id]
    task.foreign = True
    assert client.startable_tasks(task_id=task.id).items == []


def test_the_jobs_of_a_task_since_a_time(theeye: SimulatedTheEye, client: StartingClient) -> None:
    task, world = a_task(theeye), theeye.world
    world.create_job(task.id)
    world.advance(60)
    mine = [client.start_task(task.id, []).job, client.start_task(task.id, []).job]
    listed = client.jobs_since(world.now - 1, task_id=task.id)
    assert [job.id for job in listed] == [job.id for job in mine if job is not None]
    assert {job.user_id for job in listed} == {"5bf81d18ca5e7e000f80f8e3"}


def test_a_job_is_cancelled_and_read(theeye: SimulatedTheEye, client: StartingClient) -> None:
    job = client.start_task(a_task(theeye).id, []).job
    assert job is not None
    client.cancel(job.id)
    found = client.run(job.id)
    assert found is not None
    assert (found.lifecycle, found.state) == ("canceled", "canceled")
    assert client.run("f" * 24) is None


def test_another_organisations_token_starts_nothing(theeye: SimulatedTheEye) -> None:
    client = starting_client(theeye.url, theeye.settings.neighbour_token)
    creation = client.start_task(a_task(theeye).id, [])
    assert (creation.fate, creation.why) == (
        Fate.REFUSED,
        "TheEye answered 409: Incorrect Organizations. Session conflict",
    )
    with pytest.raises(UpstreamError, match="organization_conflict"):
        client.startable_tasks(name="x")
