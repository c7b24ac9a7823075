"""Tests the status page in a browser: narrow and dark."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from theeye_exporter.polling.status import OrganizationStatus, StatusBoard
from tools import require_tool
from web.exporters import Exporter, Serve
from web.fleets import HOSTILE, fleet, organization

pytestmark = pytest.mark.e2e

FLEETS = {
    "waiting": fleet("waiting"),
    "three": fleet("up", "failing", "down"),
    "mixed": fleet("up", "failing", "down", "overdue"),
    "fifty": fleet(*["up"] * 45, "down", "failing", "waiting", "overdue", "down"),
    "long": [
        organization("".join(f"a department with a long name {number} " for number in range(9)), state)
        for state in ("up", "up", "up", "up", "failing", "down", "waiting")
    ],
    "hostile": [organization(name, "failing", error=name, url=name) for name in HOSTILE],
}
SIZES: dict[str, ViewportSize] = {
    "phone": {"width": 360, "height": 740},
    "tablet": {"width": 768, "height": 1024},
    "desktop": {"width": 1280, "height": 800},
}

# For every piece of text: its colour against the nearest background that is not transparent (WCAG 2, 1.4.3).
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => channels(colour).slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, channel) => sum + value * [0.2126, 0.7152, 0.0722][channel], 0);
  const background = element => {
    for (let box = element; box; box = box.parentElement) {
      const colour = getComputedStyle(box).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratios = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const both = [luminance(getComputedStyle(element).color), luminance(background(element))];
    ratios[text.slice(0, 40)] = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  }
  return ratios;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = require_tool("chromium")
    quiet = ["gpu", "quic", "background-networking", "component-update", "sync"]
    arguments = ["--no-sandbox", "--no-first-run", *(f"--disable-{thing}" for thing in quiet)]
    expect.set_options(timeout=60_000)  # milliseconds, for a busy machine
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser reports, such as something that the security policy forbids."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """Return a page that runs no JavaScript of its own."""
    with browser.new_context(java_script_enabled=False, viewport=SIZES["phone"]) as context:
        result = context.new_page()
        result.on("console", lambda message: complaints.append(message.text))
        result.on("pageerror", lambda error: complaints.append(str(error)))
        result.on("requestfailed", lambda request: complaints.append(request.url))
        yield result


class Show:
    """Serves a landing page with given organisations and opens it."""

    def __init__(self, page: Page, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        self._page, self._serve, self._monkeypatch = page, serve, monkeypatch

    def __call__(self, organizations: list[OrganizationStatus]) -> Page:
        exporter = Exporter()
        self.become(organizations)
        self._page.goto(self._serve(exporter.app))
        return self._page

    def become(self, organizations: list[OrganizationStatus]) -> None:
        self._monkeypatch.setattr(StatusBoard, "organizations", tuple(organizations))


@pytest.fixture
def show(page: Page, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show organisations in the browser."""
    return Show(page, serve, monkeypatch)


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("organizations", list(FLEETS))
def test_nothing_sticks_out(show: Show, complaints: list[str], organizations: str, size: str) -> None:
    page = show(FLEETS[organizations])
    page.set_viewport_size(SIZES[size])

    width, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

    assert width <= room == SIZES[size]["width"]
    assert complaints == []


@pytest.mark.parametrize("size", list(SIZES))
def test_a_line_stays_a_line(show: Show, size: str) -> None:
    page = show(FLEETS["long"])
    page.set_viewport_size(SIZES[size])

    heights = page.evaluate("[...document.querySelectorAll('li')].map(line => line.getBoundingClientRect().height)")

    assert len(heights) == 7
    assert max(heights) < (70 if size == "phone" else 60)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("organizations", ["waiting", "three", "mixed"])
def test_text_can_be_read(show: Show, organizations: str, scheme: str) -> None:
    page = show(FLEETS[organizations])
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    ratios: dict[str, float] = page.evaluate(CONTRASTS)

    assert len(ratios) > 15
    assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(brightness) > 3 * 128) is (scheme == "light")


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_structure_is_there_for_those_who_do_not_see_it(show: Show, size: str) -> None:
    page = show(FLEETS["three"])
    page.set_viewport_size(SIZES[size])

    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("heading", level=2).count() == 3
    table = page.get_by_role("table", name="Collectors of organization 2")
    assert table.get_by_role("columnheader").count() == 7
    assert table.get_by_role("rowheader").count() == 3
    assert table.get_by_role("row").count() == 4
    assert table.get_by_role("cell").count() == 18


def test_details_and_search_without_javascript(show: Show) -> None:
    page = show(FLEETS["fifty"])
    table = page.get_by_role("table", name="Collectors of organization 0")
    line = page.get_by_role("link", name="organization 0", exact=True)

    line.focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()
    line.click()
    expect(table).to_have_count(0)
    page.get_by_role("searchbox").fill("ION 4")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("listitem")).to_have_count(11)
    page.get_by_role("link", name="2 down").click()
    expect(page.get_by_role("listitem")).to_have_count(2)


