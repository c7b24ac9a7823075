"""The store: what readers see, and when data disappears."""

from samples import render
from theeye_exporter.exposition.families import CATALOGUE, HOST_CPU, HOST_MEMORY
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.render import Format, Segment
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore


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
    store = SnapshotStore(Clock())
    store.publish(publisher("a"), segments(HOST_CPU, HOST_MEMORY, label="a"), 200)
    store.publish(publisher("b"), segments(HOST_CPU, label="b"), 200)
    assert store.current().series == 3
    store.publish(publisher("a"), segments(HOST_CPU, label="a2"), 200)
    assert 'l="a2"' in text(store)
    assert 'l="b"' in text(store)
    assert HOST_MEMORY.name not in text(store)


def test_a_reader_keeps_the_snapshot_it_took() -> None:
    store = SnapshotStore(Clock())
    store.publish(publisher("a"), segments(HOST_CPU, label="before"), 200)
    taken = store.current()
    store.publish(publisher("a"), segments(HOST_CPU, label="after"), 200)
    assert b"before" in b"".join(taken.identity(Format.TEXT_0_0_4))


def test_data_disappears_when_it_is_too_old_though_nobody_publishes() -> None:
    clock = Clock()
    store = SnapshotStore(clock)
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
    store = SnapshotStore(Clock())
    for owner, family in enumerate(reversed(CATALOGUE)):
        store.publish(publisher(owner), segments(family), 200)
    types = [line.split()[2] for line in text(store).splitlines() if line.startswith("# TYPE")]
    assert types == [family.name for family in CATALOGUE]


def test_size_series_and_cut_are_those_of_the_samples() -> None:
    store = SnapshotStore(Clock())
    samples = Samples()
    samples[HOST_CPU].add('l="1"', 1)
    samples[HOST_CPU].add('l="2"', 2)
    store.publish(publisher("a"), render(samples, limit=1), 200)
    snapshot = store.current()
    assert snapshot.series == 1
    assert snapshot.size == len('theeye_host_cpu_usage_ratio{l="1"} 1\n')
    assert snapshot.cut == {HOST_CPU.name: 1}


def test_what_an_owner_published_can_be_taken_away() -> None:
    store = SnapshotStore(Clock())
    store.publish(publisher("a"), segments(HOST_CPU, label="a"), 200)
    store.publish(publisher("b"), segments(HOST_CPU, label="b"), 200)
    store.withdraw(publisher("a"))
    store.withdraw(publisher("nobody"))
    assert 'l="a"' not in text(store)
    assert 'l="b"' in text(store)
    assert store.current().series == 1
