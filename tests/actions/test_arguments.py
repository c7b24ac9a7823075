"""Arguments made of labels: Prometheus' relabelling, and nothing outside the alphabet."""

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theeye_exporter.actions.arguments import ArgumentRule, BadArgumentError, Relabelling, arguments_of
from theeye_exporter.actions.regular import compile_regex

ALLOWED = set(string.ascii_letters + string.digits + "_.:/@=,+ -")
ANYTHING = ArgumentRule(Relabelling(("x",)))

hostile = st.one_of(
    st.text(max_size=300),
    st.text(string.printable, max_size=300),
    st.text("ab0-./ ", max_size=300),
    st.tuples(
        st.text("ab", max_size=3),
        st.sampled_from(
            ["\n", "\0", ";", "$(x)", "`x`", "|", "&", '"', "'", "%", "^", "!", "\r", "\u2028", "\u037e", "\uff41"]
        ),
        st.text("ab", max_size=3),
    ).map("".join),
)


def rule(source: str, regex: str, replacement: str = "$1", **more: Any) -> ArgumentRule:
    return ArgumentRule(Relabelling((source,), compile_regex(regex, dot_matches_newline=True), replacement), **more)


@settings(max_examples=200)
@given(values=st.lists(hostile, min_size=50, max_size=50))
def test_nothing_outside_the_alphabet_gets_through(values: list[str]) -> None:
    for value in values:
        if len(value) <= 256 and set(value) <= ALLOWED and value.strip() and not value.strip().startswith("-"):
            assert arguments_of([ANYTHING], {"x": value}) == (value,)
            continue
        with pytest.raises(BadArgumentError) as raised:
            arguments_of([ANYTHING], {"x": value})
        assert str(raised.value) in {
            "argument 1: the text has more than 256 characters",
            "argument 1: it is empty",
            "argument 1: it begins with a hyphen",
            "argument 1: it has a character that is not allowed",
        }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("-rf /", "it begins with a hyphen"),
        (" -rf", "it begins with a hyphen"),
    ],
)
def test_spaces_hide_nothing(value: str, why: str) -> None:
    with pytest.raises(BadArgumentError, match=f"^argument 1: {why}$"):
        arguments_of([ANYTHING], {"x": value})


@pytest.mark.parametrize(
    ("regex", "replacement", "value", "expected"),
    [
        (r"([a-z0-9.-]+):\d+", "$1", "web-01:9100", "web-01"),
        (r"(\w+)-(\w+)", "${2}.$1", "a-b", "b.a"),
        (r"(?P<host>.+):(.+)", "$host/$2", "web:80", "web/80"),
        (r"(.+):(.+)", "$1x/$3/$$/$", "web:80", "///"),  # what is no group is empty, and a $ stays
        (r"(a)|(b)", "$1+$2", "b", "+b"),
        (r".*", "fixed", "anything", "fixed"),
    ],
)
def test_relabelling(regex: str, replacement: str, value: str, expected: str) -> None:
    allowed = compile_regex(r"[^\n]+")
    made = arguments_of([rule("x", regex, replacement, allow=allowed)], {"x": value})[0]
    assert made.replace("$", "") == expected


def test_values_of_several_labels_are_joined() -> None:
    both = ArgumentRule(Relabelling(("a", "missing", "b"), separator="/"))
    assert arguments_of([both, ArgumentRule("fixed; $(as written)")], {"a": "1", "b": "2"}) == (
        "1//2",
        "fixed; $(as written)",
    )


@pytest.mark.parametrize("value", ["web-01", "x web-01:1", "web-01:1 ", "web-01:1\n", ""])
def test_what_does_not_match_as_a_whole_is_no_argument(value: str) -> None:
    with pytest.raises(BadArgumentError) as raised:
        arguments_of([rule("x", r"([a-z0-9.-]+):\d+")], {"x": value})
    assert str(raised.value) == r"argument 1: the value of x does not match ([a-z0-9.-]+):\d+"


def test_allow_widens_and_narrows() -> None:
    wide = ArgumentRule(Relabelling(("x",)), compile_regex(r"-?[a-z;]*"))
    assert arguments_of([wide], {"x": "-a;b"}) == ("-a;b",)
    assert arguments_of([wide], {}) == ("",)
    for value in ("A", "a;b\n", "a" * 257):
        with pytest.raises(BadArgumentError):
            arguments_of([wide], {"x": value})


def test_an_expression_that_others_are_slow_with() -> None:
    slow = rule("x", r"(a*)*b")
    with pytest.raises(BadArgumentError):
        arguments_of([slow], {"x": "a" * 100_000})


@pytest.mark.parametrize(("length", "fits"), [(256, True), (257, False), (10**6, False)])
def test_no_text_of_labels_is_longer_than_an_argument(length: int, fits: bool) -> None:
    made = Relabelling(("x",))
    if fits:
        assert len(made.text({"x": "a" * length})) == length
        return
    with pytest.raises(BadArgumentError, match="the text has more than 256 characters"):
        made.text({"x": "a" * length})
