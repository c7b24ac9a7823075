"""Statistics of hosts in, expected lines out, some hosts at each poll."""

import dataclasses
from typing import Any

import msgspec
import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.hoststats import KIND, HostStatsCollector
from theeye_exporter.collectors.name_index import Entry, NameIndex
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Host, HostStats

NOW = 1795832400.0
OWN = 'organization="demo",host_id="h0",hostname="bot-0"'
VALUES = {
    "load_1_minute": 14.46,
    "load_5_minute": 19.12,
    "load_15_minute": 0,
    "mem_used": 3304576,
    "cacheTotal": 0,
    "cacheFree": 0,
    "disk": {
        "total": {"usage": {"total": 9, "used": 9, "available": 9}},
        "vda ": {"usage": {"total": 264212084, "used": 25215296, "available": 81175616}},
    },
}


class FakeTheEye(TheEyeClient):
    """Has statistics of some hosts, and fails for others."""

    def __init__(self, **reports: dict[str, Any] | Reason | None) -> None:
        self.reports = reports
        self.asked: list[str] = []
        self.date: float | None = NOW

    def hosts(self) -> Listing[Host]:
        return Listing([Host(id=host_id, hostname=host_id.replace("h", "bot-")) for host_id in self.reports])

    def host_stats(self, host_id: str) -> Listing[HostStats]:
        self.asked.append(host_id)
        report = self.reports[host_id]
        if isinstance(report, Reason):
            raise UpstreamError(report, "it was told so")
        return Listing([] if report is None else [msgspec.convert(report, HostStats)], date=self.date)


class Poller:
    """A collector, polled again and again."""

    def __init__(self, theeye: FakeTheEye, index: NameIndex | None = None) -> None:
        self.theeye = theeye
        self.context = context_of(KIND, names={"hosts": index or NameIndex(expected=False)})
        self.collector = HostStatsCollector(self.context)

    def poll(self, now: float = NOW) -> Collection:
        self.theeye.asked.clear()
        return self.collector.collect(self.theeye, now)


def report(values: Any = None, *, updated: Any = NOW * 1000) -> dict[str, Any]:
    return {"_id": "s", "last_update_timestamp": updated, "stats": VALUES if values is None else values}


def shown(found: Collection) -> set[str]:
    """Return the hosts that are shown."""
    return {line.partition('host_id="')[2].partition('"')[0] for line in lines(found.samples)}


def test_sizes_are_bytes_and_the_sum_of_the_disks_is_no_disk() -> None:
    found = Poller(FakeTheEye(h0=report())).poll()
    assert lines(found.samples) == [
        f'theeye_host_disk_available_bytes{{{OWN},device="vda"}} 83123830784',
        f'theeye_host_disk_size_bytes{{{OWN},device="vda"}} 270553174016',
        f'theeye_host_disk_used_bytes{{{OWN},device="vda"}} 25820463104',
        f"theeye_host_load15{{{OWN}}} 0",
        f"theeye_host_load1{{{OWN}}} 14.46",
        f"theeye_host_load5{{{OWN}}} 19.12",
        f"theeye_host_memory_used_bytes{{{OWN}}} 3383885824",
        f"theeye_host_swap_free_bytes{{{OWN}}} 0",
        f"theeye_host_swap_total_bytes{{{OWN}}} 0",
    ]
    assert (found.objects, found.dropped, found.date) == (1, {}, NOW)


@pytest.mark.parametrize(
    ("updated", "dropped"),
    [
        (NOW * 1000 - 360_000, {}),
        (NOW * 1000 - 360_001, {"stale": 1}),
        (NOW * 1000 + 300_001, {"stale": 1}),
        (None, {"impossible": 1}),
        ("2026-11-28T02:19:36.869Z", {"impossible": 1}),
    ],
)
def test_a_bot_that_has_stopped_has_no_values(updated: Any, dropped: dict[str, int]) -> None:
    # The other host keeps the clock of the data in place.
    found = Poller(FakeTheEye(h0=report(updated=updated), h1=report())).poll()
    assert shown(found) == ({"h1"} if dropped else {"h0", "h1"})
    assert found.dropped == dropped


@pytest.mark.parametrize(
    "values",
    [
        [],
        "none",
        {"load_1_minute": None, "mem_used": "3", "disk": []},
        {"disk": {"": {"usage": {"total": 1}}, "vda": {"usage": None}, "vdb": {}, "vdc": 3, "vdd": None}},
        {"disk": {"vda": {"usage": {"total": -1, "used": "1"}}}},
    ],
)
def test_odd_values_are_absent(values: Any) -> None:
    assert lines(Poller(FakeTheEye(h0=report(values))).poll().samples) == []


def test_a_bot_that_never_reported_is_not_shown() -> None:
    found = Poller(FakeTheEye(h0=None, h1=report())).poll()
    assert (shown(found), found.objects) == ({"h1"}, 1)


def test_twenty_hosts_are_asked_for_at_each_poll_in_turn_and_all_stay_shown() -> None:
    theeye = FakeTheEye(**{f"h{number:02}": report() for number in range(45)})
    poller = Poller(theeye)
    counts, asked = [], set()
    for _ in range(5):
        counts.append(len(shown(poller.poll())))
        assert len(theeye.asked) == 20
        asked |= {*theeye.asked}
    assert counts == [20, 40, 45, 45, 45]
    assert len(asked) == 45
    # With three polls in a round, values are stale after nine intervals.
    theeye.date = NOW + 9 * 120
    assert len(shown(poller.poll(NOW + 9 * 120))) == 45
    theeye.date = NOW + 9 * 120 + 1
    assert len(shown(poller.poll(NOW + 9 * 120 + 1))) == 0


def test_a_reload_goes_on_where_the_last_poll_ended() -> None:
    theeye = FakeTheEye(**{f"h{number:02}": report() for number in range(25)})
    poller = Poller(theeye)
    poller.poll()
    kept = poller.context.memory.copy()
    poller.collector = HostStatsCollector(dataclasses.replace(poller.context, memory=kept))
    assert len(shown(poller.poll())) == 25
    assert {*theeye.asked} >= {f"h{number}" for number in range(20, 25)}


def test_a_host_that_fails_keeps_its_values_and_one_that_is_gone_has_none() -> None:
    theeye = FakeTheEye(h0=report(), h1=report(), h2=report())
    poller = Poller(theeye)
    assert shown(poller.poll()) == {"h0", "h1", "h2"}
    theeye.reports |= {"h0": Reason.SERVER_ERROR, "h1": Reason.NOT_FOUND}
    assert shown(poller.poll()) == {"h0", "h2"}
    del theeye.reports["h0"]
    assert shown(poller.poll()) == {"h2"}


def test_where_every_host_fails_the_poll_fails() -> None:
    with pytest.raises(UpstreamError):
        Poller(FakeTheEye(h0=Reason.TIMEOUT, h1=Reason.TIMEOUT)).poll()


def test_a_token_that_is_refused_ends_the_poll() -> None:
    theeye = FakeTheEye(h0=report(), h1=Reason.UNAUTHORIZED, h2=report())
    with pytest.raises(UpstreamError):
        Poller(theeye).poll()
    assert theeye.asked == ["h0", "h1"]


def test_names_come_from_the_list_of_hosts_if_it_is_polled() -> None:
    index = NameIndex(expected=True)
    index.update({"h0": Entry(labels=("renamed",))})
    found = Poller(FakeTheEye(h0=report(), h1=report()), index).poll()
    assert shown(found) == {"h0"}
    assert 'hostname="renamed"' in lines(found.samples)[0]
