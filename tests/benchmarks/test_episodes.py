"""Tests that what open episodes cost can be measured, and that the figures of the documentation name the command."""

from pathlib import Path

from benchmarks.episodes import costs, fill
from documents import document


def test_the_costs_of_episodes_are_measured(tmp_path: Path) -> None:
    fill(tmp_path, 50)
    found = costs(tmp_path, ticks=2)
    assert found.process > found.memory >= 0
    assert found.file > 100_000
    assert min(found.firing, found.resent, found.tick, found.waiting, found.scrape) > 0


def test_the_documentation_says_how_to_measure_them() -> None:
    assert "PYTHONPATH=tests .venv/bin/python -m benchmarks.episodes" in document("docs/actions.md")
