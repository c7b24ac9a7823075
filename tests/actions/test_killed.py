"""A process that is killed with -9 at any step of a start: TheEye runs it once, as soon as the process is there again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

STEPS = 14
TIMES = int(os.environ.get("KILLED_TIMES", "1"))
SEED = int(os.environ.get("KILLED_SEED", "1"))


@pytest.mark.parametrize("answer", ["ok", "lost", "late", "dropped", "nothing"])
def test_one_run_a_start_whenever_the_process_is_killed(
    answer: str, record_property: Callable[[str, object], None]
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # No power is cut, so no disk is needed.
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        command = [sys.executable, "-m", "actions.killed", folder, answer, str(STEPS), str(TIMES), str(SEED)]
        output = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120 * TIMES
        )
    assert output.returncode == 0, output.stderr
    lives = [json.loads(line) for line in output.stdout.splitlines()]
    assert len(lives) == STEPS * TIMES
    for step, kills, (created, phases) in lives:
        assert kills >= 1, f"not killed at step {step}"
        assert sorted(created) == ["one", "two"], f"killed at step {step}"
        assert phases == ["ended", "ended"], f"killed at step {step}"
    record_property("kill -9", sum(kills for _, kills, _ in lives))
