"""Tests reloads of the real process, by signal and by request, during polls and scrapes."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest
import requests

from processes import DEADLINE, eventually, exporter_command, free_port, running
from samples import Labels, labels, parse
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.exposition.render import Format

SUCCESSFUL = ("theeye_exporter_config_last_reload_successful", labels())
COLLECTORS = (
    "collectors: {monitors: {interval: 1s}, tasks: {interval: 1s}, workflows: {interval: 1s}, jobs: {interval: 1s}}\n"
)


@dataclass
class Process:
    """An exporter and its configuration file."""

    address: str
    file: Path
    log: Path
    process: Popen[bytes]

    def get(self) -> dict[tuple[str, Labels], float]:
        answer = requests.get(f"http://{self.address}/metrics", timeout=DEADLINE)
        assert answer.status_code == 200
        return parse(answer.text, Format.TEXT_0_0_4)

    def write(self, *theeyes: SimulatedTheEye, rest: str = COLLECTORS, token: str | None = None) -> None:
        text = "organizations:\n"
        for theeye in theeyes:
            text += f"  - name: {theeye.settings.organization}\n    url: {theeye.url}\n"
            text += f"    token: {token or theeye.settings.token}\n"
        self.file.write_text(text + rest)

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def lines(self, words: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if words in line]


@pytest.fixture
def theeyes() -> Iterator[tuple[SimulatedTheEye, SimulatedTheEye]]:
    with (
        SimulatedTheEye(DemoSettings(organization="one", token="t0ken-of-one", monitors=10, tasks=5)) as one,
        SimulatedTheEye(DemoSettings(organization="two", token="t0ken-of-two", monitors=10, tasks=5)) as two,
    ):
        yield one, two


@pytest.fixture
def process(theeyes: tuple[SimulatedTheEye, SimulatedTheEye], tmp_path: Path) -> Iterator[Process]:
    address = f"127.0.0.1:{free_port()}"
    file, log = tmp_path / "exporter.yml", tmp_path / "log"
    command = exporter_command(
        f"--config.file={file}",
        f"--web.listen-address={address}",
        "--web.enable-lifecycle",
        f"--state.file={tmp_path / 'state'}",
    )
    made = Process(address, file, log, None)  # type: ignore[arg-type]  # the file has to be there first
    made.write(theeyes[0])
    with running(command, log) as made.process:
        eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "ready")
        yield made
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(DEADLINE) == 0


def test_a_signal_adds_an_organization_and_takes_it_away(
    process: Process, theeyes: tuple[SimulatedTheEye, SimulatedTheEye]
) -> None:
    one, two = theeyes
    up = ("theeye_up", labels(organization="two"))
    process.write(one, two)
    process.hang_up()
    process.hang_up()
    eventually(lambda: process.get().get(up) == 1, "the new organisation is up")
    assert requests.get(f"http://{process.address}/-/ready", timeout=DEADLINE).ok
    process.write(one)
    process.hang_up()
    process.hang_up()
    eventually(lambda: up not in process.get(), "the organisation is gone")
    shown = process.get()
    assert not [key for _, key in shown if ("organization", "two") in key]
    assert shown["theeye_up", labels(organization="one")] == 1


def test_a_bad_file_is_told_by_log_answer_and_metric_and_a_good_one_mends_it(
    process: Process, theeyes: tuple[SimulatedTheEye, SimulatedTheEye]
) -> None:
    process.write(
        theeyes[0], rest="collectors: {monitors: {intervall: 1s}}\nlog: {level: loud}\n", token="s3cret t0ken"
    )
    answer = requests.post(f"http://{process.address}/-/reload", timeout=DEADLINE)
    assert answer.status_code == 500
    told = [f"{process.file}:{line}: " for line in (4, 5, 6)]
    assert [line.partition(": ")[0] + ": " for line in answer.text.splitlines()[1:]] == told
    assert process.get()[SUCCESSFUL] == 0
    assert process.get()["theeye_up", labels(organization="one")] == 1
    process.hang_up()
    eventually(lambda: len(process.lines("the old one stays")) == 6, "both reloads in the log")
    assert "s3cret" not in answer.text + process.log.read_text()
    process.write(theeyes[0])
    answer = requests.put(f"http://{process.address}/-/reload", timeout=DEADLINE)
    assert (answer.status_code, answer.text) == (200, "reloaded\n")
    assert process.get()[SUCCESSFUL] == 1


def test_the_level_of_the_log_changes_at_once(
    process: Process, theeyes: tuple[SimulatedTheEye, SimulatedTheEye]
) -> None:
    process.write(theeyes[0], rest=COLLECTORS + "log: {level: error, format: json}\n")
    assert requests.post(f"http://{process.address}/-/reload", timeout=DEADLINE).ok
    theeyes[0].faults = (parse_fault("error=500"),)
    eventually(lambda: process.get().get(("theeye_up", labels(organization="one"))) == 0, "down")
    assert not process.lines("collection failed")
    process.write(theeyes[0], rest=COLLECTORS + "log: {level: warn, format: json}\n")
    assert requests.post(f"http://{process.address}/-/reload", timeout=DEADLINE).ok
    theeyes[0].faults = (parse_fault("error=401"),)
    eventually(lambda: process.lines('"reason": "unauthorized"'), "a line in the other format")


def test_many_reloads_amid_polls_and_scrapes_leave_no_gap_and_count_every_run_once(
    process: Process, theeyes: tuple[SimulatedTheEye, SimulatedTheEye]
) -> None:
    one = theeyes[0]
    one.world.frozen = True
    world = one.world
    task = next(t.id for t in world.tasks.values() if t.type == "script")
    before = world.ended_runs.runs(task)
    began = ("theeye_collector_last_success_timestamp_seconds", labels(organization="one", collector="jobs"))
    first = process.get()[began]
    eventually(lambda: process.get()[began] > first, "a poll after the world stood still")
    monitors = {key for key in process.get() if key[0] == "theeye_monitor_state"}
    gaps: list[str] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            shown = process.get()
            if not monitors <= shown.keys() or shown["theeye_up", labels(organization="one")] != 1:
                gaps.append("something is missing")

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        for number in range(25):
            world.finish_job(world.create_job(task).id, state="success", duration=1.0)
            one.faults = (parse_fault("jobs:latency=50ms"),) if number % 2 else ()
            process.write(one, rest=f"{COLLECTORS}theeye: {{timeout: {10 + number}s}}\n")
            assert requests.post(f"http://{process.address}/-/reload", timeout=DEADLINE).ok
            if number % 4 == 3:  # TheEye keeps the newest five only
                counted(process, task, world.ended_runs.runs(task) - before)
    finally:
        done.set()
        scraper.join(DEADLINE)
    counted(process, task, 25)
    last = process.get()[began]
    eventually(lambda: process.get()[began] > last + 3, "some more polls")
    counted(process, task, 25)
    assert gaps == []
    assert not process.lines("bug")
    assert not process.lines("level=error")


def counted(process: Process, task: str, runs: int) -> None:
    """Wait until so many runs of a task are counted, and never more."""

    def shown() -> bool:
        found = process.get().items()
        total = sum(v for (name, key), v in found if name == "theeye_job_runs_total" and ("task_id", task) in key)
        assert total <= runs
        return total == runs

    eventually(shown, f"{runs} runs of the task")
