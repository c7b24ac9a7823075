"""An exporter that a test polls and reloads, with polls that hang."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.configurations import configure
from processes import DEADLINE
from samples import Series, own, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import Settings
from theeye_exporter.config.organization_files import Kept
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.reload import Reloader
from theeye_exporter.polling.runner import CollectorRunner
from theeye_exporter.theeye.errors import Reason

__all__ = ["Setup", "late_poll", "two_organizations"]

START = 1795352944.0


@dataclass
class Setup:
    """An exporter of two simulated organisations, polled by hand, and its configuration file."""

    theeyes: dict[str, SimulatedTheEye]
    folder: Path
    now: float = START
    log: io.StringIO = field(default_factory=io.StringIO)
    rest: str = "state: {file: state}\n"
    kept: Kept = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.options = dict.fromkeys(self.theeyes, "")
        self.write()
        configure_logging("info", "logfmt", stream=self.log)
        clock = Clocks(wall=lambda: self.now, monotonic=lambda: self.now)
        self.exporter = Exporter(self.load(), clock)
        self.reloader = Reloader(self.load, self.exporter)

    @property
    def file(self) -> Path:
        return self.folder / "exporter.yml"

    def load(self) -> Settings:
        return configure(file=self.file, kept=self.kept)

    def write(self) -> None:
        """Write the file: of each organisation what `options` says, and the `rest`."""
        text = "organizations:\n"
        for name, options in self.options.items():
            token = "" if "token" in options else f", token: {self.theeyes[name].settings.token}"
            text += f"  - {{name: {name}, url: '{self.theeyes[name].url}'{token}{options and ', '}{options}}}\n"
        self.file.write_text(text + self.rest)

    def reload(self, **options: str) -> None:
        """Reload, with these options of organisations."""
        self.options |= options
        self.write()
        self.reloader.reload()
        configure_logging("info", "logfmt", stream=self.log)

    def runners(self, name: str) -> dict[str, CollectorRunner]:
        return {r.kind.name: r for r in self.exporter.runners if r.client.organization == name}

    def poll(self, name: str = "one") -> None:
        """Poll an organisation's collectors once, a while after the last time."""
        self.now += 10
        for runner in self.runners(name).values():
            runner.run()

    def reasons(self, name: str) -> dict[str, Reason]:
        """Return why collectors of an organisation fail."""
        (found,) = [o for o in self.exporter.board.organizations if o.name == name]
        return {status.collector: status.reason for status in found.collectors if status.reason is not None}

    def shown(self) -> Series:
        return shown(self.exporter.store.current()) | own(self.exporter.store, self.exporter.telemetry)

    def of(self, name: str) -> Series:
        return {key: value for key, value in self.shown().items() if ("organization", name) in key[1]}

    def total(self, metric: str, task: str) -> float:
        return sum(v for (name, key), v in self.shown().items() if name == metric and ("task_id", task) in key)


@contextmanager
def two_organizations(folder: Path) -> Iterator[Setup]:
    """Return the exporter of two organisations in which nothing happens by itself, after a poll of each."""
    clock: list[Setup] = []

    def now() -> float:
        return clock[0].now if clock else START

    with (
        SimulatedTheEye(DemoSettings(organization="one", token="token-of-one", monitors=20, tasks=6), now) as one,
        SimulatedTheEye(DemoSettings(organization="two", token="token-of-two", monitors=10, tasks=4), now) as two,
    ):
        one.world.frozen = two.world.frozen = True
        made = Setup({"one": one, "two": two}, folder)
        clock.append(made)
        made.poll("one")
        made.poll("two")
        yield made
        made.exporter.stop()


@contextmanager
def held(target: object, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Hold each caller of a method, after its work, until the block ends; yields a function that waits for a caller."""
    reached, release = threading.Event(), threading.Event()
    method = getattr(target, name)

    def slow(*arguments: object) -> object:
        result = method(*arguments)
        reached.set()
        assert release.wait(DEADLINE)
        return result

    monkeypatch.setattr(target, name, slow)

    def wait() -> None:
        assert reached.wait(DEADLINE)

    try:
        yield wait
    finally:
        release.set()


@contextmanager
def late_poll(runner: CollectorRunner, target: object, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a poll of the runner hang in a method while the block runs, and end after it."""
    with held(target, name, monkeypatch) as wait:
        thread = threading.Thread(target=runner.run)
        thread.start()
        wait()
        yield
    thread.join(DEADLINE)
    assert not thread.is_alive()
