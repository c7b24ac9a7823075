"""Limits: what a start waits for, and that none is passed whatever the order of things."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.actions.limits import Limit, Limits, Rate, Sent, Wait, wait_for

LIMITS = Limits(cooldown=900.0, max_concurrent=2, rate=Rate(3), max_wait=300.0)
ALL = Rate(5)


def wait(*sent: Sent, alert: str = "a", limits: Limits = LIMITS, now: float = 10_000.0) -> Wait | None:
    return wait_for("restart", alert, limits, together=ALL, sent=sent, now=now)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([], None),
        ([Sent(9101.0, "restart", "a")], Wait(Limit.COOLDOWN, 1.0)),
        ([Sent(9100.0, "restart", "a")], None),
        ([Sent(9999.0, "other", "a")], None),
        ([Sent(6401.0 + at, "restart", "b") for at in range(3)], Wait(Limit.RATE, 1.0)),
        ([Sent(6400.0 + at, "restart", "b") for at in range(3)], None),
        ([Sent(7000.0 + at, "other", "b") for at in range(5)], Wait(Limit.RATE, 600.0)),
        ([Sent(0.0, "restart", "b", open=True), Sent(0.0, "restart", "c", open=True)], Wait(Limit.CONCURRENT, inf)),
        ([Sent(0.0, "restart", "b", open=True), Sent(0.0, "other", "c", open=True)], None),
    ],
)
def test_what_a_start_waits_for(sent: list[Sent], expected: Wait | None) -> None:
    assert wait(*sent) == expected


def test_a_known_long_wait_comes_before_an_unknown_one() -> None:
    sent = [Sent(9999.0, "restart", "a", open=True), Sent(9999.0, "restart", "b", open=True)]
    assert wait(*sent) == Wait(Limit.COOLDOWN, 899.0)


@given(
    st.lists(st.tuples(st.floats(0, 500), st.sampled_from("abc"), st.sampled_from(["restart", "other"])), max_size=60)
)
def test_no_window_has_more_than_the_rate(asked: list[tuple[float, str, str]]) -> None:
    sent: list[Sent] = []
    now = 0.0
    for pause, alert, action in asked:
        now += pause
        if wait_for(action, alert, LIMITS, together=ALL, sent=sent, now=now) is None:
            sent.append(Sent(now, action, alert))
    for last in sent:
        window = [one for one in sent if last.at - 3600 < one.at <= last.at]
        assert len(window) <= 5
        assert sum(one.action == last.action for one in window) <= 3
        same = [one for one in sent if (one.action, one.alert) == (last.action, last.alert)]
        assert all(abs(one.at - last.at) >= 900 or one is last for one in same)
