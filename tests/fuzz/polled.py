"""An exporter that a test polls, with responses that the test creates."""

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from fuzz.bodies import CANARY
from playback import RECORDED_AT, T0, TOKEN, Asked, Reply, http_server
from polls import poll
from samples import Series, body, labels, own, parse, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.exposition.render import Format
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.theeye.errors import Reason

__all__ = ["Polled", "TheEye", "theeye"]

_OPEN_JOBS: Final = "where%5Blifecycle%5D"
_KINDS: Final = {
    "resource": "monitors",
    "task": "tasks",
    "workflows": "workflows",
    "job": "jobs",
    "host": "hosts",
    "indicator": "indicators",
    "webhook": "webhooks",
}
"""What TheEye lists, by the end of its path."""
_INTERVAL: Final = 60.0


@dataclass
class TheEye:
    """A TheEye that answers with these bodies, by kind."""

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict, repr=False)
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        """Answer."""
        if asked.path == "/api/status":
            return Reply(self.bodies.get("status", b"{}"), headers=self.headers)
        if asked.path.startswith("/demo/job/"):
            kind = "details"
        elif _OPEN_JOBS in asked.query:
            kind = "open_jobs"
        else:
            kind = _KINDS.get(asked.path.rpartition("/")[2], "")
        return Reply(self.bodies.get(kind, b"[]"), headers=self.headers)


@contextmanager
def theeye() -> Iterator[TheEye]:
    """Serve one."""
    answers = TheEye()
    with http_server(answers) as server:
        answers.url = server.url
        yield answers


class Polled:
    """An exporter of one organisation, and what it logged."""

    def __init__(self, theeye: TheEye, now: float = RECORDED_AT[T0].timestamp()) -> None:
        self.now = now
        self._log = io.StringIO()
        configure_logging("debug", "logfmt", stream=self._log)
        organization = OrganizationSettings(name="demo", url=theeye.url, token=SecretStr(TOKEN), timeout=30.0)
        self.theeye = theeye
        self.exporter = Exporter(
            Settings(organizations=(organization,)), Clocks(wall=lambda: self.now, monotonic=lambda: self.now)
        )

    def close(self) -> None:
        """Stop it."""
        self.exporter.stop()

    def poll(self, bodies: Mapping[str, bytes]) -> dict[str, Reason | None]:
        """Poll every collector once, an interval after the last time; returns why each failed."""
        self.theeye.bodies = dict(bodies)
        self.now += _INTERVAL
        return poll(self.exporter)

    def series(self) -> Series:
        """Return the exported series, read by the client library's parsers after validation."""
        snapshot = self.exporter.store.current()
        found = parse(body(snapshot, Format.OPENMETRICS_1_0_0))
        text = parse(body(snapshot, Format.TEXT_0_0_4), Format.TEXT_0_0_4)
        assert sorted(text.values()) == sorted(found.values())
        assert all(math.isfinite(value) for value in found.values())
        assert len(text) == snapshot.series
        for fmt in (Format.OPENMETRICS_1_0_0, Format.TEXT_0_0_4):
            parse(self.exporter.telemetry.exposition(fmt).decode(), fmt)
        return shown(snapshot)

    def skipped(self, collector: str, reason: str) -> float:
        """Return how many objects were left out for a reason."""
        key = labels(organization="demo", collector=collector, reason=reason)
        shown = own(self.exporter.store, self.exporter.telemetry)
        return shown.get(("theeye_collector_skipped_objects_total", key), 0)

    @property
    def log(self) -> str:
        """What was logged."""
        return self._log.getvalue()

    def assert_log_tells_nothing(self) -> None:
        """Fail on a bug, a token or a body in the log."""
        assert "bug" not in self.log
        assert "Traceback" not in self.log
        assert TOKEN not in self.log
        # What a state or lifecycle is called is told, so that somebody can teach it to the exporter.
        lines = [line for line in self.log.splitlines() if "unknown outcome" not in line]
        assert not [line for line in lines if CANARY in line]
        assert not [line for line in lines if re.search(r'[{}\[\]<]|"id"', line.replace("[Errno", ""))]
