"""Tests the text of the status page."""

import base64
import hashlib
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
import requests

from theeye_exporter import NO_DATA, __version__
from theeye_exporter.collectors.monitors.families import MONITOR_INFO
from theeye_exporter.exposition.render import Segment
from theeye_exporter.exposition.snapshot import Publisher
from theeye_exporter.polling.status import OrganizationStatus
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.landing import Selection, landing_page
from theeye_exporter.web.organization_view import State, key_of
from theeye_exporter.web.page_parts import SCRIPT, SCRIPT_PATH
from web.exporters import NOW, Exporter, Serve
from web.fleets import HOSTILE, fleet, organization

LINKS = {"Metrics": "/metrics", "Health": "/-/healthy"}
VOID = {"meta", "link", "path", "circle", "rect", "use", "input"}


@dataclass
class WebFile:
    """How the last reading of a web configuration file went."""

    successful: bool
    last_success: float


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


def render(*organizations: OrganizationStatus, selection: Selection | None = None) -> str:
    return landing_page(
        organizations, now=NOW, monotonic=NOW, started=NOW - 7300, links=LINKS, selection=selection
    ).decode()


def listed(page: str) -> list[str]:
    """Return the names of the lines."""
    return re.findall(r"<li id=.*?<bdi>(.*?)</bdi>", page, re.DOTALL)


def text_of(*organizations: OrganizationStatus) -> str:
    return Reader(render(*organizations)).text


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        ([], "No organisation is configured"),
        (["waiting"], "Waiting for the first response"),
        (["waiting", "waiting"], "Waiting for the first response"),
        (["up"], "organization 0 is up"),
        (["up", "up"], "All 2 organisations are up"),
        (["up", "waiting", "up"], "2 of 3 organisations up, waiting for the others"),
        (["up", "down", "failing"], "1 of 3 organisations is down"),
        (["down", "down", "up"], "2 of 3 organisations are down"),
        (["down", "down"], "All 2 organisations are down"),
        (["down"], "organization 0 is down"),
        (["failing"], "organization 0: up, 2 collectors failing"),
        (["failing", "waiting", "failing"], "2 of 3 organisations have a failing collector"),
        (["overdue", "up"], "1 of 2 organisations has an overdue collector"),
        (["overdue"], "organization 0: up, 1 collector overdue"),
        (["overdue", "failing"], "All 2 organisations have a failing collector or an overdue collector"),
        (["blind"], "organization 0: up, token sees nothing"),
        (["blind", "up", "blind"], "2 of 3 organisations have a token that sees nothing"),
    ],
)
def test_headline(states: list[str], headline: str) -> None:
    page = render(*fleet(*states))

    assert re.findall("<h1>(.*)</h1>", page) == [headline]
    assert f"<title>{headline} · theeye-exporter</title>" in page


def test_problems_come_first_and_otherwise_the_order_is_kept() -> None:
    page = render(*fleet("up", "waiting", "failing", "up", "overdue", "down", "failing", "down"))

    assert listed(page) == [f"organization {number}" for number in (5, 7, 2, 6, 4, 1, 0, 3)]


def test_text_for_a_working_collector() -> None:
    text = text_of(organization("acme", "up"))

    assert "acme up TheEye at https://supervisor.theeye.io" in text
    assert "monitors ok 12 seconds ago 2026-11-23 05:38:53 UTC 2 min 30 s 1,234 0 340 ms 0" in text


def test_text_before_the_first_response() -> None:
    text = text_of(organization("acme", "waiting"))

    assert "acme waiting TheEye at" in text
    assert "monitors waiting waiting for the first response 2 min 30 s" + " \N{EN DASH}" * 4 in text


def test_text_for_old_data_and_for_no_data() -> None:
    text = text_of(organization("acme", "failing"))

    assert "acme up, 2 collectors failing" in text
    assert "jobs: no complete answer; raise timeout if this lasts" in text
    assert "jobs failing old data served for another 55 s 1 minute ago 2026-11-23 05:37:30 UTC" in text
    assert "tasks failing no data yet never" in text


