"""Tests a world that changes by itself: it is reproducible, active, mostly healthy, and consistent with its own counts."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from demo.conftest import START, Client, Clock, Start
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, World
from theeye_exporter.demo.ids_and_time import parse_time

LISTS = (
    "/demo/resource",
    "/demo/job",
    "/demo/task",
    "/job/running",
    "/workflows",
    "/demo/host",
    "/indicator",
    "/demo/webhook",
)


def everything(client: Client) -> list[Any]:
    return [client.json(path) for path in LISTS]


def test_the_same_seed_gives_the_same_world_however_it_is_watched(start: Start, clock: Clock) -> None:
    often, rarely = start(), start()
    assert everything(often) == everything(rarely)
    for _ in range(30):
        clock.now += 20.7
        often.json("/demo/job")
    assert everything(often) == everything(rarely)
    assert often.theeye.world.ended_runs == rarely.theeye.world.ended_runs != {}


def test_another_seed_gives_another_world(start: Start) -> None:
    one, other = start(seed=1), start(seed=2)
    ids = [{job["id"] for job in client.json("/demo/job")} for client in (one, other)]
    assert ids[0].isdisjoint(ids[1])


def test_speed(start: Start, clock: Clock) -> None:
    fast, slow = start(speed=60.0), start()
    clock.now += 10
    slow.theeye.world.advance(590)
    assert fast.theeye.world.now == slow.theeye.world.now == START + 600
    assert everything(fast) == everything(slow)


def test_a_second_is_one_answer(living: Client, clock: Clock) -> None:
    clock.now = float(int(START)) + 30.0
    first = everything(living)
    clock.now += 0.999
    assert everything(living) == first
    clock.now += 0.001
    assert everything(living) != first


def test_a_clock_that_goes_back_changes_nothing(living: Client, clock: Clock) -> None:
    clock.now += 60
    before = living.json("/demo/resource")
    clock.now -= 50
    assert living.json("/demo/resource") == before


def test_it_starts_with_a_past(living: Client) -> None:
    jobs = living.json("/demo/job")
    assert len(jobs) > 100
    assert max(job["last_update"] for job in jobs) <= "2027-01-15T08:00:00.250Z"
    assert min(job["last_update"] for job in jobs) < "2027-01-15T07:00:00.000Z"
    assert {job["state"] for job in jobs} >= {"success", "failure"}
    assert living.theeye.world.ended_runs == {}
    assert all(task["execution_count"] >= 5 for task in living.json("/demo/task") if task["schedules"])


def test_it_looks_alive_within_a_minute(living: Client, clock: Clock) -> None:
    states = {one["id"]: one["state"] for one in living.json("/demo/resource")}
    ended = []
    for _ in range(12):
        clock.now += 5
        ended.append(living.theeye.world.ended_runs.runs())
    assert ended[-1] >= 12
    assert len(set(ended)) >= 8  # something ends in most five seconds
    later = {one["id"]: one["state"] for one in living.json("/demo/resource")}
    assert later != states


def test_it_is_mostly_healthy(start: Start, clock: Clock) -> None:
    client = start(monitors=200)
    shares = []
    seen = set()
    for _ in range(60):
        clock.now += 60
        states = [one["state"] for one in client.json("/demo/resource")]
        shares.append(states.count("normal") / len(states))
        seen |= set(states)
    assert seen == {"normal", "failure", "updates_stopped"}
    assert min(shares) > 0.75
    truth = client.theeye.world.ended_runs
    assert truth.runs(outcome="success") > 0.85 * truth.runs()
    assert all(truth.runs(outcome=outcome) for outcome in ("failure", "timeout", "canceled", "error"))


def test_jobs_wait_run_and_end(living: Client, clock: Clock) -> None:
    seen: dict[str, list[str]] = {}
    for _ in range(600):
        clock.now += 1
        for job in living.theeye.world.jobs.values():
            path = seen.setdefault(job.id, [])
            if not path or path[-1] != job.lifecycle:
                path.append(job.lifecycle)
    paths = {tuple(path) for path in seen.values()}
    assert {("ready", "assigned", "finished"), ("ready", "started", "finished"), ("onhold", "finished")} <= paths
    assert not [path for path in paths if "finished" in path[:-1]]  # nothing restarts by itself


def test_the_books_agree_with_the_lists(living: Client, clock: Clock) -> None:
    """Watched every second, each run that ended shows up once, and nothing else does."""
    seen: dict[tuple[str, str], Any] = {}
    ended = {"finished", "terminated", "canceled"}
    old = {(job["id"], job["last_update"]) for job in living.json("/demo/job") if job["lifecycle"] in ended}
    executions = {task["id"]: task["execution_count"] for task in living.json("/demo/task")}
    for _ in range(600):
        clock.now += 1
        for job in living.json("/demo/job"):
            key = job["id"], job["last_update"]
            if job["lifecycle"] in ended and key not in old and key not in seen:
                seen[key] = job
    truth = living.theeye.world.ended_runs
    counted: dict[tuple[str, str], int] = {}
    for job in seen.values():
        owner = job.get("task_id") or job.get("workflow_id") or job["_type"]
        counted[owner, job["state"]] = counted.get((owner, job["state"]), 0) + 1
    assert counted == {key: tally.runs for key, tally in truth.items()}
    open_jobs = [job for job in living.json("/demo/job") if job["lifecycle"] not in ended and "task_id" in job]
    created = sum(task["execution_count"] - executions[task["id"]] for task in living.json("/demo/task"))
    assert created == len(open_jobs) + sum(1 for job in seen.values() if "task_id" in job)


def test_schedules_say_when_the_next_run_is(living: Client, clock: Clock) -> None:
    for _ in range(10):
        clock.now += 33
        now = living.theeye.world.now_ms
        for task in living.theeye.world.tasks.values():
            assert task.interval_s is None or now - 1000 < task.next_run_ms <= now + task.interval_s * 1000
    scheduled = [task for task in living.json("/demo/task") if task["schedules"]]
    assert len(scheduled) > 20
    assert all(task["schedules"][0]["nextRunAt"] > "2027-01-15T08:05:00" for task in scheduled)


def test_last_update_is_never_ahead_of_the_date(living: Client, clock: Clock) -> None:
    for _ in range(50):
        clock.now += 3.3
        for path in ("/demo/resource", "/demo/job"):
            answer = living.get(path)
            said = parsedate_to_datetime(answer.headers["Date"])
            assert max(parse_time(one["last_update"]) for one in answer.json()) <= said.timestamp() * 1000


def test_thawing(frozen: Client, clock: Clock) -> None:
    world = frozen.theeye.world
    task = next(one for one in world.tasks.values() if one.type == "script" and one.hostname)
    job = world.create_job(task.id)
    clock.now += 3600
    assert job.lifecycle == "ready"
    world.frozen = False
    frozen_until = world.now_ms
    clock.now += 120
    assert world.jobs[job.id].ended or job.lifecycle == "assigned"
    assert all(one.last_update_ms >= frozen_until for one in world.jobs.values() if one.creation_ms > frozen_until)
    assert world.ended_runs.runs() > 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"monitors": -1}, "are counts"),
        ({"tasks": -1}, "are counts"),
        ({"speed": 0}, "more than 0"),
        ({"shape": "odd"}, "not 'odd'"),
        ({"organization": ""}, "needs a name"),
        ({"organization": "neighbour"}, "needs a name"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DemoSettings(**settings)


def test_a_world_by_the_real_clock() -> None:
    world = World(DemoSettings(monitors=20, tasks=4))
    assert len(world.monitors) == 20
    assert SimulatedTheEye().settings == DemoSettings()


def test_a_list_follows_the_reports(start: Start, clock: Clock) -> None:
    client = start(monitors=10)
    times = []
    for _ in range(8):
        clock.now += 20
        times.append(max(one["last_update"] for one in client.json("/demo/resource")))
    assert sorted(set(times)) == times


def test_the_end_that_was_planned_before_a_restart_does_not_come(start: Start, clock: Clock) -> None:
    client = start(monitors=0, tasks=8)
    world = client.theeye.world
    task = next(one for one in world.tasks.values() if one.type == "approval")
    for _ in range(60):
        job = world.create_job(task.id)  # somebody will approve it, in twenty seconds at the earliest
        world.finish_job(job.id)
        clock.now += 19
        world.restart_job(job.id)
        clock.now += 19.5
        assert not world.jobs[job.id].ended


def test_a_bot_that_returns_in_time_reports_the_run_that_ended_meanwhile(living: Client, clock: Clock) -> None:
    world = living.theeye.world
    task = next(one for one in world.tasks.values() if one.name == "backup database" and one.timeout_ms is None)
    job = world.create_job(task.id)
    for _ in range(60):
        if world.jobs[job.id].lifecycle == "assigned":
            break
        clock.now += 1
    due_ms, ending = job.planned
    host = task.hostname or ""
    world.silence_host(host)
    clock.now += (due_ms - world.now_ms) / 1000 + 10
    assert world.jobs[job.id].lifecycle == "assigned"
    world.revive_host(host)
    assert (job.lifecycle, job.state, job.last_update_ms) == ("finished", ending.state, world.now_ms)
    assert world.ended_runs.runs(task.id, ending.state) == 1
