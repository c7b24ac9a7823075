"""All measurements for a fleet of one size: key to one value for each repeat. Times are milliseconds, sizes bytes or MiB.

A key says who, how and what: `exporter/gzip/8/p99` is the exporter's 99th percentile with gzip and 8 connections.
"""

import json
import math
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import requests

from benchmarks import nginx
from benchmarks.adapter import configuration
from benchmarks.bodies import body_of, count, samples
from benchmarks.load import GZIP, Load, Scraper, at_fixed_times, heads, without_pause
from benchmarks.programs import CORES, memory, pinned, python, usage
from processes import eventually, exporter_command, free_port, running

__all__ = ["CONNECTIONS", "ENCODINGS", "Plan", "Series", "measure"]

Series = dict[str, list[float]]
"""Values of the repeats, by key."""

CONNECTIONS: Final = (1, 8)
ENCODINGS: Final = ("gzip", "plain")
_PROMETHEUS: Final = (
    "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
_HEADERS: Final = {"gzip": (GZIP,), "plain": (), "openmetrics": (GZIP, _PROMETHEUS)}
_PATIENCE: Final = 600.0
_LOOK: Final = 0.005
_FEWEST: Final = 5
_LONGEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a benchmark.

    Attributes:
        sizes: monitors of the fleets.
        rounds: repeats of everything.
        seconds: how long wrk asks each time.
        states: states of the fleet that take turns.
        polls: polls whose CPU time is measured; half as many of fleets that are `large`.
        baseline_scrapes: scrapes of the baseline in each repeat, likewise; a few, since each takes seconds.
        large: monitors.
        rates: scrapes per second while polls run, by encoding, at 1 000 monitors; larger fleets are asked less often.
        least: scrapes at fixed times in each repeat, at least.
        attack_seconds: how long each attack on the memory lasts.
        gentle_sizes: monitors, and tasks, of the organisations whose polls are simulated.
        gentle_seconds: virtual time for which they are.
        organizations: numbers of organisations of one exporter.
        organizations_seconds: how long it is observed at rest, and as long with silent servers.
        canaries: number of canaries.
        canaries_seconds: how long they are observed.
    """

    sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    rounds: int = 3
    seconds: float = 3.0
    states: int = 5
    polls: int = 10
    baseline_scrapes: int = 2
    large: int = 100_000
    rates: tuple[float, float] = (100.0, 20.0)
    least: int = 20
    attack_seconds: float = 20.0
    gentle_sizes: tuple[int, ...] = (1_000, 10_000)
    gentle_seconds: float = 1_500.0
    organizations: tuple[int, ...] = (1, 10, 100, 500)
    organizations_seconds: float = 60.0
    canaries: int = 200
    canaries_seconds: float = 120.0

    def halved(self, count: int, monitors: int) -> int:
        """Return the number of repeats; half as many for large numbers of monitors."""
        return count if monitors < self.large else max(1, count // 2)

    def rate(self, encoding: str, monitors: int) -> float:
        """Return the number of scrapes per second while polls run; far fewer than the exporter can serve."""
        return self.rates[ENCODINGS.index(encoding)] / max(1.0, math.sqrt(monitors / 1000))


class _Bench:
    """The measurements for one number of monitors."""

    def __init__(self, plan: Plan, monitors: int, folder: Path, tools: dict[str, str]) -> None:
        self.plan = plan
        self.monitors = monitors
        self.folder = folder
        self.tools = tools
        self.series: defaultdict[str, list[float]] = defaultdict(list)
        self.sizes: dict[str, int] = {}

    def add(self, key: str, value: float) -> None:
        self.series[key].append(value)

    def add_load(self, key: str, load: Load) -> None:
        self.add(f"{key}/p50", load.p50)
        self.add(f"{key}/p99", load.p99)
        self.add(f"{key}/max", load.maximum)
        self.add(f"{key}/rate", load.rate)

    def load(self, key: str, url: str, pid: int, connections: int) -> None:
        """Let wrk ask a server, and take note of the CPU time that the server spent.

        If there are too few answers to speak of percentiles, or less CPU time than the kernel's clock can tell, wrk asks
        again and for twice as long.
        """
        encoding, seconds = key.split("/")[1], self.plan.seconds
        # The exporter's own metrics differ by some bytes from scrape to scrape.
        size = round(self.sizes[encoding] * 0.98)
        ask = partial(without_pause, self.tools["wrk"], url, connections=connections, size=size)
        while True:
            before = usage(pid)
            seen = ask(seconds=seconds, headers=_HEADERS[encoding])
            spent = usage(pid) - before
            enough = seen.requests >= _FEWEST * connections and spent.user > 0
            if enough or (seen.requests and seconds >= _LONGEST):
                break
            if seconds >= _LONGEST:
                raise RuntimeError(f"{url} does not answer within {seconds} s")
            seconds *= 2
        self.add_load(key, seen)
        self.add(f"{key}/user", spent.user * 1e3 / seen.requests)
        self.add(f"{key}/cpu", (spent.user + spent.system) * 1e3 / seen.requests)

    @contextmanager
    def theeye(self, recorded: Path, states: int) -> Iterator[str]:
        """Run a TheEye whose list of monitors alternates between the states."""
        port = free_port()
        with running(python("benchmarks.replay", port, recorded, states), self.folder / "theeye.log"):
            url = f"http://127.0.0.1:{port}"
            _await(f"{url}/")
            yield url


def measure(plan: Plan, monitors: int, folder: Path, tools: dict[str, str], tell: Callable[[str], None]) -> Series:
    """Take all measurements for a fleet of so many monitors.

    Args:
        plan: how thorough.
        monitors: size of the fleet.
        folder: an empty one, for files.
        tools: programs by name.
        tell: is told what is going on.
    """
    bench = _Bench(plan, monitors, folder, tools)
    tell("recording what the simulated TheEye says")
    recorded = folder / "recorded"
    recorded.mkdir()
    subprocess.run(python("benchmarks.recording", monitors, plan.states, recorded), check=True, timeout=_PATIENCE)
    tell("CPU time of polls")
    for name, states in (("changed", plan.states), ("same", 1)):
        with bench.theeye(recorded, states) as theeye:
            _measure_polls(bench, theeye, name)
    with bench.theeye(recorded, plan.states) as theeye:
        tell("start-up")
        _measure_start(bench, theeye)
        tell("scrapes while nothing else happens")
        _measure_scrapes(bench, theeye)
        tell("scrapes while polls run")
        _measure_scrapes_during_polls(bench, theeye)
    return dict(bench.series)


def _measure_polls(bench: _Bench, theeye: str, name: str) -> None:
    command = python("benchmarks.adapter", "polls", theeye, bench.plan.halved(bench.plan.polls, bench.monitors))
    command = ["taskset", "--cpu-list", str(CORES[0]), *command]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_PATIENCE).stdout
    for part, seconds in json.loads(output).items():
        bench.series[f"poll/{name}/{part}"] = [value * 1e3 for value in seconds]


@contextmanager
def _exporter(bench: _Bench, theeye: str) -> Iterator[tuple[str, int]]:
    """Run the exporter as anybody would, polling once; yields its URL and process id as soon as it is ready."""
    port = free_port()
    config = bench.folder / "exporter.json"  # JSON is YAML too
    config.write_text(json.dumps(configuration(theeye, port)))
    url = f"http://127.0.0.1:{port}"
    with pinned(exporter_command(f"--config.file={config}"), bench.folder / "exporter.log") as pid:
        _await(f"{url}/-/ready")
        yield url, pid


def _measure_start(bench: _Bench, theeye: str) -> None:
    for _ in range(bench.plan.rounds):
        began = time.perf_counter()
        with _exporter(bench, theeye):
            bench.add("start/exporter", (time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        with pinned(exporter_command("--version"), bench.folder / "version.log") as pid:
            eventually(partial(_ended, pid), "--version ends")
            bench.add("start/version", (time.perf_counter() - began) * 1e3)


def _measure_scrapes(bench: _Bench, theeye: str) -> None:
    with ExitStack() as servers:
        url, pid = servers.enter_context(_exporter(bench, theeye))
        bodies = {encoding: body_of(f"{url}/metrics", encoding) for encoding in ENCODINGS}
        for encoding, body in bodies.items():
            bench.sizes[encoding] = len(body)
            bench.add(f"exporter/{encoding}/bytes", len(body))
        bench.sizes["openmetrics"] = bench.sizes["gzip"]
        bench.add("exporter/series", count(bodies["plain"]))

        files_port = free_port()
        files = f"http://127.0.0.1:{files_port}"
        worker = servers.enter_context(
            nginx.serving(bench.tools["nginx"], files_port, bodies["gzip"], bodies["plain"], bench.folder / "nginx.log")
        )
        for encoding in ENCODINGS:
            if body_of(f"{files}/{encoding}", encoding) != bodies[encoding]:
                raise RuntimeError("nginx serves something else than the exporter")
        baseline = servers.enter_context(_baseline(bench, bodies["plain"]))
        for _ in range(bench.plan.rounds):
            for encoding in ENCODINGS:
                for connections in CONNECTIONS:
                    bench.load(f"exporter/{encoding}/{connections}", f"{url}/metrics", pid, connections)
                    bench.load(f"nginx/{encoding}/{connections}", f"{files}/{encoding}", worker, connections)
                _scrape_baseline(bench, baseline, encoding)
            bench.load("exporter/openmetrics/1", f"{url}/metrics", pid, 1)
            before = usage(pid)
            asked = heads(f"{url}/metrics", seconds=bench.plan.seconds)
            spent = usage(pid) - before
            bench.add("exporter/head/cpu", (spent.user + spent.system) * 1e3 / asked)


@contextmanager
def _baseline(bench: _Bench, exposition: bytes) -> Iterator[str]:
    port = free_port()
    file = bench.folder / "exposition.txt"
    file.write_bytes(exposition)
    url = f"http://127.0.0.1:{port}/metrics"
    with pinned(python("benchmarks.baseline", port, file), bench.folder / "baseline.log") as pid:
        _await(f"http://127.0.0.1:{port}/favicon.ico")
        bodies = {encoding: body_of(url, encoding) for encoding in ENCODINGS}
        if samples(bodies["plain"]) != samples(exposition):
            raise RuntimeError("the baseline serves other samples than the exporter")
        for encoding, body in bodies.items():
            bench.add(f"baseline/{encoding}/bytes", len(body))
        del bodies
        yield url
        bench.add("baseline/resident", memory(pid)[0])
        bench.add("baseline/peak", memory(pid)[1])


def _scrape_baseline(bench: _Bench, url: str, encoding: str) -> None:
    with Scraper(url, compressed=encoding == "gzip") as scraper:
        for _ in range(bench.plan.halved(bench.plan.baseline_scrapes, bench.monitors)):
            began = time.perf_counter()
            scraper.scrape()
            bench.add(f"baseline/{encoding}/p50", (time.perf_counter() - began) * 1e3)


def _measure_scrapes_during_polls(bench: _Bench, theeye: str) -> None:
    plan, port = bench.plan, free_port()
    url = f"http://127.0.0.1:{port}"
    with pinned(python("benchmarks.adapter", "serve", theeye, port), bench.folder / "polling.log") as pid:
        _await(f"{url}/-/ready")
        for _ in range(plan.rounds):
            for encoding in ENCODINGS:
                for connections in CONNECTIONS:
                    bench.load(f"polling/{encoding}/{connections}", f"{url}/metrics", pid, connections)
                rate = plan.rate(encoding, bench.monitors)
                polls, began = _polls(theeye), time.perf_counter()
                seconds = max(plan.seconds, plan.least / rate)
                compressed = encoding == "gzip"
                load = at_fixed_times(f"{url}/metrics", rate=rate, seconds=seconds, compressed=compressed)
                bench.add_load(f"polling/{encoding}/fixed", load)
                lasted = time.perf_counter() - began
                bench.add(f"polling/{encoding}/polls", (_polls(theeye) - polls) / lasted)
        resident, peak = memory(pid)
        bench.add("exporter/resident", resident)
        bench.add("exporter/peak", peak)


def _polls(theeye: str) -> int:
    return int(requests.get(f"{theeye}/-/polls", timeout=_PATIENCE).text)


def _await(url: str) -> None:
    """Wait until a URL returns 200; poll often, because this also measures the start-up time."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=_PATIENCE).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(_LOOK)
    raise RuntimeError(f"{url} does not answer")


def _ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
