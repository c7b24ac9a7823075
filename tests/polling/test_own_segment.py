"""Tests the exporter's own metrics of an organisation: their number, and when they change."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from pydantic import SecretStr

from contexts import POLLED
from polls import poll
from samples import Series, body, labels, own, parse
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.faults import parse_fault
from theeye_exporter.exposition.render import Format
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.rows import Damage
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.own_segment import OwnSegment
from theeye_exporter.polling.status import CollectorStatus, StatusBoard
from theeye_exporter.polling.telemetry import PUBLISHED


class Setup:
    """The demo with its defaults, and an exporter polled by hand."""

    def __init__(self, theeye: SimulatedTheEye) -> None:
        self.theeye = theeye
        self.now = 1795352944.0
        organization = OrganizationSettings(name="demo", url=theeye.url, token=SecretStr(theeye.settings.token))
        clocks = Clocks(wall=lambda: self.now, monotonic=lambda: self.now)
        self.exporter = Exporter(Settings(organizations=(organization,)), clocks)

    def poll(self, *faults: str) -> None:
        self.theeye.faults = tuple(map(parse_fault, faults))
        self.now += 60
        poll(self.exporter)

    def own(self) -> Series:
        """Return the exporter's own metrics of the organisation."""
        shown = own(self.exporter.store, self.exporter.telemetry)
        return {key: value for key, value in shown.items() if ("organization", "demo") in key[1]}

    def numbers(self) -> dict[str, int]:
        """Return how many series each collector has, and under an empty name the organisation itself."""
        return Counter(dict(key).get("collector", "") for _, key in self.own())


@pytest.fixture
def setup() -> Iterator[Setup]:
    with SimulatedTheEye(DemoSettings()) as theeye:
        yield Setup(theeye)


NAMES: Final = [kind.name for kind in POLLED]


def test_a_healthy_organization_has_few_own_series(setup: Setup) -> None:
    assert setup.numbers() == {"": 4} | dict.fromkeys(NAMES, 2)
    failures = [value for (name, _), value in setup.own().items() if name == "theeye_collector_failures_total"]
    assert failures == [0] * len(NAMES)
    setup.poll()
    before = setup.own()
    numbers = setup.numbers()
    routes = sum(name == "theeye_api_requests_total" for name, _ in before)
    assert numbers.pop("") == 6 + routes <= 15
    # Some monitors of the demo have values that are null, others are silent: one series for each of the two reasons.
    assert numbers == dict.fromkeys(NAMES, 6) | {"monitors": 6 + 2}
    for _ in range(3):
        setup.poll()
    assert setup.own().keys() == before.keys()


def test_an_outage_adds_two_series_to_a_collector_and_one_to_a_route(setup: Setup) -> None:
    setup.poll()
    healthy = setup.numbers()
    routes = sum(name == "theeye_api_requests_total" for name, _ in setup.own())
    for _ in range(3):
        setup.poll("error=500")
        during = setup.numbers()
        # Details of jobs are not asked for if there is no list of jobs.
        assert during.pop("") == healthy[""] + routes - 1
        assert during == {name: healthy[name] + 2 for name in NAMES}
    key = {"organization": "demo", "collector": "tasks"}
    shown = setup.own()
    assert shown["theeye_collector_failing", labels(**key, reason="server_error")] == 1
    assert shown["theeye_collector_failures_total", labels(**key)] == 3
    setup.poll()
    # What was counted stays.
    assert shown.keys() - setup.own().keys() == {
        ("theeye_collector_failing", labels(organization="demo", collector=name, reason="server_error"))
        for name in NAMES
    }


def test_a_scrape_renders_none_of_them_and_they_never_expire(setup: Setup) -> None:
    setup.poll()
    shown = setup.own()
    for fmt in Format:
        assert b"organization=" not in setup.exporter.telemetry.exposition(fmt)
    pieces = set(setup.exporter.store.current().identity(Format.TEXT_0_0_4))
    setup.now += 10**6
    assert setup.own() == shown
    later = set(setup.exporter.store.current().identity(Format.TEXT_0_0_4))
    assert not [piece for piece in later if b"theeye_monitor_state" in piece]
    assert later < pieces


@pytest.mark.parametrize("name", ["acme", 'a"\\\nb', "\N{SNOWMAN}", "{}"])
@pytest.mark.parametrize("fmt", Format)
def test_any_organization_can_be_read_back(name: str, fmt: Format) -> None:
    board, store = StatusBoard(), SnapshotStore(PUBLISHED, lambda: 0.0)
    board.register("http://theeye", [CollectorStatus(organization=name, collector="jobs", interval=10, max_age=50)])
    segment = OwnSegment(name, store, board)
    segment.count_request("/{customer}/job/{id}", "200", 10)
    segment.publish(None)
    assert parse(body(store.current(), fmt), fmt) == {
        ("theeye_collector_failures_total", labels(organization=name, collector="jobs")): 0,
        ("theeye_collector_interval_seconds", labels(organization=name, collector="jobs")): 10,
        ("theeye_api_requests_total", labels(organization=name, endpoint="/{customer}/job/{id}", status="200")): 1,
        ("theeye_api_received_bytes_total", labels(organization=name)): 10,
    }
    segment.withdraw()
    assert body(store.current(), Format.TEXT_0_0_4) == ""


def test_the_ledger_is_told_of_if_there_is_one_and_damage_only_if_there_was_some() -> None:
    board, store = StatusBoard(), SnapshotStore(PUBLISHED, lambda: 0.0)
    board.register("http://theeye", [CollectorStatus(organization="demo", collector="jobs", interval=10, max_age=50)])
    segment, ledger = OwnSegment("demo", store, board), RunLedger("demo", None, Bounds(None, None, None))

    def told() -> dict[str, float]:
        shown = parse(body(store.current(), Format.TEXT_0_0_4), Format.TEXT_0_0_4)
        prefix = "theeye_ledger_"
        return {
            name.removeprefix(prefix) + dict(key).get("kind", ""): value
            for (name, key), value in shown.items()
            if name.startswith(prefix)
        }

    segment.publish(None)
    assert told() == {}
    segment.publish(ledger)
    assert told() == {"healthy": 1, "backlog_jobs": 0, "known_jobs": 0}
    ledger.healthy, ledger.damage = False, Damage(jobs=3)
    segment.publish(ledger)
    assert told() == {"healthy": 0, "backlog_jobs": 0, "known_jobs": 0, "damagejobs": 3}
