"""Tests the lines for given workflows."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.name_index import Entry
from theeye_exporter.collectors.workflows import KIND, WorkflowsCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Workflow


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *workflows: dict[str, Any]) -> None:
        self.listed = workflows

    def workflows(self) -> Listing[Workflow]:
        found = [msgspec.convert(workflow, Workflow) for workflow in self.listed]
        return Listing(found, skipped=Counter(malformed=2))


def listed(*workflows: dict[str, Any], tags: bool = True) -> Collection:
    return WorkflowsCollector(context_of(KIND, tags=tags)).collect(FakeTheEye(*workflows), 0)


@pytest.mark.parametrize(
    ("workflow", "name", "tags"),
    [
        ({"name": "ETL", "tags": ["z", "a b"]}, "ETL", "a b,z"),
        ({"name": "ETL", "tags": "z"}, "ETL", ""),
        ({"name": None, "tags": [None, ""]}, "", ""),
        ({}, "", ""),
        ({"name": 'quoted "a"'}, r"quoted \"a\"", ""),
    ],
)
def test_a_workflow_is_described_by_its_name_and_its_sorted_tags(
    workflow: dict[str, Any], name: str, tags: str
) -> None:
    assert lines(listed({"id": "w1", **workflow}).samples) == [
        f'theeye_workflow_info{{organization="demo",workflow_id="w1",workflow="{name}",tags="{tags}"}} 1'
    ]


def test_tags_are_shown_only_where_they_are_wanted() -> None:
    assert lines(listed({"id": "w1", "name": "ETL", "tags": ["a"]}, tags=False).samples) == [
        'theeye_workflow_info{organization="demo",workflow_id="w1",workflow="ETL",tags=""} 1'
    ]


def test_collectors_that_need_the_names_of_workflows_get_them() -> None:
    found = listed({"id": "w1", "name": "ETL"}, {"id": "w2"})
    assert found.names == {"w1": Entry(labels=("ETL",)), "w2": Entry(labels=("",))}
    assert (found.objects, found.skipped, found.dropped) == (2, {"malformed": 2}, {})


def test_a_deleted_workflow_has_no_lines() -> None:
    collector = WorkflowsCollector(context_of(KIND))
    shown = [
        lines(collector.collect(FakeTheEye(*({"id": name, "name": name} for name in names)), 0).samples)
        for names in ("ab", "b", "")
    ]
    assert [len(found) for found in shown] == [2, 1, 0]
    assert shown[1] == [shown[0][1]]
