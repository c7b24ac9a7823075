"""Task in, expected lines out."""

from typing import Any

import msgspec
import pytest

from samples import lines
from theeye_exporter.collectors.directory import Directory, Entry
from theeye_exporter.collectors.tasks import TasksCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Task


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *tasks: dict[str, Any]) -> None:
        self.listed = tasks

    def tasks(self) -> Listing[Task]:
        return Listing([msgspec.convert(task, Task) for task in self.listed])


def collect(*tasks: dict[str, Any]) -> list[str]:
    collector = TasksCollector("demo", Directory(expected=True))
    return lines(collector.collect(FakeTheEye(*tasks), 0).samples)


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
        f"theeye_task_schedule_next_run_timestamp_seconds{{{LABELS}}} 1795353000.0",
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


def test_the_directory_knows_the_tasks_of_the_last_list_that_was_believed() -> None:
    directory = Directory(expected=True)
    collector = TasksCollector("demo", directory)
    assert directory.listed.entries is None
    collector.collect(FakeTheEye({"id": "t1", "name": "backup", "hostname": "bot-1"}), 0)
    first = directory.listed
    assert first.entries == {"t1": Entry(labels=("backup", "bot-1"))}
    with pytest.raises(UpstreamError) as caught:
        collector.collect(FakeTheEye(), 0)
    assert caught.value.reason is Reason.EMPTY_LIST
    assert directory.listed is first


def test_who_waits_for_the_directory_goes_on_after_a_failure() -> None:
    directory = Directory(expected=True)

    class Down(FakeTheEye):
        def tasks(self) -> Listing[Task]:
            raise UpstreamError(Reason.TIMEOUT, "too slow")

    with pytest.raises(UpstreamError):
        TasksCollector("demo", directory).collect(Down(), 0)
    directory.wait(3600)
    assert directory.listed.entries is None
