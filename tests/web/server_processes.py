"""A server in a process of its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["serving_process"]

TESTS = Path(__file__).parent.parent


@contextlib.contextmanager
def serving_process(drain_seconds: float, tls: Sequence[Path]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "web" / "serving_process.py"), str(drain_seconds), *map(str, tls)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()
