"""Times, numbers and names as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.web.humanize import age, clean, duration, listed, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-30, "just now"),
        (0.9, "just now"),
        (1, "1 second ago"),
        (59.9, "59 seconds ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86_399, "23 hours ago"),
        (86_400 * 1234, "1,234 days ago"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (1, "1 s"),
        (60, "1 min"),
        (150, "2 min 30 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (5400, "1 h 30 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0 ms"), (0.34, "340 ms"), (0.9999, "1.0 s"), (1.74, "1.7 s"), (9.96, "10 s"), (75, "1 min 15 s")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_listed() -> None:
    assert listed(["a", "b"], at_most=2) == "a, b"
    assert listed(["a", "b", "c"], at_most=1) == "a and 2 more"


@given(st.text(), st.integers(1, 20))
def test_clean_names_fit_a_line_and_utf_8(name: str, limit: int) -> None:
    text = clean(name, limit)

    assert len(text.splitlines()) <= 1
    assert len(text) <= limit + 1
    assert text.encode().decode() == text
    assert clean(text, limit + 1) == text
