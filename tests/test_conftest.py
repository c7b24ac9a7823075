"""The order of tests names tests that there are."""

from pathlib import Path

import pytest

from conftest import APART, LONGEST, TOGETHER

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("start", sorted({*LONGEST, *TOGETHER, *APART}))
def test_what_is_named_is_there(start: str) -> None:
    assert list(ROOT.glob(f"{start}*"))
