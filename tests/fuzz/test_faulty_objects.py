"""Tests a bug at one object: the object is left out and counted, the rest is served, and the log helps to report it."""

import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from fuzz.polled import Polled, TheEye, theeye
from theeye_exporter import __version__
from theeye_exporter.collectors.faults import shape
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.theeye.fields import Times
from theeye_exporter.theeye.models import Job, JobResult

AT: Final = "2026-11-22T13:08:59.000Z"
BAD: Final = "secret-of-mine"


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


@pytest.fixture
def polled(server: TheEye) -> Iterator[Polled]:
    made = Polled(server)
    yield made
    made.close()


def text(*objects: dict[str, Any]) -> bytes:
    return json.dumps(objects).encode()


def failing(original: Callable[..., Any], error: type[Exception]) -> Callable[..., Any]:
    """Return the function as it would be with a fault that shows at some objects only."""

    def faulty(*arguments: Any) -> Any:
        if BAD in repr(arguments):
            raise error(BAD)
        return original(*arguments)

    return faulty


def job(job_id: str, **fields: Any) -> dict[str, Any]:
    done = {"lifecycle": "finished", "state": "success", "creation_date": AT, "last_update": AT}
    return {"id": job_id, "_type": "ScriptJob", "task_id": "t0", "name": "backup", **done, **fields}


def monitor(monitor_id: str, code: Any = 0) -> dict[str, Any]:
    report = {"last_event": {"data": {"code": code}}, "last_update": AT, "last_check": AT}
    return {
        "id": monitor_id,
        "name": monitor_id,
        "type": "script",
        "state": "normal",
        "monitor": {"looptime": 10**7},
        **report,
    }


GOOD: Final = {
    "monitors": [monitor(f"m{number}") for number in range(40)],
    "tasks": [{"id": f"t{number}", "name": "task"} for number in range(20)],
    "workflows": [{"id": f"w{number}", "name": "flow"} for number in range(20)],
    "hosts": [{"id": f"h{number}", "hostname": "bot"} for number in range(20)],
    "indicators": [{"id": f"i{number}", "title": "Revenue"} for number in range(20)],
    "webhooks": [{"id": f"k{number}", "name": "deploy"} for number in range(20)],
    "jobs": [job(f"j{number}") for number in range(20)],
    "open_jobs": [job(f"o{number}", lifecycle="ready", state="in_progress") for number in range(20)],
    "details": job("j1", result={"code": 0, "times": {"seconds": 1, "nanoseconds": 0}}),
}


def spoil(target: str, monkeypatch: pytest.MonkeyPatch, error: type[Exception] = ZeroDivisionError) -> None:
    module, name = target.split(":")
    original = pkgutil.resolve_name(f"theeye_exporter.{target}")
    monkeypatch.setattr(f"theeye_exporter.{module}.{name}", failing(original, error))


