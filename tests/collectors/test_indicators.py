"""Tests the lines for given indicators."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.indicators import KIND, IndicatorsCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Indicator

OWN = 'organization="demo",indicator_id="i1",indicator="Revenue"'
SOUND = {
    "id": "i1",
    "title": "Revenue",
    "type": "counter",
    "value": 37.5,
    "state": "normal",
    "severity": "HIGH",
    "tags": ["b", "a"],
    "enable": True,
    "last_update": "2026-01-01T00:00:00.500Z",
}


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *indicators: dict[str, Any]) -> None:
        self.listed = indicators

    def indicators(self) -> Listing[Indicator]:
        found = [msgspec.convert(indicator, Indicator) for indicator in self.listed]
        return Listing(found, skipped=Counter(malformed=2), date=7.0)


def listed(*indicators: dict[str, Any], tags: bool = True) -> Collection:
    return IndicatorsCollector(context_of(KIND, tags=tags)).collect(FakeTheEye(*indicators), 0)


def values(found: Collection, family: str) -> list[str]:
    """Return the values of a family's samples."""
    return [line.rpartition(" ")[2] for line in lines(found.samples) if line.startswith(f"theeye_indicator_{family}{{")]


def test_an_indicator_is_described_and_has_a_value_a_state_and_a_time() -> None:
    found = listed(SOUND)
    assert lines(found.samples) == [
        f"theeye_indicator_enabled{{{OWN}}} 1",
        f'theeye_indicator_info{{{OWN},indicator_type="counter",severity="HIGH",tags="a,b"}} 1',
        f"theeye_indicator_last_update_timestamp_seconds{{{OWN}}} 1767225600.5",
        f'theeye_indicator_state{{{OWN},state="failure"}} 0',
        f'theeye_indicator_state{{{OWN},state="normal"}} 1',
        f'theeye_indicator_state{{{OWN},state="unknown"}} 0',
        f'theeye_indicator_state{{{OWN},state="updates_stopped"}} 0',
        f"theeye_indicator_value{{{OWN}}} 37.5",
    ]
    assert (found.objects, found.skipped, found.dropped) == (1, {"malformed": 2}, {})
    assert (found.date, found.names) == (7.0, None)


def test_tags_are_shown_only_where_they_are_wanted() -> None:
    assert [line for line in lines(listed(SOUND, tags=False).samples) if "_info" in line] == [
        f'theeye_indicator_info{{{OWN},indicator_type="counter",severity="HIGH",tags=""}} 1'
    ]


@pytest.mark.parametrize(
    ("kind", "value", "shown", "dropped"),
    [
        ("progress", 42, ["42"], {}),
        ("progress", 0, ["0"], {}),
        ("counter", -12.5, ["-12.5"], {}),
        ("counter", 1.5e300, ["1.5e300"], {}),
        ("counter", None, [], {"null": 1}),
        ("counter", "7", [], {"impossible": 1}),
        ("progress", True, [], {"impossible": 1}),
        ("progress", [1], [], {"impossible": 1}),
        ("progress", {"a": 1}, [], {"impossible": 1}),
        ("text", "12.5", [], {}),
        ("text", 12.5, [], {}),
        ("chart", {"series": [1, 2, 3]}, [], {}),
        ("html", "<b>1</b>", [], {}),
        ("file", "data:,1", [], {}),
        (None, 1, [], {}),
        (["counter"], 1, [], {}),
    ],
)
def test_a_value_is_the_number_of_a_progress_or_a_counter(
    kind: object, value: object, shown: list[str], dropped: dict[str, int]
) -> None:
    found = listed(SOUND | {"type": kind, "value": value})
    assert values(found, "value") == shown
    assert found.dropped == dropped


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("normal", "normal"),
        ("failure", "failure"),
        ("updates_stopped", "updates_stopped"),
        ("unknown", "unknown"),
        ("low", "unknown"),
        (None, "unknown"),
        (["normal"], "unknown"),
        (1, "unknown"),
    ],
)
def test_an_indicator_is_in_exactly_one_state(state: object, shown: str) -> None:
    states = [line for line in lines(listed(SOUND | {"state": state}).samples) if "_state{" in line]
    assert len(states) == 4
    assert [line for line in states if line.endswith(" 1")] == [f'theeye_indicator_state{{{OWN},state="{shown}"}} 1']


@pytest.mark.parametrize(("enable", "shown"), [(True, ["1"]), (False, ["0"]), (None, []), ("no", []), (1, [])])
def test_an_indicator_is_enabled_or_not_or_does_not_say(enable: object, shown: list[str]) -> None:
    assert values(listed(SOUND | {"enable": enable}), "enabled") == shown


@pytest.mark.parametrize(("at", "dropped"), [(None, {"null": 1}), ("yesterday", {"impossible": 1})])
def test_an_invalid_time_is_absent(at: object, dropped: dict[str, int]) -> None:
    found = listed(SOUND | {"last_update": at})
    assert values(found, "last_update_timestamp_seconds") == []
    assert found.dropped == dropped


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"title": "A", "name": "B"}, "A"),
        ({"title": "", "name": "B"}, "B"),
        ({"title": None, "name": None}, ""),
        ({"title": 'quoted "a"'}, r"quoted \"a\""),
    ],
)
def test_an_indicator_is_called_by_its_title(names: dict[str, Any], shown: str) -> None:
    (line,) = [line for line in lines(listed(SOUND | names).samples) if "_value{" in line]
    assert f'indicator="{shown}"}}' in line


def test_a_deleted_indicator_has_no_lines() -> None:
    collector = IndicatorsCollector(context_of(KIND))
    shown = [
        lines(collector.collect(FakeTheEye(*({"id": name, "title": name} for name in names)), 0).samples)
        for names in ("ab", "b", "")
    ]
    assert [len(found) for found in shown] == [10, 5, 0]
    assert set(shown[1]) < set(shown[0])
