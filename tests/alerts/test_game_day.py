"""Tests the table of what each fault leads to: complete, and about alerts and receivers that exist. One fault is played."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from alerts.rulebook import ROOT, rules
from e2e_alerting import played
from game_day import FAULTS, Day, into, play, rows, stage
from theeye_exporter.demo import FAULTS as KNOWN
from theeye_exporter.demo import parse_fault

PAGE: Final = ROOT / "docs" / "alerts.md"
ALERTS: Final = {rule.name for rule in rules() if rule.is_alert}
MONITOR: Final = "monitor-failing=web-01/Processes List"


def told() -> list[list[str]]:
    """The rows of the page, without the head."""
    (found,) = re.findall(r"<!-- game day: .*?<!-- /game day -->", PAGE.read_text(), re.DOTALL)
    lines = [line for line in found.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_fault_of_the_demo_is_played() -> None:
    assert {parse_fault(fault).name for fault in FAULTS} == KNOWN.keys()


def test_the_page_has_each_fault_that_is_played() -> None:
    assert [row[0] for row in told() if row[0]] == [f"`{parse_fault(fault)}`" for fault in FAULTS]


def test_the_page_names_alerts_and_receivers_that_exist() -> None:
    config = yaml.safe_load((ROOT / "grafana" / "alertmanager" / "alertmanager.yml").read_text())
    receivers = {receiver["name"] for receiver in config["receivers"]}
    assert len(told()) > len(FAULTS)
    for _, alert, after, tells, muted_by, _ in told():
        if alert != "none":
            assert re.sub(r" \(\d+\)$", "", alert) in ALERTS
            assert after
        assert set(filter(None, tells.split(", "))) <= receivers
        assert set(filter(None, muted_by.split(", "))) <= ALERTS


def test_the_table_has_one_place() -> None:
    place = "<!-- game day: made by `make game-day` -->\n{}<!-- /game day -->\n"
    assert (
        into(f"before\n{place.format('old')}after", "new\n")
        == f"before\n{place.format(chr(10) + 'new' + chr(10) * 2)}after"
    )
    with pytest.raises(AssertionError, match="no place"):
        into("nothing", "new")


@pytest.mark.e2e
def test_a_fault_tells_whom_the_page_says(tmp_path: Path) -> None:
    def play_one(day: Day) -> None:
        effects = play(day, broken=lambda _: bool(day.told))
        (row,) = rows(day.faults, effects)
        (of_page,) = (row for row in told() if row[0] == f"`{MONITOR}`")
        assert [row[cell] for cell in (0, 1, 3, 4)] == [of_page[cell] for cell in (0, 1, 3, 4)]
        assert row[2]
        assert row[5].endswith(" min")

    played(play_one, lambda folder, minute: stage([MONITOR], folder, minute), tmp_path)
