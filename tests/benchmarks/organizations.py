"""Measures one exporter that polls many organisations: threads, memory, CPU time, publishes and scrapes.

`python -m benchmarks.organizations COUNT... [--seconds SECONDS] [--collectors NAME...]` measures these numbers of organisations
alone.
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
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import requests

from benchmarks.load import Scraper, percentile
from benchmarks.programs import memory, pin_generator, pinned, python, usage
from benchmarks.publishing import publishing
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.collectors import monitors
from theeye_exporter.collectors.registry import COLLECTORS

__all__ = ["Seen", "as_markdown", "measure"]

_MONITORS: Final = 40
_TASKS: Final = 10
_PATIENCE: Final = 600.0
_SCRAPES: Final = 100
_FIFTH: Final = 5
_SETTLED: Final = 15.0
"""Seconds after which the rest of the first polls, such as results of runs, is over."""


class Target(NamedTuple):
    """What is wanted with most organisations.

    Attributes:
        most: the largest value that is allowed.
        unit: of the value.
        ratio: whether the table also has the ratio of the value to that with the fewest organisations.
    """

    most: float
    unit: str
    ratio: bool = False


_ROWS: Final[Mapping[str, tuple[str, Target]]] = {
    "time until ready": ("ready", Target(15, "s")),
    "CPU time until ready": ("starting", Target(15, "s")),
    "threads": ("threads", Target(64, "")),
    "CPU time at rest, of a core": ("rest", Target(20, "%")),
    "resident memory": ("resident", Target(250, "MiB")),
    "scrape latency p50, gzip": ("scrape", Target(15, "ms", ratio=True)),
    "CPU time of a scrape, gzip": ("scrape_cpu", Target(15, "ms", ratio=True)),
    "size of a scrape, gzip": ("size", Target(float("inf"), "kB", ratio=True)),
    "CPU time of 1,000 publishes": ("publishing", Target(2, "ms", ratio=True)),
    "threads, a fifth of the servers silent": ("some_silent_threads", Target(64, "")),
    "longest time between two lists of monitors of the others, in intervals": ("others_wait", Target(1.5, "")),
    "threads, all servers silent": ("silent_threads", Target(64, "")),
    "CPU time of a scrape, all servers silent, against none": ("silent_scrape", Target(1.5, "")),
    "until one that answers again is polled, all others silent": ("recovery", Target(360, "s")),
}


@dataclass(slots=True)
class Seen:
    """What a measurement showed.

    Attributes:
        ready: seconds from the start until every collector had succeeded once.
        starting: CPU time until then, in seconds.
        threads: most threads.
        rest: CPU time of the process, as a share of the time, in percent.
        resident: resident memory, in MiB.
        scrape: median latency of a compressed scrape, in milliseconds.
        scrape_cpu: CPU time of the process for it, in milliseconds.
        size: its size, in kB.
        publishing: CPU time of 1,000 publishes, in milliseconds.
        some_silent_threads: most threads while a fifth of the servers are silent.
        others_wait: longest time between two lists of monitors of the others, in their intervals.
        silent_threads: most threads while all servers are silent.
        silent_scrape: CPU time of a scrape meanwhile, divided by `scrape_cpu`.
        recovery: seconds from the end of one server's silence until a list is requested from it.
    """

    ready: float = 0.0
    starting: float = 0.0
    threads: float = 0.0
    rest: float = 0.0
    resident: float = 0.0
    scrape: float = 0.0
    scrape_cpu: float = 0.0
    size: float = 0.0
    publishing: float = 0.0
    some_silent_threads: float = 0.0
    others_wait: float = 0.0
    silent_threads: float = 0.0
    silent_scrape: float = 0.0
    recovery: float = 0.0


class _TheEye:
    """The stand-in for all servers, see `many.py`."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/-"
        eventually(lambda: self._ask("answered", "") is not None, "the simulated TheEye")

    def silence(self, names: Sequence[str]) -> None:
        """Stop answering these organisations, and answer all others."""
        self._ask("silent", ",".join(names))

    def listed_monitors(self) -> dict[str, tuple[int, float]]:
        """Return how often each organisation has listed monitors since then, and for how many seconds at most it has not."""
        return self._ask("answered", "resource")  # type: ignore[no-any-return]

    def _ask(self, command: str, query: str) -> Any:
        response = requests.get(f"{self._url}/{command}?{query}", timeout=30)
        response.raise_for_status()
        return response.json()


