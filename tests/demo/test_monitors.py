"""Tests monitors: how states change, unusual forms, and the methods for tests."""

from typing import Any

import pytest

from demo.conftest import Client, Clock
from theeye_exporter.demo.monitors import Host, Monitor
from theeye_exporter.demo.population import NASTY_NAME

Document = dict[str, Any]


def fresh(kind: str = "script", looptime_s: int = 10) -> Monitor:
    monitor = Monitor(("a" * 24, "b" * 24), "one", kind, Host("c" * 24, "bot", 0, disks=("vda",), swap=True), 7)
    monitor.looptime_ms = looptime_s * 1000
    monitor.last_update_ms = monitor.last_check_ms = 0
    return monitor


def by_id(client: Client, path: str = "/demo/resource") -> dict[str, Document]:
    return {one["id"]: one for one in client.json(path)}


def test_the_third_failing_report_changes_the_state() -> None:
    monitor = fresh()
    monitor.failing = True
    seen = []
    for number in range(1, 6):
        monitor.report(number * 10_000)
        seen.append((monitor.state, monitor.event_state, monitor.fails_count))
    assert seen == [
        ("normal", "failure", 1),
        ("normal", "failure", 2),
        ("failure", "failure", 3),
        ("failure", "failure", 4),
        ("failure", "failure", 5),
    ]


def test_a_normal_report_resets_the_count_and_counts_the_recovery() -> None:
    monitor = fresh()
    monitor.failing = True
    for number in range(4):
        monitor.report(number)
    monitor.failing = False
    monitor.report(100)
    assert (monitor.state, monitor.fails_count, monitor.recovery_count) == ("normal", 0, 1)
    monitor.report(200)
    assert monitor.recovery_count == 1


def test_two_failing_reports_are_no_recovery() -> None:
    monitor = fresh()
    monitor.failing = True
    monitor.report(1)
    monitor.report(2)
    monitor.failing = False
    monitor.report(3)
    assert (monitor.state, monitor.fails_count, monitor.recovery_count) == ("normal", 0, 0)


@pytest.mark.parametrize(
    ("looptime_s", "stopped_s"),
    [(10, 90), (60, 180)],  # recorded for 60 s: 188 s after the last report, at the next look of a real server
)
def test_reports_that_stop(looptime_s: int, stopped_s: int) -> None:
    monitor = fresh(looptime_s=looptime_s)
    event = monitor.event_state
    found = next(now_s for now_s in range(10, 1000, 10) if monitor.check_for_reports(now_s * 1000))
    assert found == stopped_s
    assert (monitor.state, monitor.fails_count) == ("updates_stopped", 3)
    assert (monitor.last_update_ms, monitor.last_check_ms) == (0, stopped_s * 1000)
    assert monitor.event_state == event
    assert not monitor.check_for_reports(2_000_000)
    assert monitor.fails_count == 3


def test_a_disabled_monitor_is_left_alone() -> None:
    monitor = fresh()
    monitor.enable = False
    monitor.failing = True
    monitor.report(10_000)
    assert not monitor.check_for_reports(1_000_000)
    assert (monitor.state, monitor.fails_count, monitor.last_update_ms) == ("normal", 0, 0)


def test_a_nested_monitor_freezes_while_it_fails() -> None:
    nested, member = fresh("nested", 0), fresh()
    nested.members = (member,)
    member.state = "failure"
    for number in range(1, 6):
        nested.sum_up(number * 10_000)
    assert (nested.state, nested.fails_count, nested.last_update_ms) == ("failure", 3, 30_000)
    member.state = "normal"
    nested.sum_up(60_000)
    assert (nested.state, nested.recovery_count, nested.last_update_ms) == ("normal", 1, 60_000)


def test_the_fleet_has_every_type_and_oddity(living: Client) -> None:
    monitors = living.json("/demo/resource")
    assert len(monitors) == 120
    types = [one["type"] for one in monitors]
    assert set(types) == {"dstat", "psaux", "host", "scraper", "script", "process", "file", "nested"}
    assert 0.25 <= types.count("dstat") / len(types) <= 0.5
    assert [one["name"] for one in monitors if one["monitor"] is None] != []
    assert len([one for one in monitors if "last_event" not in one]) == 1
    assert len([one for one in monitors if not one["enable"]]) == 1
    assert NASTY_NAME in {one["name"] for one in monitors}
    assert [one["name"] for one in monitors].count("Health") > 5
    assert len({one["hostname"] for one in monitors}) == 12
    assert len({one["id"] for one in monitors}) == 120
    assert all(one["id"] == one["_id"] for one in monitors)
    data = [one["last_event"]["data"] for one in monitors if one["type"] == "dstat" and one["monitor"] is not None]
    assert any(one["cache"] is None for one in data)
    assert any(isinstance(one["cache"], float) for one in data)
    assert {len(one["disk"]) for one in data} == {1, 2}


def test_values_stay_in_range(living: Client, clock: Clock) -> None:
    for _ in range(20):
        clock.now += 97
        for one in living.json("/demo/resource?where[type]=dstat"):
            data = one["last_event"]["data"]
            if "error" in data:
                continue
            assert isinstance(data["cpu"], int)
            values = [data["cpu"], data["mem"], *(disk["value"] for disk in data["disk"])]
            assert all(0 <= value <= 100 for value in values)
            assert (max(values) > 90) == (one["last_event"]["state"] == "failure")


