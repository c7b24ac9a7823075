"""Tests that no series occurs twice, whatever names are used, and that no object with its own id is lost."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fuzz.polled import Polled, TheEye, theeye

AT: Final = "2026-11-22T13:08:59.000Z"

# Also names that differ only in characters that labels do not show, or that quoting could confuse.
NAMES: Final = st.one_of(
    st.sampled_from(
        ("", "a", "a ", " a", 'a"', 'a\\"', "a\\", 'a",device="b', "a\x00", "a\x01", "a\u2028", "a\ud800", "a\ufffd")
    ),
    st.builds("{}{}".format, st.sampled_from(("x" * 495, "x" * 512, "x" * 5000)), st.text(max_size=2)),
    st.text(st.characters(codec=None, categories=None), max_size=4),
    st.integers(0, 2),
)
IDS: Final = st.sampled_from((*"abc", "a" * 128, "b" * 128, 'a"', "a,b", "a}", "A")) | st.text(max_size=3)


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


def lists(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries({"id": IDS, "name": NAMES, **fields}), max_size=8)


MONITORS: Final = lists(
    type=st.just("dstat"),
    hostname=NAMES,
    last_update=st.just(AT),
    last_event=st.lists(NAMES, max_size=4).map(
        lambda names: {"data": {"cpu": 1, "disk": [{"name": name, "value": 5} for name in names]}}
    ),
)
JOBS: Final = lists(
    task_id=IDS,
    workflow_id=IDS,
    _type=st.sampled_from(("ScriptJob", "WorkflowJob", "AgentUpdateJob")) | NAMES,
    lifecycle=st.sampled_from(("finished", "ready", "assigned")) | NAMES,
    state=st.just("success") | NAMES,
    last_update=st.just(AT),
)


@settings(phases=(Phase.explicit, Phase.reuse, Phase.generate), max_examples=25)
@given(monitors=MONITORS, tasks=lists(hostname=NAMES, tags=st.lists(NAMES, max_size=3)), workflows=lists(), jobs=JOBS)
def test_series_are_unique_whatever_things_are_called(
    monitors: list[Any], tasks: list[Any], workflows: list[Any], jobs: list[Any], server: TheEye
) -> None:
    polled = Polled(server)
    answers = {"monitors": monitors, "tasks": tasks, "workflows": workflows, "jobs": jobs, "open_jobs": jobs}
    try:
        for _ in range(2):
            polled.poll({kind: json.dumps(objects).encode() for kind, objects in answers.items()})
        found = polled.series()  # which fails on a series that comes twice
        info = [labels for name, labels in found if name == "theeye_monitor_info"]
        valid = {one["id"] for one in monitors if one["id"] and len(one["id"]) <= 128}
        assert len(info) == len({one for one in valid if one.isascii() and one.isprintable()})
    finally:
        polled.close()


def test_devices_that_differ_only_behind_the_limit_are_two(server: TheEye) -> None:
    polled = Polled(server)
    disks = [{"name": "x" * 600 + end, "value": 5} for end in ("1", "2")]
    report = {"last_update": AT, "last_event": {"data": {"disk": disks}}}
    try:
        polled.poll({"monitors": json.dumps([{"id": "a", "type": "dstat", **report}]).encode()})
        assert sum(name == "theeye_host_disk_usage_ratio" for name, _ in polled.series()) == 2
    finally:
        polled.close()


def test_a_byte_order_mark_before_json_is_skipped(server: TheEye) -> None:
    polled = Polled(server)
    done = {"lifecycle": "finished", "state": "success", "last_update": AT, "_type": "ScriptJob", "task_id": "a"}
    one = json.dumps([{"id": "a", "name": "a", **done}]).encode()
    answers = dict.fromkeys(("monitors", "tasks", "workflows", "jobs"), b"\xef\xbb\xbf" + one)
    try:
        for _ in range(2):
            assert set(polled.poll({**answers, "details": b"\xef\xbb\xbf" + one[1:-1]}).values()) == {None}
    finally:
        polled.close()
