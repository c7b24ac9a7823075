"""Tests the application over real HTTP: expositions, health, and responses to invalid requests."""

import contextlib
import gzip
import itertools
import re
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
import requests
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from theeye_exporter.exposition.render import Format
from theeye_exporter.theeye.errors import Reason
from tools import check_metrics
from web.exporters import Exporter, Serve

FORMATS = {
    Format.TEXT_0_0_4: "text/plain;version=0.0.4",
    Format.TEXT_1_0_0: "text/plain;version=1.0.0;escaping=underscores",
    Format.OPENMETRICS_1_0_0: "application/openmetrics-text;version=1.0.0",
}
PARSERS: dict[Format, Callable[[str], Iterable[Metric]]] = {
    Format.TEXT_0_0_4: parse_text,
    Format.TEXT_1_0_0: parse_text,
    Format.OPENMETRICS_1_0_0: parse_openmetrics,
}
each_format = pytest.mark.parametrize("fmt", list(Format))
each_encoding = pytest.mark.parametrize("encoding", ["identity", "gzip"])


def answer_to(
    http: requests.Session, url: str, fmt: Format, encoding: str, *, method: str = "GET"
) -> requests.Response:
    headers = {"Accept": FORMATS[fmt], "Accept-Encoding": encoding}
    return http.request(method, f"{url}/metrics", headers=headers, timeout=10)


@each_format
@each_encoding
def test_every_format_is_understood(http: requests.Session, url: str, fmt: Format, encoding: str) -> None:
    answer = answer_to(http, url, fmt, encoding)
    families = {family.name: family for family in PARSERS[fmt](answer.content.decode())}

    assert answer.status_code == 200
    monitors = {sample.labels["monitor"] for sample in families["theeye_monitor_enabled"].samples}
    assert 'monitor 2 "ä\\' in monitors
    assert [(sample.labels, sample.value) for sample in families["theeye_up"].samples] == [
        ({"organization": "demo"}, 1)
    ]
    assert "process_cpu_seconds" in families


@each_format
@each_encoding
def test_headers_of_an_exposition(http: requests.Session, url: str, fmt: Format, encoding: str) -> None:
    headers = answer_to(http, url, fmt, encoding).headers

    escaping = "; escaping=underscores" if fmt is Format.TEXT_1_0_0 else ""
    assert headers["Content-Type"] == fmt.value + escaping
    assert headers["Vary"] == "Accept, Accept-Encoding"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers.get("Content-Encoding") == (None if encoding == "identity" else "gzip")
    assert "Content-Length" in headers
    assert "Transfer-Encoding" not in headers
    assert "Date" in headers
    assert "Server" not in headers


@pytest.mark.e2e
@pytest.mark.parametrize("fmt", [Format.TEXT_0_0_4, Format.TEXT_1_0_0])
def test_promtool_finds_nothing_to_criticise(http: requests.Session, url: str, fmt: Format) -> None:
    check_metrics(answer_to(http, url, fmt, "gzip").content)


@pytest.mark.usefixtures("fixed_telemetry")
@each_format
def test_gzip_is_one_member_with_the_same_content(http: requests.Session, url: str, fmt: Format) -> None:
    plain = answer_to(http, url, fmt, "identity").content
    headers = {"Accept": FORMATS[fmt], "Accept-Encoding": "gzip"}
    with http.get(f"{url}/metrics", headers=headers, stream=True, timeout=10) as answer:
        packed = answer.raw.read(decode_content=False)
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    assert member.decompress(packed) == plain
    assert member.eof
    assert member.unused_data == b""
    assert gzip.decompress(packed) == plain
    assert int(answer.headers["Content-Length"]) == len(packed)
    assert plain.endswith(f"# {fmt.name}\n".encode())


