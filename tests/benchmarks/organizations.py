"""Measures one exporter that polls many organisations: threads, memory, CPU time, publishes and scrapes.

`python -m benchmarks.organizations COUNT... [--seconds SECONDS]` measures these numbers of organisations alone.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import requests

from benchmarks.load import Scraper, percentile
from benchmarks.programs import memory, pin_generator, pinned, python, usage
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.polling.telemetry import PUBLISHED

__all__ = ["Seen", "as_markdown", "measure", "publishing"]

_MONITORS: Final = 40
_TASKS: Final = 10
_PATIENCE: Final = 600.0
_SCRAPES: Final = 100
_FAMILIES: Final = 20
_PUBLISHES: Final = 1000
_SETTLED: Final = 15.0
"""Seconds after which the rest of the first polls, such as results of runs, is over."""


class Target(NamedTuple):
    """What is wanted with most organisations.

    Attributes:
        most: the most.
        unit: of the value.
        ratio: whether it is that of the value to the one with fewest organisations.
    """

    most: float
    unit: str
    ratio: bool = False


_ROWS: Final[Mapping[str, tuple[str, Target]]] = {
    "time until ready": ("ready", Target(15, "s")),
    "threads": ("threads", Target(64, "")),
    "threads, all servers silent": ("silent_threads", Target(64, "")),
    "scrape latency p50, all servers silent": ("silent_scrape", Target(2, "ms", ratio=True)),
    "CPU time at rest, of a core": ("rest", Target(20, "%")),
    "resident memory": ("resident", Target(250, "MiB")),
    "scrape latency p50, gzip": ("scrape", Target(15, "ms", ratio=True)),
    "size of a scrape, gzip": ("size", Target(float("inf"), "kB", ratio=True)),
    "CPU time of 1,000 publishes": ("publishing", Target(2, "ms", ratio=True)),
}


@dataclass(slots=True)
class Seen:
    """What a measurement showed.

    Attributes:
        ready: seconds from the start until every collector had succeeded once.
        threads: most threads.
        silent_threads: most threads while all servers are silent.
        silent_scrape: median latency of a scrape meanwhile, in milliseconds.
        rest: CPU time of the process, as a share of the time, in percent.
        resident: resident memory, in MiB.
        scrape: median latency of a compressed scrape, in milliseconds.
        size: its size, in kB.
        publishing: CPU time of 1,000 publishes, in milliseconds.
    """

    ready: float = 0.0
    threads: float = 0.0
    silent_threads: float = 0.0
    silent_scrape: float = 0.0
    rest: float = 0.0
    resident: float = 0.0
    scrape: float = 0.0
    size: float = 0.0
    publishing: float = 0.0


def measure(count: int, seconds: float, tell: Callable[[str], None] = lambda _: None) -> Seen:
    """Measure an exporter with this number of organisations.

    Args:
        count: number of organisations.
        seconds: how long it is observed at rest, and with silent servers.
        tell: called with what is done next.
    """
    seen = Seen(publishing=publishing(count))
    names = [f"o{number}" for number in range(count)]
    theeye, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        config = folder / "many.yml"
        config.write_text(json.dumps(_settings(names, theeye, port)))
        with running(python("benchmarks.many", theeye, _MONITORS, _TASKS), folder / "theeye.log"):
            eventually(
                lambda: requests.get(f"http://127.0.0.1:{theeye}/-/requests", timeout=5).ok, "the simulated TheEye"
            )
            tell("start")
            began = time.monotonic()
            command = exporter_command(f"--config.file={config}")
            with pinned(command, folder / "exporter.log") as pid, _most_threads(pid) as threads:
                _await_ready(port)
                seen.ready = time.monotonic() - began
                tell("at rest")
                time.sleep(min(seconds, _SETTLED))
                before, since = usage(pid), time.monotonic()
                time.sleep(seconds)
                spent = usage(pid) - before
                seen.rest = 100 * (spent.user + spent.system) / (time.monotonic() - since)
                seen.resident = memory(pid)[0]
                seen.scrape, seen.size = _scraped(port)
                seen.threads = max(threads)
                threads.clear()
                tell("all servers silent")
                requests.get(f"http://127.0.0.1:{theeye}/-/silent?{','.join(names)}", timeout=30).raise_for_status()
                time.sleep(seconds)
                seen.silent_scrape, _ = _scraped(port)
                seen.silent_threads = max(threads)
    return seen


def publishing(count: int) -> float:
    """Return the CPU time of 1,000 publishes beside so many organisations, in milliseconds."""
    store = SnapshotStore(PUBLISHED, time.monotonic)
    families = [family for family in PUBLISHED if family.type == "gauge" and not family.states][:_FAMILIES]
    publishers = [Publisher(f"o{number}", "monitors") for number in range(count)]
    renderers = [Renderer(10**6) for _ in publishers]

    def publish(number: int, value: float) -> None:
        publisher = publishers[number % count]
        segments = renderers[number % count].render(_samples(families, publisher, value))
        store.publish(publisher, segments, float("inf"))

    for number in range(count):
        publish(number, 0.0)
    store.current()
    began = time.process_time()
    for number in range(_PUBLISHES):
        publish(number, number + 1.0)
    return (time.process_time() - began) * 1e3


def _samples(families: Sequence[Family], publisher: Publisher, value: float) -> Samples:
    samples = Samples()
    for family in families:
        for number in range(_MONITORS):
            samples[family].add(f'organization="{publisher.organization}",n="{number}"', value)
    return samples


def _settings(names: Sequence[str], theeye: int, port: int) -> dict[str, object]:
    return {
        "organizations": [
            {"name": name, "token": f"token-{name}", "url": f"http://127.0.0.1:{theeye}"} for name in names
        ],
        "web": {"listen_address": f"127.0.0.1:{port}"},
    }


def _await_ready(port: int) -> None:
    url = f"http://127.0.0.1:{port}/-/ready"
    eventually(lambda: requests.get(url, timeout=30).ok, "ready", seconds=_PATIENCE)


@contextmanager
def _most_threads(pid: int) -> Iterator[list[int]]:
    """Count a process' threads again and again."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.append(len(list(Path(f"/proc/{pid}/task").iterdir())))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def _scraped(port: int) -> tuple[float, float]:
    """Return the median latency of some scrapes with a pause between them, in milliseconds, and their size in kB."""
    latencies, sizes = [], []
    with Scraper(f"http://127.0.0.1:{port}/metrics", compressed=True) as scraper:
        for _ in range(_SCRAPES):
            began = time.perf_counter()
            sizes.append(scraper.scrape() / 1e3)
            latencies.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.05)
    return percentile(latencies, 0.5), statistics.median(sizes)


