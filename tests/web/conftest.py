"""An exporter on a real port."""

import contextlib
from collections.abc import Iterator

import pytest
import requests
from starlette.types import ASGIApp

from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.connection import ConnectionTerms
from theeye_exporter.web.server import ConnectionPolicy, bind, serve_in_background
from web.certificates import Authority
from web.exporters import Exporter, Listen, Serve


@contextlib.contextmanager
def served(app: ASGIApp, policy: ConnectionPolicy = ConnectionTerms) -> Iterator[str]:
    """Serve an application on a free port of the loopback; yields its URL."""
    sockets = bind([Listen("127.0.0.1", 0)])
    with serve_in_background(app, sockets, policy=policy):
        yield f"{'http' if policy is ConnectionTerms else 'https'}://127.0.0.1:{sockets[0].getsockname()[1]}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a certificate authority, with a certificate for our loopback."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """URL of an exporter that is up and ready, for tests that only look."""
    with served(Exporter.ready().app) as result:
        yield result


@pytest.fixture
def exporter() -> Exporter:
    """Return an exporter that is up and ready, for the test alone."""
    return Exporter.ready()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve applications until the test ends; returns their URL."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(served(app))


@pytest.fixture
def fixed_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exporter's own metrics stand still, so that two answers can be compared."""
    monkeypatch.setattr(Telemetry, "exposition", lambda _, fmt: f"# {fmt.name}\n".encode())


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """Return an HTTP client that knows no proxies."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
