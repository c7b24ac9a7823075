"""Links between documents lead to files and headings that exist."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from documents import ROOT, document, without_code
from theeye_exporter import NO_DATA

DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("helm/**/*.md")])


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if re.match("[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_address_in_pages_and_logs_is_that_of_a_document_of_this_project() -> None:
    (sources,) = yaml.safe_load(document("helm/theeye-exporter/Chart.yaml"))["sources"]
    path = NO_DATA.removeprefix(f"{sources}/blob/main/")
    assert (ROOT / path).is_file()
    assert path != NO_DATA