def test_counts_of_data_that_is_no_longer_served_are_marked_as_old() -> None:
    assert re.search(r"monitors failing no data served .* 55 old 0 old 10 s", text_of(organization("acme", "down")))
    overdue = text_of(organization("acme", "overdue"))
    assert re.search(r"monitors overdue no data served .* 1,234 old 0 old 340 ms .* jobs ok ", overdue)
    assert overdue.count(" old ") == 2
    for state in ("up", "failing", "waiting"):
        assert "old" not in text_of(organization("acme", state)).replace("old data served", "").split()


@pytest.mark.parametrize("state", ["up", "down", "failing", "overdue"])
def test_headline_and_badge_of_the_only_organisation_agree(state: str) -> None:
    page = render(organization("acme", state))
    headline = re.findall("<h1>(.*)</h1>", page)[0]
    badge = re.findall(r'<span class="state \w+"><svg.*?</svg> (.*?)</span>', page, re.DOTALL)[0]
    assert headline in {f"acme is {badge}", f"acme: {badge}"}


def test_a_failed_reload_is_shown_until_one_succeeds(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter.ready()
    exporter.telemetry.loaded(shards=1, at=NOW - 86_400)
    url = serve(exporter.app)
    assert "<h1>demo is up</h1>" in http.get(url, timeout=10).text

    exporter.telemetry.refused()
    page = http.get(url, timeout=10).text
    assert "<h1>demo is up, but the last reload failed</h1>" in page
    assert "The configuration of 2026-11-22 05:39:05 UTC stays in effect" in page
    assert "<code>theeye-exporter check --config-only</code>" in page

    exporter.telemetry.loaded(shards=1, at=NOW)
    assert "<h1>demo is up</h1>" in http.get(url, timeout=10).text


def test_a_bad_organization_file_is_told(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter.ready()
    exporter.telemetry.loaded(shards=1, at=NOW, file_problems=2)
    page = http.get(serve(exporter.app), timeout=10).text
    assert "<h1>demo is up, but an organisation file cannot be used</h1>" in page
    assert "Organisation files have 2 mistakes." in page


def test_an_invalid_web_configuration_is_shown(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter(web_file=WebFile(successful=False, last_success=NOW - 60))
    page = http.get(serve(exporter.app), timeout=10).text
    assert "<h1>No organisation is configured, but the web configuration cannot be used</h1>" in page
    assert "The version of 2026-11-23 05:38:05 UTC stays in effect" in page


def test_stopped_polling_is_shown(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter.ready()
    exporter.stalled_for = 400.0
    page = http.get(serve(exporter.app), timeout=10).text
    assert "<h1>demo is up, but polling has stopped</h1>" in page
    assert "No poll has started for 6 min 40 s." in page


def test_cut_series_are_shown(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter.ready()
    exporter.store.publish(Publisher("demo", "jobs"), {MONITOR_INFO: Segment((), series=0, cut=1500)}, NOW + 150)
    page = http.get(serve(exporter.app), timeout=10).text
    assert "<h1>demo is up, but series are cut</h1>" in page
    assert "1,500 samples of theeye_monitor_info are left out, because" in page
    assert "<code>limits.max_series_per_family</code>" in page


def test_uncounted_runs_are_shown(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter.ready()
    url = serve(exporter.app)
    assert "<h1>demo is up</h1>" in http.get(url, timeout=10).text

    exporter.uncounted = frozenset({"demo"})
    text = Reader(http.get(url, timeout=10).text).text
    assert "demo: up, runs are not counted" in text
    assert (
        "runs: they are not counted, because the state file cannot be written; the runs will be counted, each once, as soon as"
        in text
    )
    assert "demo is up" not in text


def test_links_hold_behind_the_path_of_a_proxy(http: requests.Session, serve: Serve) -> None:
    page = http.get(serve(Exporter(telemetry_path="/odd/metrics").app), timeout=10).text
    links = [link for link in re.findall(r'(?:href|src|action)="([^"]*)"', page) if not link.startswith(("#", "data:"))]
    assert links.pop() == NO_DATA
    resolved = [urljoin("https://proxy.example/theeye/", link).partition("?")[0] for link in links]
    paths = (SCRIPT_PATH, "/odd/metrics", "/-/healthy", "/-/ready")
    assert resolved == [f"https://proxy.example/theeye{path}" for path in paths]


def test_an_attempt_that_never_ends_is_seen() -> None:
    text = text_of(organization("acme", "overdue"))

    assert "acme up, 1 collector overdue" in text
    assert "monitors overdue no data served 11 minutes ago" in text


def test_a_token_that_sees_nothing_is_amber_and_comes_with_advice() -> None:
    page = render(organization("acme", "blind"))

    assert re.search(r'<span class="state warn">.*up, token sees nothing</span>', page, re.DOTALL)
    assert '<p class="error warn"><strong>token:</strong> it sees nothing; a token below level admin' in page
    page = render(*fleet("up", "blind", "overdue", "up"))
    assert listed(page) == [f"organization {number}" for number in (2, 1, 0, 3)]


def test_a_common_error_is_shown_once() -> None:
    page = render(organization("acme", "down"))

    assert page.count("TheEye refuses the token") == 1
    assert "<strong>monitors, jobs, tasks:</strong>" in page


def test_times_can_be_read_by_machines() -> None:
    page = render(organization("acme", "up"))

    assert '<time datetime="2026-11-23T05:38:53Z">2026-11-23 05:38:53 UTC</time>' in page


def test_many_organisations_are_one_line_each() -> None:
    page = render(*fleet(*["up"] * 46, "down", "failing", "waiting", "failing"))
    reader = Reader(page)

    assert reader.tags.count("li") == 50
    assert "table" not in reader.tags
    assert "50 organisations : 1 down 2 with a failing collector 1 waiting for the first response 46 up" in reader.text
    assert "organization 46 down TheEye refuses the token (401); " in reader.text
    assert "organization 47 up, 2 collectors failing no complete answer; raise timeout if this lasts" in reader.text
    assert "organization 48 waiting waiting for the first response" in reader.text
    assert "organization 0 up 3,702 objects, as of 12 seconds ago" in reader.text
    few = Reader(render(*fleet("up", "up", "up")))
    assert ("li" in few.tags, few.tags.count("table"), "form" in few.tags) == (False, 3, False)


def test_details_are_shown_of_what_is_open() -> None:
    organizations = fleet(*["up"] * 5)
    key = key_of("organization 3")
    closed = render(*organizations, selection=Selection(search="ZATION"))
    assert f'<a href="?search=ZATION&amp;open={key}#o{key}"\n aria-expanded="false">' in closed

    page = render(*organizations, selection=Selection(search="ZATION", open=frozenset({key})))

    assert Reader(page).tags.count("table") == 1
    assert "Collectors of organization 3" in page
    assert f'<a href="?search=ZATION#o{key}"\n aria-expanded="true">' in page


def test_lines_are_those_with_the_state_and_the_part_of_the_name() -> None:
    organizations = fleet("up", "down", "up", "failing", *["up"] * 10)
    assert listed(render(*organizations, selection=Selection(search="NIZATION 1"))) == [
        f"organization {number}" for number in (1, 10, 11, 12, 13)
    ]
    page = render(*organizations, selection=Selection(state=State.DOWN, search="organ"))
    assert listed(page) == ["organization 1"]
    text = Reader(page).text
    assert "14 organisations : 1 down 1 with a failing collector 12 up" in text
    assert "13 other organisations not shown." in text
    assert 'href="?search=organ&amp;state=failing"' in page
    assert '<input type="hidden" name="state" value="down">' in page
    none = render(*organizations, selection=Selection(search="nobody"))
    assert (listed(none), "No organisation matches." in none) == ([], True)


def test_an_address_with_nonsense_shows_everything(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    for number in range(5):
        exporter.register(f"acme {number}", "monitors")
    url = serve(exporter.app)
    for query in ("?state=odd", "?open=%ff&open=", "?search=%20", "?x=1"):
        assert len(listed(http.get(url + query, timeout=10).text)) == 5
    assert listed(http.get(f"{url}?state=waiting&search=E 3", timeout=10).text) == ["acme 3"]
    assert listed(http.get(f"{url}?state=runs%20not%20counted", timeout=10).text) == []
    exporter.uncounted = frozenset({"acme 2"})
    assert listed(http.get(f"{url}?state=runs%20not%20counted", timeout=10).text) == ["acme 2"]


@pytest.mark.parametrize("state", ["up", "down", "failing", "overdue", "blind", "waiting"])
def test_five_hundred_organisations_are_less_than_200_kilobytes(state: str) -> None:
    """The names are as long as the page shows them, and so are errors."""
    organizations = [
        organization(f"{number:03} {'n' * 80}", state, error="e" * 300 if state == "failing" else "no answer")
        for number in range(500)
    ]
    opened = frozenset(key_of(one.name) for one in organizations[:3])
    page = render(*organizations, selection=Selection(open=opened))
    assert len(listed(page)) == 500
    assert len(page.encode()) < 200_000


def test_more_are_counted_and_found_by_searching() -> None:
    organizations = fleet(*["up"] * 700, "down")
    page = render(*organizations)
    assert (len(listed(page)), listed(page)[0]) == (500, "organization 700")
    assert "201 more are not listed: search for a part of the name." in page
    assert listed(render(*organizations, selection=Selection(search="n 699"))) == ["organization 699"]


def test_the_page_is_compressed_for_whom_accepts_it(http: requests.Session, serve: Serve) -> None:
    exporter = Exporter()
    for number in range(500):
        exporter.register(f"acme {number}", "monitors")
    url = serve(exporter.app)
    small = http.get(url, timeout=10, headers={"Accept-Encoding": "gzip"})
    plain = http.get(url, timeout=10, headers={"Accept-Encoding": "identity"})
    assert (small.headers["Content-Encoding"], "Content-Encoding" in plain.headers) == ("gzip", False)
    assert small.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert int(small.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 5
    assert small.text == plain.text


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("others", [1, 4])
def test_names_of_others_are_only_text(name: str, others: int) -> None:
    """A name is in a section, or in a line and its details."""

    def page_of(text: str) -> Reader:
        selection = Selection(open=frozenset({key_of(text)}), search="")
        odd = organization(text, "failing", error=text, url=text)
        return Reader(render(odd, *fleet(*["up"] * others), selection=selection))

    reader, plain = page_of(name), page_of("x")

    assert [tag for tag in reader.tags if tag != "code"] == plain.tags
    assert reader.attributes == plain.attributes
    assert not reader.open


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_searched_for_is_only_text(text: str) -> None:
    organizations = fleet("up", "down", "failing", "waiting")
    reader = Reader(render(*organizations, selection=Selection.of(text, text, [text])))
    plain = Reader(render(*organizations, selection=Selection(search="x")))
    assert (reader.tags, reader.attributes) == (plain.tags, plain.attributes)


def test_the_only_script_is_our_own_and_nothing_is_from_elsewhere() -> None:
    page = render(*fleet("up", "down", "failing", "waiting"))
    reader = Reader(page)

    assert re.findall(r"<script(.*?)</script>", page) == [
        f' src=".{SCRIPT_PATH}?{hashlib.sha256(SCRIPT).hexdigest()[:16]}" defer>'
    ]
    assert "style" not in reader.attributes
    assert not {name for name in reader.attributes if name.startswith("on")}
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert all(address.startswith(("./", "#", "?", "data:")) for address in addresses if address != NO_DATA)
    assert f'<a href="{NO_DATA}">' in page  # a link, which loads nothing


def test_the_script_is_served_as_it_is_and_may_be_kept(http: requests.Session, url: str) -> None:
    answer = http.get(f"{url}{SCRIPT_PATH}", timeout=10)
    assert answer.content == SCRIPT
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_policy_allows_what_the_page_has(http: requests.Session, url: str) -> None:
    answer = http.get(url, timeout=10)
    style = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()

    assert answer.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "script-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
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

    assert "Waiting for the first response" in http.get(url, timeout=10).text
    exporter.record("demo", "monitors", Reason.UNREACHABLE, "no route to TheEye")
    assert "no route to TheEye" in http.get(url, timeout=10).text
    exporter.record("demo", "monitors")
    assert "<h1>demo is up</h1>" in http.get(url, timeout=10).text


@pytest.mark.parametrize("stepped", [-3600.0, 0.0, 3600.0])
@pytest.mark.parametrize("age", [149, 150])
def test_the_page_and_a_scrape_agree_after_the_systems_clock_was_set(
    age: int, stepped: float, http: requests.Session, serve: Serve
) -> None:
    exporter = Exporter.ready()
    url = serve(exporter.app)
    exporter.now += age
    exporter.stepped = stepped

    page, scrape = (http.get(url + path, timeout=10).text for path in ("/", "/metrics"))

    assert ("no data served" in page, "theeye_monitor_enabled" in scrape) == (age == 150, age < 150)
    assert "2 minutes ago" in page
