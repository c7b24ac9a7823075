"""Labels, values and lines, with the client library's parsers and promtool as judges."""

import gzip
import subprocess
import zlib
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import body, labels, lines, parse
from theeye_exporter.exposition.families import CATALOGUE, HOST_CPU, MONITOR_INFO, MONITOR_RECOVERIES
from theeye_exporter.exposition.family import MetricType
from theeye_exporter.exposition.render import (
    Format,
    LabelCache,
    Samples,
    deflate,
    escape_label_value,
    format_labels,
    render_header,
    render_segment,
)
from theeye_exporter.exposition.snapshot import Snapshot, SnapshotStore, gzip_member
from tools import require_tool

HOSTILE = st.text(st.characters(codec=None, categories=None), max_size=700)


def store_of(*samples: Samples) -> SnapshotStore:
    store = SnapshotStore(lambda: 0.0)
    for owner, published in enumerate(samples):
        store.publish(
            owner, {family: render_segment(family, rows, limit=10**6) for family, rows in published.items()}, inf
        )
    return store


def snapshot_of(*samples: Samples) -> Snapshot:
    return store_of(*samples).current()


@given(HOSTILE)
def test_any_text_becomes_a_label_value_that_every_parser_reads_back(value: str) -> None:
    samples = Samples()
    samples[HOST_CPU].append((format_labels(HOST_CPU.labels, ("demo", value, "bot")), 1))
    for fmt in Format:
        text = body(snapshot_of(samples), fmt)
        assert text.encode("utf-8").decode("utf-8") == text
        ((name, read),) = parse(text, fmt)
        assert name == HOST_CPU.name
        readable = dict(read)["monitor_id"]
        assert len(readable) == min(len(value), 512)
        same = [was for was, shown in zip(value, readable, strict=False) if was == shown]
        assert len(same) + readable.count("\N{REPLACEMENT CHARACTER}") >= len(readable)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=512))
def test_printable_text_is_kept_as_it_is(value: str) -> None:
    samples = Samples()
    samples[HOST_CPU].append((format_labels(HOST_CPU.labels, ("demo", value, "bot")), 1))
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
        ("x" * 10_000, "x" * 512),
        ("\n" * 600, r"\n" * 512),
    ],
)
def test_escaping(value: str, escaped: str) -> None:
    assert escape_label_value(value) == escaped


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_every_finite_value_is_read_back_exactly(value: float) -> None:
    samples = Samples()
    samples[HOST_CPU].append((format_labels(HOST_CPU.labels, ("demo", "1", "bot")), value))
    for fmt in Format:
        assert list(parse(body(snapshot_of(samples), fmt), fmt).values()) == [value]


def test_headers_differ_by_format_where_the_formats_do() -> None:
    help_text = MONITOR_RECOVERIES.help
    assert render_header(MONITOR_RECOVERIES, Format.TEXT_0_0_4).decode() == (
        f"# HELP theeye_monitor_recoveries_total {help_text}\n# TYPE theeye_monitor_recoveries_total counter\n"
    )
    assert render_header(MONITOR_RECOVERIES, Format.OPENMETRICS_1_0_0).decode() == (
        f"# HELP theeye_monitor_recoveries {help_text}\n# TYPE theeye_monitor_recoveries counter\n"
    )
    assert "# TYPE theeye_monitor_info gauge\n" in render_header(MONITOR_INFO, Format.TEXT_1_0_0).decode()
    assert "# TYPE theeye_monitor info\n" in render_header(MONITOR_INFO, Format.OPENMETRICS_1_0_0).decode()
    assert "# UNIT theeye_host_cpu_usage_ratio ratio\n" in render_header(HOST_CPU, Format.OPENMETRICS_1_0_0).decode()


def test_the_catalogue_keeps_the_rules_of_its_formats() -> None:
    names = [family.name for family in CATALOGUE]
    assert len(names) == len(set(names))
    assert len({family.openmetrics_name for family in CATALOGUE}) == len(CATALOGUE)
    for family in CATALOGUE:
        assert family.name.startswith("theeye_")
        assert family.labels[0] == "organization"
        assert (family.type is MetricType.COUNTER) == family.name.endswith("_total")
        assert (family.type is MetricType.INFO) == family.name.endswith("_info")
        assert family.openmetrics_name.endswith(family.unit)
        assert '"' not in family.help
        assert "\n" not in family.help
        assert family.help.rstrip().endswith((".", "others"))


@pytest.mark.parametrize("fmt", [Format.TEXT_0_0_4, Format.TEXT_1_0_0], ids=["0.0.4", "1.0.0"])
def test_promtool_finds_nothing_in_the_whole_catalogue(fmt: Format) -> None:
    samples = Samples()
    for family in CATALOGUE:
        samples[family].append((format_labels(family.labels, [f'"{label}"\n' for label in family.labels]), 1))
    ran = subprocess.run(
        [require_tool("promtool"), "check", "metrics"],
        input=body(snapshot_of(samples), fmt).encode(),
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_a_family_over_the_limit_is_cut_and_counted() -> None:
    segment = render_segment(HOST_CPU, [(f'n="{n}"', n) for n in range(10)], limit=4)
    assert segment.text.decode().splitlines()[-1] == 'theeye_host_cpu_usage_ratio{n="3"} 3'
    assert (segment.series, segment.cut) == (4, 6)


def test_samples_of_one_family_from_several_owners_stand_together() -> None:
    one, two = Samples(), Samples()
    for samples, organization in ((one, "a"), (two, "b")):
        samples[MONITOR_RECOVERIES].append((format_labels(("organization",), (organization,)), 1))
        samples[HOST_CPU].append((format_labels(("organization",), (organization,)), 0.5))
    text = body(snapshot_of(one, two), Format.OPENMETRICS_1_0_0)
    assert len(parse(text)) == 4
    assert text.count("# TYPE theeye_host_cpu_usage_ratio") == 1


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_deflated_pieces_join_to_what_they_were(pieces: list[bytes]) -> None:
    decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    assert decompressor.decompress(b"".join(map(deflate, pieces))) == b"".join(pieces)
    assert not decompressor.eof


@given(st.lists(st.integers(0, 50), max_size=20), st.binary(max_size=500))
def test_a_compressed_snapshot_is_one_gzip_member_of_the_same_bytes(values: list[int], tail: bytes) -> None:
    samples = Samples()
    samples[HOST_CPU] += [(f'n="{position}"', value) for position, value in enumerate(values)]
    snapshot = snapshot_of(samples)
    for fmt in Format:
        compressed = gzip_member(snapshot.deflated(fmt), tail)
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
    samples[HOST_CPU].append(('organization="demo"', 0.03))
    assert lines(samples) == ['theeye_host_cpu_usage_ratio{organization="demo"} 0.03']