@pytest.mark.parametrize(
    ("kind", "target", "faulty"),
    [
        ("tasks", "collectors.tasks.collector:_schedules", {"id": "bad", "name": BAD}),
        ("tasks", "collectors.tasks.collector:_entry", {"id": "bad", "name": BAD}),
        ("hosts", "collectors.hosts:text", {"id": "bad", "hostname": BAD}),
        ("indicators", "collectors.indicators:text", {"id": "bad", "title": BAD}),
        ("webhooks", "collectors.webhooks:text", {"id": "bad", "name": BAD}),
        ("workflows", "collectors.base:join_tags", {"id": "bad", "name": "flow", "tags": [BAD]}),
        ("monitors", "collectors.monitors.known:text", {**monitor("bad"), "name": BAD}),
        ("monitors", "collectors.base:number", monitor("bad", BAD)),
        ("monitors", "collectors.monitors.collector:fingerprint", monitor("bad", BAD)),
        ("jobs", "ledger.recording:outcome_of", job("bad", state=BAD)),
        ("open_jobs", "ledger.update:run_key_of", job("bad", lifecycle="ready", name=BAD)),
        ("open_jobs", "collectors.jobs.run_samples:run_key_of", job("bad", lifecycle="ready", name=BAD)),
    ],
)
def test_an_object_that_raises_costs_itself(
    kind: str, target: str, faulty: dict[str, Any], polled: Polled, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = {key: json.dumps(value).encode() for key, value in GOOD.items()}
    assert set(polled.poll(sound).values()) == {None}
    expected = {key: value for key, value in polled.series().items() if "timestamp" not in key[0]}
    spoil(target, monkeypatch)
    collector = "jobs" if kind == "open_jobs" else kind
    for times in range(1, 4):
        reasons = polled.poll({**sound, kind: text(*GOOD[kind][:7], faulty, *GOOD[kind][7:])})  # type: ignore[index]
        assert set(reasons.values()) == {None}, polled.log
        assert polled.skipped(collector, "internal") == times
        assert expected.items() <= polled.series().items()
    (line,) = [line for line in polled.log.splitlines() if "object skipped" in line]
    for told in (f"collector={collector}", "id=bad", "exception=ZeroDivisionError", f"version={__version__}", " at="):
        assert told in line
    assert re.search(r'shape="id=str\(3\) .*"', line)
    assert BAD not in polled.log
    assert set(polled.poll(sound).values()) == {None}
    assert polled.skipped(collector, "internal") == 3


def test_a_result_that_raises_costs_itself(polled: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = {key: json.dumps(value).encode() for key, value in GOOD.items()}
    polled.poll(sound)
    spoil("ledger.recording:result_of", monkeypatch)
    new = [*GOOD["jobs"], job("new", last_update="2026-11-22T13:09:30.000Z")]
    details = text(job("new", result={"code": BAD}))[1:-1]
    for _ in range(5):
        reasons = polled.poll({**sound, "jobs": json.dumps(new).encode(), "details": details})
        assert set(reasons.values()) == {None}, polled.log
    runs = [value for (name, _), value in polled.series().items() if name == "theeye_job_runs_total"]
    assert sum(runs) == 1
    assert "object skipped" in polled.log
    assert BAD not in polled.log


@pytest.mark.parametrize(
    ("kind", "target", "faulty"),
    [
        ("tasks", "collectors.tasks.collector:_entry", {"id": "bad", "name": BAD}),
        ("monitors", "collectors.base:number", monitor("bad", BAD)),
        ("jobs", "ledger.recording:outcome_of", job("bad", state=BAD)),
        ("open_jobs", "collectors.jobs.run_samples:run_key_of", job("bad", lifecycle="ready", name=BAD)),
        ("details", "ledger.recording:result_of", job("new", result={"code": BAD})),
    ],
)
def test_a_lack_of_memory_is_no_fault_of_an_object(
    kind: str, target: str, faulty: dict[str, Any], polled: Polled, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = {key: json.dumps(value).encode() for key, value in GOOD.items()}
    polled.poll(sound)
    spoil(target, monkeypatch, MemoryError)
    if kind == "details":
        new = json.dumps([*GOOD["jobs"], job("new", last_update="2026-11-22T13:09:30.000Z")]).encode()
        answers = {**sound, "jobs": new, "details": text(faulty)[1:-1]}
    else:
        answers = {**sound, kind: text(*GOOD[kind], faulty)}  # type: ignore[arg-type]
    reasons = polled.poll(answers)
    collector = "jobs" if kind in {"open_jobs", "details"} else kind
    assert reasons[collector] is Reason.OUT_OF_RESOURCES
    assert not polled.skipped(collector, "internal")
    assert "report" not in polled.log
    assert set(polled.poll(sound).values()) == {None}


def test_a_shape_has_types_and_sizes_and_no_content() -> None:
    told = shape(Job(id="abc", name=BAD, result=JobResult(code=True, times=Times(seconds=7, nanoseconds=10**399))))
    assert (
        told
        == "id=str(3) name=str(14) result.code=bool result.times.seconds=int(3 bits) result.times.nanoseconds=int(1326 bits)"
    )
