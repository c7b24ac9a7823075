"""Another configuration while the exporter runs: what goes on, what begins anew, and that no run is lost or doubled."""

import io
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.configurations import configure
from processes import DEADLINE, eventually
from samples import Labels, body, labels, parse
from theeye_exporter.assembly import Exporter
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.runner import CollectorRunner
from theeye_exporter.config import Settings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.exposition.render import Format
from theeye_exporter.logs import configure_logging
from theeye_exporter.reloading import Reloader
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.lifecycle import ReloadError

START = 1795352944.0
Series = dict[tuple[str, Labels], float]


@dataclass
class Setup:
    """An exporter of two simulated organisations, polled by hand, and its configuration file."""

    theeyes: dict[str, SimulatedTheEye]
    folder: Path
    now: float = START
    log: io.StringIO = field(default_factory=io.StringIO)
    rest: str = "state: {file: state}\n"

    def __post_init__(self) -> None:
        self.options = dict.fromkeys(self.theeyes, "")
        self.write()
        configure_logging("info", "logfmt", stream=self.log)
        clock = Clocks(wall=lambda: self.now, monotonic=lambda: self.now)
        self.exporter = Exporter(self.load(), clock)
        self.reloader = Reloader(self.load, self.exporter)

    @property
    def file(self) -> Path:
        return self.folder / "exporter.yml"

    def load(self) -> Settings:
        return configure(file=self.file)

    def write(self) -> None:
        """Write the file: of each organisation what `options` says, and the `rest`."""
        text = "organizations:\n"
        for name, options in self.options.items():
            token = "" if "token" in options else f", token: {self.theeyes[name].settings.token}"
            text += f"  - {{name: {name}, url: '{self.theeyes[name].url}'{token}{options and ', '}{options}}}\n"
        self.file.write_text(text + self.rest)

    def reload(self, **options: str) -> None:
        """Reload, with these options of organisations."""
        self.options |= options
        self.write()
        self.reloader.reload()
        configure_logging("info", "logfmt", stream=self.log)

    def runners(self, name: str) -> dict[str, CollectorRunner]:
        return {r.collector.name: r for r in self.exporter.runners if r.client.organization == name}

    def poll(self, name: str = "one") -> None:
        """Poll an organisation's collectors once, a while after the last time."""
        self.now += 10
        for runner in self.runners(name).values():
            runner.run()

    def reasons(self, name: str) -> list[Reason | None]:
        (found,) = [o for o in self.exporter.board.organizations if o.name == name]
        return [status.reason for status in found.collectors]

    def shown(self) -> Series:
        found = parse(body(self.exporter.store.current(), Format.OPENMETRICS_1_0_0))
        return found | parse(self.exporter.telemetry.exposition(Format.TEXT_0_0_4).decode(), Format.TEXT_0_0_4)

    def of(self, name: str) -> Series:
        return {key: value for key, value in self.shown().items() if ("organization", name) in key[1]}

    def total(self, metric: str, task: str) -> float:
        return sum(v for (name, key), v in self.shown().items() if name == metric and ("task_id", task) in key)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    clock: list[Setup] = []

    def now() -> float:
        return clock[0].now if clock else START

    with (
        SimulatedTheEye(DemoSettings(organization="one", token="token-of-one", monitors=20, tasks=6), now) as one,
        SimulatedTheEye(DemoSettings(organization="two", token="token-of-two", monitors=10, tasks=4), now) as two,
    ):
        one.world.frozen = two.world.frozen = True
        made = Setup({"one": one, "two": two}, tmp_path)
        clock.append(made)
        made.poll("one")
        made.poll("two")
        yield made
        made.exporter.stop()


