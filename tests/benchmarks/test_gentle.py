"""Polls spare a large TheEye, in counts and virtual time."""

from functools import partial

from benchmarks.gentle import Load, as_markdown, naive, simulate
from benchmarks.virtual import Lane, VirtualTime
from theeye_exporter.collectors.registry import COLLECTORS


def test_a_large_organization_is_read_in_parts_and_by_changes() -> None:
    load = Load(monitors=1300, tasks=1300)
    seen = simulate(load, 400)
    assert not seen.failures
    assert seen.all_read_after < 60
    # Three pages of tasks, once, and then what ran in a minute and a half at most; a naive poller lists all seven times.
    assert 1300 < seen.objects["tasks"] < 1300 + 6 * 1300 * 0.05 * 2.5
    # The first list of monitors is whole, the others come in three parts.
    polls = seen.objects["monitors"] / 1300
    assert seen.requests["monitors"] == 1 + 3 * (polls - 1)
    assert seen.longest <= 2
    assert seen.oldest_state <= 120
    assert 0 < seen.latest_count <= 60
    assert seen.busy < 0.6 * naive(load)


def test_an_organization_that_is_not_large_is_as_fresh_as_its_intervals() -> None:
    seen = simulate(Load(monitors=1000, tasks=1000), 200)
    assert not seen.failures
    assert seen.intervals == {kind.name: kind.interval for kind in COLLECTORS if kind.enabled and kind.interval < 100}
    assert seen.objects["monitors"] == 1000 * seen.requests["monitors"]
    assert seen.longest <= 2


def test_virtual_time_passes_only_while_everybody_waits() -> None:
    time, log = VirtualTime(), list[tuple[float, str]]()
    lane = Lane(time)

    def work(name: str, seconds: float) -> None:
        while True:
            with lane.turn():
                log.append((time.now, name))
                time.sleep(seconds)
            time.sleep(1)

    for name, seconds in (("a", 2.0), ("b", 3.0)):
        time.spawn(partial(work, name, seconds))
    time.run(until=9)
    assert log == [(0.0, "a"), (2.0, "b"), (5.0, "a"), (7.0, "b")]
    assert time.now == 9


def test_the_table_judges_the_largest_organization() -> None:
    heading, _, *rows = as_markdown(70.0, (20, 40)).splitlines()
    assert "20 monitors, 20 tasks" in heading
    assert len(rows) == 6
    assert [row.count("ok") + row.count("MISSED") for row in rows] == [1, 1, 1, 1, 1, 0]
