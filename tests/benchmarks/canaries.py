"""Measures `theeye-exporter actions` with many canaries: CPU time and memory.

python -m benchmarks.canaries            # measures, and prints the table
python -m benchmarks.canaries PORT COUNT # serves a simulated TheEye with so many tasks for canaries
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import requests

from benchmarks.programs import memory, pin_generator, pinned, python, usage
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task

__all__ = ["Seen", "as_markdown", "measure"]

_COUNT: Final = 200
_INTERVAL: Final = 60
_PATIENCE: Final = 600.0
_MOST_CPU: Final = 3.0
_MOST_MEMORY: Final = 80.0


class Seen(NamedTuple):
    """What a measurement showed.

    Attributes:
        cpu: CPU time of the process, as a share of the time, in percent.
        resident: resident memory, in MiB.
        runs: successful runs meanwhile.
        requests: requests to TheEye meanwhile.
    """

    cpu: float
    resident: float
    runs: int
    requests: int


def measure(count: int, seconds: float, tell: Callable[[str], None]) -> Seen:
    """Measure a process whose canaries each start a run a minute.

    Args:
        count: number of canaries.
        seconds: how long it is observed once each canary has had a run.
        tell: called with what is done next.
    """
    port, web = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        config = folder / "actions.yml"
        config.write_text(json.dumps(_settings(count, port, web)))
        with running(python("benchmarks.canaries", port, count), folder / "theeye.log"):
            eventually(lambda: requests.get(f"http://127.0.0.1:{port}/api/status", timeout=5).ok, "TheEye")
            with pinned(exporter_command("actions", f"--config.file={config}"), folder / "actions.log") as pid:
                tell("first runs of canaries")
                eventually(lambda: _runs(web)[1] == count, "a run of each canary", seconds=_PATIENCE)
                tell("canaries")
                (runs, _), asked = _runs(web), _asked(web)
                before, since = usage(pid), time.monotonic()
                time.sleep(seconds)
                spent, lasted = usage(pid) - before, time.monotonic() - since
                return Seen(
                    cpu=100 * (spent.user + spent.system) / lasted,
                    resident=memory(pid)[0],
                    runs=_runs(web)[0] - runs,
                    requests=_asked(web) - asked,
                )


def _settings(count: int, theeye: int, port: int) -> dict[str, object]:
    demo = DemoSettings()
    return {
        "theeye": {"url": f"http://127.0.0.1:{theeye}"},
        "organizations": [{"name": demo.organization, "token": demo.user_token}],
        "canaries": [
            {"name": f"c{number}", "task": f"canary-{number}", "interval": f"{_INTERVAL}s", "timeout": "50s"}
            for number in range(count)
        ],
        "web": {"listen_address": f"127.0.0.1:{port}"},
    }


def _metrics(port: int) -> list[str]:
    response = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    response.raise_for_status()
    return response.text.splitlines()


def _runs(port: int) -> tuple[int, int]:
    """Return the number of successful runs, and of canaries that had one."""
    lines = (line for line in _metrics(port) if line.startswith("theeye_canary_runs_total{"))
    counts = [int(float(line.rpartition(" ")[2])) for line in lines if 'outcome="success"' in line]
    return sum(counts), sum(map(bool, counts))


def _asked(port: int) -> int:
    """Return the number of requests to TheEye that were answered."""
    lines = (line for line in _metrics(port) if line.startswith("theeye_api_request_duration_seconds_count"))
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


def as_markdown(count: int, seen: Seen) -> str:
    """Return a table of what was seen."""
    rows = [
        ("CPU time, of a core", f"{seen.cpu:.3g} %", seen.cpu < _MOST_CPU, f"under {_MOST_CPU:g} %"),
        ("resident memory", f"{seen.resident:.3g} MiB", seen.resident < _MOST_MEMORY, f"under {_MOST_MEMORY:g} MiB"),
    ]
    lines = [
        f"| {count} canaries, a run of each every minute | figure | target |",
        "| --- | ---: | --- |",
        *(f"| {name} | {figure}: {'ok' if met else 'MISSED'} | {target} |" for name, figure, met, target in rows),
        f"| requests that read, for each run | {seen.requests / max(1, seen.runs):.3g} | |",
    ]
    return "\n".join(lines)


def _serve(port: int, count: int) -> None:
    """Serve a simulated TheEye in which `count` tasks can be started, on so many hosts, until killed."""
    with SimulatedTheEye(DemoSettings(monitors=1000, tasks=40, calm=True, port=port)) as theeye:
        hosts = [host for host in theeye.world.hosts.values() if not host.silent]
        for number in range(count):
            host = hosts[number % len(hosts)]
            task = Task(f"{number:024x}", f"canary-{number}", "script", host, theeye.world.now_ms - 1000)
            task.script_id, task.ends = f"5c{number:022x}", (Ending("success", 1.5), None)
            theeye.world.add_task(task)
        threading.Event().wait()


def main() -> None:
    """Serve, or measure and print the table."""
    if len(sys.argv) > 1:
        _serve(*map(int, sys.argv[1:]))
        return
    pin_generator()
    print(as_markdown(_COUNT, measure(_COUNT, 120.0, print)))


if __name__ == "__main__":
    main()
