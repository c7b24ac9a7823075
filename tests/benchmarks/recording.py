"""Records responses of the simulated TheEye to the list of monitors, one minute apart.

The simulated TheEye runs in a process of its own and is asked over HTTP:

    python -m benchmarks.recording MONITORS STATES FOLDER

Every second monitor is a dstat with two disks, the rest is the demo's mixture. A minute is long enough for every
monitor to report at least once, so that between two states nearly all times and measured values differ.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from theeye_exporter.demo import DemoSettings, SimulatedTheEye

__all__ = ["Recorded", "load", "main"]

_DISKS = ("sda", "sdb")
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer.

    Attributes:
        body: the body as it was sent, gzip.
        date: the Date header.
        path: file that holds the body uncompressed.
    """

    body: bytes
    date: str
    path: Path


def load(folder: Path) -> list[Recorded]:
    """Return what `main` recorded into a folder, oldest first."""
    dates = json.loads((folder / "dates.json").read_text())
    return [
        Recorded((folder / f"{number}.json.gz").read_bytes(), date, folder / f"{number}.json")
        for number, date in enumerate(dates)
    ]


@contextmanager
def _frozen_theeye(monitors: int) -> Iterator[SimulatedTheEye]:
    theeye = SimulatedTheEye(DemoSettings(monitors=monitors, tasks=0))
    theeye.world.frozen = True
    for host in theeye.world.hosts.values():
        host.disks = _DISKS
    changeable = [monitor for monitor in theeye.world.monitors.values() if monitor.type != "nested"]
    for number, monitor in enumerate(changeable):
        if number % 2 == 0:
            monitor.type = "dstat"
        elif monitor.type == "dstat":
            monitor.type = "script"
    with theeye:
        yield theeye


def main(monitors: int, states: int, folder: Path) -> None:
    """Record this many states of this many monitors."""
    dates = []
    with _frozen_theeye(monitors) as theeye:
        route = f"{theeye.url}/{theeye.settings.organization}/resource"
        for number in range(states):
            if number:
                theeye.world.frozen = False
                theeye.world.advance(_MINUTE)
                theeye.world.frozen = True
            headers = {"Authorization": f"Bearer {theeye.settings.token}", "Accept-Encoding": "gzip"}
            with requests.get(route, headers=headers, stream=True, timeout=600) as answer:
                answer.raise_for_status()
                body = answer.raw.read(decode_content=False)
                dates.append(answer.headers["Date"])
            (folder / f"{number}.json.gz").write_bytes(body)
    (folder / "dates.json").write_text(json.dumps(dates))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
