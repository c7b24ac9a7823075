"""Requests that change something, sent by a browser for a page of another site."""

import pytest
import requests
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.scrapes import Scrapes
from theeye_exporter.web.site import site
from web.exporters import Exporter, Serve

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    # A name that leads to this machine, although somebody else owns it (DNS rebinding).
    {"Host": "evil.example", "Origin": "http://evil.example"},
    {"Host": "localhost.evil.example:{port}", "Origin": "http://localhost.evil.example:{port}"},
    {"Host": "127.0.0.1.evil.example", "Origin": "http://127.0.0.1.evil.example"},
    {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Host": "evil.example", "Sec-Fetch-Site": "none"},
    {"Host": "[::1", "Origin": "http://[::1"},
]
OWN = [
    {},
    {"Origin": "http://{host}"},
    {"Origin": "https://{host}"},  # behind a proxy that ends TLS
    {"Origin": "http://LocalHost:{port}", "Host": "localhost:{port}"},
    {"Origin": "http://[::1]:{port}", "Host": "[::1]:{port}"},
    {"Origin": "http://192.0.2.7", "Host": "192.0.2.7"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "actions.example:9856"},  # no browser: any name is right
]


class Changed:
    """A site that counts what has changed it."""

    def __init__(self, serve: Serve) -> None:
        self.changes: list[str] = []
        exporter = Exporter()
        app = site(
            metrics=Scrapes(exporter.store, Telemetry(exporter.store)),
            telemetry_path="/metrics",
            unhealthy=lambda: "",
            waiting=lambda: (),
            page=lambda _: b"",
            reload=self._reload,
            more=[Route("/more", self._more, methods=["POST"])],
        )
        self.url = serve(app)

    def _reload(self) -> tuple[str, ...]:
        self.changes.append("reload")
        return ()

    async def _more(self, _: Request) -> PlainTextResponse:
        self.changes.append("more")
        return PlainTextResponse("done\n")

    def code(self, http: requests.Session, method: str, path: str, headers: dict[str, str]) -> int:
        host = self.url.removeprefix("http://")
        filled = {name: value.format(host=host, port=host.partition(":")[2]) for name, value in headers.items()}
        return http.request(method, self.url + path, headers=filled, timeout=10).status_code


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str], http: requests.Session, serve: Serve) -> None:
    ours = Changed(serve)
    for method, path in (("POST", "/-/reload"), ("PUT", "/-/reload"), ("POST", "/more")):
        assert ours.code(http, method, path, headers) == 403
    assert ours.changes == []


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_tool_or_an_own_page_may(headers: dict[str, str], http: requests.Session, serve: Serve) -> None:
    ours = Changed(serve)
    for method, path in (("POST", "/-/reload"), ("PUT", "/-/reload"), ("POST", "/more")):
        assert ours.code(http, method, path, headers) == 200
    assert ours.changes == ["reload", "reload", "more"]


def test_the_refusal_says_why_and_reading_is_free(http: requests.Session, serve: Serve) -> None:
    ours = Changed(serve)
    answer = http.post(f"{ours.url}/more", headers={"Origin": "http://evil.example"}, timeout=10)
    assert (
        answer.text
        == "a browser may send this only from a page of this process, opened by IP address or as localhost\n"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert http.get(f"{ours.url}/-/ready", headers={"Origin": "http://evil.example"}, timeout=10).ok
