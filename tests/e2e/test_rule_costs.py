"""How many samples of Prometheus an evaluation of the rules needs, at 50 000 monitors."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from alerts.rulebook import ROOT, rules
from history import live_through, prometheus_of, stretch
from queries import selectors
from theeye_exporter.demo import DemoSettings
from theeye_preview.data import Prometheus

pytestmark = pytest.mark.e2e

FLEET: Final = 50_000
"""Monitors."""
SMALL: Final = (30, 90)
"""Two fleets: what an evaluation loads grows with the fleet in a straight line."""
STEP: Final = 30
"""Seconds between two scrapes, and between two evaluations: the defaults of kube-prometheus-stack."""
MOST: Final = 10_000_000
"""Samples for one rule; Prometheus refuses a query of more than 50 million."""
MOST_OF_ALL: Final = 20_000_000


def loaded(monitors: int, folder: Path) -> Counter[str]:
    """Return how many samples each rule loads with a fleet, after six hours in which nothing changed."""
    folder.mkdir()
    past = live_through(folder, hours=0, step=STEP, settings=DemoSettings(monitors=monitors, tasks=monitors // 3))
    used = {selector.name for rule in rules() for selector in selectors(rule.expression)}
    (file,) = past.files
    samples = [line.rpartition(" ")[0] for line in file.read_text().splitlines() if re.split("[{ ]", line)[0] in used]
    with prometheus_of(past, folder) as url:
        for rule in rules():
            if not rule.is_alert:
                found = Prometheus(url).ask("query", query=rule.content["expr"], time=past.end)["result"]
                samples += [_sample(rule.name, series["metric"], series["value"][1]) for series in found]
    long = folder / "long"
    long.mkdir()
    past = stretch(past, long, hours=6, samples=samples)
    found = Counter[str]()
    with prometheus_of(past, long) as url:
        for rule in rules():
            stats = Prometheus(url).ask("query", query=rule.content["expr"], time=past.end, stats="all")["stats"]
            found[rule.name] += stats["samples"]["totalQueryableSamples"]
    return found


def _sample(name: str, labels: dict[str, str], value: str) -> str:
    pairs = ",".join(f"{label}={json.dumps(text, ensure_ascii=False)}" for label, text in labels.items())
    return f"{name}{{{pairs}}} {value}"


def test_an_evaluation_of_the_rules_loads_a_bounded_number_of_samples(tmp_path: Path) -> None:
    small, larger = (loaded(monitors, tmp_path / str(monitors)) for monitors in SMALL)
    grown = (FLEET - SMALL[0]) / (SMALL[1] - SMALL[0])
    needed = {name: small[name] + (larger[name] - small[name]) * grown for name in larger}
    assert {name: round(samples) for name, samples in needed.items() if samples > MOST} == {}
    total = sum(needed.values())
    assert total < MOST_OF_ALL
    page = (ROOT / "docs" / "alerts.md").read_text()
    told = re.search(r"about (\d+) million samples", page)
    assert told is not None
    assert int(told[1]) == pytest.approx(total / 1e6, rel=0.15), "docs/alerts.md has another figure"
