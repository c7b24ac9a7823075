"""Each command of the documents is typed by a test, or `commands.py` says why not; its tables have no other commands."""

import re
import subprocess
from typing import Final

import pytest

from commands import ELSEWHERE, LANGUAGES, NOT_TYPED, PAGES, commands_of, is_in, languages_of, left_to_type, names_in
from documents import ROOT, document
from theeye_exporter.commands import COMMANDS

ALL: Final = {command for page in PAGES for command in commands_of(page)}

TYPED: Final = {
    "README.md": 9,
    "CONTRIBUTING.md": 1,
    "docs/actions.md": 6,
    "docs/alerts.md": 7,
    "docs/canaries.md": 4,
    "docs/configuration.md": 3,
    "docs/demo.md": 8,
    "docs/image.md": 1,
    "docs/install.md": 22,
    "docs/no-data.md": 8,
    "docs/run.md": 4,
    "docs/runbooks.md": 8,
    "docs/upgrading.md": 6,
    "docs/web-config.md": 3,
}
"""How many commands of a page the walk types. It takes minutes and needs tools, so a new command is to be noticed here first."""


@pytest.mark.parametrize("page", PAGES)
def test_a_command_that_nobody_has_typed_is_noticed(page: str) -> None:
    """Type it in `e2e/test_walk.py`, and count it above; or put it into one of the tables of `commands.py`."""
    assert len(left := left_to_type(page)) == TYPED.get(page, 0), left


@pytest.mark.parametrize("page", PAGES)
def test_commands_would_be_noticed_and_are_shell(page: str) -> None:
    assert languages_of(page) <= set(LANGUAGES)
    script = "\n".join(commands_of(page))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_only_named_exist(page: str) -> None:
    targets = set(re.findall(r"^\.PHONY: (.*)$", document("Makefile"), re.MULTILINE)[0].split())
    for program, name in (words.split()[:2] for words in names_in(page)):
        assert name in {"make": targets, "theeye-exporter": COMMANDS}.get(program, {name}), f"{program} {name}"


@pytest.mark.parametrize("pattern", [*ELSEWHERE, *NOT_TYPED])
def test_what_the_walk_leaves_out_is_still_on_a_page(pattern: str) -> None:
    assert any(is_in({pattern: ""}, command) for command in ALL)


def test_what_is_typed_elsewhere_is_not_said_to_be_typed_nowhere() -> None:
    assert [command for command in ALL if is_in(ELSEWHERE, command) and is_in(NOT_TYPED, command)] == []


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_is_said_to_type_it_exists(place: str) -> None:
    file, _, test = place.partition("::")
    assert f"def {test}" in document(file) if test else (ROOT / file).is_file()


def test_commands_are_read_as_a_reader_types_them() -> None:
    assert commands_of("docs/demo.md")[3].startswith('curl --json \'{"version": "4"')
    assert commands_of("docs/upgrading.md").count("cp --archive exporter.state.before exporter.state") == 1
    assert "make test ARGS=tests/alerts" in commands_of("docs/alerts.md")
