"""Tests attempts: what is published, recorded and logged, and what remains after failures."""

import io
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from samples import labels, own, shown
from theeye_exporter import NO_DATA
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import Collection, CollectorKind
from theeye_exporter.collectors.monitors import KIND
from theeye_exporter.collectors.monitors.families import HOST_CPU
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.observability.digest import Digest
from theeye_exporter.observability.failure_log import FailureLog
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.own_segment import OwnSegment
from theeye_exporter.polling.runner import CollectorRunner, Sinks
from theeye_exporter.polling.state import CollectorState
from theeye_exporter.polling.status import CollectorStatus, StatusBoard
from theeye_exporter.polling.telemetry import PUBLISHED, Telemetry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import UNBOUNDED

BELIEVED: Final = replace(KIND, may_hide_errors_as_empty=False)


class FakeClient(TheEyeClient):
    """A client that is never called."""

    responses = 0

    def __init__(self) -> None:
        self.organization = "demo"


class Rows(list[str]):
    """A list that shows whether it is still referenced."""


@dataclass
class Scripted:
    """A collector whose results the test sets."""

    outcomes: list[int | Exception] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    before_it_ends: Callable[[], None] = lambda: None
    skipped: int = 1
    unrepeated: float = 0.0
    rows: list["weakref.ref[Rows]"] = field(default_factory=list)

    def collect(self, client: TheEyeClient, now: float) -> Collection:
        assert client.organization == "demo"
        assert now > 0
        outcome = self.outcomes.pop(0)
        self.memory.append(len(self.outcomes))
        self.before_it_ends()
        if isinstance(outcome, Exception):
            raise outcome
        samples = Samples()
        for number in range(outcome):
            samples[HOST_CPU].add(f'n="{number}"', 0.5)
        names = {str(number): Entry(("host",)) for number in range(outcome)}
        samples[HOST_CPU].labels = labels = Rows(samples[HOST_CPU].labels)
        self.rows.append(weakref.ref(labels))
        return Collection(
            samples, outcome, Counter(malformed=self.skipped), Counter(null=2), names=names, unrepeated=self.unrepeated
        )


class Setup:
    """A runner and everything it reports to."""

    def __init__(self, *outcomes: int | Exception, kind: CollectorKind[Any] = BELIEVED) -> None:
        self.now = 1000.0
        self.store = SnapshotStore(PUBLISHED, lambda: self.now)
        self.board = StatusBoard()
        self.telemetry = Telemetry(self.store)
        self.log = io.StringIO()
        configure_logging("info", "logfmt", stream=self.log)
        self.board.register(
            "http://theeye", [CollectorStatus(organization="demo", collector="monitors", interval=10, max_age=50)]
        )
        self.own_segment = OwnSegment("demo", self.store, self.board)
        self.collector = Scripted(list(outcomes))
        self.state = CollectorState()
        self.state.names.expect(expected=True)
        self.runner = CollectorRunner(
            kind,
            self.make,
            FakeClient(),
            interval=10,
            max_age=50,
            max_series=3,
            room=UNBOUNDED,
            sinks=Sinks(self.store, self.board, self.telemetry),
            state=self.state,
            failures=FailureLog("demo", Digest()),
            clocks=Clocks(wall=lambda: self.now, monotonic=lambda: self.now),
            ended=lambda: self.own_segment.publish(None),
            memory=self.collector.memory,
        )

    def make(self) -> Scripted:
        self.collector = replace(self.collector)
        return self.collector

    def run(self, *, after: float = 10) -> None:
        self.now += after
        self.runner.run()

    @property
    def status(self) -> CollectorStatus:
        return self.board.organizations[0].collectors[0]

    def series(self) -> int:
        return len(shown(self.store.current()))

    def own(self, name: str, **of: str) -> float | None:
        return own(self.store, self.telemetry).get((name, labels(**of)))


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
    assert setup.own("theeye_collector_failures_total", **PER_COLLECTOR) == 0
    # Two of TheEye's and, as below, the exporter's own.
    assert setup.own("theeye_exporter_snapshot_series") == 2 + 11


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
    assert setup.status.error == "TheEye answered 503; TheEye has an internal error; check its log"
    assert setup.own("theeye_up", organization="demo") == 0
    assert setup.own("theeye_collector_success", **PER_COLLECTOR) == 0
    assert setup.own("theeye_collector_failures_total", **PER_COLLECTOR) == 6
    assert setup.own("theeye_collector_failures_by_reason_total", reason="server_error", **PER_COLLECTOR) == 6
    assert setup.own("theeye_collector_failing", reason="server_error", **PER_COLLECTOR) == 1
    setup.run()
    assert setup.own("theeye_collector_failing", reason="server_error", **PER_COLLECTOR) is None
    assert setup.own("theeye_collector_failures_by_reason_total", reason="server_error", **PER_COLLECTOR) == 6
    assert setup.series() == 1
    assert [setup.status.success, setup.status.failures, setup.status.error] == [True, 0, None]
    assert setup.own("theeye_up", organization="demo") == 1


