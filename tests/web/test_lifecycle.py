"""The request that reloads the configuration."""

import pytest
import requests

from theeye_exporter.config import ReloadError
from web.exporters import Exporter, Serve


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_reload_is_refused_unless_it_is_enabled(method: str, http: requests.Session, url: str) -> None:
    answer = http.request(method, f"{url}/-/reload", timeout=10)
    assert answer.status_code == 403
    assert answer.text == "reloading by request is not enabled; start the process with --web.enable-lifecycle\n"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_reload_tells_what_needs_a_restart(method: str, http: requests.Session, serve: Serve) -> None:
    kept: list[tuple[str, ...]] = [(), ("web.telemetry_path", "state.file")]
    url = serve(Exporter(reload=lambda: kept.pop(0)).app)
    answer = http.request(method, f"{url}/-/reload", timeout=10)
    assert (answer.status_code, answer.text) == (200, "reloaded\n")
    assert answer.headers["Cache-Control"] == "no-store"
    answer = http.request(method, f"{url}/-/reload", timeout=10)
    assert answer.text.splitlines() == [
        "reloaded",
        "web.telemetry_path has changed, which needs a restart",
        "state.file has changed, which needs a restart",
    ]


def test_a_reload_that_fails_tells_every_problem_in_a_line_of_its_own(http: requests.Session, serve: Serve) -> None:
    def reload() -> tuple[str, ...]:
        raise ReloadError(
            ["a.yml:1: first", "a.yml:2: sec\nond"], "configuration rejected; the old one stays in effect"
        )

    answer = http.post(f"{serve(Exporter(reload=reload).app)}/-/reload", timeout=10)
    assert answer.status_code == 500
    assert answer.text.splitlines() == [
        "configuration rejected; the old one stays in effect",
        "a.yml:1: first",
        "a.yml:2: sec\N{REPLACEMENT CHARACTER}ond",
    ]


def test_a_reload_is_no_get(http: requests.Session, serve: Serve) -> None:
    url = serve(Exporter(reload=lambda: ()).app)
    for method in ("GET", "HEAD", "DELETE"):
        answer = http.request(method, f"{url}/-/reload", timeout=10)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST, PUT"
    assert http.get(f"{url}/-/reload", timeout=10).text == "method not allowed; use POST or PUT\n"
