"""What Prometheus is told about actions, besides plain counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.alerting import World
from theeye_exporter.actions import alert_families as families
from theeye_exporter.actions.alert_view import add_samples
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.samples import Samples


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.model.wait(60.0)  # after the state file was made
    yield world
    world.close()


def value(world: World, family: Family) -> float:
    samples = Samples()
    add_samples(samples, world.runs, {}, world.model.now)
    (found,) = samples[family].values
    return found


def test_an_alert_that_still_fires_after_a_run_that_succeeded_was_not_helped(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.fire("web-02", start)
    world.live(120.0)
    assert value(world, families.UNHELPED) == 0  # it takes a while until Alertmanager says that it is resolved
    world.resolve("web-02", start, world.model.now)
    world.model.wait(900.0)
    assert value(world, families.UNHELPED) == 1
    world.model.wait(3000.0)
    assert value(world, families.UNHELPED) == 0  # a message may be lost, and a silenced alert is not heard of
    assert world.fire("web-01", start) == "duplicate"
    assert value(world, families.UNHELPED) == 1
    world.resolve("web-01", start, world.model.now)
    assert value(world, families.UNHELPED) == 0


def test_an_alert_that_went_away_and_fires_again_was_helped(world: World) -> None:
    start = world.model.now
    world.fire("web-01", start)
    world.live(120.0)
    world.change(live=False)
    world.model.wait(900.0)
    assert world.fire("web-01", world.model.now) == "dry_run"
    assert value(world, families.UNHELPED) == 0


def test_how_long_a_run_may_be_open_comes_from_the_configuration(world: World) -> None:
    assert value(world, families.OPEN_LIMIT) == world.plan.limits.max_wait + world.plan.timeout
