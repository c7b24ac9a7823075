"""Tests labels, values and lines with the client library's parsers and promtool."""

import gzip
import zlib
from math import inf
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import body, labels, lines, parse, render
from theeye_exporter.collectors.jobs.families import JOB_DURATION
from theeye_exporter.collectors.monitors.families import HOST_CPU, MONITOR_INFO, MONITOR_RECOVERIES, MONITOR_STATE
from theeye_exporter.exposition.family import MetricType
from theeye_exporter.exposition.labels import LabelCache, escape_label_value, format_labels
from theeye_exporter.exposition.render import Format, Piece, Renderer, deflate, header
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.exposition.snapshot import Publisher, Snapshot, SnapshotStore, gzip_end
from theeye_exporter.polling.families import PROCESS_FAMILIES
from theeye_exporter.polling.telemetry import PUBLISHED
from tools import check_metrics

HOSTILE = st.text(st.characters(codec=None, categories=None), max_size=700)


EVERY: Final = (*PUBLISHED, *PROCESS_FAMILIES)


def store_of(*samples: Samples) -> SnapshotStore:
    store = SnapshotStore(EVERY, lambda: 0.0)
    for owner, published in enumerate(samples):
        store.publish(Publisher("demo", str(owner)), render(published), inf)
    return store


def snapshot_of(*samples: Samples) -> Snapshot:
    return store_of(*samples).current()


@given(HOSTILE)
def test_any_text_becomes_a_label_value_that_every_parser_reads_back(value: str) -> None:
    samples = Samples()
    samples[HOST_CPU].add(format_labels(HOST_CPU.labels, ("demo", value, "bot")), 1)
    for fmt in Format:
        text = body(snapshot_of(samples), fmt)
        assert text.encode("utf-8").decode("utf-8") == text
        ((name, read),) = parse(text, fmt)
        assert name == HOST_CPU.name
        readable = dict(read)["monitor_id"]
        assert len(readable) == min(len(value), 512)
        readable = readable if len(value) <= 512 else readable[:-17]
        same = [was for was, shown in zip(value, readable, strict=False) if was == shown]
        assert len(same) + readable.count("\N{REPLACEMENT CHARACTER}") >= len(readable)


@given(st.text(max_size=3), st.text(max_size=3), st.sampled_from((0, 494, 495, 496, 511, 512, 600, 5000)))
def test_texts_that_differ_only_behind_the_limit_are_other_values(one: str, other: str, alike: int) -> None:
    first, second = ("x" * alike + end for end in (one, other))
    if len(first) > 512 or len(second) > 512:
        assert (escape_label_value(first) == escape_label_value(second)) == (first == second)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=512))
def test_printable_text_is_kept_as_it_is(value: str) -> None:
    samples = Samples()
    samples[HOST_CPU].add(format_labels(HOST_CPU.labels, ("demo", value, "bot")), 1)
    for fmt in Format:
        assert parse(body(snapshot_of(samples), fmt), fmt) == {
            (HOST_CPU.name, labels(organization="demo", monitor_id=value, hostname="bot")): 1.0
        }


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ('say "hi"', r"say \"hi\""),
        ("C:\\dir", r"C:\\dir"),
        ("two\nlines", r"two\nlines"),
        ("nul\x00 and \x1b[31m", "nul\ufffd and \ufffd[31m"),
        ("carriage\rreturn", "carriage\ufffdreturn"),
        ("line\u2028separator", "line\ufffdseparator"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("tab\tstays", "tab\tstays"),
        ("ñ 🙂", "ñ 🙂"),
        ("x" * 512, "x" * 512),
        ("x" * 10_000, "x" * 495 + "~a1fa80be9546da4b"),
        ("\n" * 600, r"\n" * 495 + "~6c5ec5844ed61a4a"),
    ],
)
def test_escaping(value: str, escaped: str) -> None:
    assert escape_label_value(value) == escaped


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_every_finite_value_is_read_back_exactly(value: float) -> None:
    samples = Samples()
    samples[HOST_CPU].add(format_labels(HOST_CPU.labels, ("demo", "1", "bot")), value)
    for fmt in Format:
        assert list(parse(body(snapshot_of(samples), fmt), fmt).values()) == [value]


def test_headers_differ_by_format_where_the_formats_do() -> None:
    help_text = MONITOR_RECOVERIES.help
    assert header(MONITOR_RECOVERIES, Format.TEXT_0_0_4).text.decode() == (
        f"# HELP theeye_monitor_recoveries_total {help_text}\n# TYPE theeye_monitor_recoveries_total counter\n"
    )
    assert header(MONITOR_RECOVERIES, Format.OPENMETRICS_1_0_0).text.decode() == (
        f"# HELP theeye_monitor_recoveries {help_text}\n# TYPE theeye_monitor_recoveries counter\n"
    )
    assert "# TYPE theeye_monitor_info gauge\n" in header(MONITOR_INFO, Format.TEXT_1_0_0).text.decode()
    assert "# TYPE theeye_monitor info\n" in header(MONITOR_INFO, Format.OPENMETRICS_1_0_0).text.decode()
    assert "# UNIT theeye_host_cpu_usage_ratio ratio\n" in header(HOST_CPU, Format.OPENMETRICS_1_0_0).text.decode()


def test_the_catalogue_keeps_the_rules_of_its_formats() -> None:
    names = [family.name for family in EVERY]
    assert len(names) == len(set(names))
    assert len({family.openmetrics_name for family in EVERY}) == len(EVERY)
    for family in EVERY:
        assert family.name.startswith("theeye_")
        assert (family.labels[:1] == ("organization",)) == (family not in PROCESS_FAMILIES)
        assert (family.type is MetricType.COUNTER) == family.name.endswith("_total")
        assert (family.type is MetricType.INFO) == family.name.endswith("_info")
        assert family.openmetrics_name.endswith(family.unit)
        assert '"' not in family.help
        assert "\n" not in family.help
        assert family.help.rstrip().endswith((".", "others"))


