"""The whole chain from TheEye to a notification, on loopback: every minute of the rules and of Alertmanager is a second.

Where a minute is a second, a machine that is busy for two seconds is an outage of two minutes, and whoever is told of it is told
the truth. So `played` lets a minute take longer where Prometheus itself says that it did not keep up.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import requests

from e2e_prometheus import query
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.collectors.registry import COLLECTORS
from watching import Watch, watching

__all__ = ["Stack", "played", "stack"]

TOKEN: Final = "demo-integration-token"
_MINUTES: Final = (1, 2, 4, 8)
"""Seconds that a minute takes, each tried where the machine did not keep up with the one before."""

W = TypeVar("W", bound=Watch)


@dataclass(slots=True, kw_only=True)
class Stack(Watch):
    """The running programs, and a simulated TheEye.

    Attributes:
        theeye: URL of the simulated TheEye.
    """

    theeye: str
    _exporter: "_Exporter"

    def start_exporter(self) -> None:
        """Start the exporter and wait until it has polled everything."""
        self._exporter.start()

    def stop_exporter(self) -> None:
        """End the exporter."""
        self._exporter.stop()

    def break_it(self, *faults: str) -> None:
        """Switch these faults of the simulated TheEye on, and all others off."""
        requests.put(f"{self.theeye}/-/faults", data="\n".join(faults).encode(), timeout=30).raise_for_status()


class _Exporter:
    """An exporter that polls everything each minute."""

    def __init__(self, folder: Path, theeye: str, minute: int) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._config = folder / "exporter.yml"
        self._config.write_text(
            json.dumps(
                {
                    "organizations": [{"name": "demo", "token": TOKEN, "url": theeye}],
                    "collectors": {kind.name: {"interval": f"{minute}s"} for kind in COLLECTORS},
                }
            )
        )
        self._log = folder / "exporter.log"
        self._minute = minute
        self._process = ExitStack()

    def start(self) -> None:
        command = exporter_command(f"--config.file={self._config}", f"--web.listen-address={self.address}")
        self._process.enter_context(running(command, self._log))
        eventually(
            lambda: requests.get(f"http://{self.address}/-/ready", timeout=5).status_code == 200,
            "the exporter is ready",
            seconds=60.0 * self._minute,
        )

    def stop(self) -> None:
        self._process.close()


def played(play: Callable[[W], None], stack: Callable[[Path, int], AbstractContextManager[W]], folder: Path) -> None:
    """Run a scenario with a new stack; repeat it more slowly if it fails because the machine was too slow."""
    for minute in _MINUTES:
        place = folder / str(minute)
        place.mkdir()
        with stack(place, minute) as running:
            try:
                play(running)
            except AssertionError:
                if minute == _MINUTES[-1] or running.kept_up():
                    raise
            else:
                return


def stack(monitors: int, tasks: int) -> Callable[[Path, int], AbstractContextManager[Stack]]:
    """Return what runs a calm simulated TheEye, an exporter, and all that watches it."""

    @contextmanager
    def start(folder: Path, minute: int) -> Iterator[Stack]:
        address = f"127.0.0.1:{free_port()}"
        theeye = f"http://{address}"
        demo = exporter_command(
            *("demo", "--demo.only", "--demo.calm", f"--demo.listen-address={address}"),
            *(f"--demo.monitors={monitors}", f"--demo.tasks={tasks}"),
        )
        with ExitStack() as programs:
            programs.enter_context(running(demo, folder / "theeye.log"))
            eventually(lambda: requests.get(f"{theeye}/-/faults", timeout=5).ok, "the simulated TheEye answers")
            exporter = _Exporter(folder, theeye, minute)
            programs.callback(exporter.stop)
            exporter.start()
            watch = programs.enter_context(watching(folder, minute, {"theeye": exporter.address}))
            made = Stack(watch.prometheus, watch.alertmanager, minute, watch.told, theeye=theeye, _exporter=exporter)
            made.wait_for(lambda: query(made.prometheus, "theeye_job_last_outcome"), "samples in Prometheus")
            yield made

    return start
