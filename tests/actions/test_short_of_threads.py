"""The process when the machine gives it no more threads, or no more of the disk: it goes on, and does what it says."""

import argparse
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from processes import eventually
from theeye_exporter.actions.loading import load
from theeye_exporter.actions.process import ActionsProcess
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.actions.ticking import keep_ticking
from theeye_exporter.config import ReloadError, add_flags
from theeye_exporter.ledger.failures import LedgerError
from theeye_exporter.polling.reload import Reloader


class Configured:
    """A process and its file; nobody listens at its TheEye."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "actions.yaml"
        self.write("one", "1")
        self.process = ActionsProcess(self.load())

    def write(self, canary: str, concurrent: str) -> None:
        self.file.write_text(
            "theeye: {url: 'http://127.0.0.1:9'}\norganizations: [{name: demo, token: abcdefghijkl}]\n"
            f"state: {{file: state}}\ncanaries: [{{name: {canary}, task: t}}]\nactions:\n"
            "  - {name: restart, task: restart, mode: live, matchers: ['alertname=\"Down\"'],"
            f" max_concurrent: {concurrent}}}\n"
        )

    def load(self) -> ActionsSettings:
        parser = argparse.ArgumentParser()
        add_flags(parser, ActionsSettings)
        return load(parser.parse_args([f"--config.file={self.file}"]), {})

    @property
    def canaries(self) -> list[str]:
        return [line.name for view in self.process.parts[0].views() for line in view.lines]


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Configured]:
    made = Configured(tmp_path)
    yield made
    made.process.stop()


@pytest.mark.parametrize("part", [0, 1])
def test_a_part_goes_on_after_a_thread_that_could_not_be_started(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr("theeye_exporter.actions.ticking.TICK", 0.01)
    refused, names = threading.Event(), ("alert-runs_", "canary_")
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(names) and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with capture_logs() as logged:
        configured.process.parts[part].start()
        eventually(refused.is_set, "the machine that gives no thread")
        name = names[1 - part]
        eventually(lambda: any(one.name.startswith(name) for one in threading.enumerate()), "another attempt")
    assert sum("thread" in repr(one) for one in logged) <= 1


def test_one_internal_error_of_a_tick_does_not_end_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:

    ended, outcomes = threading.Event(), iter([True, True, False, True, None])

    def tick() -> None:
        outcome = next(outcomes)
        if outcome is None:
            ended.set()
        elif outcome:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("theeye_exporter.actions.ticking.TICK", 0.0)
    with capture_logs() as logged:
        keep_ticking(tick, ended)
    assert [one["log_level"] for one in logged] == ["error", "error"]  # the second of two in a row says nothing new


def test_what_no_thread_took_up_is_not_done_twice(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool keeps what it could not start a thread for, and does it later."""
    part: Any = configured.process.parts[1]
    runs, going, most, done = part._runs, 0, 0, threading.Event()
    go_on = threading.Event()

    def work() -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        go_on.wait(30)
        going -= 1
        done.set()

    monkeypatch.setattr(runs, "works", {"demo": work})
    monkeypatch.setattr(runs, "forget", lambda: None)
    start = threading.Thread.start
    refusals = iter([True])

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("alert-runs_") and next(refusals, False):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        part.tick()
    for _ in range(3):
        part.tick()
    eventually(lambda: going, "work")
    go_on.set()
    eventually(done.is_set, "its end")
    assert most == 1


def refuse_to_write(process: ActionsProcess) -> Callable[[object], None]:
    def write(_: object) -> None:
        raise LedgerError("the disk is full")

    file: Any = process._file
    file.write = write
    return write


def test_a_configuration_that_cannot_be_taken_over_changes_nothing(configured: Configured) -> None:
    process = configured.process
    configured.write("two", "2")
    refuse_to_write(process)
    with pytest.raises(ReloadError):
        Reloader(configured.load, process).reload()
    assert configured.canaries == ["one"]
    assert [one.name for one in process.settings.canaries] == ["one"]


def test_a_state_file_that_cannot_be_written_is_told_until_it_can(configured: Configured) -> None:
    process, state = configured.process, configured.file.with_name("state")
    part: Any = process.parts[1]
    part._runs.resume("restart")
    assert process.troubles() == ()
    aside = state.rename(state.with_name("aside"))
    state.write_text("another file")
    with pytest.raises(LedgerError):
        part._runs.resume("restart")
    (trouble,) = process.troubles()
    assert "another file was put in the place of state file" in trouble.text
    aside.rename(state)
    part._runs.resume("restart")
    assert process.troubles() == ()