@pytest.mark.parametrize("fmt", [Format.TEXT_0_0_4, Format.TEXT_1_0_0], ids=["0.0.4", "1.0.0"])
def test_promtool_finds_nothing_in_the_whole_catalogue(fmt: Format) -> None:
    samples = Samples()
    for family in EVERY:
        names = family.labels[:-1] if family.states else family.labels
        samples[family].add(format_labels(names, [f'"{label}"\n' for label in names]), 1)
    check_metrics(body(snapshot_of(samples), fmt).encode())


def test_a_family_over_the_limit_is_cut_and_counted() -> None:
    samples = Samples()
    for n in range(10):
        samples[HOST_CPU].add(f'n="{n}"', n)
    segment = render(samples, limit=4)[HOST_CPU]
    assert segment.text().decode().splitlines()[-1] == 'theeye_host_cpu_usage_ratio{n="3"} 3'
    assert (segment.series, segment.cut) == (4, 6)


def test_samples_of_one_family_from_several_owners_stand_together() -> None:
    one, two = Samples(), Samples()
    for samples, organization in ((one, "a"), (two, "b")):
        samples[MONITOR_RECOVERIES].add(format_labels(("organization",), (organization,)), 1)
        samples[HOST_CPU].add(format_labels(("organization",), (organization,)), 0.5)
    text = body(snapshot_of(one, two), Format.OPENMETRICS_1_0_0)
    assert len(parse(text)) == 4
    assert text.count("# TYPE theeye_host_cpu_usage_ratio") == 1


ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=6)


@given(st.lists(st.tuples(ROWS, ROWS, ROWS), max_size=5), st.integers(1, 8), st.integers(0, 12))
def test_what_is_kept_from_poll_to_poll_is_what_would_be_rendered_anew(
    polls: list[tuple[list[tuple[str, int]], ...]], chunk: int, limit: int
) -> None:
    """Few labels and values, in short chunks, so that polls are alike in part."""
    renderer = Renderer(limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("theeye_exporter.exposition.render._CHUNK", chunk)
        patch.setattr("theeye_exporter.exposition.render._STATES_CHUNK", chunk)
        for values, states, counts in polls:
            samples = Samples()
            for label, value in values:
                samples[HOST_CPU].add(f'l="{label}"', value)
            for label, state in states:
                samples[MONITOR_STATE].add(f'l="{label}"', state)
            for label, count in counts:
                histogram = HistogramValue((1.0,), (count, 1), 0.5, {0: "{} 0.5 1.0"} if count else {})
                samples.histograms[JOB_DURATION].add(f'l="{label}"', histogram)
            kept, anew = renderer.render(samples), render(samples, limit)
            assert kept.keys() == anew.keys()
            for family, segment in kept.items():
                assert (segment.series, segment.cut) == (anew[family].series, anew[family].cut)
                for fmt in Format:
                    assert segment.text(fmt) == anew[family].text(fmt)
                    assert segment.series == segment.text(fmt).count(b"\n")
                for piece in segment.pieces:
                    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(piece.deflated) == piece.text
                    assert zlib.crc32(piece.text) == piece.crc32


@given(st.binary(max_size=200), st.sampled_from((1, 100, 1000)))
def test_a_small_text_is_kept_and_a_large_one_only_compressed(text: bytes, times: int) -> None:
    text *= times
    piece = Piece.of(text)
    assert piece.text == text
    assert piece.length == len(text)
    assert (piece.kept is None) == (len(text) >= 4096)


def test_a_poll_that_changes_nothing_renders_nothing() -> None:
    renderer, polls = Renderer(10**6), [Samples(), Samples()]
    for samples in polls:
        for number in range(3000):
            samples[HOST_CPU].add(f'n="{number}"', number / 7)
    first, second = (renderer.render(samples)[HOST_CPU] for samples in polls)
    assert len(first.pieces) > 1
    assert all(one is other for one, other in zip(first.pieces, second.pieces, strict=True))


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_deflated_pieces_join_to_what_they_were(pieces: list[bytes]) -> None:
    decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    assert decompressor.decompress(b"".join(map(deflate, pieces))) == b"".join(pieces)
    assert not decompressor.eof


@given(st.lists(st.integers(0, 50), max_size=20), st.binary(max_size=500))
def test_a_compressed_snapshot_is_one_gzip_member_of_the_same_bytes(values: list[int], tail: bytes) -> None:
    samples = Samples()
    for position, value in enumerate(values):
        samples[HOST_CPU].add(f'n="{position}"', value)
    snapshot = snapshot_of(samples)
    for fmt in Format:
        encoded = snapshot.encoded(fmt)
        compressed = b"".join(encoded.data) + gzip_end(encoded, tail)
        expected = b"".join(snapshot.identity(fmt)) + tail
        assert gzip.decompress(compressed) == expected
        single = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        assert single.decompress(compressed) == expected
        assert single.eof
        assert not single.unused_data


def test_the_label_cache_follows_the_fleet() -> None:
    cache = LabelCache(("a", "b"))
    first = cache.get("1", 'x"y')
    assert first == r'a="1",b="x\"y"'
    cache.prune()
    assert cache.get("1", 'x"y') is first
    cache.prune()
    cache.prune()
    assert cache.get("1", 'x"y') is not first


def test_lines_of_samples() -> None:
    samples = Samples()
    samples[HOST_CPU].add('organization="demo"', 0.03)
    assert lines(samples) == ['theeye_host_cpu_usage_ratio{organization="demo"} 0.03']