@pytest.mark.parametrize(("took", "unrepeated", "interval"), [(1, 0, 10), (5, 0, 27.5), (30, 0, 165), (30, 29, 10)])
def test_data_of_a_slow_poll_is_served_as_many_intervals_as_any_other(
    took: float, unrepeated: float, interval: float
) -> None:
    down = UpstreamError(Reason.SERVER_ERROR, "TheEye answered 503")
    setup = Setup(2, down)

    def last() -> None:
        setup.now += took

    setup.collector.before_it_ends, setup.collector.unrepeated = last, unrepeated
    setup.run()
    assert setup.own("theeye_collector_interval_seconds", **PER_COLLECTOR) == interval
    setup.collector.before_it_ends = lambda: None
    setup.run(after=5 * interval - 1)
    assert setup.own("theeye_collector_interval_seconds", **PER_COLLECTOR) == 10
    assert setup.series() == 2, "a failure makes the data no older"
    assert setup.status.max_age == 5 * interval
    setup.now += 1
    assert setup.series() == 0


def test_one_reason_is_told_at_a_time_and_only_reasons_that_were_met_are_counted() -> None:
    down = UpstreamError(Reason.TIMEOUT, "slow"), UpstreamError(Reason.UNAUTHORIZED, "TheEye answered 401")
    setup = Setup(*down)

    def reasons(metric: str) -> set[str]:
        shown = own(setup.store, setup.telemetry)
        return {dict(key)["reason"] for name, key in shown if name == f"theeye_collector_{metric}"}

    for met in ({"timeout"}, {"timeout", "unauthorized"}):
        setup.run()
        assert reasons("failing") == {setup.status.reason}
        assert reasons("failures_by_reason_total") == met
    assert setup.own("theeye_collector_failures_total", **PER_COLLECTOR) == 2


def test_an_outage_is_one_line_and_its_end_another() -> None:
    down = UpstreamError(Reason.UNREACHABLE, "connection refused")
    setup = Setup(1, *[down] * 5, UpstreamError(Reason.UNAUTHORIZED, "TheEye answered 401"), 1)
    for _ in range(8):
        setup.run()
    logged = [line.partition(" ")[2] for line in setup.log.getvalue().splitlines()]
    assert len(logged) == 3
    assert 'level=warning msg="collection failed"' in logged[0]
    assert 'reason=unreachable detail="connection refused"' in logged[0]
    assert "organization=demo collector=monitors" in logged[0]
    assert "reason=unauthorized" in logged[1]
    assert 'msg="collection works again"' in logged[2]


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


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_what_the_system_refuses_is_a_failed_attempt_and_no_bug(error: Exception) -> None:
    setup = Setup(2, error, 1)
    setup.run()
    setup.run()
    assert setup.status.reason is Reason.OUT_OF_RESOURCES
    assert setup.series() == 2
    assert setup.own("theeye_collector_failures_by_reason_total", reason="out_of_resources", **PER_COLLECTOR) == 1
    assert setup.own("theeye_up", organization="demo") == 1
    assert "report" not in setup.log.getvalue()
    setup.run()
    assert setup.series() == 1


