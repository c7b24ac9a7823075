"""Runs the exporter for the benchmarks, by its internals.

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

from contexts import every_collector
from theeye_exporter.collectors.monitors.collector import KIND, MonitorsCollector
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.commands.serve import serve
from theeye_exporter.config import LimitsSettings, LogSettings, OrganizationSettings, Settings, WebSettings
from theeye_exporter.config.addresses import parse_listen_address
from theeye_exporter.exposition import render
from theeye_exporter.machine import favour_scrapes
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling import scheduler
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.theeye import client
from theeye_exporter.theeye.fields import Junk
from theeye_exporter.theeye.monitor_models import Monitor, MonitorSettings
from theeye_exporter.theeye.transport import Answer, Transport

__all__ = ["ORGANIZATION", "TIMEOUT", "configuration", "polls"]

ORGANIZATION: Final = "demo"
TIMEOUT: Final = 120.0
_WITHOUT_PAUSE: Final = 0.05
"""Seconds between the starts of two polls; a poll that takes longer is followed by the next at once."""

_SELDOM: Final = 3600.0
_WARM_UP: Final = 2

_STAGES: Final[tuple[tuple[str, object, str], ...]] = (
    ("http", Transport, "get"),
    ("decode", client, "decode_list"),
    ("collect", MonitorsCollector, "collect"),
    ("compress", render, "deflate"),
)
"""Public functions at the borders of the parts of a poll; what a poll does outside of all of them is rendering,
publishing and bookkeeping."""


def configuration(url: str, port: int) -> dict[str, Any]:
    """Return the configuration file of an exporter that polls monitors at the start and then hardly ever again."""
    return {
        "organizations": [{"name": ORGANIZATION, "token": "any", "url": url, "timeout": f"{TIMEOUT:.0f}s"}],
        "collectors": {"monitors": {"interval": "1h"}} | {name: {"enabled": False} for name in _OTHERS},
        "web": {"listen_address": f"127.0.0.1:{port}"},
        "limits": {"max_response_bytes": "512MiB"},  # for the largest fleet
    }


_OTHERS: Final = tuple(kind.name for kind in COLLECTORS if kind is not KIND)


class _WholeMonitor(Monitor, gc=False):
    """A monitor whose shown fields are all decoded; the exporter decodes settings only when they change."""

    monitor: MonitorSettings | Junk = None  # type: ignore[assignment]


def _settings(url: str, port: int, interval: float) -> Settings:
    off = every_collector(enabled=False, interval=_SELDOM)
    collectors = off.model_copy(update={KIND.name: CollectorSettings(interval=interval, max_age=_SELDOM)})
    organization = OrganizationSettings.model_validate(
        {"name": ORGANIZATION, "token": "any", "url": url, "timeout": TIMEOUT, "collectors": collectors}
    )
    return Settings(
        organizations=(organization,),
        web=WebSettings(listen_address=(parse_listen_address(f"127.0.0.1:{port}"),)),
        log=LogSettings(level="error"),
        limits=LimitsSettings(max_response_bytes=512 * 2**20),
    )


class _Stopwatch:
    """CPU time of the process in nested functions, each without the functions that it calls."""

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
    """Poll a TheEye this many times and return, for each poll, the CPU seconds of its parts.

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
        started = time.process_time()
        structs = [monitor for body in bodies for monitor in decoder.decode(body)]
        alone = time.process_time() - started
        if not structs:
            raise RuntimeError("TheEye listed no monitors")
        if not number and (idle := [stage for stage, _, _ in _STAGES if not stopwatch.spent[stage]]):
            raise RuntimeError(f"a poll does not pass these borders any more: {', '.join(idle)}; correct _STAGES")
        del structs
        started = time.process_time()
        everything = [msgspec.json.decode(body) for body in bodies]
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
        scheduler.DUTY = 1.0  # type: ignore[misc] # the exporter itself pauses, so scrapes would mostly meet no poll
        serve(lambda: _settings(url, number, _WITHOUT_PAUSE))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
