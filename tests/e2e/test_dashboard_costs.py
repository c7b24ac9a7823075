"""How many samples of Prometheus the panels of a large fleet need."""

from collections.abc import Iterator
from typing import Final

import pytest

from dashboards import DASHBOARDS, expressions
from history import Past, live_through, prometheus_of, stretch
from theeye_exporter.demo import DemoSettings
from theeye_preview.data import Prometheus
from theeye_preview.variables import Chosen, TimeRange

pytestmark = pytest.mark.e2e

FLEET: Final = 100_000
"""Series of a fleet of some 3 000 hosts."""
MOST: Final = 40_000_000
"""Samples for all expressions of a panel, over six hours. By default, Prometheus loads 50 million at a time."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Past]]:
    """Six hours of a small fleet in which nothing changes: what a query loads grows with the fleet, not with changes."""
    folder = tmp_path_factory.mktemp("past")
    past = stretch(
        live_through(folder, hours=0, step=30, settings=DemoSettings(monitors=30, tasks=10)), folder, hours=6
    )
    with prometheus_of(past, folder) as url:
        yield Prometheus(url), past


def test_no_panel_loads_more_samples_than_prometheus_allows(prometheus: tuple[Prometheus, Past]) -> None:
    asked, past = prometheus
    scale = FLEET / past.series
    chosen = Chosen(TimeRange(past.start, past.end, past.step), {"task": ["0" * 24]})
    loaded: dict[str, float] = {}
    for expression in expressions():
        if expression.panel is not None:
            name = f"{expression.dashboard}: {expression.panel['title']}"
            samples = asked.samples(DASHBOARDS[expression.dashboard], expression.panel, expression.target, chosen)
            loaded[name] = loaded.get(name, 0) + samples * scale
    assert max(loaded.values()) > 1_000_000, "nothing is measured"
    assert {name: round(samples) for name, samples in loaded.items() if samples > MOST} == {}