def test_without_resources_what_is_kept_for_nothing_that_is_served_is_given_back() -> None:
    setup = Setup(2, *[MemoryError()] * 5, 1)
    setup.run()
    first, rows = setup.collector, setup.collector.rows[0]
    for _ in range(4):
        setup.run()
        assert setup.collector is first
        assert rows() is not None
    setup.run()
    assert setup.series() == 0
    assert setup.collector is not first
    assert rows() is None
    setup.run()
    assert setup.series() == 1


def test_an_attempt_that_cannot_be_shown_is_recorded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(2, 2)

    def publish(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(setup.own_segment, "publish", publish)
        setup.run()
    assert (setup.series(), setup.status.success) == (2, True)
    assert setup.own("theeye_up", organization="demo") is None
    assert (
        'msg="internal error; the result of a poll may be missing in the metrics and on the status page" organization=demo'
        in setup.log.getvalue()
    )
    setup.run()
    assert setup.own("theeye_up", organization="demo") == 1


def test_no_request_is_sent_until_the_retry_after_has_passed() -> None:
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
def test_a_token_that_sees_nothing_is_warned_of_once_each_time_it_begins(first: int) -> None:
    setup = Setup(first, 0, 0, 2, 0)
    setup.collector.skipped = 0
    setup.run()
    assert setup.own("theeye_organization_visible_objects", organization="demo") == first
    for _ in range(4):
        setup.run()
    logged = [line for line in setup.log.getvalue().splitlines() if "level=warning" in line]
    assert len(logged) == 2
    assert 'msg="the token sees nothing" organization=demo advice="a token below level admin' in logged[0]
    assert f" see={NO_DATA} " in logged[0]
    assert setup.own("theeye_organization_visible_objects", organization="demo") == 0


def test_objects_that_are_not_understood_are_seen_all_the_same() -> None:
    setup = Setup(0)
    setup.run()
    assert setup.own("theeye_organization_visible_objects", organization="demo") == 1
    assert "level=warning" not in setup.log.getvalue()


# What is known from one attempt to the next


def test_an_empty_list_is_rejected_twice_and_then_accepted() -> None:
    setup = Setup(1, 0, 0, 0, 0, 1, 0, kind=KIND)
    setup.collector.skipped = 0
    reasons = []
    for _ in range(7):
        setup.run()
        reasons.append(setup.status.reason)
    doubted = Reason.EMPTY_LIST
    assert reasons == [None, doubted, doubted, None, None, None, doubted]


def test_an_empty_list_that_cannot_hide_an_error_is_accepted_at_once() -> None:
    setup = Setup(1, 0)
    setup.run()
    setup.run()
    assert (setup.status.reason, setup.series()) == (None, 0)


def test_other_collectors_get_the_names_of_the_last_accepted_list() -> None:
    setup = Setup(2, 0, kind=KIND)
    assert setup.state.names.listed.entries is None
    setup.run()
    believed = setup.state.names.listed
    assert believed.entries == {"0": Entry(("host",)), "1": Entry(("host",))}
    setup.run()
    assert setup.state.names.listed is believed
    assert setup.state.names.failures == 1


def test_what_waits_for_names_goes_on_after_a_failure() -> None:
    setup = Setup(UpstreamError(Reason.TIMEOUT, "too slow"))
    attempted = [setup.state.names.attempted]
    setup.run()
    attempted.append(setup.state.names.attempted)
    assert attempted == [False, True]
    assert setup.state.names.listed.entries is None


@pytest.mark.parametrize(
    "outcome", [1, 0, ValueError(), UpstreamError(Reason.RATE_LIMITED, "later", retry_after=1000)], ids=repr
)
def test_an_attempt_under_way_leaves_nothing_in_the_state_once_its_runner_is_stopped(outcome: int | Exception) -> None:
    def known() -> list[dict[str, Any]]:
        return [dict(vars(part)) for part in (setup.state, setup.state.names, setup.state.guard)]

    setup = Setup(2, outcome, kind=KIND)
    setup.run()
    before = known()
    setup.collector.before_it_ends = setup.runner.stop
    setup.run()
    assert setup.collector.memory == [1, 0]
    assert known() == before
    assert setup.state.memory == [1]
