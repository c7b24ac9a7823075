"""The table of the imports in docs/architecture.md is made from the code, and drift is noticed."""

from pathlib import Path

import pytest

from make_imports import imports, main, with_picture

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"


def package(folder: Path, **modules: str) -> Path:
    top = folder / "some"
    top.mkdir()
    for name, text in modules.items():
        (top / f"{name}.py").write_text(text)
    return top


def test_what_is_committed_is_what_is_made() -> None:
    assert main(["--check"]) == 0


def test_drift_is_noticed_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text()
    made = text[text.index("<!-- imports") : text.index("<!-- /imports")]
    row = next(line for line in made.splitlines(keepends=True) if line.startswith("| `collectors` |"))
    copy = tmp_path / "architecture.md"
    copy.write_text(text.replace(row, row.replace("`ledger`", "`polling`")))
    assert main(["--check"], copy) == 1
    assert "not what `make docs` makes" in capsys.readouterr().err
    assert main([], copy) == 0
    assert copy.read_text() == text


def test_imports_inside_functions_and_for_types_count(tmp_path: Path) -> None:
    found = package(
        tmp_path,
        one="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from some.two import Two\n",
        two="def late():\n    import some.three\n",
        three="import json\nfrom some import four\nfrom other.one import two\n",
        four="",
    )
    assert set(imports(found)) == {("one", "two"), ("two", "three"), ("three", "four")}


def test_a_circle_is_refused(tmp_path: Path) -> None:
    found = package(tmp_path, one="import some.two", two="import some.one", three="import some.one")
    with pytest.raises(ValueError, match="circle among one, two"):
        with_picture(DOCUMENT.read_text(), found)


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no places"):
        with_picture("")
