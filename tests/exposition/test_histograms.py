"""Tests rendered histograms with the client library and promtool."""

import math
from itertools import pairwise

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from samples import body, labels, parse, render
from theeye_exporter.collectors.jobs.families import JOB_DURATION, JOB_TURNAROUND
from theeye_exporter.collectors.jobs.run_samples import add_counters
from theeye_exporter.collectors.registry import CATALOGUE
from theeye_exporter.exposition.family import MetricType
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.render import Format, Segment
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.exposition.snapshot import Publisher, Snapshot, SnapshotStore
from theeye_exporter.ledger.records import Bounds, Histogram, RunKey, RunKind, RunTotals
from theeye_exporter.theeye.lifecycle import Outcome
from tools import check_metrics

TEXT_FORMATS = [Format.TEXT_0_0_4, Format.TEXT_1_0_0]
OWNER = RunKey(RunKind.TASK, "t1")
VALUES = ("demo", "t1", 'say "hi"\\\n', "bot-1")
LABELS = labels(organization="demo", task_id="t1", task='say "hi"\\\n', hostname="bot-1")
BOUNDS = (0.5, 1.0, 2.5)

seconds = st.floats(0, 1e9) | st.sampled_from(BOUNDS)
bounds = st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=8, unique=True).map(lambda found: tuple(sorted(found)))
# The client library's parser loses its way where an exemplar has one of these, escaped or not.
job_ids = st.text(st.characters(codec=None, categories=None, exclude_characters='"\\}'), max_size=200)


def observed(*values: float, upper: tuple[float, ...] = BOUNDS) -> Histogram:
    """Return a histogram of values that the jobs `job-0`, `job-1` and so on took, each a second after the other."""
    histogram = Histogram.empty(upper)
    for number, value in enumerate(values):
        histogram.observe(value, f"job-{number}", 1000.5 + number)
    return histogram


def samples_of(histogram: Histogram) -> Samples:
    """Return the samples of a task whose run times these are."""
    samples = Samples()
    account = RunTotals({Outcome.SUCCESS: 1}, duration=histogram)
    add_counters(
        samples, OWNER, format_labels(JOB_DURATION.labels, VALUES), account, Bounds(histogram.bounds, None, None)
    )
    return samples


def snapshot_of(samples: Samples) -> Snapshot:
    store = SnapshotStore(CATALOGUE, lambda: 0.0)
    store.publish(Publisher("demo", "jobs"), render(samples), math.inf)
    return store.current()


def family_of(text: str, fmt: Format) -> Metric:
    """Return the histogram of run times as the client library reads it."""
    parser = parse_openmetrics if fmt is Format.OPENMETRICS_1_0_0 else parse_text
    (family,) = [family for family in parser(text) if family.name == JOB_DURATION.name]
    return family


def test_an_exposition_in_full() -> None:
    samples = samples_of(observed(0.25, 0.5, 2.0, 99.0))
    del samples[next(iter(samples))]
    rendered = format_labels(JOB_DURATION.labels, VALUES)
    lines = [
        (f'_bucket{{{rendered},le="0.5"}} 2', ' # {job_id="job-1"} 0.5 1001.5'),
        (f'_bucket{{{rendered},le="1.0"}} 2', ""),
        (f'_bucket{{{rendered},le="2.5"}} 3', ' # {job_id="job-2"} 2.0 1002.5'),
        (f'_bucket{{{rendered},le="+Inf"}} 4', ' # {job_id="job-3"} 99.0 1003.5'),
        (f"_sum{{{rendered}}} 101.75", ""),
        (f"_count{{{rendered}}} 4", ""),
    ]
    for fmt in Format:
        with_exemplars = fmt is Format.OPENMETRICS_1_0_0
        found = [
            line for line in body(snapshot_of(samples), fmt).splitlines() if line.startswith(f"{JOB_DURATION.name}_")
        ]
        assert found == [f"{JOB_DURATION.name}{line}{exemplar if with_exemplars else ''}" for line, exemplar in lines]


@pytest.mark.parametrize("fmt", Format)
def test_a_histogram_without_observations_is_there(fmt: Format) -> None:
    found = parse(body(snapshot_of(samples_of(observed())), fmt), fmt)
    name = JOB_DURATION.name
    assert {key: value for key, value in found.items() if key[0].startswith(name)} == {
        (f"{name}_sum", LABELS): 0,
        (f"{name}_count", LABELS): 0,
        **{(f"{name}_bucket", LABELS | {("le", bound)}): 0 for bound in ("0.5", "1.0", "2.5", "+Inf")},
    }


@pytest.mark.parametrize("fmt", Format)
@given(values=st.lists(seconds, max_size=40), upper=bounds)
def test_every_histogram_is_the_one_that_the_client_library_would_keep(
    fmt: Format, values: list[float], upper: tuple[float, ...]
) -> None:
    registry = prometheus_client.CollectorRegistry()
    names = JOB_DURATION.labels
    oracle = prometheus_client.Histogram(JOB_DURATION.name, "help", names, buckets=upper, registry=registry)
    kept = oracle.labels(*VALUES)
    for value in values:
        kept.observe(value)
    expected = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    found = parse(body(snapshot_of(samples_of(observed(*values, upper=upper))), fmt), fmt)
    assert {key: value for key, value in found.items() if key[0].startswith(JOB_DURATION.name)} == expected


