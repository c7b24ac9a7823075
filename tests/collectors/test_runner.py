"""Attempts: what is published, recorded and logged, and what failures leave standing."""

import io
from collections import Counter
from dataclasses import dataclass, field

import pytest

from samples import labels, own, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.failure_log import FailureLog
from theeye_exporter.collectors.runner import CollectorRunner, Sinks
from theeye_exporter.exposition.families import HOST_CPU
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.logs import configure_logging
from theeye_exporter.status import CollectorStatus, StatusBoard
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError


class FakeClient(TheEyeClient):
    """A client that nobody asks anything."""

    def __init__(self) -> None:
        self.organization = "demo"


@dataclass
class Scripted:
    """A collector that does what it is told."""

    outcomes: list[int | Exception] = field(default_factory=list)
    name: str = "monitors"

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        assert client.organization == "demo"
        assert now > 0
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        samples = Samples()
        for number in range(outcome):
            samples[HOST_CPU].add(f'n="{number}"', 0.5)
        return Collection(samples, outcome, Counter(malformed=1), Counter(null=2))


class Setup:
    """A runner and everything it reports to."""

    def __init__(self, *outcomes: int | Exception) -> None:
        self.now = 1000.0
        self.store = SnapshotStore(lambda: self.now)
        self.board = StatusBoard()
        self.telemetry = Telemetry(self.board, self.store)
        self.log = io.StringIO()
        configure_logging("info", "logfmt", stream=self.log)
        self.board.register(
            "http://theeye", [CollectorStatus(organization="demo", collector="monitors", interval=10, max_age=50)]
        )
        self.collector = Scripted(list(outcomes))
        self.runner = CollectorRunner(
            self.collector,
            FakeClient(),
            max_age=50,
            max_series=3,
            sinks=Sinks(self.store, self.board, self.telemetry),
            failures=FailureLog("demo"),
            clocks=Clocks(wall=lambda: self.now, monotonic=lambda: self.now),
        )

    def run(self, *, after: float = 10) -> None:
        self.now += after
        self.runner.run()

    @property
    def status(self) -> CollectorStatus:
        return self.board.organizations[0].collectors[0]

    def series(self) -> int:
        return len(shown(self.store.current()))

    def own(self, name: str, **of: str) -> float | None:
        return own(self.telemetry).get((name, labels(**of)))


PER_COLLECTOR = {"organization": "demo", "collector": "monitors"}


def test_a_success_is_published_and_recorded() -> None:
    setup = Setup(2)
    assert setup.own("theeye_collector_success", **PER_COLLECTOR) is None
    assert setup.own("theeye_up", organization="demo") is None
    setup.run()
    assert setup.series() == 2
    assert setup.status.success
    assert (setup.status.objects, setup.status.skipped, setup.status.last_success) == (2, 1, 1010.0)
    assert setup.own("theeye_up", organization="demo") == 1
    assert setup.own("theeye_collector_objects", **PER_COLLECTOR) == 2
    assert setup.own("theeye_collector_last_success_timestamp_seconds", **PER_COLLECTOR) == 1010
    assert setup.own("theeye_collector_skipped_objects_total", reason="malformed", **PER_COLLECTOR) == 1
    assert setup.own("theeye_collector_dropped_values_total", reason="null", **PER_COLLECTOR) == 2
    assert setup.own("theeye_exporter_snapshot_series") == 2
    assert setup.own("theeye_exporter_render_duration_seconds_count", **PER_COLLECTOR) == 1


def test_failures_keep_the_last_good_data_until_max_age_and_recovery_needs_no_restart() -> None:
    down = UpstreamError(Reason.SERVER_ERROR, "TheEye answered 503")
    setup = Setup(2, *[down] * 6, 1)
    setup.run()
    for _ in range(4):
        setup.run()
        assert setup.series() == 2
        assert not setup.status.success
    setup.run()
    assert setup.series() == 0
    setup.run()
    assert setup.status.failures == 6
    assert setup.status.error == "TheEye answered 503; TheEye has a fault of its own; its log says more"
    assert setup.own("theeye_up", organization="demo") == 0
    assert setup.own("theeye_collector_success", **PER_COLLECTOR) == 0
    assert setup.own("theeye_collector_failures_total", reason="server_error", **PER_COLLECTOR) == 6
    setup.run()
    assert setup.series() == 1
    assert [setup.status.success, setup.status.failures, setup.status.error] == [True, 0, None]
    assert setup.own("theeye_up", organization="demo") == 1


def test_every_reason_counts_from_zero() -> None:
    setup = Setup()
    for reason in Reason:
        assert setup.own("theeye_collector_failures_total", reason=reason, **PER_COLLECTOR) == 0


def test_an_outage_is_one_line_and_its_end_another() -> None:
    down = UpstreamError(Reason.UNREACHABLE, "connection refused")
    setup = Setup(1, *[down] * 5, UpstreamError(Reason.UNAUTHORIZED, "TheEye answered 401"), 1)
    for _ in range(8):
        setup.run()
    logged = [line.partition(" ")[2] for line in setup.log.getvalue().splitlines()]
    assert len(logged) == 3
    assert 'level=warning msg="collecting fails"' in logged[0]
    assert 'reason=unreachable detail="connection refused"' in logged[0]
    assert "organization=demo collector=monitors" in logged[0]
    assert "reason=unauthorized" in logged[1]
    assert 'msg="collecting works again"' in logged[2]


def test_a_bug_fails_the_attempt_only_and_its_message_is_not_logged() -> None:
    setup = Setup(2, ValueError("the body said s3cret"), 1)
    setup.run()
    setup.run()
    assert setup.status.reason is Reason.INTERNAL
    assert setup.series() == 2
    logged = setup.log.getvalue()
    assert "exception=ValueError" in logged
    assert "test_runner.py:" in logged
    assert "s3cret" not in logged
    assert "Traceback" not in logged
    setup.run()
    assert setup.series() == 1


def test_theeye_is_left_alone_for_as_long_as_it_asks() -> None:
    setup = Setup(UpstreamError(Reason.RATE_LIMITED, "TheEye answered 429", retry_after=25), 1)
    setup.run()
    setup.run()
    setup.run()
    assert len(setup.collector.outcomes) == 1
    setup.run()
    assert setup.status.success


def test_a_family_over_the_limit_is_cut_where_one_can_see_it() -> None:
    setup = Setup(5)
    setup.run()
    assert setup.series() == 3
    assert setup.own("theeye_exporter_cut_series", family="theeye_host_cpu_usage_ratio") == 2


@pytest.mark.parametrize("first", [0, 1])
def test_finding_nothing_at_first_is_warned_of(first: int) -> None:
    setup = Setup(first, 0)
    setup.run()
    setup.run()
    assert setup.log.getvalue().count("found nothing") == 1 - first
