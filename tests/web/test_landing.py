"""What the landing page says."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
import requests

from theeye_exporter import __version__
from theeye_exporter.status import OrganizationStatus
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.landing import landing_page
from web.exporters import NOW, Exporter, Serve
from web.fleets import HOSTILE, fleet, organization

LINKS = {"Metrics": "/metrics", "Health": "/-/healthy"}
VOID = {"meta", "link", "path", "circle", "rect"}


class Reader(HTMLParser):
    """Reads a page as text and notes what it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def render(*organizations: OrganizationStatus) -> str:
    return landing_page(organizations, now=NOW, started=NOW - 7300, links=LINKS).decode()


def text_of(*organizations: OrganizationStatus) -> str:
    return Reader(render(*organizations)).text


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        ([], "No organisation is configured"),
        (["waiting"], "Waiting for the first answer"),
        (["waiting", "waiting"], "Waiting for the first answer"),
        (["up"], "organization 0 is up"),
        (["up", "up"], "All 2 organisations are up"),
        (["up", "waiting", "up"], "2 of 3 organisations up, waiting for the others"),
        (["up", "down", "failing"], "1 of 3 organisations is down"),
        (["down", "down", "up"], "2 of 3 organisations are down"),
        (["down", "down"], "All 2 organisations are down"),
        (["down"], "organization 0 is down"),
        (["failing"], "organization 0 has a failing collector"),
        (["failing", "waiting", "failing"], "2 of 3 organisations have a failing collector"),
        (["overdue", "up"], "1 of 2 organisations has an overdue collector"),
        (["overdue", "failing"], "All 2 organisations have a failing or overdue collector"),
    ],
)
def test_headline(states: list[str], headline: str) -> None:
    page = render(*fleet(*states))

    assert re.findall("<h1>(.*)</h1>", page) == [headline]
    assert f"<title>{headline} · theeye-exporter</title>" in page


def test_problems_come_first_and_otherwise_the_order_is_kept() -> None:
    page = render(*fleet("up", "waiting", "failing", "up", "overdue", "down", "failing", "down"))

    order = re.findall(r'<section id="organization-(\d)"', page)

    assert order == ["6", "8", "3", "7", "5", "2", "1", "4"]


def test_what_is_said_of_a_collector_that_works() -> None:
    text = text_of(organization("acme", "up"))

    assert "acme up TheEye at https://supervisor.theeye.io" in text
    assert "monitors ok 12 seconds ago 2026-11-23 05:38:53 UTC 2 min 30 s 1,234 0 340 ms 0" in text


def test_what_is_said_before_the_first_answer() -> None:
    text = text_of(organization("acme", "waiting"))

    assert "acme not yet known" in text
    assert "monitors not yet known waiting for the first answer 2 min 30 s" + " \N{EN DASH}" * 4 in text


def test_what_is_said_of_old_data_and_of_none() -> None:
    text = text_of(organization("acme", "failing"))

    assert "acme up, 2 collectors failing" in text
    assert "jobs: no complete answer; raise timeout if this lasts" in text
    assert "jobs failing old data served for another 55 s 1 minute ago 2026-11-23 05:37:30 UTC" in text
    assert "tasks failing no data yet never" in text
    assert "no data served" in text_of(organization("acme", "down"))


def test_an_attempt_that_never_ends_is_seen() -> None:
    text = text_of(organization("acme", "overdue"))

    assert "acme up, 1 collector overdue" in text
    assert "monitors overdue no data served 11 minutes ago" in text


def test_an_error_that_all_share_is_said_once() -> None:
    page = render(organization("acme", "down"))

    assert page.count("TheEye refuses the token") == 1
    assert "<strong>monitors, jobs, tasks:</strong>" in page


def test_times_can_be_read_by_machines() -> None:
    page = render(organization("acme", "up"))

    assert '<time datetime="2026-11-23T05:38:53Z">2026-11-23 05:38:53 UTC</time>' in page


def test_many_healthy_organisations_are_folded_and_problems_are_not() -> None:
    states = ["up"] * 46 + ["down", "failing", "waiting", "failing"]
    page = render(*fleet(*states))
    reader = Reader(page)

    assert reader.tags.count("details") == 46
    assert "50 organisations: 1 down 2 up with a failing collector 1 not yet known 46 up" in reader.text
    jumps = re.findall(r'<a href="#organization-(\d+)"', page)
    assert jumps == ["47", "48", "50"]
    assert "details" not in Reader(render(*fleet("up", "up", "up"))).tags


def test_only_so_many_problems_are_listed_at_the_top() -> None:
    text = text_of(*fleet(*["down"] * 20))

    assert "organization 7 and 12 more" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_others_are_only_text(name: str) -> None:
    page = render(organization(name, "failing", error=name, url=name), organization("acme", "up"))
    reader = Reader(page)
    plain = Reader(render(organization("x", "failing", error="x", url="x"), organization("acme", "up")))

    assert [tag for tag in reader.tags if tag != "code"] == plain.tags
    assert reader.attributes == plain.attributes
    assert not reader.open


def test_there_is_no_script_and_nothing_from_elsewhere() -> None:
    page = render(*fleet("up", "down", "failing", "waiting"))
    reader = Reader(page)

    assert "script" not in reader.tags
    assert "style" not in reader.attributes
    assert not {name for name in reader.attributes if name.startswith("on")}
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert all(address.startswith(("/", "#", "data:")) for address in addresses)


def test_the_policy_allows_what_the_page_has(http: requests.Session, url: str) -> None:
    answer = http.get(url, timeout=10)
    policy = answer.headers["Content-Security-Policy"]
    style = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()

    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_what_runs_and_since_when(http: requests.Session, url: str) -> None:
    text = Reader(http.get(url, timeout=10).text).text

    assert f"theeye-exporter {__version__}" in text
    assert re.search(rf"Running since 2026-11-23 04:39:05 UTC , 1 hour ago\. Version {__version__} on Python 3\.", text)


def test_the_page_follows_the_board(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    exporter.register("demo", "monitors")
    url = serve(exporter.app)

    assert "Waiting for the first answer" in http.get(url, timeout=10).text
    exporter.record("demo", "monitors", Reason.UNREACHABLE, "no route to TheEye")
    assert "no route to TheEye" in http.get(url, timeout=10).text
    exporter.record("demo", "monitors")
    assert "<h1>demo is up</h1>" in http.get(url, timeout=10).text
