"""Tests a reload while the exporter runs: what continues, what appears and disappears, and errors."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contexts import POLLED
from processes import DEADLINE
from reloads import Setup, two_organizations
from samples import labels
from theeye_exporter.config import ReloadError, Settings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.ledger.rows import encode
from theeye_exporter.polling.reload import Reloader
from theeye_exporter.theeye.errors import Reason


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with two_organizations(tmp_path) as made:
        yield made


# What does not change


def test_an_organization_whose_settings_did_not_change_is_not_touched(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    runners, shown, asked = setup.runners("one"), setup.of("one"), len(setup.theeyes["one"].requests)
    setup.reload(two="timeout: 3s")
    assert setup.runners("one") == runners
    assert 'msg="configuration reloaded" added=0 removed=0 changed=1 organizations=2' in capsys.readouterr().err
    assert setup.of("one") == shown
    assert len(setup.theeyes["one"].requests) == asked


def test_a_changed_organization_shows_its_last_data_until_there_is_new_data(setup: Setup) -> None:
    shown = setup.of("one")
    task = next(iter(setup.theeyes["one"].world.tasks))
    setup.reload(one="timeout: 3s, collectors: {monitors: {interval: 1m, max_age: 10m}}")
    of_monitors = labels(organization="one", collector="monitors")
    assert setup.of("one") == shown | {("theeye_collector_interval_seconds", of_monitors): 60}
    setup.theeyes["one"].world.create_job(task)
    setup.poll("one")
    after = setup.of("one")
    assert shown.keys() <= after.keys()
    assert after["theeye_jobs", labels(organization="one", lifecycle="ready")] > 0
    setup.now += 500  # older than by the old max_age, not by the new one
    assert [name for name, _ in setup.of("one") if name.startswith("theeye_monitor_")]


def test_what_the_first_data_after_a_change_is_too_late_for_disappears(setup: Setup) -> None:
    setup.reload(one="timeout: 3s")
    setup.theeyes["one"].faults = (parse_fault("error=500"),)
    setup.poll("one")
    assert [name for name, _ in setup.of("one") if name.startswith("theeye_monitor_")]
    setup.now += 300
    assert not [name for name, _ in setup.of("one") if name.startswith("theeye_monitor_")]


def test_own_counters_go_on(setup: Setup) -> None:
    setup.theeyes["one"].faults = (parse_fault("monitors:error=500"),)
    setup.poll("one")
    key = labels(organization="one", collector="monitors", reason="server_error")
    assert setup.shown()["theeye_collector_failures_by_reason_total", key] == 1
    requests = {key: value for key, value in setup.of("one").items() if key[0] == "theeye_api_requests_total"}
    assert len(requests) > 3
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    after = setup.of("one")
    assert after["theeye_collector_failures_by_reason_total", key] == 2
    assert all(after[request] >= count for request, count in requests.items())
    tasks = "theeye_api_requests_total", labels(organization="one", endpoint="/{customer}/task", status="200")
    assert after[tasks] == requests[tasks] + 1
    assert setup.log.getvalue().count("collection failed") == 1


def test_an_empty_list_is_rejected_after_a_reload_as_before(setup: Setup) -> None:
    setup.theeyes["one"].faults = (parse_fault("monitors:empty"), parse_fault("tasks:empty"))
    setup.poll("one")
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    assert setup.reasons("one") == {"monitors": Reason.EMPTY_LIST, "tasks": Reason.EMPTY_LIST}
    setup.poll("one")
    assert setup.reasons("one") == {}


def test_counters_of_a_deleted_task_stay_for_their_grace_period_over_a_reload(setup: Setup) -> None:
    world = setup.theeyes["one"].world
    task = next(iter(world.tasks))
    setup.poll("one")
    world.delete_task(task)
    setup.poll("one")
    counters = {key for key in setup.shown() if key[0] == "theeye_job_runs_total" and ("task_id", task) in key[1]}
    assert counters
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    assert counters <= setup.shown().keys()


def test_a_retry_after_is_kept_over_a_reload_unless_the_address_changes(setup: Setup) -> None:
    setup.theeyes["one"].faults = (parse_fault("error=429,retry-after=100"),)
    setup.poll("one")
    setup.theeyes["one"].faults = ()
    asked = len(setup.theeyes["one"].requests)
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    assert len(setup.theeyes["one"].requests) == asked
    setup.now += 100
    setup.poll("one")
    assert len(setup.theeyes["one"].requests) > asked


# What comes and goes


def test_a_collector_that_is_switched_on_again_is_shown_at_its_place(setup: Setup) -> None:
    def shown_of(name: str) -> list[str]:
        (found,) = [o for o in setup.exporter.board.organizations if o.name == name]
        return [status.collector for status in found.collectors]

    every = [kind.name for kind in POLLED]
    assert shown_of("one") == every
    setup.reload(one=f"collectors: {{{every[0]}: {{enabled: false}}}}")
    assert shown_of("one") == every[1:]
    setup.reload(one="")
    assert shown_of("one") == every


def test_an_organization_that_is_gone_is_gone_with_all_of_its_series(setup: Setup) -> None:
    assert len(setup.of("two")) > 100
    one = setup.of("one")
    del setup.options["two"]
    setup.reload()
    assert setup.of("two") == {}
    assert setup.of("one") == one
    assert [o.name for o in setup.exporter.board.organizations] == ["one"]


def test_an_organization_that_comes_back_counts_on_from_the_state_file(setup: Setup) -> None:
    world = setup.theeyes["two"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    before = world.ended_runs.runs(task)
    job = world.create_job(task)
    world.finish_job(job.id, state="success", duration=1.0)
    setup.poll("two")
    assert setup.total("theeye_job_runs_total", task) == 1
    options = setup.options.pop("two")
    setup.reload()
    job = world.create_job(task)
    world.finish_job(job.id, state="success", duration=1.0)
    setup.reload(two=options)
    setup.poll("two")
    assert setup.total("theeye_job_runs_total", task) == world.ended_runs.runs(task) - before == 2


def test_organizations_are_in_the_order_of_the_file_and_a_new_one_costs_no_readiness(setup: Setup) -> None:
    assert setup.exporter.board.waiting == ()
    with SimulatedTheEye(DemoSettings(organization="three", monitors=3, tasks=2)) as three:
        setup.theeyes["three"] = three
        setup.options = {"three": "", **setup.options}
        setup.reload()
        assert setup.exporter.board.waiting == ()
        assert list(dict.fromkeys(r.client.organization for r in setup.exporter.runners)) == ["three", "one", "two"]
        setup.poll("three")
        assert setup.shown()["theeye_up", labels(organization="three")] == 1


def test_a_collector_is_switched_off_and_on(setup: Setup) -> None:
    before = setup.of("one")
    setup.reload(one="collectors: {monitors: {enabled: false}}")
    gone = before.keys() - setup.of("one").keys()
    assert {name for name, _ in gone} >= {"theeye_monitor_info", "theeye_host_cpu_usage_ratio"}
    assert not [key for key in setup.of("one") if ("collector", "monitors") in key[1]]
    assert setup.shown()["theeye_up", labels(organization="one")] == 1
    setup.reload(one="")
    setup.poll("one")
    assert setup.of("one").keys() == before.keys()


def test_jobs_are_switched_off_and_on_and_count_what_ended_meanwhile(setup: Setup) -> None:
    world = setup.theeyes["one"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    setup.reload(one="collectors: {jobs: {enabled: false}}")
    assert not [name for name, _ in setup.of("one") if name.startswith(("theeye_job", "theeye_ledger"))]
    world.finish_job(world.create_job(task).id, state="success", duration=1.0)
    setup.reload(one="")
    setup.poll("one")
    assert setup.total("theeye_job_runs_total", task) == 1


def test_a_token_is_replaced(setup: Setup) -> None:
    setup.reload(one="token: wrong-token-of-one")
    setup.poll("one")
    assert setup.reasons("one") == {kind.name: Reason.UNAUTHORIZED for kind in POLLED if kind.sends_token}
    assert setup.shown()["theeye_up", labels(organization="one")] == 0
    setup.reload(one="")
    setup.poll("one")
    assert setup.reasons("one") == {}
    assert setup.shown()["theeye_up", labels(organization="one")] == 1
    logged = setup.log.getvalue()
    assert logged.count("collection works again") == 1
    assert "token-of-one" not in logged


def test_the_limit_of_series_is_changed(setup: Setup) -> None:
    setup.rest += "limits: {max_series_per_family: 5}\n"
    setup.reload()
    setup.poll("one")
    setup.poll("two")
    infos = [key for name, key in setup.shown() if name == "theeye_monitor_info"]
    assert len(infos) == 10  # for each organisation
    assert setup.shown()["theeye_exporter_cut_series", labels(family="theeye_monitor_info")] == 20


# What cannot be used


BAD = "collectors: {monitors: {intervall: 5s}}\nlog: {level: loud}\n"


def test_a_bad_file_changes_nothing_and_tells_all_problems(setup: Setup) -> None:
    loaded = setup.shown()["theeye_exporter_config_last_reload_success_timestamp_seconds", labels()]
    shown = setup.of("one") | setup.of("two")
    rest = setup.rest
    setup.rest += BAD
    setup.options["one"] = "token: s3cret-of-one, tokn: s3cret-of-one"
    with pytest.raises(ReloadError) as caught:
        setup.reload()
    assert len(caught.value.problems) == 3
    logged = [line for line in setup.log.getvalue().splitlines() if "level=error" in line]
    assert len(logged) == 3
    for problem in caught.value.problems:
        assert any(problem.partition(": ")[2].replace('"', r"\"") in line for line in logged), problem
    assert "s3cret" not in setup.log.getvalue()
    assert setup.of("one") | setup.of("two") == shown
    assert setup.shown()["theeye_exporter_config_last_reload_successful", labels()] == 0
    assert setup.shown()["theeye_exporter_config_last_reload_success_timestamp_seconds", labels()] == loaded
    setup.rest = rest
    setup.now += 7
    setup.reload(one="")
    assert setup.shown()["theeye_exporter_config_last_reload_successful", labels()] == 1
    assert setup.shown()["theeye_exporter_config_last_reload_success_timestamp_seconds", labels()] == setup.now


def test_a_ledger_that_cannot_be_read_changes_nothing(setup: Setup) -> None:
    setup.exporter.stop()
    setup.options.pop("two")
    setup.write()
    with sqlite3.connect(setup.folder / "state") as db:
        (key,) = db.execute("SELECT id FROM ledger WHERE organization = 'two' AND kind = 'task'").fetchone()
        row = encode("two", "task", key, b'{"unseen":"many"}')  # its checksum is right, so it does not count as damaged
        db.execute("REPLACE INTO ledger VALUES (?, ?, ?, ?, ?)", row)
    db.close()
    again = Setup({"one": setup.theeyes["one"]}, setup.folder, now=setup.now)
    again.poll("one")
    runners = again.exporter.runners
    again.theeyes = setup.theeyes
    with pytest.raises(ReloadError, match="state is corrupt"):
        again.reload(one="timeout: 3s", two="")
    assert again.exporter.runners == runners
    again.poll("one")
    assert again.reasons("one") == {}
    assert again.of("two") == {}
    again.exporter.stop()


def test_what_needs_a_restart_is_said_and_kept(setup: Setup, tmp_path: Path) -> None:
    old = setup.exporter.settings
    setup.rest = f"state: {{file: {tmp_path / 'other'}}}\nweb: {{telemetry_path: /m, listen_address: ':1'}}\n"
    setup.write()
    keys = ("web.listen_address", "web.telemetry_path", "state.file")
    for _ in range(2):  # also at the next reload
        assert setup.reloader.reload() == keys
    assert (setup.exporter.settings.web, setup.exporter.settings.state) == (old.web, old.state)
    assert not (tmp_path / "other").exists()


def test_a_bad_organization_file_is_told_and_everything_else_is_reloaded(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    token, url = setup.theeyes["two"].settings.token, setup.theeyes["two"].url
    file = setup.folder / "two.yaml"
    file.write_text(f"name: three\ntoken: {token}\nurl: {url}\n")
    setup.rest += "organization_files: '*.yaml'\n"
    setup.reload()
    three = setup.runners("three")
    file.write_text("name: three\ntoken: {\n")

    with pytest.raises(ReloadError) as caught:
        setup.reload(one="timeout: 3s")

    assert caught.value.problems == (f"{file}:3: not YAML: the file ends within brackets that are never closed",)
    assert caught.value.effect.startswith("reloaded, except for organisation files with mistakes;")
    assert setup.runners("three") == three
    assert setup.exporter.settings.organizations[0].timeout == 3.0
    assert f'problem="{file}:3: not YAML' in capsys.readouterr().err
    successful = ("theeye_exporter_config_last_reload_successful", labels())
    assert setup.shown()[successful] == 0
    file.unlink()
    setup.reload()
    assert setup.shown()[successful] == 1
    assert setup.runners("three") == {}


def test_reloads_come_one_after_the_other(setup: Setup) -> None:
    busy, together = threading.Lock(), threading.Barrier(8)
    overlapped: list[bool] = []

    def load() -> Settings:
        overlapped.append(not busy.acquire(blocking=False))
        settings = setup.load()
        busy.release()
        return settings

    reloader = Reloader(load, setup.exporter)

    def reload() -> None:
        together.wait(DEADLINE)
        reloader.reload()

    threads = [threading.Thread(target=reload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert overlapped == [False] * 8


def test_a_stopped_exporter_stays_stopped(setup: Setup) -> None:
    setup.exporter.stop()
    runners = setup.exporter.runners
    setup.reload(one="timeout: 3s")
    assert setup.exporter.runners == runners
