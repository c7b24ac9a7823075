"""The settings that models declare, and mappings of their values."""

from typing import Annotated

from theeye_exporter.values.settings import (
    BOOLEAN,
    Setting,
    SettingsModel,
    duration,
    given,
    integer,
    merged,
    settings_in,
    value_at,
)


class Part(SettingsModel):
    """A section."""

    switch: Annotated[bool, Setting(BOOLEAN, "switch {section}", "--{section}.switch")] = True
    pause: Annotated[float, Setting(duration(1.0), "pause")] = 90.0


class Whole(SettingsModel):
    """Sections, one of them several times, and what nobody can set."""

    left: Part = Part(pause=2.0)
    right: Part = Part()
    parts: tuple[Part, ...] = ()
    count: Annotated[int, Setting(integer(1, 3), "count")] = 1
    found: int = 0


def test_settings_are_found_with_the_names_of_their_sections() -> None:
    assert [(place, setting.doc, setting.flag) for place, setting in settings_in(Whole)] == [
        (("left", "switch"), "switch left", "--left.switch"),
        (("left", "pause"), "pause", ""),
        (("right", "switch"), "switch right", "--right.switch"),
        (("right", "pause"), "pause", ""),
        (("count",), "count", ""),
    ]


def test_values_for_people() -> None:
    whole = Whole()
    assert [setting.text(value_at(whole, place)) for place, setting in settings_in(Whole)] == [
        *("true", "2s"),
        *("true", "1m30s"),
        "1",
    ]


def test_only_what_was_given_is_given_on() -> None:
    assert given(Whole()) == {"left": {"pause": 2.0}, "right": {}}
    assert given(Whole(right=Part(switch=False), parts=(Part(pause=3.0),), count=2)) == {
        "left": {"pause": 2.0},
        "right": {"switch": False},
        "parts": ({"pause": 3.0},),
        "count": 2,
    }


def test_later_mappings_win_key_by_key_and_none_is_changed() -> None:
    first, second = {"a": {"b": 1, "c": 2}, "d": (1,)}, {"a": {"c": 3}, "d": (2,), "e": {}}
    assert merged(first, second) == {"a": {"b": 1, "c": 3}, "d": (2,), "e": {}}
    assert (first, second) == ({"a": {"b": 1, "c": 2}, "d": (1,)}, {"a": {"c": 3}, "d": (2,), "e": {}})
