"""The exporter's own metrics: rendered when they are asked for, but not for each of a thousand scrapes a second."""

import gc
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from theeye_exporter.exposition.families import HOST_CPU
from theeye_exporter.exposition.render import Format, Segment
from theeye_exporter.exposition.snapshot import Publisher, Snapshot, SnapshotStore
from theeye_exporter.status import Attempt, CollectorStatus, StatusBoard
from theeye_exporter.telemetry import Telemetry


@pytest.fixture
def board() -> StatusBoard:
    board = StatusBoard()
    board.register("http://theeye", [CollectorStatus(organization="demo", collector="jobs", interval=10, max_age=50)])
    return board


@pytest.fixture
def store() -> SnapshotStore:
    return SnapshotStore(lambda: 0.0)


@pytest.mark.parametrize("fmt", Format)
def test_scrapes_in_a_row_share_what_was_rendered(
    board: StatusBoard, store: SnapshotStore, fmt: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("theeye_exporter.telemetry.time.monotonic", lambda: now[0])
    telemetry = Telemetry(board, store)
    first = telemetry.exposition(fmt)
    assert telemetry.exposition(fmt) is first
    now[0] += 0.9
    assert telemetry.exposition(fmt) is first
    now[0] += 0.2
    assert telemetry.exposition(fmt) is not first


def test_the_end_of_an_attempt_is_seen_at_once(board: StatusBoard, store: SnapshotStore) -> None:
    telemetry = Telemetry(board, store)
    assert b"theeye_up{" not in telemetry.exposition(Format.TEXT_0_0_4)
    board.record(Attempt(organization="demo", collector="jobs", ended=1.0, duration=1.0))
    assert b'theeye_up{organization="demo"} 1' in telemetry.exposition(Format.TEXT_0_0_4)
    store.publish(Publisher("demo", "jobs"), {}, 1000.0)
    telemetry.rendered("demo", "jobs", 1.0)
    assert b"theeye_exporter_render_duration_seconds_count" in telemetry.exposition(Format.TEXT_0_0_4)


def test_every_name_can_be_asked_for(board: StatusBoard, store: SnapshotStore) -> None:
    telemetry = Telemetry(board, store)
    board.record(Attempt(organization="demo", collector="jobs", ended=1.0, duration=1.0))
    for name in telemetry.names:
        text = telemetry.exposition(Format.TEXT_0_0_4, name.__eq__).decode()
        assert text.count("# TYPE") == 1
        assert f"# TYPE {name} " in text


@pytest.mark.parametrize("fmt", Format)
def test_who_asks_for_none_of_them_or_for_all_of_them_causes_no_work(
    board: StatusBoard, store: SnapshotStore, fmt: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hundreds of organisations each rendering keeps everybody else waiting for a second."""
    now = [100.0]
    monkeypatch.setattr("theeye_exporter.telemetry.time.monotonic", lambda: now[0])
    looks = []

    class Watched(Collector):
        def collect(self) -> Iterator[Metric]:
            looks.append(now[0])
            yield GaugeMetricFamily("watched", "Always 1.", 1)

    telemetry = Telemetry(board, store)
    telemetry.registry.register(Watched())
    everything = telemetry.exposition(fmt)
    assert "watched" in telemetry.names
    looks.clear()

    assert telemetry.exposition(fmt, "theeye_monitor_state".__eq__) == (b"# EOF\n" if fmt.name[0] == "O" else b"")
    assert telemetry.exposition(fmt, lambda _: True) == everything
    assert looks == []
    assert b"watched 1.0\n" in telemetry.exposition(fmt, "watched".__eq__)
    assert len(looks) == 1
    now[0] += 60.0
    assert "watched" in telemetry.names
    assert len(looks) == 2


@pytest.mark.parametrize("fmt", Format)
def test_a_snapshot_that_is_served_no_more_is_let_go(board: StatusBoard, store: SnapshotStore, fmt: Format) -> None:
    # Somebody looks once, in a format that nobody else asks for.
    telemetry = Telemetry(board, store)
    publisher = Publisher("demo", "jobs")
    segments = {HOST_CPU: Segment((), 4711)}
    store.publish(publisher, segments, 50)
    telemetry.exposition(fmt)
    for other in Format:
        if other is not fmt:
            store.publish(publisher, {}, 50)
            telemetry.exposition(other)
    assert not [found for found in gc.get_objects() if type(found) is Snapshot and found.series == 4711]
