"""The documented numbers of series are those that a busy canary and a busy action have."""

from pathlib import Path

from actions.alerting import World
from actions.test_canary import Watched
from theeye_exporter.actions import alert_families, alert_view, canary_view, families
from theeye_exporter.exposition.family import Families
from theeye_exporter.exposition.render import Renderer
from theeye_exporter.exposition.samples import Samples


def series(samples: Samples, declared: Families) -> int:
    segments = Renderer(10**6).render(samples)
    assert segments.keys() == set(declared)
    return sum(segment.text().count(b"\n") for segment in segments.values())


def documented(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


def test_of_a_canary() -> None:
    watched = Watched()
    while not watched.canary.state.success:
        watched.live(1.0)
    while watched.canary.open_since is None:
        watched.live(1.0)
    samples = Samples()

    canary_view.add_samples(samples, watched.canary)

    assert series(samples, families.CANARY_FAMILIES) == documented(families.CANARY_SERIES)


def test_of_an_action(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.model.wait(60.0)
    world.fire("web-01", world.model.now)
    world.live(120.0)
    world.fire("web-02", world.model.now)
    samples = Samples()

    alert_view.add_samples(samples, world.runs, {}, world.model.now)
    world.close()

    assert series(samples, alert_families.ALERT_FAMILIES) == documented(alert_families.ALERT_SERIES)
