"""The tests and tools that lists name exist."""

import re
from pathlib import Path

import pytest

from conftest import APART, LONGEST, SLOW, TOGETHER
from tools import TOOLS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("start", sorted({*LONGEST, *TOGETHER, *APART, *SLOW}))
def test_what_is_named_is_there(start: str) -> None:
    assert list(ROOT.glob(f"{start}*"))


def test_ci_installs_every_tool() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    one_by_one = re.findall(r"^need (\S+) ", script, re.MULTILINE)
    (others,) = re.findall(r"^for tool in (.*); do need", script, re.MULTILINE)

    assert sorted([*one_by_one, *others.split()]) == sorted(TOOLS)
