"""Tests what tables leave out: all columns show the same lines, and the worst lines are never cut."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import promql_parser as promql
import pytest

from alerts.rulebook import promtool
from dashboards import DASHBOARDS, EVERYTHING, Expression, expressions, panels
from queries import nodes
from theeye_preview.variables import Chosen, interpolate

MANY: Final = 450
"""More objects than a table shows."""

TABLES: Final = [
    pytest.param(name, panel["title"], id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
    if panel["type"] == "table" and len(panel["targets"]) > 1
    if name != "task"  # one task, one line
]


def columns(dashboard: str, title: str) -> list[Expression]:
    """Return the expressions of a table, in their order."""
    of_panel = [one for one in expressions() if one.panel is not None and one.dashboard == dashboard]
    return [one for one in of_panel if one.panel is not None and one.panel["title"] == title]


@pytest.mark.parametrize(("dashboard", "title"), TABLES)
def test_all_columns_of_a_table_show_the_same_lines(dashboard: str, title: str) -> None:
    cuts = [
        {
            str(node)
            for node in nodes(column.parsed)
            if isinstance(node, promql.AggregateExpr) and str(node.op) in {"topk", "bottomk"} and str(node.param) != "1"
        }
        for column in columns(dashboard, title)
    ]
    assert set.intersection(*cuts), "each column chooses its own lines"


class Case(NamedTuple):
    """A table with more objects than it shows.

    Attributes:
        by: The label that tells the objects apart.
        usual: The series of most objects, with their values.
        worst: Those of two objects that somebody has to see, the first and the last one by name.
        letters: The columns that show it.
    """

    dashboard: str
    title: str
    by: str
    usual: Mapping[str, float]
    worst: Mapping[str, float]
    letters: str


CASES: Final = [
    Case(
        "exporter",
        "Collectors",
        "organization",
        {
            'theeye_collector_success{collector="tasks"}': 1,
            'theeye_collector_last_success_timestamp_seconds{collector="tasks"}': 0,
            'theeye_collector_duration_seconds{collector="tasks"}': 9,
        },
        {
            'theeye_collector_success{collector="tasks"}': 0,
            'theeye_collector_last_success_timestamp_seconds{collector="tasks"}': 200,
            'theeye_collector_duration_seconds{collector="tasks"}': 1,
        },
        "ABC",
    ),
    Case(
        "exporter",
        "TheEye's servers",
        "organization",
        {
            'theeye_server_info{version="4.15"}': 1,
            "theeye_server_clock_skew_seconds{}": 1,
            "theeye_server_certificate_expiry_timestamp_seconds{}": 9e6,
        },
        {
            'theeye_server_info{version="4.14"}': 1,
            "theeye_server_clock_skew_seconds{}": 0,
            "theeye_server_certificate_expiry_timestamp_seconds{}": 9e3,
        },
        "ABC",
    ),
    Case(
        "exporter",
        "TheEye's servers",
        "organization",
        {'theeye_server_info{version="4.15"}': 1, "theeye_server_clock_skew_seconds{}": 1},
        {'theeye_server_info{version="4.15"}': 1, "theeye_server_clock_skew_seconds{}": -90},
        "AB",
    ),
    Case(
        "exporter",
        "Exporters",
        "instance",
        {
            'theeye_exporter_build_info{version="2", python_version="3.13"}': 1,
            "process_start_time_seconds{}": -9e6,
        },
        {
            'theeye_exporter_build_info{version="2", python_version="3.13"}': 1,
            "process_start_time_seconds{}": 0,
        },
        "AB",
    ),
    Case(
        "actions",
        "Actions",
        "action",
        {
            'theeye_action_info{organization="acme", mode="live", kind="task", target="t"}': 1,
            'theeye_action_last_start_timestamp_seconds{organization="acme"}': 0,
            'theeye_action_suspended{organization="acme"}': 0,
        },
        {
            'theeye_action_info{organization="acme", mode="live", kind="task", target="t"}': 1,
            'theeye_action_last_start_timestamp_seconds{organization="acme"}': 0,
            'theeye_action_suspended{organization="acme"}': 1,
        },
        "ACF",
    ),
    Case(
        "hosts",
        "Inventory",
        "hostname",
        {
            'theeye_host_info{organization="acme", host_id="a", agent_version="1"}': 1,
            'theeye_host_cpus{organization="acme", host_id="a"}': 8,
        },
        {
            'theeye_host_info{organization="acme", host_id="a", agent_version="2"}': 1,
            'theeye_host_cpus{organization="acme", host_id="a"}': 1,
        },
        "AC",
    ),
    Case(
        "jobs",
        "Schedules in trouble",
        "task_id",
        {'theeye_task_schedule_next_run_timestamp_seconds{organization="acme", task="t"}': 0},
        {
            'theeye_task_schedules{organization="acme", task="t", state="failed"}': 1,
            'theeye_task_schedule_last_failure_timestamp_seconds{organization="acme", task="t"}': -9e6,
        },
        "ADE",
    ),
    Case(
        "overview",
        "Organisations",
        "organization",
        {"theeye_up{}": 1, 'theeye_monitors{state="failure", severity="HIGH"}': 3},
        {"theeye_up{}": 0},
        "A",
    ),
    Case(
        "overview",
        "Alerts",
        "organization",
        {
            'ALERTS{alertname="TheEyeTaskFailing", severity="warning", alertstate="firing"}': 1,
            'ALERTS_FOR_STATE{alertname="TheEyeTaskFailing", severity="warning"}': 0,
        },
        {
            'ALERTS{alertname="TheEyeUpstreamDown", severity="critical", alertstate="firing"}': 1,
            'ALERTS_FOR_STATE{alertname="TheEyeUpstreamDown", severity="critical"}': 200,
        },
        "A",
    ),
]


@pytest.mark.e2e
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dashboard}: {case.title}, {case.letters}")
def test_the_worst_lines_are_shown_although_there_are_more_than_a_table_holds(case: Case, tmp_path: Path) -> None:
    names = [f"a{number:03}" for number in range(MANY)]
    series = [one for name in names for one in _series(case.usual, case.by, name)]
    series = [*_series(case.worst, case.by, "0"), *series, *_series(case.worst, case.by, "z")]
    chosen = {f"{chr(ord('A') + index)}": one for index, one in enumerate(columns(case.dashboard, case.title))}
    seen = f'group by ({case.by}) ({{__name__=~".+", {case.by}=~"0|z"}})'
    tests = []
    for letter in case.letters:
        expression = interpolate(chosen[letter].raw, DASHBOARDS[case.dashboard], Chosen(EVERYTHING.time, {}))
        tests += [
            # There are more lines than the table shows, and the two worst ones are among those that it shows.
            {"expr": f"count(({expression}) and on ({case.by}) {seen})", "exp_samples": [{"labels": "{}", "value": 2}]},
            {"expr": f"count({expression}) < bool {MANY}", "exp_samples": [{"labels": "{}", "value": 1}]},
        ]
    each = [{**one, "eval_time": "5m"} for one in tests]
    file = tmp_path / "table.test.yml"
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": each}]}))
    assert "SUCCESS" in promtool("test", "rules", file)


def _series(metrics: Mapping[str, float], by: str, name: str) -> Sequence[Mapping[str, str]]:
    target = "" if by == "instance" else 'instance="a:9855", '
    return [
        {
            "series": metric.replace("{", f'{{job="theeye", {target}{by}="{name}", ', 1).replace(", }", "}"),
            "values": f"{value:.0f}x10",
        }
        for metric, value in metrics.items()
    ]
