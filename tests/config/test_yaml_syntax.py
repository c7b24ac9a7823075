"""Tests that any file is either read or rejected with a reason."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.configurations import CANARY
from theeye_exporter.config.document import read_document
from theeye_exporter.config.problems import Report

PIECES = (
    *("a", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n\t", " ", "[", "]", "{", "}", ",", "'", '"', "#", "%", "@", "`"),
    *("&", "*", "&x ", "*x", "!", "!!", "!<", "!a!", "|", ">", "|9", "\\", '"\\q', '"\\x', '"\\UFFFFFFFF"', '"\\'),
    *("---\n", "...\n", "%YAML 1.1\n", "%YAML 9.9\n", "%TAG\n", "<<: ", "\ufeff", "\x00", "\x85", "\u2028", "🦉"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples."""
    return tmp_path_factory.mktemp("yaml")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_file_is_merely_not_yaml(folder: Path, text: str) -> None:
    path = folder / "exporter.yml"
    path.write_bytes(text.replace("a", CANARY).encode())
    report = Report()

    document = read_document(path, report, "--config.file", "organizations")

    problems = [problem.message for problem in report.problems()]
    assert document.complete or problems
    assert "not YAML" not in problems
    assert not any(CANARY in str(problem) for problem in report.problems())
