"""A process that is killed with -9 at any step of a start: TheEye runs it once, as soon as the process is there again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = 14


@pytest.mark.parametrize("answer", ["ok", "lost", "late", "dropped", "nothing"])
def test_one_run_a_start_whenever_the_process_is_killed(answer: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "actions.killed", str(tmp_path), answer, str(STEPS)]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert output.returncode == 0, output.stderr
    lives = [json.loads(line) for line in output.stdout.splitlines()]
    assert len(lives) == STEPS
    for step, kills, (created, phases) in lives:
        assert kills == 1, f"not killed at step {step}"
        assert sorted(created) == ["one", "two"], f"killed at step {step}"
        assert phases == ["ended", "ended"], f"killed at step {step}"
