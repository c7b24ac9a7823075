"""Tests the steps before a request reaches the application, over plain HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from web.security.files import Protected, hashed, protected

HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Frame-Options": "sameorigin",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "0",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
SECRET = f"basic_auth_users:\n  alice: {hashed('secret')}\n"


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def site(tmp_path: Path, clock: list[float]) -> Iterator[tuple[Protected, str]]:
    with protected(tmp_path, "{}", lambda: clock[0]) as (what, url):
        yield what, url.replace("https", "http")


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"])
def test_every_path_needs_the_password(path: str, site: tuple[Protected, str], http: requests.Session) -> None:
    what, url = site
    what.write(SECRET)

    for refused in (
        http.get(url + path, timeout=30),
        http.get(url + path, auth=("alice", "wrong"), timeout=30),
        http.get(url + path, auth=("bob", "secret"), timeout=30),
        http.post(url + path, timeout=30),
        http.get(url + path, auth=("alice", "x" * 100), timeout=30),
        http.get(url + path, headers={"Authorization": "Basic ?"}, timeout=30),
    ):
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="theeye-exporter", charset="UTF-8"'
        assert refused.text == "unauthorized\n"
        assert refused.headers["Cache-Control"] == "no-store"
    admitted = http.get(url + path, auth=("alice", "secret"), timeout=30)
    assert admitted.status_code == (404 if path == "/nothing" else 200)


def test_configured_headers_are_on_every_answer_and_replace_our_own(
    site: tuple[Protected, str], http: requests.Session
) -> None:
    what, url = site
    lines = "".join(f'    {name}: "{value}"\n' for name, value in HEADERS.items())
    what.write(f"http_server_config:\n  headers:\n{lines}{SECRET}rate_limit: {{interval: 1h, burst: 4}}\n")

    answers = [
        http.get(url, auth=("alice", "secret"), timeout=30),
        http.get(f"{url}/metrics", auth=("alice", "secret"), timeout=30),
        http.get(f"{url}/nothing", auth=("alice", "secret"), timeout=30),
        http.get(url, timeout=30),
        http.get(url, timeout=30),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 429]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_the_rate_is_limited_and_an_unchanged_limit_keeps_its_count(
    site: tuple[Protected, str], http: requests.Session, clock: list[float]
) -> None:
    what, url = site
    limited = "rate_limit: {interval: 10s, burst: 2}\n"

    def statuses(count: int) -> list[int]:
        return [http.get(f"{url}/-/healthy", timeout=30).status_code for _ in range(count)]

    what.write(limited)
    assert statuses(3) == [200, 200, 429]
    assert http.get(f"{url}/-/healthy", timeout=30).headers["Retry-After"] == "10"
    clock[0] += 10.0
    assert statuses(2) == [200, 429]
    what.write(limited + "http_server_config: {http2: false}\n")
    assert statuses(1) == [429]
    what.write("{}")
    assert statuses(5) == [200] * 5
    what.write(limited)
    assert statuses(3) == [200, 200, 429]


def test_too_many_passwords_at_once_are_told_to_come_back(
    site: tuple[Protected, str], http: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, url = site
    what.write(SECRET)
    monkeypatch.setattr("theeye_exporter.web.security.auth._WAITING", 0)

    answer = http.get(url, auth=("alice", "secret"), timeout=30)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
