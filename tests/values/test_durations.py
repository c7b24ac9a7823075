"""Durations are read and written as Prometheus does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.values.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("15s", 15.0),
        ("500ms", 0.5),
        ("1m", 60.0),
        ("1h30m", 5400.0),
        ("90m", 5400.0),
        ("1d", 86_400.0),
        ("2w", 1_209_600.0),
        ("1y", 31_536_000.0),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
        ("292y", 9_208_512_000.0),
    ],
)
def test_parse(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30", 'expected a duration such as 30s, got "30"; did you mean "30s"?'),
        ("", "got empty text"),
        ("-5s", 'got "-5s"'),
        ("1.5h", 'got "1.5h"; units are'),
        ("0.25", 'got "0.25"; did you mean "250ms"?'),
        ("2.5s", 'got "2.5s"; did you mean "2s500ms"?'),
        ("0.0001", 'got "0.0001"; units are'),
        ("30s1m", 'got "30s1m"; units are y, w, d, h, m, s, ms, in this order'),
        ("1m1m", 'got "1m1m"'),
        ("1 m", 'got "1 m"'),
        ("5S", 'got "5S"'),
        ("s", 'got "s"'),
        ("٣s", 'got "٣s"'),
        ("1h\n", "got other text"),
        ("293y", "expected a duration of less than 292 years"),
        (30, "got other text"),
        (None, "got nothing"),
    ],
)
def test_parse_refuses(text: object, message: str) -> None:
    with pytest.raises(ValueError, match="expected a duration") as caught:
        parse_duration(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "0s"),
        (0.5, "500ms"),
        (15, "15s"),
        (5400, "1h30m"),
        (86_400, "1d"),
        (90 * 86_400, "90d"),
        (14 * 86_400, "2w"),
        (365 * 86_400, "1y"),
        (33_019_506.007, "382d4h5m6s7ms"),
    ],
)
def test_format(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_format_refuses_what_is_no_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="no duration"):
        format_duration(seconds)


@given(st.integers(min_value=0, max_value=292 * 365 * 86_400_000))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(format_duration(seconds)) == seconds
