"""Tests the lines for given monitors."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts import context_of
from samples import lines, render
from theeye_exporter.collectors.base import server_time
from theeye_exporter.collectors.monitors.collector import KIND, MonitorsCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing, decode_list
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.monitor_models import Monitor

NOW = 1795352944.0  # 2026-11-22T13:09:04Z
FRESH = "2026-11-22T13:09:00.500Z"


TOTALS: Final = ("theeye_monitors{", "theeye_hosts{")
DECODER: Final = msgspec.json.Decoder(list[Monitor])


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *objects: dict[str, Any], date: float | None = NOW, parts: Sequence[int] = ()) -> None:
        """`parts` are the positions at which the list is cut into several."""
        self.lists = [objects[first:until] for first, until in pairwise([0, *parts, len(objects)])]
        self.date = date
        self.known: Sequence[str] = ()

    def monitors(self, known: Sequence[str] = ()) -> Iterator[Listing[Monitor]]:
        self.known = known
        for objects in self.lists:
            body = json.dumps(objects).encode()
            items, skipped = decode_list(
                body, DECODER, lambda monitors: [one.flat() for one in monitors], room=UNBOUNDED
            )
            yield Listing(items, skipped, self.date)


def collect(*objects: dict[str, Any], **settings: Any) -> tuple[list[str], dict[str, int]]:
    """Return the lines of single monitors, and the dropped values."""
    collection = MonitorsCollector(context_of(KIND, **settings)).collect(FakeTheEye(*objects), NOW)
    return [line for line in lines(collection.samples) if not line.startswith(TOTALS)], dict(collection.dropped)


def totals(*objects: dict[str, Any]) -> dict[str, int]:
    """Return the totals that are not 0, by state and severity or by state alone."""
    samples = MonitorsCollector(context_of(KIND)).collect(FakeTheEye(*objects), NOW).samples
    found = [line for line in lines(samples) if line.startswith(TOTALS) and not line.endswith(" 0")]
    values = {line.partition(",")[2].partition("}")[0]: int(line.rpartition(" ")[2]) for line in found}
    return {
        key.replace('state="', "").replace('severity="', "").replace('"', ""): value for key, value in values.items()
    }


def monitor(kind: str, data: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": "6b",
        "name": "m",
        "type": kind,
        "state": "normal",
        "hostname": "bot-1",
        "last_update": FRESH,
        "monitor": {"looptime": 10_000},
        "last_event": {"state": "normal", "data": data},
        **fields,
    }


def measured(*objects: dict[str, Any]) -> list[str]:
    """Return the lines of values that a report measured."""
    prefixes = ("theeye_host_", "theeye_monitor_script", "theeye_monitor_http", "theeye_monitor_processes")
    return [
        line.partition("{")[0] + " " + line.rpartition(" ")[2]
        for line in collect(*objects)[0]
        if line.startswith(prefixes)
    ]


LABELS = 'organization="demo",monitor_id="6b",monitor="m",hostname="bot-1"'


def test_a_whole_monitor() -> None:
    found, dropped = collect(
        monitor(
            "script",
            {"code": 3, "times": {"seconds": 1, "nanoseconds": 5 * 10**8}},
            enable=True,
            alerts=False,
            fails_count=2,
            host_id="h1",
            recovery_count=7,
            failure_severity="HIGH",
            last_check=FRESH,
            monitor={"looptime": 15_000, "tags": ["prod", "db", ""]},
        )
    )
    assert found == [
        f"theeye_monitor_consecutive_failures{{{LABELS}}} 2",
        f"theeye_monitor_enabled{{{LABELS}}} 1",
        f'theeye_monitor_info{{{LABELS},monitor_type="script",severity="HIGH",tags="db,prod",alerts="false",host_id="h1"}} 1',
        f"theeye_monitor_interval_seconds{{{LABELS}}} 15.0",
        f"theeye_monitor_last_check_timestamp_seconds{{{LABELS}}} 1795352940.5",
        f"theeye_monitor_last_update_timestamp_seconds{{{LABELS}}} 1795352940.5",
        f"theeye_monitor_recoveries_total{{{LABELS}}} 7",
        f"theeye_monitor_script_duration_seconds{{{LABELS}}} 1.5",
        f"theeye_monitor_script_exit_code{{{LABELS}}} 3",
        f'theeye_monitor_state{{{LABELS},state="failure"}} 0',
        f'theeye_monitor_state{{{LABELS},state="normal"}} 1',
        f'theeye_monitor_state{{{LABELS},state="unknown"}} 0',
        f'theeye_monitor_state{{{LABELS},state="updates_stopped"}} 0',
    ]
    assert dropped == {}


def test_a_bare_monitor_has_only_what_is_known() -> None:
    found, dropped = collect({"id": "6b", "monitor": None})
    labels = 'organization="demo",monitor_id="6b",monitor="",hostname=""'
    assert found == [
        f'theeye_monitor_info{{{labels},monitor_type="",severity="",tags="",alerts="",host_id=""}} 1',
        f'theeye_monitor_state{{{labels},state="failure"}} 0',
        f'theeye_monitor_state{{{labels},state="normal"}} 0',
        f'theeye_monitor_state{{{labels},state="unknown"}} 1',
        f'theeye_monitor_state{{{labels},state="updates_stopped"}} 0',
    ]
    assert dropped == {}


def test_tags_can_be_left_out() -> None:
    found, _ = collect(monitor("host", monitor={"tags": ["a"]}), tags=False)
    assert [line for line in found if 'tags="' in line] == [line for line in found if 'tags=""' in line]


@pytest.mark.parametrize("state", ["error", "changed", "", None, 3, ["normal"]])
def test_any_other_state_is_unknown(state: Any) -> None:
    found, _ = collect(monitor("host", state=state))
    assert f'theeye_monitor_state{{{LABELS},state="unknown"}} 1' in found
    assert len([line for line in found if line.startswith("theeye_monitor_state") and line.endswith(" 1")]) == 1


DSTAT = {"cpu": 3, "mem": 50.5, "cache": None, "disk": [{"name": "vda", "value": 12.5}, {"name": "C: ", "value": 0}]}


def test_dstat_values_are_ratios_and_null_swap_has_none() -> None:
    found, dropped = collect(
        monitor("dstat", DSTAT, monitor={"looptime": 10_000, "config": {"limit": {"cpu": 90, "disk": 1, "mem": None}}})
    )
    labels = 'organization="demo",monitor_id="6b",hostname="bot-1"'
    assert [line for line in found if line.startswith("theeye_host")] == [
        f"theeye_host_cpu_usage_ratio{{{labels}}} 0.03",
        f'theeye_host_disk_usage_ratio{{{labels},device="C:"}} 0.0',
        f'theeye_host_disk_usage_ratio{{{labels},device="vda"}} 0.125',
        f"theeye_host_memory_usage_ratio{{{labels}}} 0.505",
        f'theeye_host_usage_threshold_ratio{{{labels},resource="cpu"}} 0.9',
        f'theeye_host_usage_threshold_ratio{{{labels},resource="disk"}} 0.01',
    ]
    assert dropped == {"null": 1}


@pytest.mark.parametrize(
    ("data", "expected", "dropped"),
    [
        ({"cpu": 104, "mem": 0, "cache": 0}, ["cpu_usage_ratio 1.0", "memory_usage_ratio 0.0", "cache_usage_ratio 0.0"], {}),
        ({"cpu": 111, "mem": 101, "cache": -1}, [], {"impossible": 3}),
        ({"cpu": "97", "mem": True, "cache": [1]}, [], {"impossible": 3}),
        ({"cpu": 10**400, "mem": 10**400, "cache": -(10**400)}, [], {"impossible": 3}),
        ({"error": {"message": "worker", "code": "X"}}, [], {"null": 3}),
        (
            {"cpu": 0, "mem": 0, "cache": 0, "disk": [{"name": "a", "value": 1}, {"name": "a ", "value": 2}]},
            ["cpu_usage_ratio 0.0", "memory_usage_ratio 0.0", "cache_usage_ratio 0.0", "disk_usage_ratio 0.02"],
            {"duplicate": 1},
        ),
        (
            {"cpu": 0, "mem": 0, "cache": 0, "disk": [None, {}, {"name": "b", "value": None}, {"name": "", "value": 1}]},
            ["cpu_usage_ratio 0.0", "memory_usage_ratio 0.0", "cache_usage_ratio 0.0"],
            {"impossible": 3, "null": 1},
        ),
        ({"cpu": 1, "mem": 1, "cache": 1, "disk": {"vda": 1}}, ["cpu_usage_ratio 0.01", "memory_usage_ratio 0.01", "cache_usage_ratio 0.01"], {}),
    ],
)  # fmt: skip
def test_impossible_statistics_are_dropped_and_counted(data: Any, expected: list[str], dropped: dict[str, int]) -> None:
    report = monitor("dstat", data)
    assert measured(report) == sorted(f"theeye_host_{line}" for line in expected)
    assert collect(report)[1] == dropped


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("script", {"code": None, "times": {"seconds": 8, "nanoseconds": 29259650}}, ["script_duration_seconds 8.02925965"]),
        ("script", {"lastline": "x", "log": "download failed"}, []),
        ("script", {"code": 0, "times": {"seconds": -1, "nanoseconds": 0}}, ["script_exit_code 0"]),
        ("script", {"code": 0, "times": {"seconds": 1}}, ["script_exit_code 0"]),
        ("script", {"code": 0, "times": {"seconds": 10**308, "nanoseconds": 0.5}}, ["script_exit_code 0"]),
        ("scraper", {"response": {"status_code": 404}}, ["http_status_code 404"]),
        ("scraper", {"message": "connect ECONNREFUSED"}, []),
        ("scraper", {"response": {}}, []),
        ("process", {"ps": [{"pid": "1"}, {"pid": "2"}]}, ["processes 2"]),
        ("process", {"ps": []}, ["processes 0"]),
        ("process", {}, []),
        ("host", {"cpu": 3, "code": 1, "ps": []}, []),
        ("script", "not an object", []),
        ("script", ["not an object"], []),
        ("file", {"stats": {"size": 3}}, []),
    ],
)  # fmt: skip
def test_values_of_the_other_types(kind: str, data: Any, expected: list[str]) -> None:
    assert measured(monitor(kind, data)) == [f"theeye_monitor_{line}" for line in expected]


@pytest.mark.parametrize(
    ("fields", "silent"),
    [
        ({}, False),
        ({"state": "failure"}, False),
        ({"state": "updates_stopped"}, True),
        ({"enable": False}, True),
        ({"enable": None}, False),
        ({"last_update": "2026-11-22T13:07:34.000Z"}, False),  # 90 s: three intervals and a minute, exactly
        ({"last_update": "2026-11-22T13:07:33.900Z"}, True),
        ({"last_update": "2026-11-22T13:07:33.900Z", "monitor": {"looptime": 15_000}}, False),
        ({"last_update": None}, False),
        ({"last_update": None, "monitor": None}, False),
        ({"last_update": "yesterday"}, True),
        ({"last_update": "2026-11-22T13:05:05.000Z", "monitor": None}, False),  # a minute is assumed
        ({"last_update": "2026-11-22T13:05:00.000Z", "monitor": None}, True),
        ({"last_update": "2026-11-22T13:14:00.000Z"}, False),  # a clock that is a little ahead
        ({"last_update": "2099-11-22T13:09:00.000Z"}, True),
    ],
)
def test_a_silent_monitor_has_state_and_times_but_no_measured_values(fields: dict[str, Any], silent: bool) -> None:
    report = monitor("dstat", DSTAT, **fields)
    found, dropped = collect(report)
    assert bool([line for line in found if "_usage_ratio" in line]) is not silent
    assert dropped.get("stale", 0) == int(silent)
    assert [line for line in found if line.startswith("theeye_monitor_state")]


@pytest.mark.parametrize(
    ("now", "date", "newest", "judged"),
    [
        (100, 101, 99, 100),  # all agree, more or less
        (5000, 101, 99, 101),  # this machine is ahead
        (-5000, 101, 99, 101),  # this machine is behind
        (-7100, 101, -500, 101),  # and the data is old
        (100, 9000, 99, 100),  # a proxy's clock in the Date header
        (100, 101, 50, 100),  # nothing was checked for long: it is that old
        (100, None, 99, 100),
        (5000, 101, None, 101),
    ],
)
def test_one_wrong_clock_decides_nothing(now: float, date: float | None, newest: float | None, judged: float) -> None:
    assert server_time(now, date, newest) == judged


def test_parts_make_the_whole_list_and_an_empty_part_is_rejected_like_an_empty_list() -> None:
    fleet = [monitor("host") | {"id": f"{number:024x}"} for number in range(4)]
    collector = MonitorsCollector(context_of(KIND))
    whole = lines(collector.collect(FakeTheEye(*fleet), NOW).samples)
    theeye = FakeTheEye(*fleet, parts=[1, 3])
    assert lines(collector.collect(theeye, NOW).samples) == whole
    assert list(theeye.known) == [one["id"] for one in fleet]
    hidden_error = FakeTheEye(*fleet[:2], parts=[2])
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            collector.collect(hidden_error, NOW)
        assert caught.value.reason is Reason.EMPTY_LIST
    assert collector.collect(hidden_error, NOW).objects == 2
    assert list(hidden_error.known) == [one["id"] for one in fleet]
    assert collector.collect(FakeTheEye(*fleet), NOW).objects == 4


@given(
    st.dictionaries(
        st.sampled_from(list(Monitor.__struct_fields__)),
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_no_field_of_any_kind_breaks_a_collection(fields: dict[str, Any]) -> None:
    found, _ = collect({**fields, "id": "6b"})
    assert len([line for line in found if line.startswith("theeye_monitor_state") and line.endswith(" 1")]) == 1
    assert not [line for line in found if line.endswith(("nan", "inf"))]


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_what_is_shown_has_one_order_whatever_theeyes_is(first: list[int], second: list[int]) -> None:
    collector = MonitorsCollector(context_of(KIND))
    objects = [
        monitor(kind, data, name=f"m{number}", fails_count=number, last_check=FRESH) | {"id": f"{number:024x}"}
        for number, (kind, data) in enumerate(
            [
                ("dstat", DSTAT),
                ("script", {"code": 3}),
                ("dstat", DSTAT | {"cpu": 7, "disk": []}),
                ("script", {"code": 4}),
                ("host", None),
                ("dstat", DSTAT | {"disk": [{"name": "sdb", "value": 3}, {"name": "sdc", "value": 4}]}),
            ]
        )
    ]
    expected = render(MonitorsCollector(context_of(KIND)).collect(FakeTheEye(*objects), NOW).samples)
    for order in (first, second):
        shown = render(collector.collect(FakeTheEye(*(objects[number] for number in order)), NOW).samples)
        assert {family: shown[family].text() for family in shown} == {
            family: expected[family].text() for family in expected
        }


EDITS: list[dict[str, Any]] = [
    {"name": "renamed"},
    {"hostname": "bot-2"},
    {"type": "script", "last_event": {"data": {"code": 4}}},
    {"failure_severity": "LOW"},
    {"alerts": True},
    {"enable": False},
    {"state": "failure", "fails_count": 3},
    {"recovery_count": None},
    {"name": ["no", "text"]},
    {"name": 1},
    {"name": 1.0},
    {"name": True},
    {"name": None},
    {"name": "m\0m"},
    {"hostname": None},
    {"enable": 1},
    {"monitor": {"looptime": 20_000, "tags": ["new"], "config": {"limit": {"cpu": 50}}}},
    {"monitor": "no settings"},
    {"last_update": "never"},
    {"last_event": {"data": DSTAT | {"disk": [{"name": "sdb", "value": 3}]}}},
]


@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, len(EDITS))), max_size=8), max_size=6))
def test_a_poll_after_others_shows_what_a_first_one_would(polls: list[list[tuple[int, int]]]) -> None:
    collector = MonitorsCollector(context_of(KIND))
    for poll in polls:
        # Each monitor as it was, or with one of the edits; some come, some go, they change places, or come twice.
        listed = [
            monitor("dstat", DSTAT, enable=True, alerts=False, recovery_count=1) | {"id": f"m{number}"} | edit
            for number, edit in ((number, {} if not edit else EDITS[edit - 1]) for number, edit in poll)
        ]
        theeye = FakeTheEye(*listed, {"id": "always"})
        kept = collector.collect(theeye, NOW)
        anew = MonitorsCollector(context_of(KIND)).collect(theeye, NOW)
        assert lines(kept.samples) == lines(anew.samples)
        assert kept.dropped == anew.dropped
        assert kept.skipped == anew.skipped
        assert kept.objects == anew.objects == len({number for number, _ in poll}) + 1


def test_monitors_are_counted_by_state_and_severity_and_hosts_by_state() -> None:
    fleet = [
        monitor("host", id="1"),
        monitor("host", id="2", state="updates_stopped", failure_severity="HIGH"),
        monitor("host", id="3", state="updates_stopped", enable=False, failure_severity="HIGH"),
        monitor("host", id="4", state="failure", failure_severity="CRITICAL"),
        monitor("host", id="5", state="melted", failure_severity="CRITICAL"),
        monitor("script", id="6", state="failure", failure_severity="HIGH"),
        monitor("script", id="7", state="failure", failure_severity="HIGH"),
        monitor("script", id="8", failure_severity="LOW", enable="no"),
        monitor("script", id="9", failure_severity=["HIGH"]),
    ]
    assert totals(*fleet) == {
        "normal,other": 2,
        "normal,LOW": 1,
        "updates_stopped,HIGH": 1,
        "disabled,HIGH": 1,
        "failure,CRITICAL": 1,
        "failure,HIGH": 2,
        "unknown,CRITICAL": 1,
        "up": 2,
        "silent": 1,
        "disabled": 1,
    }


def test_totals_of_no_monitors_are_zero() -> None:
    samples = MonitorsCollector(context_of(KIND)).collect(FakeTheEye(), NOW).samples
    found = lines(samples)
    assert len([line for line in found if line.startswith("theeye_monitors{")]) == 5 * 3
    assert len([line for line in found if line.startswith("theeye_hosts{")]) == 3
    assert {line.rpartition(" ")[2] for line in found} == {"0"}


def test_another_host_is_an_edit_of_a_monitor() -> None:
    collector = MonitorsCollector(context_of(KIND))
    for host in ("h1", "h2"):
        samples = collector.collect(FakeTheEye(monitor("script", host_id=host)), NOW).samples
        assert [line for line in lines(samples) if f'host_id="{host}"' in line]
