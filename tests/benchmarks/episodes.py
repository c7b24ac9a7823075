"""Measures what open episodes cost `theeye-exporter actions`: memory, CPU time, and the state file.

    PYTHONPATH=tests .venv/bin/python -m benchmarks.episodes

CPU time is that of this process, so other work on the machine hardly matters. TheEye is a model in memory: the requests to
it are not measured.
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from actions.alerting import PLAN, World
from theeye_exporter.actions.alert_view import add_samples
from theeye_exporter.actions.alerts import read_payload
from theeye_exporter.actions.deciding import alert_key
from theeye_exporter.actions.records import KnownEpisode, PastRun
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.theeye.memory import resident

__all__ = ["Costs", "costs", "fill"]

SENT = 1000
OPEN_RUNS = 100
PAST = 1000
TICKS = 60
A_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What is measured.

    Attributes:
        memory: Bytes that the process has more when it has read the state file.
        process: Bytes of the whole process.
        file: Bytes of the state file.
        firing: CPU seconds for a message with 1 000 alerts that are new, until all is on the disk.
        resent: CPU seconds for the same message again.
        tick: CPU seconds for one look at what is due, each second, with 100 open runs.
        waiting: The same with 1 000 starts that wait, too.
        scrape: CPU seconds for the samples of one scrape.
    """

    memory: int
    process: int
    file: int
    firing: float
    resent: float
    tick: float
    waiting: float
    scrape: float


def message(numbers: range, start: float) -> bytes:
    """Return what Alertmanager posts about alerts of a usual size."""
    began = datetime.fromtimestamp(start, UTC).isoformat()
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "Down",
                "instance": f"web-{number:05}.example.com:9100",
                **{name: f"{name} of {number % 50}" for name in ("cluster", "job", "namespace", "severity", "team")},
            },
            "annotations": {
                "summary": "The service is down",
                "description": "It has not answered for five minutes. " * 4,
            },
            "startsAt": began,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            "fingerprint": f"{number:016x}",
        }
        for number in numbers
    ]
    return json.dumps({"version": "4", "status": "firing", "receiver": "restart", "alerts": alerts}).encode()


def fill(folder: Path, episodes: int) -> None:
    """Make a state file with so many open episodes that have had their run."""
    world = World(folder, PLAN)
    with world.runs.records.draft() as draft:
        for number in range(episodes):
            alert, start = f"{number:064x}", world.model.now + 30.0
            draft.put(alert_key("restart", alert), KnownEpisode(start=start, heard_at=start, ran=True))
            if number < PAST:
                past = PastRun(
                    action="restart",
                    alert=alert,
                    labels=f"Down{{instance='web-{number:05}.example.com:9100'}}",
                    episode=start,
                    sent_at=start - A_WEEK,
                    ended_at=start - A_WEEK,
                    outcome="success",
                    job_id=f"{number:024x}",
                )
                draft.put(f"past/{number}", past)
    world.close()


def costs(folder: Path, *, ticks: int = TICKS) -> Costs:
    """Return what the episodes of a state file cost, together with 100 that have an open run."""
    importlib.import_module("theeye_exporter.commands.actions")  # what the process is made of
    configure_logging("error", "logfmt")
    before = resident()
    world = World(folder, PLAN)
    memory = resident() - before
    world.model.wait(60.0)
    start = world.model.now
    for number in range(OPEN_RUNS):
        world.fire(f"open-{number}", start)
    world.live(5.0, pause=1.0, bot=False)

    def tick() -> None:
        world.runs.work()
        world.model.wait(1.0)

    per_tick = _cpu(tick, ticks) / ticks
    scrape = _cpu(lambda: add_samples(Samples(), world.runs, {}, world.model.now), 5) / 5
    body = message(range(SENT), start)

    def receive() -> None:
        world.runs.receive("restart", read_payload(body, world.model.now))

    firing, resent = _cpu(receive, 1), _cpu(receive, 5) / 5
    waiting = _cpu(tick, ticks) / ticks
    world.close()
    file = sum(one.stat().st_size for one in folder.iterdir())
    return Costs(memory, resident(), file, firing, resent, per_tick, waiting, scrape)


def _cpu(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - began


def main() -> None:
    """Print what open episodes cost; a process of its own measures each number."""
    for episodes in (0, 10_000, 100_000):
        alone = ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)
        with alone, tempfile.TemporaryDirectory() as name:
            alone.submit(fill, Path(name), episodes).result()
            found = alone.submit(costs, Path(name)).result()
        sys.stdout.write(
            f"{episodes:>6} open episodes: {found.memory / 2**20:.1f} MiB, {found.process / 2**20:.0f} MiB with all else; "
            f"state file {found.file / 2**20:.1f} MiB\n"
            f"       CPU: {SENT} new alerts {found.firing * 1e3:.0f} ms, sent again {found.resent * 1e3:.0f} ms; "
            f"a look with {OPEN_RUNS} open runs {found.tick * 1e3:.1f} ms, if {SENT} starts wait, too, "
            f"{found.waiting * 1e3:.1f} ms; a scrape {found.scrape * 1e3:.1f} ms\n"
        )


if __name__ == "__main__":
    main()
