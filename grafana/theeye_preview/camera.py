"""Takes pictures of pages with Chromium."""

import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

from theeye_preview.page import WIDTH

__all__ = ["take_pictures"]

_COLOURS: Final = 96
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def take_pictures(pages: Mapping[Path, str]) -> None:
    """Write a picture of each page, 1 280 pixels wide and as high as the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*_FLAGS])
        for path, page in pages.items():
            tab = browser.new_page(viewport={"width": WIDTH, "height": 800})
            tab.set_content(page)
            with Image.open(BytesIO(tab.screenshot(full_page=True))) as picture:
                # Few colours are enough, and a third of the bytes.
                picture.convert("RGB").quantize(_COLOURS).save(path, optimize=True)
            tab.close()
        browser.close()
