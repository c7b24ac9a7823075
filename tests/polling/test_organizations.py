"""Several organisations side by side, and an old server with a long history."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contexts import every_collector
from playback import TOKEN, Asked, Reply, http_server
from polls import poll
from processes import eventually
from samples import labels, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.jobs import JobsSettings
from theeye_exporter.config import OrganizationSettings, Settings, StateSettings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.workers import Workers

COLLECTORS = every_collector(interval=1.0).model_copy(
    update={"jobs": JobsSettings(interval=1.0, max_details_per_cycle=200, detail_concurrency=3)}
)


@pytest.fixture
def two() -> Iterator[tuple[SimulatedTheEye, SimulatedTheEye]]:
    with (
        SimulatedTheEye(DemoSettings(organization="fast", monitors=10, tasks=5)) as fast,
        SimulatedTheEye(DemoSettings(organization="slow", monitors=10, tasks=5)) as slow,
    ):
        yield fast, slow


def organization(theeye: SimulatedTheEye) -> OrganizationSettings:
    return OrganizationSettings(
        name=theeye.settings.organization,
        url=theeye.url,
        token=SecretStr(theeye.settings.token),
        timeout=30,
        collectors=COLLECTORS,
    )


def test_a_slow_organization_does_not_delay_another(
    two: tuple[SimulatedTheEye, SimulatedTheEye], tmp_path: Path
) -> None:
    fast, slow = two
    slow.faults = (parse_fault("hang"),)
    settings = Settings(
        organizations=(organization(slow), organization(fast)), state=StateSettings(file=tmp_path / "state")
    )
    exporter = Exporter(settings)
    exporter.start()
    try:
        # Four polls of everything of the one, while the first poll of the other hangs.
        eventually(lambda: len([r for r in list(fast.requests) if r.kind == "monitors"]) >= 4, "polls of fast")
        assert exporter.board.up("fast") is True
        assert exporter.board.up("slow") is None
        assert {dict(key)["organization"] for _, key in shown(exporter.store.current())} == {"fast"}
    finally:
        exporter.stop()


def test_organizations_do_not_mix_in_one_state_file(
    two: tuple[SimulatedTheEye, SimulatedTheEye], tmp_path: Path
) -> None:
    for theeye in two:
        theeye.world.frozen = True
    settings = Settings(organizations=tuple(map(organization, two)), state=StateSettings(file=tmp_path / "state"))
    for ended in range(3):
        exporter = Exporter(settings)
        poll(exporter)
        exporter.stop()
        counted = {
            dict(key)["organization"]: value
            for (name, key), value in shown(exporter.store.current()).items()
            if name == "theeye_other_job_runs_total"
            and dict(key)["job_type"] == "AgentUpdateJob"
            and dict(key)["outcome"] == "success"
        }
        assert counted == {"fast": ended, "slow": 0}
        update = two[0].world.create_agent_update(next(iter(two[0].world.hosts)))
        two[0].world.finish_job(update.id, state="success", duration=None)


HISTORY = 100_000


def old_job(number: int) -> dict[str, object]:
    day, second = divmod(number, 86_400)
    hour, minute, second = second // 3600, second // 60 % 60, second % 60
    at = f"2026-01-{day + 1:02}T{hour:02}:{minute:02}:{second:02}"
    return {
        "id": f"{number:024x}",
        "_type": "ScriptJob",
        "name": "backup",
        "task_id": f"{number % 100:024x}",
        "lifecycle": "finished",
        "state": "success",
        "creation_date": f"{at}.000Z",
        "last_update": f"{at}.500Z",
    }


def test_a_hundred_thousand_finished_jobs_in_the_first_answer_of_a_server_without_filters() -> None:
    jobs = [old_job(number) for number in range(HISTORY)]
    tasks = [{"id": f"{number:024x}", "name": "backup", "hostname": "bot", "type": "script"} for number in range(100)]
    listed = json.dumps(jobs).encode()
    at_once: list[int] = []
    in_full: list[str] = []
    lock = threading.Lock()
    under_way = [0]

    def answer(asked: Asked) -> Reply:
        if asked.path == "/demo/job":
            return Reply(listed)
        if asked.path == "/demo/task":
            return Reply(json.dumps(tasks).encode())
        if not asked.path.startswith("/demo/job/"):
            return Reply(b"[]")
        with lock:
            under_way[0] += 1
            at_once.append(under_way[0])
            in_full.append(asked.path.rpartition("/")[2])
        job = old_job(int(in_full[-1], 16)) | {"result": {"code": 0, "times": {"seconds": 1, "nanoseconds": 0}}}
        with lock:
            under_way[0] -= 1
        return Reply(json.dumps(job).encode())

    with http_server(answer) as server:
        settings = OrganizationSettings(
            name="demo", url=server.url, token=SecretStr(TOKEN), timeout=60, collectors=COLLECTORS
        )
        exporter = Exporter(Settings(organizations=(settings,)))
        poll(exporter)
        statuses = {status.collector: status for status in exporter.board.organizations[0].collectors}
        assert statuses["jobs"].error is None
        assert statuses["jobs"].objects == HISTORY
        # The last run of each of the hundred tasks is read in full; in one poll, such old runs get a quarter of the requests.
        assert len(in_full) == COLLECTORS.jobs.max_details_per_cycle / 4
        (runner,) = [runner for runner in exporter.runners if runner.kind.name == "jobs"]
        runner.run()
        assert sorted(int(job_id, 16) for job_id in in_full) == list(range(HISTORY - 100, HISTORY))
        assert max(at_once) <= COLLECTORS.jobs.detail_concurrency
        found = shown(exporter.store.current())
        exporter.stop()
    runs = [value for (name, _), value in found.items() if name == "theeye_job_runs_total"]
    assert (len(runs), sum(runs)) == (600, 0)
    durations = [value for (name, _), value in found.items() if name == "theeye_job_last_duration_seconds"]
    assert durations == [1.0] * 100
    asked = [asked.path for asked in server.asked]
    assert asked.count("/demo/job") <= 5  # a look at the token, and two lists in each of two polls
    assert found["theeye_jobs", labels(organization="demo", lifecycle="ready")] == 0


def test_the_exporter_says_when_it_starts_no_poll(
    two: tuple[SimulatedTheEye, SimulatedTheEye], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(Workers, "_do_submit_job", lambda *_: None)
    exporter = Exporter(Settings(organizations=tuple(map(organization, two))), Clocks(monotonic=lambda: now[0]))
    now[0] += 60
    assert exporter.stalled_for() is None, "it has not been started"
    exporter.start()
    now[0] += 3
    assert exporter.stalled_for() is None
    now[0] += 1
    assert exporter.stalled_for() == 4
    exporter.stop()
