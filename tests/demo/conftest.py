"""A simulated TheEye whose clock moves only when a test moves it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from theeye_exporter.demo import DemoSettings, SimulatedTheEye

START = 1_800_000_000.25
RECORDINGS = Path(__file__).parents[1] / "recordings"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Client:
    """A client with the token of the organisation."""

    def __init__(self, theeye: SimulatedTheEye, session: requests.Session) -> None:
        self.theeye = theeye
        self.session = session

    def get(self, path: str, token: str | None = "", **options: Any) -> requests.Response:
        """GET with the integration token, another one, or none."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.theeye.settings.token}"
        options.setdefault("timeout", 30)
        return self.session.get(self.theeye.url + path, headers=headers, **options)

    def json(self, path: str, **options: Any) -> Any:
        """The JSON of a successful GET."""
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


Start = Callable[..., Client]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Iterator[Start]:
    """Starts simulated servers, each with a client; ends them after the test."""
    opened: list[tuple[SimulatedTheEye, requests.Session]] = []

    def begin(*, frozen: bool = False, **settings: Any) -> Client:
        theeye = SimulatedTheEye(DemoSettings(**{"monitors": 120, "tasks": 40, **settings}), clock)
        theeye.world.frozen = frozen
        session = requests.Session()
        opened.append((theeye, session))
        theeye.start()
        return Client(theeye, session)

    yield begin
    for theeye, session in opened:
        session.close()
        theeye.stop()


@pytest.fixture
def living(start: Start) -> Client:
    """A world that changes as its clock moves."""
    return start()


@pytest.fixture
def frozen(start: Start) -> Client:
    """A world in which nothing happens without the test."""
    return start(frozen=True)


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Reads a recorded answer of a real server, by file name."""

    def read(name: str) -> Any:
        return json.loads((RECORDINGS / "supervisor-4.15.3-t0" / name).read_text())

    return read
