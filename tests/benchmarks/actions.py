"""Measures the process that acts on alerts: how long it decides about many, and what many that fire cost it.

`python -m benchmarks.actions [--seconds SECONDS]` measures it alone.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks.programs import memory, pin_generator, pinned, usage
from processes import eventually, exporter_command, free_port
from receiving import TASK, acting_theeye, alert, configuration, payload, samples
from theeye_exporter.demo.results import Ending

__all__ = ["ALERTS", "Seen", "as_markdown", "measure"]

_A_REQUEST: Final = 1000
_REQUESTS: Final = 10
_RUNS: Final = 100
_SCRAPE_EVERY: Final = 15.0
_PATIENCE: Final = 600.0
ALERTS: Final = _A_REQUEST * _REQUESTS
"""Number of alerts that fire."""
_ACTION: Final = f"""arguments: [{{source_labels: [instance]}}]
    rate_limit: {_RUNS}/d
    max_concurrent: {_RUNS}
    max_wait: 1h
    timeout: 1d"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen.

    Attributes:
        first: Seconds until the answer to each request about new alerts; the last ones meet a full table.
        again: Seconds until the answer to each of the same requests, once more.
        cpu: CPU time while nothing is posted, in percent of a core.
        resident: Memory at its peak, in MiB.
    """

    first: list[float]
    again: list[float]
    cpu: float
    resident: float


def measure(seconds: float, tell: Callable[[str], None]) -> Seen:
    """Observe the process on its own core, at rest for so many seconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, acting_theeye(arguments=1) as theeye:
        theeye.world.tasks[TASK].ends = (Ending("success", 1e7), None)
        file = configuration(theeye, Path(folder), _ACTION)
        file.write_text(f"{file.read_text()}rate_limit: {_RUNS}/d\n")
        url = f"http://127.0.0.1:{free_port()}"
        command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}")
        with pinned(command, Path(folder) / "log") as pid:
            eventually(lambda: requests.get(f"{url}/-/ready", timeout=30).ok, "ready", seconds=_PATIENCE)
            start = datetime.now(UTC) + timedelta(seconds=1)
            sent = [payload(*(_alert(start, number, n) for n in range(_A_REQUEST))) for number in range(_REQUESTS)]
            tell("new alerts")
            first = [_post(url, one) for one in sent]
            eventually(lambda: _open_runs(url) == _RUNS, f"{_RUNS} open runs", seconds=_PATIENCE)
            tell("the same alerts")
            again = [_post(url, one) for one in sent]
            tell("at rest")
            before, began = usage(pid), time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                samples(url)
                time.sleep(min(_SCRAPE_EVERY, seconds - passed))
            spent = usage(pid) - before
            cpu = 100 * (spent.user + spent.system) / (time.monotonic() - began)
            if (samples(url)["theeye_action_open_episodes"], _open_runs(url)) != (ALERTS, _RUNS):
                raise RuntimeError("it forgot alerts or runs")
            return Seen(first, again, cpu, memory(pid)[1])


def as_markdown(seen: Seen) -> str:
    """Return a table of what was seen."""
    first, again = statistics.median(seen.first), statistics.median(seen.again)
    rows = [
        (f"{_A_REQUEST:,} new alerts in one request, decided and on the disk", _shown(seen.first), 0.5, first, "s"),
        (f"{_A_REQUEST:,} known alerts in one request", _shown(seen.again), 0.5, again, "s"),
        ("CPU time at rest, of a core", f"{seen.cpu:.1f} %", 5, seen.cpu, "%"),
        ("peak memory", f"{seen.resident:.0f} MiB", 100, seen.resident, "MiB"),
    ]
    lines = [
        f"| actions: {ALERTS:,} alerts that fire, {_RUNS} open runs | | target |",
        "| --- | ---: | --- |",
        *(
            f"| {name} | {value}: {'ok' if number <= most else 'MISSED'} | at most {most:g} {unit} |"
            for name, value, most, number, unit in rows
        ),
    ]
    return "\n".join(lines)


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})"  # noqa: RUF001 - a range


def _alert(start: datetime, number: int, n: int) -> dict[str, Any]:
    instance = f"web-{number}-{n}"
    labels = {"instance": instance, "job": "node", "severity": "critical", "cluster": "eu-1", "team": "web"}
    return alert(start, **labels) | {"annotations": {"summary": f"nginx does not run on {instance}"}}


def _post(url: str, document: dict[str, Any]) -> float:
    began = time.perf_counter()
    answer = requests.post(f"{url}/api/v1/alerts/restart-nginx", json=document, timeout=_PATIENCE)
    spent = time.perf_counter() - began
    if len(answer.json()["decisions"]) != _A_REQUEST:
        raise RuntimeError(f"not every alert was decided: {answer.text[:1000]}")
    return spent


def _open_runs(url: str) -> float:
    return samples(url)["theeye_action_open_runs/running"]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    flags = parser.parse_args()
    pin_generator()
    print(as_markdown(measure(flags.seconds, lambda text: print(text, flush=True))))


if __name__ == "__main__":
    main()
