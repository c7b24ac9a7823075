"""Each file in ``bad/`` has mistakes, mostly one, and says which messages are expected (FOLDER is the file's folder)."""

from pathlib import Path

import pytest

from config.configurations import CANARY, problems_of

BAD_FILES = sorted((Path(__file__).parent / "bad").glob("*.yml"))
# An organization of its own, so that a file about something else needs none.
ENVIRON = {"THEEYE_ORGANIZATION_NAME": "environment", "THEEYE_TOKEN": CANARY}


@pytest.mark.parametrize("file", BAD_FILES, ids=lambda file: file.stem)
def test_mistake_is_reported_with_line_key_and_remedy(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = [
        line.removeprefix("# expect: ").replace("FOLDER", str(file.parent))
        for line in lines
        if line.startswith("# expect: ")
    ]

    problems = problems_of(file=file, environ=ENVIRON)

    assert problems == expected
    assert not any(CANARY in problem for problem in problems)


def test_there_are_bad_files() -> None:
    assert len(BAD_FILES) > 120