def test_a_failing_host_statistic_says_which(living: Client, clock: Clock) -> None:
    seen = set()
    for _ in range(60):
        clock.now += 60
        seen |= {one["last_event"]["event"] for one in living.json("/demo/resource?where[type]=dstat")}
    assert {"host:stats:normal", "host:stats:cpu:high", "host:stats:disk:high", "agent:worker:error"} <= seen


def test_setting_states(frozen: Client) -> None:
    world = frozen.theeye.world
    monitor = next(one for one in world.monitors.values() if one.type == "script" and one.state == "normal")
    recoveries = monitor.recovery_count
    for state in ("failure", "normal", "updates_stopped", "weird"):
        world.set_monitor_state(monitor.id, state)
        assert by_id(frozen)[monitor.id]["state"] == state
    assert monitor.recovery_count == recoveries + 1


def test_a_set_state_lasts_in_a_living_world(living: Client, clock: Clock) -> None:
    world = living.theeye.world
    chosen = [one for one in world.monitors.values() if one.type == "process" and not one.host.silent][:3]
    states = ("failure", "updates_stopped", "weird")
    for monitor, state in zip(chosen, states, strict=True):
        world.set_monitor_state(monitor.id, state)
    clock.now += 130
    now = by_id(living)
    assert [now[monitor.id]["state"] for monitor in chosen if not monitor.host.silent] == list(states)


def test_a_silent_host_keeps_its_old_values(frozen: Client, clock: Clock) -> None:
    world = frozen.theeye.world
    before = by_id(frozen)
    mine = [one for one in world.monitors.values() if one.state == "normal" and one.type == "dstat"]
    host = mine[0].hostname
    ids = [one.id for one in world.monitors.values() if one.hostname == host and one.enable and one.type != "nested"]
    clock.now += 100
    world.silence_host(host)
    after = by_id(frozen)
    assert {after[one]["state"] for one in ids} == {"updates_stopped"}
    for one in ids:
        assert after[one].get("last_event") == before[one].get("last_event")
        assert after[one]["last_update"] == before[one]["last_update"]
        assert after[one]["last_check"] > before[one]["last_check"]
    world.revive_host(host)
    revived = by_id(frozen)
    assert {revived[one]["state"] for one in ids} == {"normal"}
    assert all(revived[one]["recovery_count"] == before[one]["recovery_count"] + 1 for one in ids)


def test_a_silent_host_in_a_living_world(living: Client, clock: Clock) -> None:
    world = living.theeye.world
    task = next(
        one for one in world.tasks.values() if one.host is not None and not one.host.silent and one.type == "script"
    )
    host = task.hostname or ""
    ids = [one.id for one in world.hosts[host].monitors if one.enable and one.looptime_ms]
    world.silence_host(host)
    job = world.create_job(task.id)
    clock.now += 20
    assert {by_id(living)[one]["state"] for one in ids} <= {"normal", "failure"}
    clock.now += 230
    assert {by_id(living)[one]["state"] for one in ids} == {"updates_stopped"}
    assert world.jobs[job.id].lifecycle == "ready"
    world.revive_host(host)
    clock.now += 62
    assert "updates_stopped" not in {by_id(living)[one]["state"] for one in ids}
    clock.now += 300
    assert job.ended


def test_an_assigned_job_of_a_silent_host_is_canceled(frozen: Client) -> None:
    world = frozen.theeye.world
    task = next(one for one in world.tasks.values() if one.hostname and one.type == "script")
    assigned, waiting = world.create_job(task.id), world.create_job(task.id)
    world.assign_job(assigned.id)
    world.silence_host(task.hostname or "")
    assert (assigned.lifecycle, assigned.state, waiting.lifecycle) == ("terminated", "canceled", "ready")


def test_deleting_a_monitor(living: Client, clock: Clock) -> None:
    world = living.theeye.world
    for monitor in list(world.monitors.values())[:30]:
        world.delete_monitor(monitor.id)
        assert living.get(f"/monitor/{monitor.id}").status_code == 404
    clock.now += 600
    assert len(living.json("/demo/resource")) == 90


def test_any_json_in_a_monitor(frozen: Client) -> None:
    world = frozen.theeye.world
    monitor = next(iter(world.monitors.values()))
    world.edit_monitor(monitor.id, last_event={"state": 5}, name="\u0000", surprise=[None])
    one = by_id(frozen)[monitor.id]
    assert (one["last_event"], one["name"], one["surprise"]) == ({"state": 5}, "\u0000", [None])
    assert one["type"] == monitor.type
    world.set_monitor_state(monitor.id, "failure")
    assert by_id(frozen)[monitor.id]["state"] == "failure"


def test_small_worlds(start: Any) -> None:
    for monitors, tasks in ((0, 0), (1, 1), (19, 3), (20, 4)):
        client = start(monitors=monitors, tasks=tasks)
        client.theeye.world.advance(900)
        assert len(client.json("/demo/resource")) == monitors
        assert len(client.json("/demo/task?unassigned=1")) == tasks
