"""Tests what the headline of the page of actions says."""

import re
from typing import get_args

import pytest

from theeye_exporter.actions.page import actions_page
from theeye_exporter.actions.parts import Line, LineState, View


def headline(*states: LineState) -> str:
    lines = tuple(Line(state, f"action {number}", state, ()) for number, state in enumerate(states))
    page = actions_page([View("Actions", "action", "actions", (), lines)], now=10.0, started=0.0, links={})
    (found,) = re.findall("<h1>(.*)</h1>", page.decode())
    return str(found)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["ok"], "The action works"),
        (["ok", "ok"], "All 2 actions work"),
        (["wait"], "The action waits for the first result"),
        (["wait", "wait"], "All 2 actions wait for the first result"),
        (["ok", "wait", "ok"], "2 of 3 actions work, waiting for the others"),
        (["bad"], "The action fails"),
        (["ok", "bad", "wait"], "1 of 3 actions fails"),
        (["warn"], "The action has a problem"),
        (["ok", "warn"], "1 of 2 actions has a problem"),
        (["warn", "warn", "wait"], "2 of 3 actions have problems"),
        (["bad", "warn", "ok"], "1 of 3 actions fails, and 1 of 3 actions has a problem"),
    ],
)
def test_headline(states: list[LineState], said: str) -> None:
    assert headline(*states) == said


def test_headline_calls_nothing_well_that_is_not() -> None:
    for state in set(get_args(LineState)) - {"ok"}:
        assert "work" not in headline(state)
