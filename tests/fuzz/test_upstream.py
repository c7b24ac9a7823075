"""Tests arbitrary responses of TheEye: no bug, no secret in the log, a valid exposition, no old data."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fuzz.bodies import KINDS, Body, bodies
from fuzz.polled import Polled, TheEye, theeye
from samples import Series
from theeye_exporter.collectors.base import CollectorKind
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.theeye.errors import Reason

# What failed is to be seen, not that its example is large.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

# Examples are large, and shrinking one takes longer than reading it.
unshrunk = settings(
    phases=(Phase.explicit, Phase.reuse, Phase.generate), max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25"))
)


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


def answers(*, sound: bool = False) -> st.SearchStrategy[dict[str, Body]]:
    return st.fixed_dictionaries({kind: bodies(kind, sound=sound) for kind in KINDS})


def texts(answer: dict[str, Body]) -> dict[str, bytes]:
    return {kind: made.text for kind, made in answer.items()}


@unshrunk
@given(polls=st.lists(answers(), min_size=1, max_size=4))
def test_nothing_that_theeye_answers_is_a_bug_of_ours(polls: list[dict[str, Body]], server: TheEye) -> None:
    polled = Polled(server)
    try:
        for answer in polls:
            reasons = polled.poll(texts(answer))
            assert Reason.INTERNAL not in reasons.values(), polled.log
            polled.series()
        polled.assert_log_tells_nothing()
    finally:
        polled.close()


@unshrunk
@given(polls=st.lists(answers(sound=True), min_size=2, max_size=4))
def test_what_is_shown_after_many_polls_is_what_a_first_one_shows(polls: list[dict[str, Body]], server: TheEye) -> None:
    old = Polled(server)
    for answer in polls[:-1]:
        old.poll(texts(answer))
    fresh = Polled(server, old.now)
    try:
        reasons, first = old.poll(texts(polls[-1])), fresh.poll(texts(polls[-1]))
        shown, expected = old.series(), fresh.series()
        for kind in (kind for kind in COLLECTORS if kind.enabled):
            # What jobs show has a history.
            if not kind.keeps_ledger and reasons[kind.name] is None and first[kind.name] is None:
                assert of(kind, shown) ^ of(kind, expected) == set(), kind.name
    finally:
        old.close()
        fresh.close()


def of(kind: CollectorKind[Any], shown: Series) -> set[Any]:
    """Return the samples of a kind."""
    names = {family.name for family in kind.families}
    return {sample for sample in shown.items() if sample[0][0] in names}
