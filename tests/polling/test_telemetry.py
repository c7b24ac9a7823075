"""The metrics of the process, which end each exposition."""

import pytest
from prometheus_client import CollectorRegistry, Gauge

from samples import labels, parse
from theeye_exporter.exposition.render import Format, Segment
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.polling.families import PROCESS_FAMILIES
from theeye_exporter.polling.telemetry import PUBLISHED, Telemetry


class WebFile:
    """A web configuration file that is as it should be."""

    successful = True
    last_success = 1.5


@pytest.fixture
def telemetry() -> Telemetry:
    """Return what has something to show of every family."""
    store = SnapshotStore(PUBLISHED, lambda: 0.0)
    store.publish(Publisher("demo", "jobs"), {PUBLISHED[0]: Segment((), series=3, cut=2)}, 50)
    telemetry = Telemetry(store)
    telemetry.web_file = WebFile()
    telemetry.loaded(shards=1, at=1000.0)
    telemetry.requested("/{customer}/job", 0.2)
    return telemetry


@pytest.mark.parametrize("fmt", Format)
def test_every_name_can_be_asked_for(telemetry: Telemetry, fmt: Format) -> None:
    assert {family.name for family in PROCESS_FAMILIES} < telemetry.names
    for name in telemetry.names:
        text = telemetry.exposition(fmt, name.__eq__).decode()
        assert text.count("# TYPE") == 1
        assert {sample.removesuffix("_bucket") for sample, _ in parse(text, fmt)} - {
            f"{name}_sum",
            f"{name}_count",
        } == {name}


@pytest.mark.parametrize("fmt", Format)
def test_who_asks_for_none_gets_none(telemetry: Telemetry, fmt: Format) -> None:
    end = b"# EOF\n" if fmt is Format.OPENMETRICS_1_0_0 else b""
    assert telemetry.exposition(fmt, "theeye_monitor_state".__eq__) == end


@pytest.mark.parametrize("fmt", Format)
def test_what_happened_is_seen_at_once(telemetry: Telemetry, fmt: Format) -> None:
    def shown(name: str, **of: str) -> float | None:
        return parse(telemetry.exposition(fmt).decode(), fmt).get((f"theeye_{name}", labels(**of)))

    telemetry.loaded(shards=3, at=1000.5)
    assert shown("exporter_shards") == 3
    assert shown("exporter_config_last_reload_successful") == 1
    telemetry.refused()
    assert shown("exporter_config_last_reload_successful") == 0
    assert shown("exporter_config_last_reload_success_timestamp_seconds") == 1000.5
    telemetry.loaded(shards=3, at=2000.5, file_problems=2)
    assert shown("exporter_config_last_reload_successful") == 0
    assert shown("exporter_config_last_reload_success_timestamp_seconds") == 1000.5
    assert shown("exporter_snapshot_series") == 3
    assert shown("exporter_cut_series", family=PUBLISHED[0].name) == 2

    telemetry.rendered(0.25)
    telemetry.rendered(0.5)
    assert shown("exporter_render_seconds_total") == 0.75
    telemetry.requested("/{customer}/job", 0.25)
    telemetry.requested("/{customer}/job", 60)
    duration = {"endpoint": "/{customer}/job"}
    counts = [shown("api_request_duration_seconds_bucket", le=le, **duration) for le in ("0.1", "0.25", "30.0", "+Inf")]
    assert counts == [0, 2, 2, 3]
    assert shown("api_request_duration_seconds_sum", **duration) == 60.45


@pytest.mark.parametrize("fmt", Format)
def test_metrics_of_the_process_are_read_once_a_second(fmt: Format) -> None:
    now = [5.0]
    telemetry = Telemetry(SnapshotStore(PUBLISHED, lambda: 0.0), lambda: now[0])
    read = iter(range(1, 10))
    telemetry.registry = CollectorRegistry()
    Gauge("reads", "How often it was read.", registry=telemetry.registry).set_function(lambda: next(read))

    def shown() -> float:
        return parse(telemetry.exposition(fmt).decode(), fmt)["reads", labels()]

    assert [shown(), shown()] == [1, 1]
    now[0] += 0.9
    assert shown() == 1
    now[0] += 0.2
    assert [shown(), shown()] == [2, 2]