class Live:
    """A page with its script, over organisations that change; its clock stands still unless it is moved."""

    def __init__(self, page: Page, show: Show) -> None:
        self.page, self._show = page, show
        page.clock.install()

    def open(self, organizations: list[OrganizationStatus]) -> Page:
        self._show(organizations)
        return self.page

    def become(self, organizations: list[OrganizationStatus]) -> None:
        """Let the exporter have other organisations, and the time of the next refresh come."""
        self._show.become(organizations)
        self.page.clock.fast_forward(15_000)


@pytest.fixture
def live(browser: Browser, complaints: list[str], serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with browser.new_context(viewport=SIZES["desktop"]) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Live(page, Show(page, serve, monkeypatch))


def test_the_page_keeps_itself_current_and_its_place(live: Live, complaints: list[str]) -> None:
    page = live.open(fleet(*["up"] * 499, "down"))
    loaded = page.evaluate("performance.timeOrigin")
    line = page.get_by_role("listitem").filter(has_text="organization 321 ")
    line.get_by_role("link").click()
    expect(line.get_by_role("table")).to_be_visible()
    before = page.evaluate("document.activeElement.getBoundingClientRect().top")

    live.become(fleet(*["up"] * 490, *["down"] * 10))

    expect(page.get_by_role("heading", level=1)).to_have_text("10 of 500 organisations are down")
    expect(page).to_have_title("10 of 500 organisations are down · theeye-exporter")
    expect(line.get_by_role("table")).to_be_visible()
    expect(line.get_by_role("link")).to_be_focused()
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") == pytest.approx(before, abs=2)
    assert page.evaluate("performance.timeOrigin") == loaded
    line.get_by_role("link").click()
    expect(page.get_by_role("table")).to_have_count(0)
    assert complaints == []


def test_searching_happens_in_place_and_lasts(live: Live, complaints: list[str]) -> None:
    page = live.open(FLEETS["fifty"])
    loaded = page.evaluate("performance.timeOrigin")
    page.get_by_role("searchbox").press_sequentially("ION 4")
    page.clock.fast_forward(200)
    expect(page.get_by_role("listitem")).to_have_count(11)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("link", name="2 down").click()
    expect(page.get_by_role("listitem")).to_have_count(2)

    live.become(fleet(*["up"] * 45, "down", "failing", "waiting", "overdue", "up"))

    expect(page.get_by_role("listitem")).to_have_count(1)
    assert page.get_by_role("searchbox").input_value() == "ION 4"
    assert page.url.endswith("?search=ION+4&state=down")
    page.get_by_role("searchbox").fill("")
    page.clock.fast_forward(200)
    page.get_by_role("link", name="50 organisations").click()
    expect(page.get_by_role("listitem")).to_have_count(50)
    assert page.evaluate("performance.timeOrigin") == loaded
    assert complaints == []


def test_what_is_asked_while_a_response_is_under_way_adds_up(live: Live, complaints: list[str]) -> None:
    page = live.open(FLEETS["fifty"])
    held: list[Route] = []
    page.route("**/*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the handler
    page.get_by_role("searchbox").fill("ION 1")
    page.clock.fast_forward(200)
    page.get_by_role("searchbox").fill("ION 3")
    page.get_by_role("link", name="2 down").click()
    lines = page.locator("li > a")
    lines.nth(0).click()
    lines.nth(1).click()
    for route in held:
        route.continue_()
    page.unroute("**/*")

    expect(page).to_have_url(re.compile(r"\?search=ION\+3&state=down&open=[^&]+&open=[^&]+$"))
    assert complaints == []


def test_an_exporter_that_does_not_respond_is_told(live: Live) -> None:
    page = live.open(FLEETS["three"])
    page.route("**/*", lambda route: route.abort())
    page.clock.fast_forward(15_000)
    expect(page.get_by_role("status")).to_have_text("There has been no answer since then.")
    page.unroute("**/*")
    live.become(FLEETS["waiting"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for the first response")
    expect(page.get_by_role("status")).to_have_count(0)


def test_a_list_that_becomes_long_is_shown_as_one(live: Live) -> None:
    page = live.open(FLEETS["three"])
    live.become(FLEETS["fifty"])
    expect(page.get_by_role("listitem")).to_have_count(50)


def test_links_lead_somewhere(show: Show, http: requests.Session) -> None:
    page = show(FLEETS["mixed"])

    links = page.get_by_role("navigation").get_by_role("link").all()
    paths = {link.inner_text(): str(link.get_attribute("href")) for link in links}

    assert paths == {"Metrics": "./metrics", "Health": "./-/healthy", "Readiness": "./-/ready"}
    assert {http.get(urljoin(page.url, path), timeout=10).status_code for path in paths.values()} == {200}