@pytest.mark.usefixtures("fixed_telemetry")
@each_encoding
@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/-/ready", "/nowhere"])
def test_head_says_what_get_says(http: requests.Session, url: str, path: str, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    get = http.get(url + path, headers=headers, timeout=10)
    head = http.head(url + path, headers=headers, timeout=10)

    assert head.status_code == get.status_code
    for response in (head, get):
        del response.headers["Date"]
    assert head.headers == get.headers
    assert int(head.headers["Content-Length"]) > 0
    assert head.content == b""
    # The same connection is good for the next request: nothing of a body came.
    assert http.get(url + path, headers=headers, timeout=10).content == get.content


def test_it_is_not_healthy_while_no_poll_is_started(http: requests.Session, exporter: Exporter, serve: Serve) -> None:
    url = f"{serve(exporter.app)}/-/healthy"
    assert (http.get(url, timeout=10).status_code, http.get(url, timeout=10).text) == (200, "OK\n")
    exporter.stalled_for = 185.0
    answer = http.get(url, timeout=10)
    assert answer.status_code == 503
    assert answer.text == "no poll was started for 3 min 5 s; restart the exporter, and please report this\n"
    exporter.stalled_for = None
    assert http.get(url, timeout=10).status_code == 200


@pytest.mark.usefixtures("fixed_telemetry")
def test_large_bodies_are_complete_without_compression(
    http: requests.Session, exporter: Exporter, serve: Serve
) -> None:
    url = serve(exporter.app)
    exporter.publish(monitors=5_000)
    expected = b"".join(exporter.store.current().identity(Format.TEXT_0_0_4))

    answer = answer_to(http, url, Format.TEXT_0_0_4, "identity")

    assert len(expected) > 2 * 256 * 1024
    assert answer.content == expected + b"# TEXT_0_0_4\n"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_expired_data_is_not_served(http: requests.Session, exporter: Exporter, serve: Serve) -> None:
    url = serve(exporter.app)
    exporter.now += 150

    text = http.get(f"{url}/metrics", timeout=10).text

    assert "theeye_monitor_enabled" not in text
    assert 'theeye_up{organization="demo"} 1\n' in text


@pytest.mark.usefixtures("fixed_telemetry")
def test_other_query_strings_change_nothing(http: requests.Session, url: str) -> None:
    plain = http.get(f"{url}/metrics", timeout=10).content

    assert http.get(f"{url}/metrics?name=up&collect=x&x=%00", timeout=10).content == plain


def test_accept_in_several_fields_is_one_header(url: str) -> None:
    with contextlib.closing(HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
        connection.putrequest("GET", "/metrics")
        connection.putheader("Accept", "text/plain")
        connection.putheader("Accept", "application/openmetrics-text")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()

    assert answer.headers["Content-Type"] == Format.OPENMETRICS_1_0_0.value


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_other_methods_are_not_allowed(http: requests.Session, url: str, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
        answer = http.request(method, url + path, timeout=10)

        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.text == "method not allowed; use GET or HEAD\n"


def test_an_unknown_path_gets_a_list_of_the_known_ones(http: requests.Session, url: str) -> None:
    for path in (
        "/metric",
        "/metrics/",
        "//metrics",
        "/-/",
        "/favicon.ico",
        "/%00%0a",
        "/-/healthy/x",
        "/..%2fmetrics",
    ):
        answer = http.get(url + path, timeout=10, allow_redirects=False)

        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.text == "not found; the paths are /, /metrics, /-/healthy, /-/ready, /-/reload\n"


def test_the_telemetry_path_is_a_setting(http: requests.Session, serve: Serve) -> None:
    url = serve(Exporter(telemetry_path="/theeye/metrics~1").app)

    assert http.get(f"{url}/theeye/metrics~1", timeout=10).status_code == 200
    assert http.get(f"{url}/metrics", timeout=10).status_code == 404
    assert 'href="./theeye/metrics~1"' in http.get(url, timeout=10).text


def test_health_is_that_of_the_process_alone(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    exporter.register("demo", "monitors")
    exporter.record("demo", "monitors", Reason.UNREACHABLE, "no route")

    answer = http.get(f"{serve(exporter.app)}/-/healthy", timeout=10)

    assert (answer.status_code, answer.text) == (200, "OK\n")


def test_ready_once_every_collector_has_ended_an_attempt(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    exporter.register("demo", "monitors", "jobs")
    exporter.register("other\n", "monitors")
    url = serve(exporter.app)

    def ready() -> tuple[int, str]:
        answer = http.get(f"{url}/-/ready", timeout=10)
        return answer.status_code, answer.text

    assert ready() == (503, "waiting for the first response: demo/monitors, demo/jobs, other\ufffd/monitors\n")
    exporter.record("demo", "jobs")
    assert ready() == (503, "waiting for the first response: demo/monitors, other\ufffd/monitors\n")
    exporter.record("other\n", "monitors", Reason.UNAUTHORIZED, "401")
    exporter.record("demo", "monitors", Reason.TIMEOUT, "slow")
    assert ready() == (200, "ready\n")
    exporter.now += 1_000_000
    exporter.record("demo", "monitors", Reason.UNREACHABLE, "gone")
    assert ready() == (200, "ready\n")


def test_readiness_stays_short_with_many_organisations(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    for number in range(500):
        exporter.register(f"organisation {number}", "monitors")

    text = http.get(f"{serve(exporter.app)}/-/ready", timeout=10).text

    assert text.endswith("organisation 9/monitors and 490 more\n")


@pytest.mark.parametrize("path", ["/metrics", "/-/ready", "/"])
def test_our_own_errors_are_logged_and_not_shown(
    http: requests.Session, exporter: Exporter, serve: Serve, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve(exporter.app)

    def fail(*_: object) -> None:
        raise RuntimeError("hidden detail")

    monkeypatch.setattr(exporter.store, "current", fail)
    monkeypatch.setattr(type(exporter.board), "organizations", property(fail))
    monkeypatch.setattr(type(exporter.board), "waiting", property(fail))

    with capture_logs() as logs:
        answer = http.get(url + path, timeout=10)

    assert answer.status_code == 500
    assert answer.text == "internal error; see the log\n"
    assert [(log["log_level"], log["path"], log["exc_info"]) for log in logs] == [("error", path, True)]


@pytest.mark.usefixtures("fixed_telemetry")
def test_each_scrape_sees_one_moment(exporter: Exporter, serve: Serve) -> None:
    url = serve(exporter.app)
    exporter.publish(0, monitors=50)
    finished = threading.Event()

    def publish() -> None:
        for generation in itertools.count(1):
            exporter.publish(generation, monitors=50)
            if finished.is_set():
                return

    def scrape(number: int) -> set[bytes]:
        fmt = list(Format)[number % 3]
        with requests.Session() as session:
            session.trust_env = False
            body = answer_to(session, url, fmt, ("identity", "gzip")[number % 2]).content
        values = re.findall(rb"^theeye_monitor\S+{.*} (\S+)$", body, re.MULTILINE)
        assert len(values) == 150
        return set(values)

    with ThreadPoolExecutor(9) as pool:
        publisher = pool.submit(publish)
        try:
            scrapes = list(pool.map(scrape, range(160)))
        finally:
            finished.set()
        publisher.result(timeout=10)

    assert {len(values) for values in scrapes} == {1}
    assert len(set.union(*scrapes)) > 1
