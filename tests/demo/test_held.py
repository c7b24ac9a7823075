"""Tests the faults of monitors and bots: they last as long as they are active."""

from collections import Counter
from email.utils import parsedate_to_datetime

import pytest
import requests

from demo.conftest import Client, Clock, Start
from theeye_exporter.demo.faults import Fault, parse_fault


def states(client: Client) -> dict[str, str]:
    return {f"{one.get('hostname')}/{one['name']}": one["state"] for one in client.json("/demo/resource")}


def put(client: Client, *faults: str) -> None:
    answer = requests.put(f"{client.theeye.url}/-/faults", data="\n".join(faults).encode(), timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def calm(start: Start) -> Client:
    return start(calm=True)


def test_a_calm_world_stays_well(calm: Client, clock: Clock) -> None:
    for _ in range(40):
        clock.now += 30
        assert set(states(calm).values()) == {"normal"}
    outcomes = Counter(job["state"] for job in calm.json("/demo/job") if job["lifecycle"] == "finished")
    assert set(outcomes) <= {"success", "unknown", None}
    assert outcomes["success"] > 50
    assert calm.theeye.world.ended_runs.runs() > 100


def test_a_monitor_fails_as_long_as_the_fault_is_on(calm: Client, clock: Clock) -> None:
    put(calm, "monitor-failing=web-01/disk watch")
    for _ in range(20):
        assert {name for name, state in states(calm).items() if state != "normal"} == {"web-01/disk watch"}
        clock.now += 30
    put(calm)
    assert set(states(calm).values()) == {"normal"}


def test_patterns_spare_what_does_not_fail_of_itself(calm: Client) -> None:
    put(calm, "monitor-failing=*")
    kinds = {(one["type"], one["state"]) for one in calm.json("/demo/resource") if one["enable"]}
    assert {kind for kind, state in kinds if state == "normal"} == {"host", "nested"}
    assert {state for kind, state in kinds if kind not in {"host", "nested"}} == {"failure"}
    assert {one["state"] for one in calm.json("/demo/resource") if not one["enable"]} == {"normal"}


def test_a_bot_is_silent_as_long_as_the_fault_is_on_and_reports_as_before(calm: Client, clock: Clock) -> None:
    put(calm, "bot-silent=web-0?", "monitor-failing=web-01/configuration")
    silent = {name for name, state in states(calm).items() if state == "updates_stopped"}
    assert {name.split("/")[0] for name in silent} == {"web-01", "web-02"}
    clock.now += 600
    assert {name for name, state in states(calm).items() if state == "updates_stopped"} == silent
    put(calm, "monitor-failing=web-01/configuration")
    clock.now += 60
    assert {name for name, state in states(calm).items() if state != "normal"} == {"web-01/configuration"}
    put(calm, "bot-silent=web-01")
    put(calm)
    clock.now += 60
    assert set(states(calm).values()) == {"normal"}


def test_chance_does_not_mend_what_a_fault_holds(living: Client, clock: Clock) -> None:
    put(living, "bot-silent=db-01", "monitor-failing=web-01/*")
    held = {n for n, s in states(living).items() if n.startswith(("db-01/", "web-01/")) and s != "normal"}
    assert len(held) > 12
    for _ in range(40):
        clock.now += 30
        assert held <= {name for name, state in states(living).items() if state != "normal"}


def test_they_may_be_on_from_the_start(start: Start) -> None:
    client = start(calm=True, faults=(parse_fault("monitor-failing=web-01/disk watch"),))
    assert states(client)["web-01/disk watch"] == "failure"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bot-silent=web-01", Fault(name="bot-silent", value="web-01")),
        ("monitor-failing=web-01/a, b: c=d", Fault(name="monitor-failing", value="web-01/a, b: c=d")),
    ],
)
def test_they_are_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize("text", ["monitors:bot-silent=web-01", "bot-silent=web-01,p=0.5"])
def test_they_are_not_about_requests(text: str) -> None:
    with pytest.raises(ValueError, match="not about requests"):
        parse_fault(text)


def schedules(client: Client) -> dict[str, dict[str, object]]:
    return {task["name"]: task["schedules"][0] for task in client.json("/demo/task") if task["schedules"]}


def executions(client: Client) -> dict[str, int]:
    return {task["name"]: task["execution_count"] for task in client.json("/demo/task")}


def test_a_missed_trigger_moves_the_schedule_on_and_creates_no_job(calm: Client, clock: Clock) -> None:
    name, before = next(iter(schedules(calm).items()))
    put(calm, f"trigger-missed={name}")
    counted = executions(calm)[name]
    clock.now += 7200
    assert schedules(calm)[name]["lastRunAt"] != before["lastRunAt"]
    assert executions(calm)[name] == counted
    put(calm)
    clock.now += 7200
    assert executions(calm)[name] > counted


@pytest.mark.parametrize("fault", ["schedule-failed", "schedule-disabled"])
def test_a_schedule_that_does_not_run_keeps_its_next_run(fault: str, calm: Client, clock: Clock) -> None:
    name, before = next(iter(schedules(calm).items()))
    put(calm, f"{fault}={name}")
    clock.now += 7200
    after = schedules(calm)[name]
    assert (after["nextRunAt"], after.get("lastRunAt")) == (before["nextRunAt"], before.get("lastRunAt"))
    assert after["disabled"] is True
    assert ("failedAt" in after) == (fault == "schedule-failed")
    put(calm)
    clock.now += 7200
    assert schedules(calm)[name]["nextRunAt"] != before["nextRunAt"]


def test_a_clock_that_is_ahead_is_right_again_when_the_fault_ends(calm: Client, clock: Clock) -> None:
    def ahead() -> float:
        date = parsedate_to_datetime(calm.get("/api/status", token=None).headers["Date"])
        return round(date.timestamp() - clock.now)

    assert abs(ahead()) <= 1
    put(calm, "clock-ahead=2m")
    assert abs(ahead() - 120) <= 1
    put(calm)
    assert abs(ahead()) <= 1
    counted = sum(executions(calm).values())
    clock.now += 7200
    assert sum(executions(calm).values()) > counted


def test_theeye_says_the_version_of_the_fault(calm: Client) -> None:
    put(calm, "server-version=4.14.0")
    assert calm.json("/api/status")["theeye_version"] == "4.14.0"
    put(calm)
    assert calm.json("/api/status")["theeye_version"] == "4.15.3"
