"""Tests signals at any moment: none is lost, and none interrupts code that does not expect it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import pytest
import requests

from processes import DEADLINE, eventually, exporter_command, free_port, running

STARTS: Final = int(os.environ.get("SIGNAL_STARTS", "6"))
"""Starts of the exporter for each signal; as many as you like, such as 200."""
SEED: Final = int(os.environ.get("SIGNAL_SEED", "9"))

_MAIN = """
import os, signal, sys, threading, time, weakref
from theeye_exporter import signals
from theeye_exporter.__main__ import run

def send(number):
    os.kill(os.getpid(), number)

def forever(*_):
    while True:
        time.sleep(60)

{body}

import theeye_exporter.cli as cli
cli.main = main
run()
"""


def end_of(body: str) -> tuple[int, str, str]:
    """Let the entry point run `main` of this code; return exit code, output and errors."""
    ended = subprocess.run(
        [sys.executable, "-c", _MAIN.replace("{body}", body)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_within_a_callback_whose_exceptions_python_only_prints_ends_the_process(
    number: signal.Signals, code: int
) -> None:
    body = f"""
class Thing: pass

def main():
    thing = Thing()
    watched = weakref.ref(thing, lambda _: [send({number}), forever()])
    del thing
    forever()
"""
    assert end_of(body) == (code, "", "")


@pytest.mark.parametrize("caught", ["BaseException", "SystemExit", "KeyboardInterrupt"])
def test_a_signal_within_code_that_catches_everything_ends_the_process(caught: str) -> None:
    body = f"""
def main():
    while True:
        try:
            send(signal.SIGTERM)
            forever()
        except {caught}:
            pass
"""
    assert end_of(body) == (143, "", "")


def test_a_signal_ends_the_process_while_its_main_thread_is_in_a_call_that_goes_on() -> None:
    body = """
import select

def main():
    threading.Timer(0, send, [signal.SIGTERM]).start()
    while True:  # as libraries in C do
        select.select([], [], [], 60)
"""
    assert end_of(body) == (143, "", "")


def test_who_is_in_charge_of_the_end_decides_about_it_and_has_so_much_time() -> None:
    body = """
def main():
    asked = threading.Event()
    signals.at_end(lambda number: asked.set(), seconds=60)
    send(signal.SIGTERM)
    asked.wait()
    print("ended in order")
    return 0
"""
    assert end_of(body) == (0, "ended in order\n", "")
    body = """
def main():
    signals.at_end(lambda number: None, seconds=0.1)
    send(signal.SIGINT)
    send(signal.SIGTERM)
    forever()
"""
    assert end_of(body)[0] in {130, 143}  # whichever the kernel hands out first


def test_a_reload_that_was_asked_for_too_early_is_kept() -> None:
    body = """
def main():
    send(signal.SIGHUP)
    send(signal.SIGHUP)
    asked = threading.Semaphore(0)
    signals.at_hangup(asked.release)
    asked.acquire()
    send(signal.SIGHUP)
    asked.acquire()
    print("asked")
    return 0
"""
    assert end_of(body) == (0, "asked\n", "")


def held(pid: int, number: signal.Signals) -> bool:
    """Whether the process has begun to take the signal itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked, 16) >> (number - 1) & 1)


def moments() -> list[float]:
    """Return seconds after the first moment at which a signal can be taken: most of them within the start."""
    chance = random.Random(SEED)  # noqa: S311 - chance, no secret
    return [chance.triangular(0, 2, 0.2) for _ in range(STARTS)]


def starts(tmp_path: Path) -> tuple[list[str], str, Path]:
    address, file = f"127.0.0.1:{free_port()}", tmp_path / "exporter.yml"
    file.write_text("organizations: [{name: demo, token: t0ken, url: 'http://127.0.0.1:1'}]\n")
    arguments = (f"--config.file={file}", f"--web.listen-address={address}", f"--state.file={tmp_path / 'state'}")
    return exporter_command(*arguments), address, tmp_path / "log"


def wait_for(process: subprocess.Popen[bytes], number: signal.Signals, moment: float) -> None:
    until = time.monotonic() + DEADLINE
    while not held(process.pid, number):
        assert process.poll() is None
        assert time.monotonic() < until
    threading.Event().wait(moment)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_at_any_moment_a_signal_ends_the_process_in_order(number: signal.Signals, code: int, tmp_path: Path) -> None:
    command, _, log = starts(tmp_path)
    for moment in moments():
        with running(command, log) as process:
            wait_for(process, number, moment)
            process.send_signal(number)
            ended = process.wait(DEADLINE)
        said = log.read_text()
        assert ended == (0 if "msg=stopped" in said else code), (SEED, moment, said)
        assert "Traceback" not in said, (SEED, moment, said)
        assert "ignored" not in said, (SEED, moment, said)
        assert "report it" not in said, (SEED, moment, said)


def test_at_any_moment_a_hangup_asks_for_a_reload_and_never_kills(tmp_path: Path) -> None:
    command, address, log = starts(tmp_path)
    for moment in moments():
        with running(command, log) as process:
            wait_for(process, signal.SIGHUP, moment)
            process.send_signal(signal.SIGHUP)
            eventually(lambda: requests.get(f"http://{address}/-/healthy", timeout=5).ok, f"healthy, {SEED} {moment}")
            eventually(lambda: "configuration reloaded" in log.read_text(), f"reloaded, {SEED} {moment}")
            process.terminate()
            assert process.wait(DEADLINE) == 0
