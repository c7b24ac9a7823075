"""Tests that a process continues to poll, responds and ends when the machine's clock steps by seconds or decades."""

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from playback import T0, TOKEN, Recording, http_server
from processes import eventually, exporter_command, free_port, running
from tools import require_tool

YEARS = 365 * 86400
STEPS = [1, -1, 3600, -3600, 27 * YEARS, -27 * YEARS]
"""The first ones; more are random."""
COUNT = int(os.environ.get("CLOCK_STEPS", "6"))
SEED = int(os.environ.get("CLOCK_SEED", "1"))
LISTS = ["/monitor", "/demo/task", "/workflows", "/demo/job"]
CONFIGURATION = """\
collectors:
  monitors: {interval: 1s}
  tasks: {interval: 1s}
  workflows: {interval: 1s}
  jobs: {interval: 1s}
"""


@pytest.fixture
def set_clock(tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """Return a function that sets the time of day of a process, and returns the environment to start that process with."""
    faketime = [require_tool("faketime"), "-m", "-f", "+0"]
    library = subprocess.run([*faketime, "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True).stdout
    offset = tmp_path / "offset"

    def put(seconds: int) -> dict[str, str]:
        written = tmp_path / "offset.new"
        written.write_text(f"{seconds:+d}\n")
        written.replace(offset)
        return {
            "LD_PRELOAD": library.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its own conversion ends each wait for Python's interpreter lock at once, which starves all threads but one.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    return put


def steps(beginning: int) -> Iterator[int]:
    """Yield as many steps as are wanted, none of which leads further than the first ones do."""
    chance = random.Random(SEED + beginning)  # noqa: S311 - chance, no secret
    ahead = sum(STEPS[:COUNT])
    yield from STEPS[:COUNT]
    for _ in range(COUNT - len(STEPS)):
        step = chance.choice((-1, 1)) * round(10 ** chance.uniform(0, 8.9))
        if abs(ahead + step) > 27 * YEARS:
            step = -step
        ahead += step
        yield step


@pytest.mark.parametrize("beginning", [0, -27 * YEARS])
def test_polling_goes_on_and_the_process_ends(
    beginning: int,
    set_clock: Callable[[int], dict[str, str]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    (tmp_path / "config.yml").write_text(CONFIGURATION)
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command(
        f"--config.file={tmp_path / 'config.yml'}", f"--web.listen-address={url.removeprefix('http://')}"
    )
    with http_server(Recording(T0)) as theeye:
        env = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": TOKEN, "THEEYE_SUPERVISOR_URL": theeye.url}
        with running(command, tmp_path / "log", env=env | set_clock(beginning)) as process:

            def polls() -> Counter[str]:
                return Counter(asked.path for asked in list(theeye.asked))

            eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "the first round")
            now = beginning
            for step in steps(beginning):
                before = polls()
                now += step
                set_clock(now)
                # The first poll may have begun before the step.
                eventually(lambda: all(polls()[p] - before[p] >= 3 for p in LISTS), f"polls after a step of {step} s")  # noqa: B023
                assert requests.get(f"{url}/-/healthy", timeout=5).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            record_property("polls", polls().total())
    assert "Traceback" not in (tmp_path / "log").read_text()
