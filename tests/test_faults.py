"""What goes wrong at TheEye, switched on and off again: what is shown meanwhile, and recovery without a restart."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from polls import poll
from samples import Series, labels, own, shown
from theeye_exporter.assembly import Exporter
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import CollectorSettings, CollectorsSettings, JobsSettings, OrganizationSettings, Settings
from theeye_exporter.config.settings import LimitsSettings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.theeye.errors import Reason

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
        organization = OrganizationSettings(
            name="demo",
            url=theeye.url,
            token=SecretStr(token or theeye.settings.token),
            timeout=1.0,
            collectors=CollectorsSettings(
                monitors=CollectorSettings(interval=INTERVAL, max_age=MAX_AGE),
                tasks=CollectorSettings(interval=INTERVAL, max_age=MAX_AGE),
                workflows=CollectorSettings(interval=INTERVAL, max_age=MAX_AGE),
                jobs=JobsSettings(interval=INTERVAL, max_age=MAX_AGE),
            ),
        )
        self.exporter = Exporter(
            Settings(organizations=(organization,), limits=LimitsSettings(max_response_bytes=10**6)),
            Clocks(wall=clock, monotonic=clock),
        )

    def poll(self) -> list[Reason | None]:
        """Poll all collectors once, an interval after the last time; returns why each failed."""
        self.clock.now += INTERVAL
        return list(poll(self.exporter).values())

    def series(self) -> Series:
        return shown(self.exporter.store.current())

    def own(self, name: str, **of: str) -> float | None:
        return own(self.exporter.telemetry).get((name, labels(**of)))


@pytest.fixture
def setup() -> Iterator[Setup]:
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
        ("latency=30s", Reason.TIMEOUT),
        ("hang", Reason.TIMEOUT),
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
    assert setup.poll() == [None, None, None, None]
    good = setup.series()
    assert len(good) > 400
    assert setup.own("theeye_up", organization="demo") == 1

    setup.theeye.faults = (parse_fault(fault),)
    assert setup.poll() == [reason] * 4
    assert setup.series() == good
    assert setup.own("theeye_up", organization="demo") == 0
    for collector in ("monitors", "tasks", "workflows", "jobs"):
        of = {"organization": "demo", "collector": collector}
        assert setup.own("theeye_collector_success", **of) == 0
        assert setup.own("theeye_collector_failures_total", reason=reason, **of) == 1

    setup.clock.now += MAX_AGE
    assert setup.series() == {}

    setup.theeye.faults = ()
    assert setup.poll() == [None, None, None, None]
    assert setup.series().keys() == good.keys()
    assert setup.own("theeye_up", organization="demo") == 1


@pytest.mark.parametrize("kind", ["monitors", "tasks", "jobs"])
def test_a_fault_of_one_route_costs_its_collector_only(kind: str, setup: Setup) -> None:
    setup.theeye.faults = (parse_fault(f"{kind}:error=500"),)
    failed = {"monitors": 0, "tasks": 1, "jobs": 3}[kind]
    reasons: list[Reason | None] = [None, None, None, None]
    reasons[failed] = Reason.SERVER_ERROR
    assert setup.poll() == reasons
    assert setup.own("theeye_up", organization="demo") == 1
    families = {name.split("_")[1] for name, _ in setup.series()}
    gone = {"monitors": {"monitor", "host"}, "tasks": {"task", "job"}, "jobs": {"job", "jobs", "other"}}[kind]
    assert families == {"monitor", "host", "task", "job", "jobs", "other", "workflow"} - gone


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


def test_an_empty_list_is_doubted_twice_and_believed_the_third_time(setup: Setup) -> None:
    setup.poll()
    good = setup.series()
    setup.theeye.faults = (parse_fault("monitors:empty"),)
    for _ in range(2):
        assert setup.poll() == [Reason.EMPTY_LIST, None, None, None]
        assert {key for key in good if "_monitor_" in key[0]} <= setup.series().keys()
        assert setup.own("theeye_up", organization="demo") == 1
    assert setup.poll() == [None, None, None, None]
    assert not [name for name, _ in setup.series() if "_monitor_" in name or "_host_" in name]
    setup.theeye.faults = ()
    assert setup.poll() == [None, None, None, None]
    assert setup.series().keys() == good.keys()


def test_malformed_objects_cost_themselves_only(setup: Setup) -> None:
    setup.poll()
    before = {key for key in setup.series() if key[0] == "theeye_monitor_info"}
    setup.theeye.faults = (parse_fault("malformed"),)
    assert setup.poll() == [None, None, None, None]
    after = {key for key in setup.series() if key[0] == "theeye_monitor_info"}
    of = {"organization": "demo", "collector": "monitors"}
    skipped = setup.own("theeye_collector_skipped_objects_total", reason="malformed", **of) or 0
    assert skipped > 0
    assert len(after) == len(before) - skipped


def test_of_duplicates_the_last_one_is_shown_and_they_are_counted(setup: Setup) -> None:
    setup.poll()
    good = setup.series()
    setup.theeye.faults = (parse_fault("duplicates"),)
    assert setup.poll() == [None, None, None, None]
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
            assert setup.poll() == [Reason.AGENT_TOKEN] * 4
        assert setup.series() == {}
        assert setup.own("theeye_up", organization="demo") == 0
        assert theeye.world.taken_by_agents == ()
        setup.exporter.stop()


def test_a_viewers_token_shows_what_it_is_given(setup: Setup) -> None:
    viewer = Setup(setup.theeye, setup.clock, token=setup.theeye.settings.viewer_token)
    assert viewer.poll() == [None, None, None, None]
    assert {name for name, _ in viewer.series()} == {"theeye_jobs", "theeye_other_job_runs_total"}
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
