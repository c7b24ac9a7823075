"""Tests what a person finds on the pages: every collector, plain words, and no panel that hides that data is missing."""

import re
from typing import Any

import promql_parser as promql
import pytest

from dashboards import DASHBOARDS, expressions, panels
from queries import nodes, selectors
from theeye_exporter.collectors.registry import COLLECTORS

JSON = dict[str, Any]

OF_PANELS = [expression for expression in expressions() if expression.panel is not None]
every_dashboard = pytest.mark.parametrize("name", DASHBOARDS)
every_panel = pytest.mark.parametrize(
    ("name", "panel"),
    [
        pytest.param(name, panel, id=f"{name}: {panel['title']}")
        for name, dashboard in DASHBOARDS.items()
        for panel in panels(dashboard)
    ],
)


def test_every_collector_is_on_a_dashboard() -> None:
    asked = {selector.name for expression in OF_PANELS for selector in selectors(expression.parsed)}
    for kind in COLLECTORS:
        shown = {family.name for family in kind.families}
        assert asked & {name + end for name in shown for end in ("", "_bucket", "_sum", "_count")}, kind.name


@every_panel
def test_an_empty_panel_does_not_hide_that_data_is_missing(name: str, panel: JSON) -> None:
    of_panel = [expression.parsed for expression in OF_PANELS if expression.panel is panel]
    calls = {node.func.name for parsed in of_panel for node in nodes(parsed) if isinstance(node, promql.Call)}
    told = "absent" in calls and panel["type"] == "table"
    assert told or "no data" in panel["fieldConfig"]["defaults"]["noValue"].lower(), name


@every_dashboard
def test_a_banner_has_the_age_of_the_data(name: str) -> None:
    first = DASHBOARDS[name]["panels"][0]
    assert first["title"] == "Age of the data"
    assert first["gridPos"] == {"x": 0, "y": 0, "w": 24, "h": first["gridPos"]["h"]}


@every_dashboard
def test_graphs_mark_critical_alerts_starts_of_the_exporter_and_runs_of_actions(name: str) -> None:
    alerts, starts, runs = DASHBOARDS[name]["annotations"]["list"]
    assert 'severity="critical"' in alerts["expr"]
    assert "process_start_time_seconds" in starts["expr"]
    # The actions process is not the exporter: `$job` chooses exporters, and would leave the runs out.
    assert 'decision="started"' in runs["expr"]
    assert "$job" not in runs["expr"]
    assert 'organization=~"$organization"' in runs["expr"]
    for annotation in (alerts, starts, runs):
        assert annotation["datasource"]["uid"] == "${datasource}"
        assert annotation["titleFormat"] == annotation["name"]


@every_panel
def test_titles_are_in_the_words_of_people(name: str, panel: JSON) -> None:
    del name
    texts = [panel["title"], *(target.get("legendFormat", "") for target in panel["targets"])]
    assert not [text for text in texts if re.search(r"took at most|\d %|percentile", text)]
    # A stuck job is not an overdue task: that is one whose schedule was due.
    if any("Overdue" in text for text in texts):
        assert "theeye_task_missed_trigger" in panel["targets"][0]["expr"]
