"""The token bucket."""

import pytest

from theeye_exporter.config.web_file import RateLimit
from theeye_exporter.web.security.rate import TokenBucket


def test_a_burst_and_then_one_each_interval() -> None:
    now = 100.0
    bucket = TokenBucket(RateLimit(interval=2.0, burst=3), lambda: now)

    assert [bucket.take() for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    now += 1.5
    assert bucket.take() == pytest.approx(0.5)
    now += 0.5
    assert [bucket.take(), bucket.take()] == [0.0, pytest.approx(2.0)]
    now += 3600.0
    assert [bucket.take() for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
