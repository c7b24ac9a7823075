"""Tests faults of TheEye, switched on and off: what is shown, and recovery without a restart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from contexts import POLLED, every_collector
from polls import poll
from samples import Series, labels, own, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.config.settings import LimitsSettings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.polling import organization
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.theeye.errors import Reason

NAMES = [kind.name for kind in POLLED if kind.sends_token]
OTHERS = {
    kind.name: kind.settings(enabled=False, interval=kind.interval) for kind in COLLECTORS if kind.name not in NAMES
}
"""What is off here: statistics of hosts, which grow old in a world where nothing happens, and what needs no token."""
NO_FAILURE: list[Reason | None] = [None] * len(NAMES)

INTERVAL = 10.0
MAX_AGE = 50.0
START = 1795352944.0


@dataclass
class Clock:
    """Unix and monotonic time in one, moved by the test."""

    now: float = START

    def __call__(self) -> float:
        return self.now


class Setup:
    """A simulated TheEye in which nothing happens by itself, and an exporter polled by hand."""

    def __init__(self, theeye: SimulatedTheEye, clock: Clock, *, token: str | None = None) -> None:
        self.theeye = theeye
        self.clock = clock
        settings = OrganizationSettings(
            name="demo",
            url=theeye.url,
            token=SecretStr(token or theeye.settings.token),
            timeout=1.0,
            collectors=every_collector(interval=INTERVAL, max_age=MAX_AGE).model_copy(update=OTHERS),
        )
        self.exporter = Exporter(
            Settings(organizations=(settings,), limits=LimitsSettings(max_response_bytes=32 * 2**20)),
            Clocks(wall=clock, monotonic=clock),
        )

    def poll(self) -> list[Reason | None]:
        """Poll all collectors once, an interval after the last time; returns why each failed."""
        self.clock.now += INTERVAL
        return list(poll(self.exporter).values())

    def series(self) -> Series:
        return shown(self.exporter.store.current())

    def own(self, name: str, **of: str) -> float | None:
        return own(self.exporter.store, self.exporter.telemetry).get((name, labels(**of)))


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.setattr(organization, "_LIST_TIMEOUT", 4.0)
    clock = Clock()
    with SimulatedTheEye(DemoSettings(monitors=40, tasks=10), clock) as theeye:
        theeye.world.frozen = True
        made = Setup(theeye, clock)
        yield made
        made.exporter.stop()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("drop", Reason.DISCONNECTED),
        ("latency=30s", Reason.SILENT),
        ("hang", Reason.SILENT),
        ("drip", Reason.TIMEOUT),
        ("drip-headers", Reason.TIMEOUT),
        ("error=500", Reason.SERVER_ERROR),
        ("error=503,retry-after=0", Reason.SERVER_ERROR),
        ("error=404", Reason.NOT_FOUND),
        ("error=429", Reason.RATE_LIMITED),
        ("garbage", Reason.INVALID_RESPONSE),
        ("truncate", Reason.TRUNCATED),
        ("bomb", Reason.TOO_LARGE),
        ("too-large", Reason.TOO_LARGE),
        ("token-expired", Reason.UNAUTHORIZED),
        ("forbidden", Reason.FORBIDDEN),
        ("conflict", Reason.ORGANIZATION_CONFLICT),
        ("no-organization", Reason.ORGANIZATION_NOT_FOUND),
        ("redirect=http://127.0.0.2:1/", Reason.REDIRECTED),
    ],
)
def test_a_fault_of_everything(fault: str, reason: Reason, setup: Setup) -> None:
    assert setup.poll() == NO_FAILURE
    good = setup.series()
    assert len(good) > 400
    assert setup.own("theeye_up", organization="demo") == 1

    setup.theeye.faults = (parse_fault(fault),)
    assert setup.poll() == [reason] * len(NAMES)
    assert setup.series() == good
    assert setup.own("theeye_up", organization="demo") == 0
    for collector in NAMES:
        of = {"organization": "demo", "collector": collector}
        assert setup.own("theeye_collector_success", **of) == 0
        assert setup.own("theeye_collector_failures_by_reason_total", reason=reason, **of) == 1

    setup.clock.now += MAX_AGE
    assert setup.series() == {}

    setup.theeye.faults = ()
    assert setup.poll() == NO_FAILURE
    assert setup.series().keys() == good.keys()
    assert setup.own("theeye_up", organization="demo") == 1


@pytest.mark.parametrize("kind", ["monitors", "tasks", "jobs"])
def test_a_fault_of_one_route_costs_its_collector_only(kind: str, setup: Setup) -> None:
    setup.theeye.faults = (parse_fault(f"{kind}:error=500"),)
    reasons = NO_FAILURE.copy()
    reasons[NAMES.index(kind)] = Reason.SERVER_ERROR
    assert setup.poll() == reasons
    assert setup.own("theeye_up", organization="demo") == 1
    parts = {name.split("_")[1] for name, _ in setup.series()}
    gone = {"monitors": {"monitor"}, "tasks": {"task", "job"}, "jobs": {"job", "jobs", "other"}}[kind]
    assert {"monitor", "task", "job", "jobs", "other", "workflow"} - parts == gone


def test_single_jobs_that_hang_are_left_to_one_request_a_poll(setup: Setup) -> None:
    def requests() -> int:
        return sum(
            re.fullmatch(r"/demo/job/[0-9a-f]{24}", request.path) is not None for request in setup.theeye.requests
        )

    setup.theeye.faults = (parse_fault("job:hang"),)
    assert setup.poll() == NO_FAILURE
    hung = requests()
    assert hung >= 3
    of = {"organization": "demo", "collector": "jobs"}
    for _ in range(2):
        assert setup.poll() == NO_FAILURE
    assert hung <= requests() <= hung + 2
    assert (setup.own("theeye_collector_dropped_values_total", reason="unanswered", **of) or 0) > 0
    assert setup.own("theeye_up", organization="demo") == 1


def test_jobs_wait_for_the_names_of_their_tasks_but_not_for_ever(setup: Setup) -> None:
    setup.theeye.faults = (parse_fault("tasks:error=500"),)
    for _ in range(2):
        setup.poll()
        assert not [name for name, _ in setup.series() if name.startswith("theeye_job_")]
    setup.poll()
    assert {dict(key)["hostname"] for name, key in setup.series() if name == "theeye_job_last_outcome"} == {""}
    setup.theeye.faults = ()
    setup.poll()
    assert {dict(key)["hostname"] for name, key in setup.series() if name == "theeye_job_last_outcome"} != {""}


def test_an_empty_list_is_rejected_twice_and_accepted_the_third_time(setup: Setup) -> None:
    setup.poll()
    good = setup.series()
    setup.theeye.faults = (parse_fault("monitors:empty"),)
    for _ in range(2):
        assert setup.poll() == [Reason.EMPTY_LIST, *NO_FAILURE[1:]]
        assert {key for key in good if "_monitor_" in key[0]} <= setup.series().keys()
        assert setup.own("theeye_up", organization="demo") == 1
    assert setup.poll() == NO_FAILURE
    assert not [name for name, _ in setup.series() if "_monitor_" in name or name == "theeye_host_cpu_usage_ratio"]
    setup.theeye.faults = ()
    assert setup.poll() == NO_FAILURE
    assert setup.series().keys() == good.keys()


def test_malformed_objects_cost_themselves_only(setup: Setup) -> None:
    setup.poll()
    before = {key for key in setup.series() if key[0] == "theeye_monitor_info"}
    setup.theeye.faults = (parse_fault("malformed"),)
    assert setup.poll() == NO_FAILURE
    after = {key for key in setup.series() if key[0] == "theeye_monitor_info"}
    of = {"organization": "demo", "collector": "monitors"}
    skipped = setup.own("theeye_collector_skipped_objects_total", reason="malformed", **of) or 0
    assert skipped > 0
    assert len(after) == len(before) - skipped


def test_of_duplicates_the_last_one_is_shown_and_they_are_counted(setup: Setup) -> None:
    setup.poll()
    good = setup.series()
    setup.theeye.faults = (parse_fault("duplicates"),)
    assert setup.poll() == NO_FAILURE
    assert setup.series().keys() == good.keys()
    of = {"organization": "demo", "collector": "monitors"}
    assert setup.own("theeye_collector_skipped_objects_total", reason="duplicate", **of) == 4


def test_a_bots_token_is_refused_at_once_and_takes_no_job_off_the_queue() -> None:
    clock = Clock()
    with SimulatedTheEye(DemoSettings(monitors=10, tasks=5), clock) as theeye:
        theeye.world.frozen = True
        task = next(iter(theeye.world.tasks))
        theeye.world.create_job(task)
        setup = Setup(theeye, clock, token=theeye.settings.agent_token)
        for _ in range(2):
            assert setup.poll() == [Reason.AGENT_TOKEN] * len(NAMES)
        assert setup.series() == {}
        assert setup.own("theeye_up", organization="demo") == 0
        assert theeye.world.taken_by_agents == ()
        setup.exporter.stop()


def test_a_viewers_token_shows_what_it_is_given(setup: Setup) -> None:
    viewer = Setup(setup.theeye, setup.clock, token=setup.theeye.settings.viewer_token)
    assert viewer.poll() == NO_FAILURE
    seen = {name for name, _ in viewer.series()}
    # Webhooks and hosts are shown to every user.
    assert {name for name in seen if "_webhook_" not in name and "_host_" not in name} == {
        *("theeye_hosts", "theeye_jobs", "theeye_monitors", "theeye_tasks"),  # totals, of what it is given
        "theeye_other_job_runs_total",
    }
    assert seen >= {"theeye_webhook_info", "theeye_host_info"}
    viewer.exporter.stop()


def test_a_monitor_that_falls_silent_keeps_state_and_times_and_loses_its_values(setup: Setup) -> None:
    setup.poll()
    hosts = {dict(labels)["hostname"] for name, labels in setup.series() if name == "theeye_host_memory_usage_ratio"}
    silent = min(hosts)
    monitors = [m for m in setup.theeye.world.monitors.values() if m.hostname == silent]
    for monitor in monitors:
        setup.theeye.world.set_monitor_state(monitor.id, "updates_stopped")
    setup.poll()
    names = {name for name, labels in setup.series() if ("hostname", silent) in labels and "_task" not in name}
    assert not names & {"theeye_host_cpu_usage_ratio", "theeye_host_memory_usage_ratio", "theeye_host_disk_usage_ratio"}
    assert {"theeye_monitor_state", "theeye_monitor_last_update_timestamp_seconds"} <= names


def test_nothing_is_written_and_nothing_forbidden_is_asked(setup: Setup) -> None:
    setup.poll()
    setup.poll()
    assert setup.theeye.requests
    for request in setup.theeye.requests:
        assert request.method == "GET"
        assert "include" not in request.query
        assert "hostname" not in request.query
