"""Parts of the metrics by `collect[]`, `exclude[]` and `name[]`."""

from collections.abc import Iterable

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as parse_text

from samples import render
from theeye_exporter.collectors.jobs.families import JOB_DURATION
from theeye_exporter.collectors.monitors.families import HOST_CPU, MONITOR_STATE
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.tasks import TASK_INFO
from theeye_exporter.exposition.samples import HistogramValue, Samples
from theeye_exporter.exposition.snapshot import Publisher
from web.exporters import Exporter, Serve

STATE, CPU, TASK = MONITOR_STATE.name, HOST_CPU.name, TASK_INFO.name
DURATION = {f"{JOB_DURATION.name}_{ending}" for ending in ("bucket", "sum", "count")}
EVERY = ["monitors", "tasks", "jobs"]
NAMES = ", ".join(kind.name for kind in COLLECTORS)


@pytest.fixture
def url(serve: Serve) -> str:
    exporter = Exporter()
    exporter.telemetry.loaded(shards=1, at=exporter.now)
    for organization in ("a", "b"):
        samples = {collector: Samples() for collector in EVERY}
        samples["monitors"][MONITOR_STATE].add(f'organization="{organization}"', 0)
        samples["monitors"][HOST_CPU].add(f'organization="{organization}"', 0.5)
        samples["tasks"][TASK_INFO].add(f'organization="{organization}"', 1)
        samples["jobs"].histograms[JOB_DURATION].add(
            f'organization="{organization}"', HistogramValue((1.0,), (1, 0), 0.5, {})
        )
        exporter.register(organization, "monitors")
        for collector, found in samples.items():
            exporter.store.publish(Publisher(organization, collector), render(found), exporter.now + 150)
    return serve(exporter.app)


def names(http: requests.Session, url: str, query: str, encoding: str = "gzip") -> set[str]:
    answer = http.get(f"{url}/metrics?{query}", headers={"Accept-Encoding": encoding}, timeout=10)
    assert answer.status_code == 200
    families = list(parse_text(answer.text))
    for family in families:
        if family.name in {STATE, CPU, TASK}:
            assert {sample.labels["organization"] for sample in family.samples} == {"a", "b"}
    return {sample.name for family in families for sample in family.samples}


def of_exporter(found: Iterable[str]) -> bool:
    own = {"theeye_collector_failures_total", "theeye_exporter_snapshot_series", "process_cpu_seconds_total"}
    assert not own & set(found) or own <= set(found)
    return own <= set(found)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("collect[]=monitors", {STATE, CPU}),
        ("collect[]=monitors&collect[]=tasks", {STATE, CPU, TASK}),
        ("collect%5B%5D=jobs", DURATION),
        ("collect[]=workflows", set()),
        (f"name[]={CPU}", {CPU}),
        (f"name[]={CPU}&name[]={TASK}&collect[]=tasks", {TASK}),
        (f"name[]={JOB_DURATION.name}_bucket", DURATION),
        (f"name[]={JOB_DURATION.name}", DURATION),
        (f"exclude[]=monitors&name[]={CPU}", set()),
        ("name[]=process_open_fds", {"process_open_fds"}),
        ("name[]=theeye_collector_failures_total", {"theeye_collector_failures_total"}),
        ("name[]=theeye_collector_failures_total&exclude[]=exporter", set()),
        ("name[]=theeye_exporter_shards", {"theeye_exporter_shards"}),
        ("exclude[]=exporter", {STATE, CPU, TASK, *DURATION}),
    ],
)
def test_a_part(http: requests.Session, url: str, query: str, expected: set[str], encoding: str) -> None:
    assert names(http, url, query, encoding) == expected


def test_without_and_with_the_exporters_own(http: requests.Session, url: str) -> None:
    everything = names(http, url, "")
    assert of_exporter(everything)
    without = names(http, url, "exclude[]=exporter")
    assert not of_exporter(without)
    own = names(http, url, "collect[]=exporter")
    assert of_exporter(own)
    assert own | without == everything
    assert not own & without


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "collect[]=monitor",
            f"collect[]: no collector is called 'monitor'; the collectors are {NAMES}, exporter",
        ),
        ("exclude[]=", f"exclude[]: no collector is called ''; the collectors are {NAMES}, exporter"),
        ("collect[]=jobs&exclude[]=tasks", "use either collect[] or exclude[], not both"),
        (
            "name[]=theeye_monitor_stat",
            "name[]: no metric is called 'theeye_monitor_stat'; did you mean theeye_monitor_state,",
        ),
        ("name[]=x%0Ay%1B", "name[]: no metric is called 'x\ufffdy\ufffd'; the metrics are "),
        ("name[]=" + "y" * 5000, "name[]: no metric is called 'yyy"),
    ],
)
def test_an_unknown_name_is_rejected_with_the_valid_names(
    http: requests.Session, url: str, query: str, said: str
) -> None:
    answer = http.get(f"{url}/metrics?{query}", timeout=10)
    assert answer.status_code == 400
    answer.encoding = "utf-8"
    assert answer.text.startswith(said)
    assert answer.text.endswith("\n")
    assert answer.text.count("\n") == 1
    if query.startswith("name"):
        assert "theeye_job_runs_total" in answer.text
        assert "theeye_collector_failures_total" in answer.text
        assert "process_open_fds" in answer.text
