"""Tests every alert with every kind of scrapes: it fires, it is silent before, and it ends."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from alerts.matrix import Scrapes, unit_test
from alerts.rulebook import RULE_FILES, promtool, rules
from alerts.scenarios import SCENARIOS, STORMS

KINDS: Final = [
    *(
        Scrapes(interval, exporters, one_in_ten_fails=fails, restart=restart)
        for interval in (15, 30, 60)
        for exporters, fails, restart in (
            (1, False, ""),
            (1, True, ""),
            (2, True, ""),
            (1, False, "with"),
            (1, False, "without"),
        )
    ),
    Scrapes(60, 2, replicas=2),
]


def test_each_alert_has_a_scenario() -> None:
    assert sorted(scenario.alert for scenario in SCENARIOS) == sorted(rule.name for rule in rules() if rule.is_alert)


@pytest.mark.e2e
@pytest.mark.parametrize("scrapes", KINDS, ids=str)
def test_every_alert_fires_and_ends(scrapes: Scrapes, tmp_path: Path) -> None:
    alone = [scenario for scenario in SCENARIOS if scenario.alert == "TheEyeExporterAbsent"]  # no exporter at all
    long = [scenario for scenario in SCENARIOS if scenario.broken_for > 120]
    others = [scenario for scenario in SCENARIOS if scenario not in alone + long]
    _run([unit_test(scenarios, scrapes) for scenarios in (alone, long, others)], tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "scrapes", [Scrapes(60), Scrapes(60, 2, one_in_ten_fails=True), Scrapes(60, restart="without")], ids=str
)
def test_a_storm_lasts_for_26_hours(scrapes: Scrapes, tmp_path: Path) -> None:
    _run([unit_test(STORMS, scrapes)], tmp_path)


def _run(tests: list[dict[str, object]], folder: Path) -> None:
    path = folder / "matrix.test.yml"
    content = {"rule_files": [str(file) for file in RULE_FILES], "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=10_000))
    assert "SUCCESS" in promtool("test", "rules", path)