def as_markdown(measured: Mapping[int, Seen]) -> str:
    """Return a table of what was seen, by number of organisations."""
    fewest, most = min(measured), max(measured)
    lines = [
        ["many organisations", *(f"{count:,}" for count in measured), "target"],
        ["---", *("---:" for _ in measured), "---"],
    ]
    for name, (attribute, target) in _ROWS.items():
        values = {count: getattr(seen, attribute) for count, seen in measured.items()}
        ratios = {count: value / values[fewest] if values[fewest] else 0.0 for count, value in values.items()}
        shown = []
        for count, value in values.items():
            judged = ratios[count] if target.ratio else value
            ratio = f"{ratios[count]:.3g}×, " if target.ratio else ""  # noqa: RUF001 - that is how ratios are written
            verdict = "" if count != most or target.most == float("inf") else f": {_verdict(judged, target)}"
            shown.append(f"{ratio}{value:.3g} {target.unit}".strip() + verdict)
        lines.append([name, *shown, _wanted(target)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdict(judged: float, target: Target) -> str:
    return "ok" if judged <= target.most else "MISSED"


def _wanted(target: Target) -> str:
    if target.most == float("inf"):
        return ""
    return f"at most {target.most:g}{'×' if target.ratio else ' ' + target.unit}".strip()  # noqa: RUF001


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0)
    flags = parser.parse_args()
    pin_generator()
    measured = {
        count: measure(count, flags.seconds, lambda text, count=count: print(f"{count}: {text}", flush=True))  # type: ignore[misc]
        for count in flags.counts
    }
    print(as_markdown(measured))


if __name__ == "__main__":
    main()