def measure(
    count: int,
    seconds: float,
    tell: Callable[[str], None] = lambda _: None,
    collectors: Sequence[str] = (),
) -> Seen:
    """Measure an exporter with this number of organisations.

    Args:
        count: number of organisations.
        seconds: how long it is observed at rest, and with silent servers.
        tell: called with what is done next.
        collectors: the collectors to use; those that are used by default if there are none.
    """
    seen = Seen(publishing=publishing(count, _MONITORS))
    names = [f"o{number}" for number in range(count)]
    port, web = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        config = folder / "many.yml"
        config.write_text(json.dumps(_settings(names, port, web, collectors)))
        with running(python("benchmarks.many", port, _MONITORS, _TASKS), folder / "theeye.log"):
            theeye = _TheEye(port)
            tell("start")
            began = time.monotonic()
            command = exporter_command(f"--config.file={config}")
            with pinned(command, folder / "exporter.log") as pid, _most_threads(pid) as threads:
                _await_ready(web)
                seen.ready, seen.starting = time.monotonic() - began, _spent(pid)
                tell("at rest")
                time.sleep(min(seconds, _SETTLED))
                before, since = _spent(pid), time.monotonic()
                time.sleep(seconds)
                seen.rest = 100 * (_spent(pid) - before) / (time.monotonic() - since)
                seen.resident = memory(pid)[0]
                seen.scrape, seen.scrape_cpu, seen.size = _scraped(pid, web, seen.rest)
                seen.threads = _taken(threads)
                if count >= _FIFTH:
                    tell("a fifth of the servers silent")
                    theeye.silence(names[::_FIFTH])
                    began = time.monotonic()
                    time.sleep(seconds)
                    listed, never = theeye.listed_monitors(), (0, time.monotonic() - began)
                    waits = (listed.get(name, never)[1] for number, name in enumerate(names) if number % _FIFTH)
                    seen.others_wait = max(waits) / monitors.KIND.interval
                    seen.some_silent_threads = _taken(threads)
                tell("all servers silent")
                theeye.silence(names)
                time.sleep(seconds / 2)
                before, since = _spent(pid), time.monotonic()
                time.sleep(seconds / 2)
                silent = 100 * (_spent(pid) - before) / (time.monotonic() - since)
                seen.silent_scrape = _scraped(pid, web, silent)[1] / max(seen.scrape_cpu, 1e-3)
                seen.silent_threads = _taken(threads)
                theeye.silence(names[1:])
                began = time.monotonic()
                eventually(theeye.listed_monitors, "a list", seconds=_PATIENCE)
                seen.recovery = time.monotonic() - began
    return seen


def _settings(names: Sequence[str], theeye: int, port: int, collectors: Sequence[str]) -> dict[str, object]:
    return {
        "organizations": [
            {"name": name, "token": f"token-{name}", "url": f"http://127.0.0.1:{theeye}/{name}"} for name in names
        ],
        "web": {"listen_address": f"127.0.0.1:{port}"},
        "collectors": {kind.name: {"enabled": kind.name in collectors} for kind in COLLECTORS} if collectors else {},
    }


def _spent(pid: int) -> float:
    """Return the CPU seconds of a process."""
    spent = usage(pid)
    return spent.user + spent.system


def _taken(seen: list[int]) -> int:
    """Return the largest number, and remove all."""
    most = max(seen)
    seen.clear()
    return most


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


def _scraped(pid: int, port: int, rest: float) -> tuple[float, float, float]:
    """Return the median latency of some scrapes with a pause between them, the CPU time of one, and their size in kB.

    Times are in milliseconds.

    Args:
        pid: the process.
        port: its port.
        rest: share of the time for which it uses the CPU without scrapes, in percent.
    """
    latencies, sizes = [], []
    before, since = _spent(pid), time.monotonic()
    with Scraper(f"http://127.0.0.1:{port}/metrics", compressed=True) as scraper:
        for _ in range(_SCRAPES):
            began = time.perf_counter()
            sizes.append(scraper.scrape() / 1e3)
            latencies.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.05)
    spent = max(0.0, _spent(pid) - before - rest / 100 * (time.monotonic() - since))
    return percentile(latencies, 0.5), spent * 1e3 / _SCRAPES, statistics.median(sizes)


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
    parser.add_argument("--collectors", nargs="+", choices=[kind.name for kind in COLLECTORS], default=())
    flags = parser.parse_args()
    pin_generator()

    def tell(count: int, text: str) -> None:
        print(f"{count}: {text}", flush=True)

    measured = {count: measure(count, flags.seconds, partial(tell, count), flags.collectors) for count in flags.counts}
    print(as_markdown(measured))


if __name__ == "__main__":
    main()
