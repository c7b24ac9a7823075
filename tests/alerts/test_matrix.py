"""Tests every alert with every kind of scrapes: it fires, it is silent before, and it ends.

The kinds are a full cross: intervals of 15, 30 and 60 seconds, one exporter and two, no restart and restarts with and without a state
file, every scrape arriving and one in ten missing. External labels are one more kind: rules reduce series by the labels that they
name, so it does not matter which others there are. A storm of 26 hours has one interval, the longest: its rules look at 3 minutes and
at whether the alert fires already, and the storm of an hour has all intervals. Rules are evaluated once a minute, the longest that
the documentation allows.

promtool evaluates every rule of its files for every minute, and fills in the annotations of every alert that fires. So alerts that
take equally long share a test, tests have only the files that they need, and the rules have no annotations here: `*.test.yml` has them.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import yaml

from alerts.matrix import Scrapes, unit_test
from alerts.rulebook import ALERTS, promtool, rules
from alerts.scenarios import SCENARIOS, STORMS, Scenario

INTERVALS: Final = (15, 30, 60)
SHORT: Final = 90
"""Minutes."""
LONG: Final = 300


def kinds(interval: int) -> list[Scrapes]:
    cross = product((1, 2), (False, True), ("", "with", "without"))
    return [
        *(Scrapes(interval, exporters, one_in_ten_fails=fails, restart=restart) for exporters, fails, restart in cross),
        Scrapes(interval, 2, replicas=2),
    ]


NO_EXPORTER: Final = [scenario for scenario in SCENARIOS if scenario.alert == "TheEyeExporterAbsent"]
OTHERS: Final = [scenario for scenario in SCENARIOS if scenario not in NO_EXPORTER]
GROUPS: Final = {
    "short": [scenario for scenario in OTHERS if scenario.minutes <= SHORT],
    "medium": [scenario for scenario in OTHERS if SHORT < scenario.minutes < LONG],
    "long": [scenario for scenario in OTHERS if scenario.minutes >= LONG],
}


def test_each_alert_has_a_scenario() -> None:
    assert sorted(scenario.alert for scenario in SCENARIOS) == sorted(rule.name for rule in rules() if rule.is_alert)


@pytest.mark.e2e
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_alert_fires_and_ends(group: str, interval: int, tmp_path: Path) -> None:
    _run(GROUPS[group], [kinds(interval)], tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("interval", INTERVALS)
def test_the_lack_of_every_exporter_is_noticed(interval: int, tmp_path: Path) -> None:
    _run(NO_EXPORTER, [[scrapes] for scrapes in kinds(interval)], tmp_path)


@pytest.mark.e2e
def test_a_storm_lasts_for_26_hours(tmp_path: Path) -> None:
    _run(STORMS, [kinds(60)], tmp_path)


def _run(scenarios: Sequence[Scenario], together: Sequence[Sequence[Scrapes]], folder: Path) -> None:
    alerts = {scenario.alert for scenario in scenarios}
    files = {ALERTS / rule.file for rule in rules() if rule.name in alerts}
    content = {
        "rule_files": [_without_annotations(file, folder) for file in files],
        "evaluation_interval": "1m",
        "tests": [unit_test(scenarios, scrapes) for scrapes in together],
    }
    path = folder / "matrix.test.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=10_000))
    assert "SUCCESS" in promtool("test", "rules", path)


def _without_annotations(file: Path, folder: Path) -> str:
    content = yaml.safe_load(file.read_text())
    for group in content["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    name = "-".join(file.relative_to(ALERTS).parts)
    (folder / name).write_text(yaml.safe_dump(content))
    return name