@given(values=st.lists(seconds, min_size=1, max_size=40), upper=bounds)
def test_buckets_cumulate_and_exemplars_lie_within_them(values: list[float], upper: tuple[float, ...]) -> None:
    family = family_of(
        body(snapshot_of(samples_of(observed(*values, upper=upper))), Format.OPENMETRICS_1_0_0),
        Format.OPENMETRICS_1_0_0,
    )
    buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
    (count,) = [sample.value for sample in family.samples if sample.name.endswith("_count")]
    assert [float(sample.labels["le"]) for sample in buckets] == [*upper, math.inf]
    assert all(lower.value <= higher.value for lower, higher in pairwise(buckets))
    assert buckets[-1].value == count == len(values)
    below = -math.inf
    for number, sample in enumerate(buckets):
        here = sample.value - (buckets[number - 1].value if number else 0)
        assert (sample.exemplar is not None) == (here > 0)
        if sample.exemplar is not None:
            assert below < sample.exemplar.value <= float(sample.labels["le"])
            job = int(sample.exemplar.labels["job_id"].removeprefix("job-"))
            assert sample.exemplar.value == values[job]
            assert float(sample.exemplar.timestamp or 0) == 1000.5 + job
        below = float(sample.labels["le"])


@given(job_id=job_ids)
def test_any_id_is_a_valid_exemplar_or_none(job_id: str) -> None:
    histogram = Histogram.empty(BOUNDS)
    histogram.observe(0.75, job_id, 1000.5)
    snapshot = snapshot_of(samples_of(histogram))
    family = family_of(body(snapshot, Format.OPENMETRICS_1_0_0), Format.OPENMETRICS_1_0_0)
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar is not None]
    assert len(exemplars) == (len(job_id) + len("job_id") <= 128)
    for exemplar in exemplars:
        assert len(exemplar.labels["job_id"]) == len(job_id)
    for fmt in TEXT_FORMATS:
        assert " # " not in body(snapshot, fmt)
        family_of(body(snapshot, fmt), fmt)


def test_ids_are_escaped_in_exemplars() -> None:
    histogram = Histogram.empty(BOUNDS)
    histogram.observe(0.75, 'a"}\\\n', 1000.5)
    text = body(snapshot_of(samples_of(histogram)), Format.OPENMETRICS_1_0_0)
    assert [line.partition(" # ")[2] for line in text.splitlines() if " # " in line] == [
        r'{job_id="a\"}\\\n"} 0.75 1000.5'
    ]


@pytest.mark.parametrize("fmt", TEXT_FORMATS, ids=["0.0.4", "1.0.0"])
def test_promtool_finds_nothing_in_any_histogram_of_the_catalogue(fmt: Format) -> None:
    samples = Samples()
    for family in CATALOGUE:
        if family.type is MetricType.HISTOGRAM:
            for number in range(3):
                histogram = observed(*[0.75] * number, 1e-07, 1e21)
                value = HistogramValue(histogram.bounds, histogram.counts, histogram.sum, {0: "{} 1e-07 1000.5"})
                rendered = format_labels(family.labels, [f'"{label}{number}"\n' for label in family.labels])
                samples.histograms[family].add(rendered, value)
    assert len(samples.histograms) == 3
    check_metrics(body(snapshot_of(samples), fmt).encode())


def segment_of(*values: HistogramValue, limit: int = 10**6) -> Segment:
    samples = Samples()
    for number, value in enumerate(values):
        samples.histograms[JOB_TURNAROUND].add(f'n="{number}"', value)
    samples.histograms[JOB_TURNAROUND]  # without values too
    return render(samples, limit=limit)[JOB_TURNAROUND]


@pytest.mark.parametrize(("limit", "whole"), [(0, 0), (5, 0), (6, 1), (11, 1), (12, 2), (17, 2), (18, 3), (1000, 3)])
def test_the_limit_cuts_whole_histograms(limit: int, whole: int) -> None:
    segment = segment_of(*[HistogramValue(BOUNDS, [1, 0, 0, 2], 3.0, {})] * 3, limit=limit)
    assert (segment.series, segment.cut) == (whole * 6, (3 - whole) * 6)
    lines = segment.text().decode().splitlines()
    assert len(lines) == segment.series
    assert [line for line in lines if "_count{" in line] == [
        f'theeye_job_turnaround_seconds_count{{n="{number}"}} 3' for number in range(whole)
    ]


def test_the_limit_holds_with_exemplars_too() -> None:
    segment = segment_of(*[HistogramValue((1.0,), [1, 0], 0.5, {0: "{} 0.5 1.0"})] * 3, limit=9)
    assert segment.series == 8
    assert segment.text(Format.OPENMETRICS_1_0_0).count(b" # ") == 2
    assert segment.text(Format.OPENMETRICS_1_0_0).count(b"\n") == 8
    assert b" # " not in segment.text(Format.TEXT_0_0_4)


def test_without_exemplars_all_formats_share_the_same_bytes() -> None:
    segment = segment_of(HistogramValue(BOUNDS, [1, 0, 0, 2], 3.0, {}))
    (piece,) = segment.pieces
    assert all(list(segment.pieces_of(fmt)) == [piece] for fmt in Format)
    assert segment_of() == Segment((), 0)
