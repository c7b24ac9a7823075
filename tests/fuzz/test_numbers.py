"""Tests invalid numbers from TheEye: only the sample of the number is missing."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from fuzz.polled import Polled, TheEye, theeye

AT: Final = "2026-11-22T13:08:59.000Z"

NUMBERS: Final = (
    *("-1", "-0.0", "0.1", "1e308", "1e400", "-1e400", "5e-324", "NaN", "-Infinity"),
    *("9007199254740993", "18446744073709551616", "-9223372036854775809"),
    *(digits + "0" * zeros for digits in ("1", "-1") for zeros in (19, 308, 400, 5000)),
    *(
        "1" + "0" * 400 + ".5",
        '"7"',
        '"' + "9" * 400 + '"',
        "true",
        "null",
        "[7]",
        '{"value": 7}',
        "[" * 200 + "]" * 200,
    ),
)

_MARK: Final = "@number@"


def monitor(kind: str, data: Any = None, **fields: Any) -> dict[str, Any]:
    settings = {"looptime": 10_000, **fields.pop("monitor", {})}
    report = {"last_event": {"data": data}, "last_update": AT, "last_check": AT}
    return {"name": "m", "type": kind, "state": "normal", **report, "monitor": settings, **fields}


def script(seconds: Any = 1, nanoseconds: Any = 0, code: Any = 0) -> dict[str, Any]:
    return {"code": code, "times": {"seconds": seconds, "nanoseconds": nanoseconds}}


def job(**fields: Any) -> dict[str, Any]:
    done = {"lifecycle": "finished", "state": "success", "creation_date": AT, "last_update": AT}
    return {"_type": "ScriptJob", "task_id": "t1", "name": "backup", **done, **fields}


FIELDS: Final = {
    **{
        field: ("monitors", monitor("host", **{field: _MARK}))
        for field in ("fails_count", "recovery_count", "last_update", "last_check", "enable", "alerts")
    },
    "looptime": ("monitors", monitor("host", monitor={"looptime": _MARK})),
    **{
        f"limit {field}": ("monitors", monitor("dstat", {}, monitor={"config": {"limit": {field: _MARK}}}))
        for field in ("cpu", "mem", "cache", "disk")
    },
    **{f"dstat {field}": ("monitors", monitor("dstat", {field: _MARK})) for field in ("cpu", "mem", "cache")},
    "disk": ("monitors", monitor("dstat", {"disk": [{"name": "vda", "value": _MARK}]})),
    "script seconds": ("monitors", monitor("script", script(seconds=_MARK))),
    "script nanoseconds": ("monitors", monitor("script", script(nanoseconds=_MARK))),
    "script code": ("monitors", monitor("script", script(code=_MARK))),
    "scraper status": ("monitors", monitor("scraper", {"response": {"status_code": _MARK}})),
    "processes": ("monitors", monitor("process", {"ps": _MARK})),
    "old looptime": ("monitors", {"looptime": _MARK, "resource": monitor("host", id="r1"), "name": "old"}),
    **{
        f"task {field}": ("tasks", {"name": "t", field: _MARK})
        for field in ("timeout", "execution_count", "creation_date")
    },
    "schedule": ("tasks", {"name": "t", "schedules": [{"nextRunAt": _MARK}]}),
    "workflow": ("workflows", {"name": _MARK}),
    "job seconds": ("jobs", job(result=script(seconds=_MARK))),
    "job nanoseconds": ("jobs", job(result=script(nanoseconds=_MARK))),
    "job code": ("jobs", job(result=script(code=_MARK))),
    **{f"job {field}": ("jobs", job(**{field: _MARK})) for field in ("creation_date", "state", "name")},
}
"""A kind, and an object of it with a number at this place."""


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


@pytest.fixture
def polled(server: TheEye) -> Iterator[Polled]:
    made = Polled(server)
    yield made
    made.close()


def listed(template: dict[str, Any], number: str, object_id: str) -> str:
    document = {"id": object_id, **template}
    if isinstance(template.get("resource"), dict):
        document["resource"] = {**template["resource"], "id": f"r{object_id}"}
    return json.dumps(document).replace(f'"{_MARK}"', number)


def runs(polled: Polled) -> float:
    return sum(value for (name, _), value in polled.series().items() if name == "theeye_job_runs_total")


@pytest.mark.parametrize("field", FIELDS)
def test_a_number_that_cannot_be_costs_its_own_sample_only(field: str, polled: Polled) -> None:
    kind, template = FIELDS[field]
    others = {"tasks": b'[{"id":"t1","name":"backup"}]', "jobs": json.dumps([job(id="j")]).encode()}
    assert set(polled.poll(others).values()) == {None}
    for number in NUMBERS:  # one at a time, so that the decoder's usual way is taken where it can be
        text = f"[{listed(template, number, 'a')},{listed(template, '1', 's')}]".encode()
        assert set(polled.poll({**others, kind: text}).values()) == {None}, (number, polled.log)
    before = runs(polled)
    objects = [listed(template, number, f"b{position}") for position, number in enumerate(NUMBERS)]
    objects += [listed(template, "1", f"s{position}") for position in range(5)]
    reasons = polled.poll({**others, kind: f"[{','.join(objects)}]".encode()})
    assert set(reasons.values()) == {None}, polled.log
    assert "internal" not in polled.log
    if kind == "jobs":
        # What is no JSON for sure costs its object, which is counted.
        assert runs(polled) - before >= 5 + len(NUMBERS) - polled.skipped("jobs", "malformed")
    else:
        own = [labels for name, labels in polled.series() if name == f"theeye_{kind.removesuffix('s')}_info"]
        assert len(own) >= len(objects) - polled.skipped(kind, "malformed")


def test_a_run_counts_whose_time_cannot_be(polled: Polled) -> None:
    others = {"tasks": b'[{"id":"t1","name":"backup"}]'}
    polled.poll({**others, "jobs": json.dumps([job(id="before")]).encode()})
    endless = job(id="endless", result=script(nanoseconds=10**399))
    good = [job(id=f"good{number}", result=script(seconds=2)) for number in range(5)]
    for _ in range(3):
        reasons = polled.poll({**others, "jobs": json.dumps([endless, *good]).encode()})
        assert set(reasons.values()) == {None}, polled.log
    found = {(name, labels): value for (name, labels), value in polled.series().items() if "job_" in name}
    assert runs(polled) == 6
    assert [v for (n, _), v in found.items() if n == "theeye_job_duration_seconds_count"] == [5]
    assert [v for (n, _), v in found.items() if n == "theeye_job_duration_seconds_sum"] == [10]
