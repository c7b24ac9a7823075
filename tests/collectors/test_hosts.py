"""Tests the lines for given hosts."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from contexts import context_of
from playback import T0
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.hosts import KIND, HostsCollector
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Host

OWN = 'organization="demo",host_id="h1",hostname="bot-1"'


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *hosts: dict[str, Any]) -> None:
        self.listed = hosts

    def hosts(self) -> Listing[Host]:
        return Listing([msgspec.convert(host, Host) for host in self.listed], skipped=Counter(malformed=2), date=7.0)


def listed(*hosts: dict[str, Any]) -> Collection:
    return HostsCollector(context_of(KIND)).collect(FakeTheEye(*hosts), 0)


def host(*fingerprints: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "h1", "hostname": "bot-1", "enable": True, "fingerprints": [*fingerprints], **fields}


def fingerprint(agent_version: str, day: int, name: Any = None) -> dict[str, Any]:
    return {"agent_version": agent_version, "creation_date": f"2026-01-{day:02}T00:00:00.000Z", "fingerprint": name}


def described(platform: str = "", release: str = "", arch: str = "", agent_version: str = "") -> str:
    more = f'platform="{platform}",release="{release}",arch="{arch}",agent_version="{agent_version}"'
    return f"theeye_host_info{{{OWN},{more}}} 1"


def versions(*hosts: dict[str, Any]) -> list[str]:
    """Return the bots' versions that the hosts' infos have."""
    shown = [line for line in lines(listed(*hosts).samples) if "_info" in line]
    return [line.partition('agent_version="')[2].partition('"')[0] for line in shown]


def test_a_host_is_what_its_bot_found() -> None:
    found = {
        "platform": "linux",
        "release": "6.12.0",
        "arch": "x64",
        "agent_version": "v2.1.1",
        "totalmem": "25276514304",
        "cpu": [{"model": "CPU", "speed": 0}, {}],
    }
    collection = listed(host(found))
    assert lines(collection.samples) == [
        f"theeye_host_cpus{{{OWN}}} 2",
        f"theeye_host_enabled{{{OWN}}} 1",
        described("linux", "6.12.0", "x64", "v2.1.1"),
        f"theeye_host_memory_total_bytes{{{OWN}}} 25276514304.0",
    ]
    assert (collection.objects, collection.skipped, collection.dropped) == (1, {"malformed": 2}, {})
    assert (collection.date, collection.names) == (7.0, {"h1": Entry(("bot-1",))})


@pytest.mark.parametrize(
    ("current", "fingerprints", "shown"),
    [
        ("b", [fingerprint("1", 1, "a"), fingerprint("2", 2, "b"), fingerprint("3", 3, "c")], "2"),
        ("b", [fingerprint("1", 1, "b"), fingerprint("2", 2, "b")], "2"),
        ("x", [fingerprint("1", 1, "a"), fingerprint("2", 3, "b"), fingerprint("3", 2, "c")], "2"),
        (None, [fingerprint("1", 1), fingerprint("2", 2)], "2"),
        (["a"], [fingerprint("1", 1, "a"), "2", None, 3], "1"),
        (None, [{"agent_version": "1"}, fingerprint("2", 2)], "2"),
        (None, [{"agent_version": "1", "creation_date": "yesterday"}], "1"),
        ("a", [], ""),
    ],
)
def test_the_fingerprint_is_the_one_that_the_host_names_else_the_newest(
    current: Any, fingerprints: list[Any], shown: str
) -> None:
    assert versions(host(*fingerprints, current_fingerprint=current)) == [shown]


@pytest.mark.parametrize("fields", [{"fingerprints": None}, {"fingerprints": {"0": {}}}, {"fingerprints": "none"}])
def test_a_host_without_fingerprints_is_shown_without_properties(fields: dict[str, Any]) -> None:
    assert lines(listed(host() | fields).samples) == [f"theeye_host_enabled{{{OWN}}} 1", described()]


@pytest.mark.parametrize(
    ("enable", "shown"), [(True, ["1"]), (False, ["0"]), (None, []), ("false", []), (1, []), ([], [])]
)
def test_a_host_is_enabled_or_not_or_does_not_say(enable: object, shown: list[str]) -> None:
    enabled = [line for line in lines(listed(host(enable=enable)).samples) if "_enabled" in line]
    assert [line.rpartition(" ")[2] for line in enabled] == shown


@pytest.mark.parametrize(
    ("size", "shown", "dropped"),
    [
        ("25276514304", ["25276514304.0"], {}),
        (1024, ["1024"], {}),
        ("0", [], {}),
        (None, [], {}),
        ("", [], {"impossible": 1}),
        ("-1", [], {"impossible": 1}),
        (-1, [], {"impossible": 1}),
        ("8 GB", [], {"impossible": 1}),
        ("²", [], {"impossible": 1}),
        ("9" * 5000, [], {"impossible": 1}),
        (True, [], {"impossible": 1}),
        ({}, [], {"impossible": 1}),
    ],
)
def test_memory_is_a_number_of_bytes_or_absent(size: object, shown: list[str], dropped: dict[str, int]) -> None:
    found = listed(host({"totalmem": size}))
    memory = [line for line in lines(found.samples) if "_memory" in line]
    assert [line.rpartition(" ")[2] for line in memory] == shown
    assert found.dropped == dropped


@pytest.mark.parametrize("cpu", [[], None, "two", 2, {"0": {}}])
def test_processors_that_are_not_listed_are_not_counted(cpu: object) -> None:
    assert not [line for line in lines(listed(host({"cpu": cpu})).samples) if "_cpus" in line]


def test_users_addresses_and_paths_are_not_shown() -> None:
    (recorded, *_) = json.loads((T0 / "host_list.json").read_text())
    text = "\n".join(lines(listed(recorded).samples))
    (found,) = recorded["fingerprints"]
    private = ["root", found["cwd"], found["net"][0]["address"], found["net"][0]["mac"], found["fingerprint"]]
    assert [word for word in private if word in json.dumps(recorded)] == private
    assert [word for word in private if word in text] == []


def test_a_deleted_host_has_no_lines() -> None:
    collector = HostsCollector(context_of(KIND))
    shown = [
        lines(collector.collect(FakeTheEye(*({"id": name, "hostname": name} for name in names)), 0).samples)
        for names in ("ab", "b", "")
    ]
    assert [len(found) for found in shown] == [2, 1, 0]
    assert shown[1] == [shown[0][1]]