@contextmanager
def held(target: object, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Hold whoever calls a method, after its work is done, until the block ends; yields what waits for a caller."""
    reached, release = threading.Event(), threading.Event()
    method = getattr(target, name)

    def slow(*arguments: object) -> object:
        result = method(*arguments)
        reached.set()
        assert release.wait(DEADLINE)
        return result

    monkeypatch.setattr(target, name, slow)

    def wait() -> None:
        assert reached.wait(DEADLINE)

    try:
        yield wait
    finally:
        release.set()


@contextmanager
def late_poll(runner: CollectorRunner, target: object, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a poll of the runner hang at a method for as long as the block runs, and end then."""
    with held(target, name, monkeypatch) as wait:
        thread = threading.Thread(target=runner.run)
        thread.start()
        wait()
        yield
    thread.join(DEADLINE)
    assert not thread.is_alive()


# What does not change


def test_an_organization_whose_settings_did_not_change_is_not_touched(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    runners, shown, asked = setup.runners("one"), setup.of("one"), len(setup.theeyes["one"].requests)
    setup.reload(two="timeout: 3s")
    assert setup.runners("one") == runners
    assert 'msg="the configuration is reloaded" added=0 removed=0 changed=1 organizations=2' in capsys.readouterr().err
    assert setup.of("one") == shown
    assert len(setup.theeyes["one"].requests) == asked


def test_a_changed_organization_shows_its_last_data_until_there_is_new_data(setup: Setup) -> None:
    shown = setup.of("one")
    task = next(iter(setup.theeyes["one"].world.tasks))
    setup.reload(one="timeout: 3s, collectors: {monitors: {interval: 1m, max_age: 10m}}")
    assert setup.of("one") == shown
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
    assert setup.shown()["theeye_collector_failures_total", key] == 1
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    assert setup.shown()["theeye_collector_failures_total", key] == 2
    assert setup.log.getvalue().count("collecting fails") == 1


def test_an_empty_list_is_doubted_after_a_reload_as_before(setup: Setup) -> None:
    setup.theeyes["one"].faults = (parse_fault("monitors:empty"), parse_fault("tasks:empty"))
    setup.poll("one")
    setup.reload(one="timeout: 3s")
    setup.poll("one")
    assert setup.reasons("one") == [Reason.EMPTY_LIST, Reason.EMPTY_LIST, None, None]
    setup.poll("one")
    assert setup.reasons("one") == [None, None, None, None]


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


def test_theeye_is_left_alone_for_as_long_as_it_asked_unless_it_is_another_one(setup: Setup) -> None:
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
    before = world.truth.runs(task)
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
    assert setup.total("theeye_job_runs_total", task) == world.truth.runs(task) - before == 2


def test_organizations_are_in_the_order_of_the_file_and_a_new_one_costs_no_readiness(setup: Setup) -> None:
    assert setup.exporter.board.waiting == ()
    with SimulatedTheEye(DemoSettings(organization="three", monitors=3, tasks=2)) as three:
        setup.theeyes["three"] = three
        setup.options = {"three": "", **setup.options}
        setup.reload()
        assert setup.exporter.board.waiting == ()
        assert [r.client.organization for r in setup.exporter.runners[::4]] == ["three", "one", "two"]
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
    assert setup.reasons("one") == [Reason.UNAUTHORIZED] * 4
    assert setup.shown()["theeye_up", labels(organization="one")] == 0
    setup.reload(one="")
    setup.poll("one")
    assert setup.reasons("one") == [None] * 4
    assert setup.shown()["theeye_up", labels(organization="one")] == 1
    logged = setup.log.getvalue()
    assert logged.count("collecting works again") == 1
    assert "token-of-one" not in logged


def test_the_limit_of_series_is_changed(setup: Setup) -> None:
    setup.rest += "limits: {max_series_per_family: 5}\n"
    setup.reload()
    setup.poll("one")
    setup.poll("two")
    infos = [key for name, key in setup.shown() if name == "theeye_monitor_info"]
    assert len(infos) == 10  # for each organisation
    assert setup.shown()["theeye_exporter_cut_series", labels(family="theeye_monitor_info")] == 20


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
    observe = setup.exporter.telemetry.observer("two")
    del setup.options["two"]
    setup.reload()
    observe("/monitor", "200", 0.1, 10)
    assert setup.of("two") == {}


@pytest.mark.parametrize("held_method", ["jobs", "open_jobs"])
def test_a_poll_of_jobs_from_before_neither_loses_nor_doubles_a_run(
    held_method: str, setup: Setup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = setup.theeyes["one"].world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    before = world.truth.runs(task)
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
        assert exporter.total("theeye_job_runs_total", task) == world.truth.runs(task) - before == 2
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
    assert theeye.concurrent >= 1  # the old poll still hangs


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
        db.execute("UPDATE ledger SET value = '{\"unseen\":\"many\"}' WHERE organization = 'two' AND kind = 'task'")
    db.close()
    again = Setup({"one": setup.theeyes["one"]}, setup.folder, now=setup.now)
    again.poll("one")
    runners = again.exporter.runners
    again.theeyes = setup.theeyes
    with pytest.raises(ReloadError, match="state is corrupt"):
        again.reload(one="timeout: 3s", two="")
    assert again.exporter.runners == runners
    again.poll("one")
    assert again.reasons("one") == [None] * 4
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
