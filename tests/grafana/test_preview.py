"""Tests that variables and transformations work as in Grafana."""

import re
from typing import Any

import pytest

from dashboards import DASHBOARDS
from theeye_preview.charts import timeseries
from theeye_preview.data import Line, legend
from theeye_preview.variables import Chosen, TimeRange, interpolate, options_of_query_result

TIME = TimeRange(0, 6 * 3600, 30)
DASHBOARD = {
    "templating": {
        "list": [
            {"name": "hostname", "multi": True, "includeAll": True, "allValue": ".*"},
            {"name": "task", "multi": False, "includeAll": False},
        ]
    }
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, 'x{hostname=~".*"}'),
        ({"hostname": ["web-1"]}, 'x{hostname=~"web-1"}'),
        ({"hostname": ["web.1", "web(2)"]}, r'x{hostname=~"(web\\.1|web\\(2\\))"}'),
        ({"hostname": ["C:\\x"]}, r'x{hostname=~"C:\\\\x"}'),
    ],
)
def test_several_values_become_a_regular_expression(values: dict[str, list[str]], expected: str) -> None:
    assert interpolate('x{hostname=~"$hostname"}', DASHBOARD, Chosen(TIME, values)) == expected


def test_a_variable_without_all_needs_a_value() -> None:
    with pytest.raises(KeyError, match="task has no All"):
        interpolate('x{task_id="$task"}', DASHBOARD, Chosen(TIME))
    assert interpolate('x{task_id="${task}"}', DASHBOARD, Chosen(TIME, {"task": ["6a"]})) == 'x{task_id="6a"}'


@pytest.mark.parametrize(
    ("points", "least", "expected"),
    [
        # 6 hours in 300 points are 72 s, rounded to the next of Grafana's steps.
        (300, "", "x[150s] 120s 21600s"),
        (10_000, "", "x[120s] 30s 21600s"),
        (300, "2m", "x[480s] 120s 21600s"),
    ],
)
def test_windows_follow_the_points_and_the_scrape_interval(points: int, least: str, expected: str) -> None:
    asked = "x[$__rate_interval] $__interval $__range"
    assert interpolate(asked, DASHBOARD, Chosen(TIME), points=points, least=least) == expected


def test_tasks_are_chosen_by_id_whatever_their_names_hold() -> None:
    (variable,) = (v for v in DASHBOARDS["task"]["templating"]["list"] if v["name"] == "task")
    names = {
        "6a1": 'tricky "task"\\ with\nnewline, {x="y"} · web-1',
        "6a2": "heartbeat · ",
        "6a3": "",
        "6a4": "a · b · c",
    }
    result: list[dict[str, Any]] = [
        {"metric": {"shown": name, "task_id": task_id}, "value": [1, "600"]} for task_id, name in names.items()
    ]
    assert options_of_query_result(result, variable["regex"]) == {
        names["6a1"]: "6a1",
        "heartbeat": "6a2",
        "": "6a3",
        "a · b · c": "6a4",
    }


def test_a_legend_takes_labels() -> None:
    assert legend("{{hostname}} {{device}}", {"hostname": "web-1", "device": "sda"}) == "web-1 sda"


def test_ticks_of_an_axis_have_different_labels() -> None:
    panel = {"fieldConfig": {"defaults": {"decimals": 0, "unit": "short", "custom": {}}}}
    for top in (1.0, 2.0, 3.0, 7.0):
        lines = [Line("one", [(0, top), (60, top)], {})]
        drawn = timeseries(panel, lines, TimeRange(0, 60, 30), 400, 200)
        labels = re.findall(r'text-anchor="end"[^>]*>([^<]*)<', drawn)
        assert len(labels) == len(set(labels)) > 1
        assert [float(label) for label in labels] == [number * float(labels[1]) for number in range(len(labels))]
