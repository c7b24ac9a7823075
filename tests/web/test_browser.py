"""The landing page in a browser: narrow, dark, and without JavaScript."""

from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from theeye_exporter.status import OrganizationStatus
from tools import require_tool
from web.exporters import Exporter, Serve
from web.fleets import HOSTILE, fleet, organization

pytestmark = pytest.mark.e2e

FLEETS = {
    "waiting": fleet("waiting"),
    "mixed": fleet("up", "failing", "down", "overdue"),
    "fifty": fleet(*["up"] * 45, "down", "failing", "waiting", "overdue", "down"),
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
        self._monkeypatch.setattr(type(exporter.board), "organizations", tuple(organizations))
        self._page.goto(self._serve(exporter.app))
        return self._page


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("organizations", ["waiting", "mixed"])
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
    page = show(FLEETS["mixed"])
    page.set_viewport_size(SIZES[size])

    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("heading", level=2).count() == 4
    table = page.get_by_role("table", name="Collectors of organization 2")
    assert table.get_by_role("columnheader").count() == 7
    assert table.get_by_role("rowheader").count() == 3
    assert table.get_by_role("row").count() == 4
    assert table.get_by_role("cell").count() == 18


def test_folded_organisations_open_without_javascript(show: Show) -> None:
    page = show(FLEETS["fifty"])
    table = page.get_by_role("table", name="Collectors of organization 0")

    assert table.count() == 0
    page.locator("#organization-1 summary").focus()
    page.keyboard.press("Enter")

    assert table.is_visible()


def test_links_lead_somewhere(show: Show, http: requests.Session) -> None:
    page = show(FLEETS["mixed"])

    links = page.get_by_role("navigation").get_by_role("link").all()
    paths = {link.inner_text(): str(link.get_attribute("href")) for link in links}

    assert paths == {"Metrics": "/metrics", "Health": "/-/healthy", "Readiness": "/-/ready"}
    assert {http.get(urljoin(page.url, path), timeout=10).status_code for path in paths.values()} == {200}
