"""Creates hours of scrapes of a simulated TheEye in seconds, and runs a real Prometheus with them.

Clocks are handed in, so that the past is lived through as fast as the machine can, poll by poll and scrape by scrape;
`promtool` makes blocks of what was scraped. Exemplars and staleness markers do not survive that: a short lookback
stands in for the latter.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TextIO

from pydantic import SecretStr

from contexts import every_collector
from e2e_prometheus import answers
from past_actions import scrape_of_actions
from past_canaries import TARGET, scrape_of_canaries
from polls import poll
from processes import eventually, free_port, running
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.demo import DemoSettings, EndedRuns, SimulatedTheEye
from theeye_exporter.exposition.render import Format
from theeye_exporter.polling.exporter import Exporter
from tools import require_tool

__all__ = ["END", "INSTANCE", "JOB", "Event", "Past", "live_through", "prometheus_of", "stretch"]

END: Final = 1795435200.0
"""Monday, 23 November 2026, 12:00 UTC."""

JOB: Final = "theeye"
INSTANCE: Final = "exporter:9855"

_BLOCK_SECONDS: Final = 7200.0
_SAMPLE: Final = re.compile(r'([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)')

Event = Callable[[SimulatedTheEye], None]


@dataclass
class Past:
    """The generated past.

    Attributes:
        start: time of the first scrape.
        end: time of the last scrape.
        step: seconds between two scrapes.
        files: what was scraped, as OpenMetrics with times, a file for each block of Prometheus.
        samples: how many there are.
        series: how many series there are, if that is known.
        ended_runs: every run that ended, as the simulated TheEye counts it.
        states: number of enabled monitors at the end, by state and severity.
        hosts: the names of the hosts.
        tasks: the ids of the tasks.
    """

    start: float
    end: float
    step: float
    files: list[Path] = field(default_factory=list)
    samples: int = 0
    series: int = 0
    ended_runs: EndedRuns = field(default_factory=EndedRuns)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    hosts: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    def runs(self, outcome: str | None = None) -> int:
        """Return how many runs of tasks ended, in any way or in one."""
        return sum(self.ended_runs.runs(task, outcome) for task in self.tasks)


def live_through(
    folder: Path,
    *,
    hours: float = 6,
    step: float = 30,
    end: float = END,
    settings: DemoSettings | None = None,
    events: Mapping[float, Event] | None = None,
    instances: Sequence[str] = (INSTANCE,),
) -> Past:
    """Poll a simulated TheEye at each step of some hours, and scrape the exporter after each poll.

    Args:
        folder: where the scrapes are written.
        hours: how long.
        step: seconds between two polls, each with a scrape.
        end: Unix time of the last scrape.
        settings: what the simulated TheEye is like.
        events: what befalls it, by hours since the beginning.
        instances: labels of the exporter; with two, it is as if there were two that see the same.
    """
    past = Past(end - hours * 3600, end, step)
    due = sorted((events or {}).items(), key=lambda event: event[0])
    now = past.start
    with SimulatedTheEye(settings or DemoSettings(), lambda: now) as theeye:
        # What takes time, takes real time; else every duration would be 0.
        clocks = Clocks(wall=lambda: now, monotonic=lambda: now + time.perf_counter())
        exporter = Exporter(_settings(theeye, step), clocks)
        targets = [f'job="{JOB}",instance="{instance}"' for instance in instances]
        with _Blocks(folder, past) as blocks:
            for number in range(round(hours * 3600 / step) + 1):
                now = past.start + number * step
                while due and now >= past.start + due[0][0] * 3600:
                    due.pop(0)[1](theeye)
                began = time.perf_counter()
                poll(exporter)
                scrape = _scrape(exporter)
                series = exporter.store.current().series
                own = f"up 1\nscrape_duration_seconds {time.perf_counter() - began}\nscrape_samples_scraped {series}\n"
                for target in targets:
                    blocks.write(scrape, target, now)
                    blocks.write(own, target, now)
                for scrape_of in (scrape_of_canaries, scrape_of_actions):
                    blocks.write(scrape_of(theeye.settings.organization, past.start, now), TARGET, now)
        past.ended_runs = theeye.world.ended_runs
        for monitor in theeye.world.monitors.values():
            past.states[monitor.state, monitor.severity] += monitor.enable
        past.hosts = frozenset(theeye.world.hosts)
        past.tasks = frozenset(theeye.world.tasks)
        exporter.stop()
    return past


@contextmanager
def prometheus_of(past: Past, folder: Path, *flags: str) -> Iterator[str]:
    """Run a Prometheus with this past, which scrapes nothing; yields its URL."""
    data, log = folder / "tsdb", folder / "prometheus.log"
    for file in past.files:
        subprocess.run(
            [require_tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(file), str(data)],
            check=True,
            capture_output=True,
        )
    port = free_port()
    (folder / "prometheus.yml").write_text("{}")
    command = [
        require_tool("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=10y",
        f"--query.lookback-delta={past.step - 1:.0f}s",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with running(command, log):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(url), "Prometheus is ready")
        yield url


def _settings(theeye: SimulatedTheEye, step: float) -> Settings:
    organization = OrganizationSettings(
        name=theeye.settings.organization,
        url=theeye.url,
        token=SecretStr(theeye.settings.token),
        collectors=every_collector(interval=step, max_age=5 * step),
    )
    return Settings(organizations=(organization,))


def _scrape(exporter: Exporter) -> str:
    snapshot = b"".join(exporter.store.current().identity(Format.OPENMETRICS_1_0_0))
    return (snapshot + exporter.telemetry.exposition(Format.OPENMETRICS_1_0_0)).decode()


class _Blocks:
    """Writes a file for each two hours, as Prometheus cuts its blocks: `promtool` reads a file once for each."""

    def __init__(self, folder: Path, past: Past) -> None:
        self._folder = folder
        self._past = past
        self._number = -1.0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.write("# EOF\n")
            self._file.close()

    def repeat(self, samples: Sequence[str], now: float) -> None:
        """Add samples of an earlier scrape."""
        self._file_of(now).writelines(f"{sample} {now}\n" for sample in samples)
        self._past.samples += len(samples)

    def _file_of(self, now: float) -> TextIO:
        if now // _BLOCK_SECONDS != self._number:
            self._close()
            self._number = now // _BLOCK_SECONDS
            path = self._folder / f"scrapes-{int(self._number)}.txt"
            self._past.files.append(path)
            self._file = path.open("w", encoding="utf-8", newline="\n")
        assert self._file is not None
        return self._file

    def write(self, exposition: str, target: str, now: float) -> None:
        """Add a scrape."""
        file = self._file_of(now)
        for line in exposition.split("\n"):
            if line and line[0] != "#":
                match = _SAMPLE.match(line)
                assert match is not None, line
                name, labels, value = match.groups()
                file.write(
                    f"{name}{{{target},{labels}}} {value} {now}\n" if labels else f"{name}{{{target}}} {value} {now}\n"
                )
                self._past.samples += 1


def stretch(past: Past, folder: Path, *, hours: float, samples: Sequence[str] | None = None) -> Past:
    """Repeat the last scrape of a past, or other samples, for some hours, as if nothing happened any more."""
    (file,) = past.files
    lines = samples or [line.rpartition(" ")[0] for line in file.read_text().splitlines() if not line.startswith("#")]
    long = Past(past.end, past.end + hours * 3600, past.step, series=len(lines))
    with _Blocks(folder, long) as blocks:
        for number in range(round(hours * 3600 / past.step) + 1):
            blocks.repeat(lines, long.start + number * past.step)
    return long
