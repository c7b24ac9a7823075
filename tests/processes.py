"""Runs programs for a test: on loopback, with conditions instead of sleeps, ended by pid."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Final, TypeVar

import requests

T = TypeVar("T")

DEADLINE = 60.0


def _ports() -> Iterator[int]:
    """Return ports below those that the kernel hands out itself, different ones for each worker of a run."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(10_000 + worker, 32_768, workers)
    return cycle(random.sample(ports, len(ports)))


_PORTS: Final = _ports()


def free_port() -> int:
    """Return a loopback port that nobody listens on now, nor is likely to before it is used."""
    while True:
        port = next(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def eventually(attempt: Callable[[], T | None], what: str, *, seconds: float = DEADLINE) -> T:
    """Return the first result of `attempt` that is true in Python's sense; connection errors count as None."""
    until = time.monotonic() + seconds
    last: T | None = None
    while time.monotonic() < until:
        with suppress(requests.ConnectionError, requests.Timeout):
            last = attempt()
            if last:
                return last
        threading.Event().wait(0.05)  # between two looks at the condition
    raise AssertionError(f"not within {seconds} s: {what}; last seen: {last}")


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, its output in `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("THEEYE_")}, **(env or {})},
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def exporter_command(*arguments: str) -> list[str]:
    """Return the command line of the exporter: the one of this environment, or that of EXPORTER_UNDER_TEST."""
    installed_here = Path(sys.executable).with_name("theeye-exporter")
    return [os.environ.get("EXPORTER_UNDER_TEST", str(installed_here)), *arguments]
