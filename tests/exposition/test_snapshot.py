"""Tests the store: what readers get, and when data disappears."""

import gzip
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from samples import render
from theeye_exporter.collectors.monitors.families import HOST_CPU, HOST_MEMORY
from theeye_exporter.collectors.registry import CATALOGUE
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Format, Segment
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore, gzip_end


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def segments(*families: Family, label: str = "x") -> dict[Family, Segment]:
    samples = Samples()
    for family in families:
        samples[family].add(f'l="{label}"', 1)
    return render(samples)


def publisher(name: object) -> Publisher:
    return Publisher("demo", str(name))


def text(store: SnapshotStore) -> str:
    return b"".join(store.current().identity(Format.TEXT_0_0_4)).decode()


def test_an_owner_replaces_what_it_published_and_nothing_else() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    store.publish(publisher("a"), segments(HOST_CPU, HOST_MEMORY, label="a"), 200)
    store.publish(publisher("b"), segments(HOST_CPU, label="b"), 200)
    assert store.current().series == 3
    store.publish(publisher("a"), segments(HOST_CPU, label="a2"), 200)
    assert 'l="a2"' in text(store)
    assert 'l="b"' in text(store)
    assert HOST_MEMORY.name not in text(store)


def test_a_reader_keeps_the_snapshot_it_took() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    store.publish(publisher("a"), segments(HOST_CPU, label="before"), 200)
    taken = store.current()
    store.publish(publisher("a"), segments(HOST_CPU, label="after"), 200)
    assert b"before" in b"".join(taken.identity(Format.TEXT_0_0_4))


def test_data_disappears_when_it_is_too_old_though_nobody_publishes() -> None:
    clock = Clock()
    store = SnapshotStore(CATALOGUE, clock)
    store.publish(publisher("a"), segments(HOST_CPU, label="a"), 150)
    store.publish(publisher("b"), segments(HOST_CPU, label="b"), 160)
    clock.now = 149.9
    assert 'l="a"' in text(store)
    clock.now = 150
    assert 'l="a"' not in text(store)
    assert 'l="b"' in text(store)
    clock.now = 160
    assert text(store) == ""
    store.publish(publisher("a"), segments(HOST_CPU, label="a"), 200)
    assert 'l="a"' in text(store)


def test_families_stand_in_the_catalogues_order() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    for owner, family in enumerate(reversed(CATALOGUE)):
        store.publish(publisher(owner), segments(family), 200)
    types = [line.split()[2] for line in text(store).splitlines() if line.startswith("# TYPE")]
    assert types == [family.name for family in CATALOGUE]


def test_size_series_and_cut_are_those_of_the_samples() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    samples = Samples()
    samples[HOST_CPU].add('l="1"', 1)
    samples[HOST_CPU].add('l="2"', 2)
    store.publish(publisher("a"), render(samples, limit=1), 200)
    snapshot = store.current()
    assert snapshot.series == 1
    assert snapshot.size == len('theeye_host_cpu_usage_ratio{l="1"} 1\n')
    assert snapshot.cut == {HOST_CPU.name: 1}


def test_what_an_owner_published_can_be_taken_away() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    store.publish(publisher("a"), segments(HOST_CPU, label="a"), 200)
    store.publish(publisher("b"), segments(HOST_CPU, label="b"), 200)
    store.withdraw(publisher("a"))
    store.withdraw(publisher("nobody"))
    assert 'l="a"' not in text(store)
    assert 'l="b"' in text(store)
    assert store.current().series == 1


def operations(organizations: int) -> int:
    """Return the interpreter's operations in the store while one collector publishes, beside so many organisations."""
    store = SnapshotStore(CATALOGUE, Clock())
    for organization in range(organizations):
        for collector in "monitors", "tasks":
            store.publish(Publisher(str(organization), collector), segments(*CATALOGUE[:10], label=collector), 200)
    store.current()
    published = [segments(*CATALOGUE[:10], label=str(number)) for number in range(2)]
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal count
        if not frame.f_code.co_filename.endswith("snapshot.py"):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        for number in range(1000):
            store.publish(Publisher("0", "monitors"), published[number % 2], 200)
    finally:
        sys.settrace(former)
    assert 'l="1"' in text(store)
    return count


def test_to_publish_costs_what_the_publisher_brings() -> None:
    few, many = operations(5), operations(500)
    assert few > 100_000
    assert many <= 2 * few


def test_a_family_that_no_collector_declares_is_refused_rather_than_left_out() -> None:
    store = SnapshotStore((HOST_CPU,), Clock())
    with pytest.raises(ValueError, match="not in the catalogue: theeye_host_memory_usage_ratio"):
        store.publish(publisher("a"), segments(HOST_CPU, HOST_MEMORY), 200)
    assert store.current().series == 0


def test_a_scrape_joins_only_what_changed_and_compresses_the_same_as_it_shows() -> None:
    store = SnapshotStore(CATALOGUE, Clock())
    for number in range(100):
        store.publish(publisher(number), segments(HOST_CPU, label=str(number)), 200)
    before = store.current()
    before.encoded(Format.OPENMETRICS_1_0_0)
    store.publish(publisher(50), segments(HOST_CPU, label="changed"), 200)
    store.withdraw(publisher(99))
    after = store.current()
    ((_, former),), ((_, latter),) = before.families, after.families
    assert sum(old is new for old, new in zip(former, latter, strict=True)) == len(latter) - 2
    for snapshot in (before, after):
        encoded = snapshot.encoded(Format.OPENMETRICS_1_0_0)
        packed = b"".join((*encoded.data, gzip_end(encoded, b"")))
        assert gzip.decompress(packed) == b"".join(snapshot.identity(Format.OPENMETRICS_1_0_0))
