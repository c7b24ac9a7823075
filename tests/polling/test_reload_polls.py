"""Tests a reload during polls: no run is lost or counted twice, and no old data replaces new data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import eventually
from reloads import Setup, late_poll, two_organizations
from samples import labels
from theeye_exporter.demo import parse_fault
from theeye_exporter.theeye.errors import UpstreamError


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with two_organizations(tmp_path) as made:
        yield made


# Polls that are under way


def test_the_result_of_a_poll_from_before_is_not_shown_after_that_of_a_new_one(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = setup.runners("one")["monitors"]
    with late_poll(old, old.collector, "collect", monkeypatch):
        setup.reload(one="timeout: 3s")
        world = setup.theeyes["one"].world
        failing = next(iter(world.monitors))
        world.set_monitor_state(failing, "failure")
        setup.poll("one")
        shown = setup.of("one")
    assert setup.of("one") == shown
    (state,) = [
        value
        for (name, key), value in shown.items()
        if name == "theeye_monitor_state" and ("monitor_id", failing) in key and ("state", "failure") in key
    ]
    assert state == 1


@pytest.mark.parametrize(("part", "method"), [("collector", "collect"), ("client", "tasks")])
def test_a_list_of_names_from_before_does_not_replace_a_new_one(
    part: str, method: str, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = setup.runners("one")["tasks"]
    with late_poll(old, getattr(old, part), method, monkeypatch):
        setup.reload(one="timeout: 3s")
        task = next(t for t in setup.theeyes["one"].world.tasks.values() if t.type == "script")
        task.name = "renamed"
        setup.poll("one")
    setup.runners("one")["jobs"].run()
    names = {
        dict(key)["task"]
        for name, key in setup.of("one")
        if name == "theeye_job_runs_total" and ("task_id", task.id) in key
    }
    assert names == {"renamed"}


@pytest.mark.parametrize(("part", "method"), [("collector", "collect"), ("client", "monitors")])
def test_a_poll_that_ends_after_its_organization_is_gone_leaves_nothing(
    part: str, method: str, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = setup.runners("two")["monitors"]
    with late_poll(old, getattr(old, part), method, monkeypatch):
        del setup.options["two"]
        setup.reload()
    assert setup.of("two") == {}


def test_requests_that_end_after_their_organization_is_gone_are_not_counted_to_it(setup: Setup) -> None:
    client = setup.runners("two")["monitors"].client
    del setup.options["two"]
    setup.reload()
    with pytest.raises(UpstreamError):
        next(client.tasks())
    client._transport._observer("/monitor", "200", 0.1, 10)
    assert setup.of("two") == {}


@pytest.mark.parametrize("held_method", ["jobs", "open_jobs"])
def test_a_poll_of_jobs_from_before_neither_loses_nor_doubles_a_run(
    held_method: str, setup: Setup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = setup.theeyes["one"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    before = world.ended_runs.runs(task)
    setup.poll("one")

    def run(duration: float) -> None:
        world.finish_job(world.create_job(task).id, state="success", duration=duration)

    run(1.0)
    old = setup.runners("one")["jobs"]
    with late_poll(old, old.client, held_method, monkeypatch):
        setup.reload(one="timeout: 3s")
        setup.poll("one")
        assert setup.total("theeye_job_runs_total", task) == 1
        run(2.0)
        setup.poll("one")
    assert setup.shown()["theeye_ledger_healthy", labels(organization="one")] == 1
    setup.exporter.stop()  # at once, so that no poll mends what the old one may have written
    again = Setup(setup.theeyes, tmp_path, now=setup.now)
    again.poll("one")
    for exporter in (setup, again):
        assert exporter.total("theeye_job_runs_total", task) == world.ended_runs.runs(task) - before == 2
        assert exporter.total("theeye_job_duration_seconds_count", task) == 2
        assert exporter.total("theeye_job_duration_seconds_sum", task) == 3.0
    assert "bug" not in setup.log.getvalue()
    again.exporter.stop()


def test_without_a_state_file_runs_are_counted_on_in_memory(setup: Setup, tmp_path: Path) -> None:
    setup.exporter.stop()
    again = Setup(setup.theeyes, tmp_path, now=setup.now, rest="")
    world = setup.theeyes["one"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    again.poll("one")
    for runs in (1, 2):
        world.finish_job(world.create_job(task).id, state="success", duration=1.0)
        again.poll("one")
        assert again.total("theeye_job_runs_total", task) == runs
        again.reload(one=f"timeout: {runs}s")
    world.finish_job(world.create_job(task).id, state="success", duration=1.0)
    again.poll("one")
    assert again.total("theeye_job_runs_total", task) == 3
    again.exporter.stop()


def test_what_a_poll_has_written_before_the_reload_is_kept_even_if_it_was_never_shown(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = setup.theeyes["one"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    world.finish_job(world.create_job(task).id, state="success", duration=1.0)
    old = setup.runners("one")["jobs"]
    with late_poll(old, old.collector, "collect", monkeypatch):
        setup.reload(one="timeout: 3s")
    assert setup.total("theeye_job_runs_total", task) == 0
    setup.poll("one")
    assert setup.total("theeye_job_runs_total", task) == 1
    assert setup.total("theeye_job_duration_seconds_count", task) == 1


def test_a_poll_that_hangs_does_not_keep_the_new_one_from_running(setup: Setup) -> None:
    theeye = setup.theeyes["one"]
    setup.reload(one="timeout: 10m, collectors: {monitors: {interval: 1s}}")
    theeye.faults = (parse_fault("monitors:hang"),)
    setup.exporter.start()
    eventually(lambda: [r for r in list(theeye.requests) if r.kind == "monitors"][1:], "a poll that hangs")
    theeye.faults = ()
    monitor = next(iter(theeye.world.monitors))
    theeye.world.set_monitor_state(monitor, "failure")
    setup.reload(one="timeout: 10s, collectors: {monitors: {interval: 1s}}")
    eventually(
        lambda: [
            key
            for (name, key), value in setup.shown().items()
            if name == "theeye_monitor_state" and value and {("monitor_id", monitor), ("state", "failure")} <= key
        ],
        "new data",
    )
    eventually(lambda: not theeye.concurrent, "the end of the old poll, whose client is closed")


def test_a_reload_while_the_list_of_tasks_fails_leaves_no_gap_in_the_metrics_of_jobs(
    setup: Setup, tmp_path: Path
) -> None:
    setup.exporter.stop()
    setup.theeyes["one"].faults = (parse_fault("tasks:error=500"),)
    again = Setup(setup.theeyes, tmp_path, now=setup.now)
    for _ in range(3):
        again.poll("one")
    shown = {key for key in again.of("one") if key[0].startswith("theeye_job_")}
    assert shown
    again.reload(one="timeout: 3s")
    again.poll("one")
    assert {key for key in again.of("one") if key[0].startswith("theeye_job_")} == shown
    again.exporter.stop()


# Histograms


def test_a_histogram_whose_buckets_change_starts_at_0_and_never_gets_back_what_it_had(
    setup: Setup, tmp_path: Path
) -> None:
    world = setup.theeyes["one"].world
    quiet, busy = [t.id for t in world.tasks.values() if t.type == "script"][:2]

    def run(task: str) -> None:
        world.finish_job(world.create_job(task).id, state="success", duration=1.0)
        setup.poll("one")

    def counts() -> tuple[float, float]:
        name = "theeye_job_duration_seconds_count"
        return setup.total(name, quiet), setup.total(name, busy)

    rest = setup.rest
    run(quiet)
    run(busy)
    assert counts() == (1, 1)
    setup.rest = rest + "histograms: {job_duration: {buckets: [1m]}}\n"
    setup.reload()
    assert counts() == (1, 1)
    setup.poll("one")
    assert counts() == (0, 0)
    run(busy)
    assert counts() == (0, 1)
    setup.rest = rest
    setup.reload()
    setup.poll("one")
    assert counts() == (0, 0)
    run(busy)
    assert counts() == (0, 1)
    assert setup.total("theeye_job_runs_total", quiet) == 1
    assert setup.total("theeye_job_runs_total", busy) == 3
    # Nor after a restart: it is given up on disk too.
    setup.exporter.stop()
    again = Setup(setup.theeyes, tmp_path, now=setup.now)
    again.poll("one")
    assert again.total("theeye_job_duration_seconds_count", quiet) == 0
    assert again.total("theeye_job_duration_seconds_count", busy) == 1
    again.exporter.stop()
