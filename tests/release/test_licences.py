"""Licences are read from a bill of materials, and those that nobody agreed to are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from licences import allowed, main, render, terms


def component(*licences: dict[str, Any], name: str = "thing", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "licenses": list(licences), **more}


MIT = {"license": {"id": "MIT"}}
GPL = {"license": {"id": "GPL-3.0-only"}}


@pytest.mark.parametrize(
    ("licences", "found", "agreed"),
    [
        ([MIT], ["MIT"], True),
        ([MIT, {"license": {"name": "License :: OSI Approved :: MIT License"}}], ["MIT"], True),
        ([{"expression": "Apache-2.0 AND BSD-2-Clause"}], ["Apache-2.0 AND BSD-2-Clause"], True),
        ([{"expression": "GPL-2.0-only OR MIT"}], ["GPL-2.0-only OR MIT"], True),
        ([{"expression": "MIT AND GPL-2.0-only"}], ["MIT AND GPL-2.0-only"], False),
        ([{"expression": "GPL-2.0-only AND MIT OR GPL-3.0-only"}], ["GPL-2.0-only AND MIT OR GPL-3.0-only"], False),
        ([{"expression": "MIT AND (ISC OR GPL-2.0-only)"}], ["MIT AND (ISC OR GPL-2.0-only)"], True),
        (
            [{"expression": "GPL-3.0-only AND (LGPL-3.0-only OR MIT OR Zlib)"}],
            ["GPL-3.0-only AND (LGPL-3.0-only OR MIT OR Zlib)"],
            False,
        ),
        ([{"expression": "(MIT OR GPL-2.0-only) AND ISC"}], ["(MIT OR GPL-2.0-only) AND ISC"], True),
        ([{"expression": "mit or gpl-2.0-only"}], ["mit or gpl-2.0-only"], True),
        ([{"expression": "Apache-2.0 WITH LLVM-exception"}], ["Apache-2.0 WITH LLVM-exception"], False),
        ([{"expression": "MIT OR LicenseRef-ours"}], ["MIT OR LicenseRef-ours"], False),
        ([{"expression": "MIT OR"}], ["MIT OR"], False),
        ([{"expression": "(MIT"}], ["(MIT"], False),
        ([{"expression": "MIT/ISC"}], ["MIT/ISC"], False),
        ([{"license": {"name": ""}}], [""], False),
        ([MIT, GPL], ["GPL-3.0-only", "MIT"], False),
        ([{"license": {"name": "see LICENSE"}}], ["see LICENSE"], False),
        ([], [], False),
    ],
)
def test_all_terms_must_be_agreed_to(licences: list[dict[str, Any]], found: list[str], agreed: bool) -> None:
    assert terms(component(*licences)) == found
    assert allowed(component(*licences)) == agreed


def test_the_page_lists_each_with_its_home() -> None:
    home = {"externalReferences": [{"type": "other", "url": "https://b"}, {"type": "website", "url": "https://a"}]}

    rows = render([component(MIT, name="two"), component(MIT, name="One", **home)]).splitlines()[-2:]

    assert rows == ["| One | MIT | https://a |", "| two | MIT |  |"]


def test_what_is_not_agreed_to_fails_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bill = tmp_path / "bill"
    bill.write_text(json.dumps({"components": [component(MIT), component(GPL, name="other"), component(name="none")]}))

    assert main([str(bill)]) == 1
    assert capsys.readouterr().err == (
        "other: licence not agreed to: GPL-3.0-only\nnone: licence not agreed to: none\n"
    )
