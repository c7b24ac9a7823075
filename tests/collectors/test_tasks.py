"""Tests the lines for given tasks."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.collectors.tasks import KIND, TasksCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Task


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *tasks: dict[str, Any]) -> None:
        self.listed = tasks

    def tasks(
        self,
        after: str = "",  # noqa: ARG002 - lists everything at once
        is_enough: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> Iterator[Listing[Task]]:
        yield Listing([msgspec.convert(task, Task) for task in self.listed])


def listed(*tasks: dict[str, Any]) -> Collection:
    return TasksCollector(context_of(KIND)).collect(FakeTheEye(*tasks), 0)


def collect(*tasks: dict[str, Any]) -> list[str]:
    return [line for line in lines(listed(*tasks).samples) if not line.startswith("theeye_tasks{")]


LABELS = 'organization="demo",task_id="t1",task="backup",hostname="bot-1"'


def test_a_whole_task() -> None:
    assert collect(
        {
            "id": "t1",
            "name": "backup",
            "type": "script",
            "hostname": "bot-1",
            "timeout": 1500,
            "execution_count": 42,
            "tags": ["z", "a b"],
            "workflow_id": "w1",
            "schedules": [
                {"nextRunAt": "2026-11-22T13:20:00.000Z"},
                {"nextRunAt": "2026-11-22T13:10:00.000Z"},
                {"nextRunAt": "2026-11-22T13:00:00.000Z", "disabled": True},
                {"nextRunAt": None},
                None,
            ],
        }
    ) == [
        f"theeye_task_executions_total{{{LABELS}}} 42",
        f'theeye_task_info{{{LABELS},task_type="script",tags="a b,z",workflow_id="w1"}} 1',
        f"theeye_task_schedule_failures{{{LABELS}}} 0",
        f"theeye_task_schedule_next_run_timestamp_seconds{{{LABELS}}} 1795353000.0",
        f'theeye_task_schedules{{{LABELS},state="active"}} 3',
        f'theeye_task_schedules{{{LABELS},state="disabled"}} 1',
        f'theeye_task_schedules{{{LABELS},state="failed"}} 0',
        f"theeye_task_timeout_seconds{{{LABELS}}} 1.5",
    ]


def test_a_bare_task_has_the_default_timeout_only() -> None:
    labels = 'organization="demo",task_id="t1",task="",hostname=""'
    assert collect({"id": "t1", "schedules": "none", "execution_count": -1}) == [
        f'theeye_task_info{{{labels},task_type="",tags="",workflow_id=""}} 1',
        f"theeye_task_timeout_seconds{{{labels}}} 600.0",
    ]


@pytest.mark.parametrize(
    ("task", "seconds"),
    [({}, ["600.0"]), ({"timeout": None}, ["600.0"]), ({"timeout": 1}, ["0.001"]), ({"timeout": 0}, [])]
    + [({"timeout": odd}, []) for odd in (-5, "600", True)],
)
def test_an_unset_timeout_is_the_default_and_an_odd_one_is_none(task: dict[str, Any], seconds: list[str]) -> None:
    found = [line for line in collect({"id": "t1", **task}) if line.startswith("theeye_task_timeout")]
    assert [line.rpartition(" ")[2] for line in found] == seconds


def test_the_host_names_the_task_that_has_no_hostname() -> None:
    found = collect({"id": "t1", "name": "x", "host": {"id": "h", "hostname": "bot-7"}})
    assert all('hostname="bot-7"' in line for line in found)


def test_collectors_that_need_the_names_of_tasks_get_them() -> None:
    found = listed(
        {"id": "t1", "name": "backup", "hostname": "bot-1", "creation_date": "2026-11-22T13:09:04.000Z"},
        {"id": "t2", "execution_count": 42},
        {"id": "t3", "execution_count": -1},
    )
    assert found.names == {
        "t1": Entry(labels=("backup", "bot-1"), created=1795352944.0),
        "t2": Entry(labels=("", ""), executions=42),
        "t3": Entry(labels=("", "")),
    }


T1, T2, T3 = (f"2026-11-22T13:{minute}:00.000Z" for minute in (10, 20, 30))
AT = {"T1": 1795353000.0, "T2": 1795353600.0, "T3": 1795354200.0}


def schedule_values(*schedules: Any) -> dict[str, float]:
    """Return the values of the families of schedules, by the rest of the name or by state."""
    task = {"id": "t1", "name": "backup", "hostname": "bot-1", "schedules": [*schedules]}
    found = [line for line in collect(task) if line.startswith("theeye_task_schedule")]
    values = {}
    for line in found:
        head, _, value = line.rpartition(" ")
        name, _, labels = head.removeprefix("theeye_task_schedule").partition("{")
        state = labels.partition('state="')[2].partition('"')[0]
        values[state or name.removeprefix("_").removesuffix("_timestamp_seconds")] = float(value)
    return values


@pytest.mark.parametrize(
    ("schedule", "state"),
    [
        ({}, "active"),
        ({"disabled": False}, "active"),
        ({"disabled": "true"}, "active"),
        ({"disabled": True}, "disabled"),
        ({"disabled": True, "lastFinishedAt": T2}, "disabled"),
        ({"disabled": True, "lastFinishedAt": T2, "failedAt": T2}, "failed"),
        ({"lastFinishedAt": T2, "failedAt": T2}, "failed"),
        ({"lastFinishedAt": T1, "failedAt": T2}, "failed"),
        ({"failedAt": T2}, "failed"),
        ({"lastFinishedAt": "never", "failedAt": T2}, "failed"),
        ({"lastFinishedAt": T3, "failedAt": T2}, "active"),
        ({"lastFinishedAt": T3, "failedAt": T2, "disabled": True}, "disabled"),
        ({"failedAt": "yesterday"}, "active"),
    ],
)
def test_only_an_active_schedule_runs_again(schedule: dict[str, Any], state: str) -> None:
    found = schedule_values(schedule | {"nextRunAt": T3})
    assert {name: found[name] for name in ("active", "disabled", "failed")} == {
        "active": 0,
        "disabled": 0,
        "failed": 0,
        state: 1,
    }
    assert found.get("next_run") == (AT["T3"] if state == "active" else None)


def test_of_several_schedules_the_newest_times_and_the_sum_of_failures_are_shown() -> None:
    assert schedule_values(
        {"nextRunAt": T3, "lastRunAt": T1, "failCount": 2, "failedAt": T1, "lastFinishedAt": T2},
        {"nextRunAt": T2, "lastRunAt": T2, "failCount": 1, "failedAt": T2, "lastFinishedAt": T2, "disabled": True},
        {"nextRunAt": T3, "lastRunAt": None, "failedAt": None, "failCount": None},
        "none",
    ) == {
        "active": 2,
        "disabled": 0,
        "failed": 1,
        "failures": 3,
        "next_run": AT["T3"],
        "last_trigger": AT["T2"],
        "last_failure": AT["T2"],
    }


@pytest.mark.parametrize("count", ["2", -1, True, [1]])
def test_a_sum_of_failures_with_an_odd_one_is_absent(count: object) -> None:
    task = {"id": "t1", "schedules": [{"failCount": 1}, {"failCount": count}]}
    found = listed(task)
    assert not [line for line in lines(found.samples) if "_failures" in line]
    assert found.dropped == {"impossible": 1}


@pytest.mark.parametrize("schedules", [[], None, "none", [None, 3], {"0": {}}])
def test_a_task_without_schedules_has_no_series_of_them(schedules: object) -> None:
    assert not [line for line in collect({"id": "t1", "schedules": schedules}) if "schedule" in line]


def test_tasks_are_counted_by_type() -> None:
    kinds = ["script", "script", "dummy", "melted", None, ["script"]]
    found = lines(listed(*({"id": f"t{n}", "type": kind} for n, kind in enumerate(kinds))).samples)
    counts = {"script": 2, "scraper": 0, "approval": 0, "dummy": 1, "notification": 0, "nodejs": 0, "other": 3}
    shown = [f'theeye_tasks{{organization="demo",task_type="{kind}"}} {count}' for kind, count in counts.items()]
    assert sorted(line for line in found if line.startswith("theeye_tasks{")) == sorted(shown)
    assert not [line for line in lines(listed().samples) if not line.endswith(" 0") or "other" in line]
