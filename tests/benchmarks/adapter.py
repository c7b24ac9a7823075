"""All that the benchmarks know of the exporter's inside. Whatever is rebuilt there, only this module has to follow.

- `python -m benchmarks.adapter serve URL PORT` is the exporter, polling without a pause.
- `python -m benchmarks.adapter polls URL POLLS` prints the CPU time of polls by part, as JSON.
"""

import functools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from theeye_exporter.assembly import Exporter
from theeye_exporter.collectors.monitors import MonitorsCollector
from theeye_exporter.collectors.reports import Reports
from theeye_exporter.commands.serve import favour_scrapes, serve
from theeye_exporter.config import CollectorSettings, OrganizationSettings, Settings
from theeye_exporter.config.addresses import parse_listen_address
from theeye_exporter.config.settings import CollectorsSettings, JobsSettings, LogSettings, WebSettings
from theeye_exporter.exposition import render
from theeye_exporter.logs import configure_logging
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.models import Junk, Monitor, MonitorSettings
from theeye_exporter.theeye.transport import Answer, Transport

__all__ = ["ORGANIZATION", "TIMEOUT", "configuration", "polls"]

ORGANIZATION: Final = "demo"
TIMEOUT: Final = 120.0
_WITHOUT_PAUSE: Final = 0.05
"""Seconds between the times at which a poll may start; one that takes longer is followed by the next at once."""

_SELDOM: Final = 3600.0
_WARM_UP: Final = 2

_STAGES: Final[tuple[tuple[str, object, str], ...]] = (
    ("http", Transport, "get"),
    ("decode", TheEyeClient, "monitors"),
    ("collect", MonitorsCollector, "collect"),
    ("collect", Reports, "take"),
    ("compress", render, "deflate"),
)
"""Public functions at the borders of the parts of a poll; what a poll does outside of all of them is rendering,
publishing and bookkeeping."""


def configuration(url: str, port: int) -> dict[str, Any]:
    """Return the configuration file of an exporter that polls monitors at the start and then hardly ever."""
    return {
        "organizations": [{"name": ORGANIZATION, "token": "any", "url": url, "timeout": f"{TIMEOUT:.0f}s"}],
        "collectors": {"monitors": {"interval": "1h"}} | {name: {"enabled": False} for name in _OTHERS},
        "web": {"listen_address": f"127.0.0.1:{port}"},
    }


_OTHERS: Final = ("tasks", "workflows", "jobs")


class _WholeMonitor(Monitor, gc=False):
    """A monitor with all that is shown of it decoded; the exporter leaves the settings until they change."""

    monitor: MonitorSettings | Junk = None  # type: ignore[assignment]


def _settings(url: str, port: int, interval: float) -> Settings:
    off = CollectorSettings(enabled=False, interval=_SELDOM)
    collectors = CollectorsSettings(
        monitors=CollectorSettings(interval=interval, max_age=_SELDOM),
        tasks=off,
        workflows=off,
        jobs=JobsSettings(enabled=False, interval=_SELDOM),
    )
    organization = OrganizationSettings.model_validate(
        {"name": ORGANIZATION, "token": "any", "url": url, "timeout": TIMEOUT, "collectors": collectors}
    )
    return Settings(
        organizations=(organization,),
        web=WebSettings(listen_addresses=(parse_listen_address(f"127.0.0.1:{port}"),)),
        log=LogSettings(level="error"),
    )


class _Stopwatch:
    """CPU time of the process in nested functions, each without what it calls among them."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **keywords: Any) -> Any:
            self._inner.append(0.0)
            started = time.process_time()
            try:
                return function(*args, **keywords)
            finally:
                spent = time.process_time() - started
                self.spent[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed


def polls(url: str, count: int) -> dict[str, list[float]]:
    """Poll a TheEye so many times and return, for each poll, the CPU seconds of its parts.

    The keys are the stages, `render` for the rest of a poll, `total` for all but `http`, and `msgspec`: decoding the
    same bytes to the same structs and nothing else; and `plain`: decoding all of them, to Python's own types.
    """
    stopwatch = _Stopwatch()
    bodies: list[bytes | bytearray] = []
    fetch = Transport.get

    def get(*args: Any, **keywords: Any) -> Answer:
        answer = fetch(*args, **keywords)
        bodies.append(answer.body)
        return answer

    Transport.get = get  # type: ignore[method-assign]
    for stage, owner, name in _STAGES:
        setattr(owner, name, stopwatch.wrap(stage, getattr(owner, name)))
    (runner,) = Exporter(_settings(url, 0, _SELDOM)).runners
    decoder = msgspec.json.Decoder(list[_WholeMonitor])
    favour_scrapes()
    spent = defaultdict(list)
    for number in range(_WARM_UP + count):
        stopwatch.spent.clear()
        bodies.clear()
        started = time.process_time()
        runner.run()
        whole = time.process_time() - started
        listed = max(bodies, key=len)
        started = time.process_time()
        structs = decoder.decode(listed)
        alone = time.process_time() - started
        if not structs:
            raise RuntimeError("TheEye listed no monitors")
        if not number and (idle := [stage for stage, _, _ in _STAGES if not stopwatch.spent[stage]]):
            raise RuntimeError(f"a poll does not pass these borders any more: {', '.join(idle)}; correct _STAGES")
        del structs
        started = time.process_time()
        everything = msgspec.json.decode(listed)
        plain = time.process_time() - started
        del everything
        if number < _WARM_UP:
            continue
        for stage in {stage for stage, _, _ in _STAGES}:
            spent[stage].append(stopwatch.spent[stage])
        spent["render"].append(whole - sum(stopwatch.spent.values()))
        spent["total"].append(whole - stopwatch.spent["http"])
        spent["msgspec"].append(alone)
        spent["plain"].append(plain)
    return spent


def main(command: str, url: str, number: int) -> None:
    """Run a command of this module."""
    if command == "polls":
        print(json.dumps(polls(url, number)))
    else:
        configure_logging("error", "logfmt")
        serve(lambda: _settings(url, number, _WITHOUT_PAUSE))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
