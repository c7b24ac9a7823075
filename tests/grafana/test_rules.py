"""Tests the rules for dashboards: those of Grafana's linter, and those of this project."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import promql_parser as promql
import pytest

from dashboards import DASHBOARDS, FOLDER, Expression, expressions, panels
from queries import catalogue, children, nodes, selectors
from theeye_dashboards.catalogue import render
from theeye_exporter.collectors.registry import CATALOGUE

JSON = dict[str, Any]

PAGES = ("overview", "hosts", "jobs", "task", "indicators", "canaries", "actions", "exporter")
UIDS = {name: f"theeye-{name}" for name in PAGES}
EVERY = expressions()
OF_PANELS = [expression for expression in EVERY if expression.panel is not None]
EVERY_PANEL = [
    pytest.param(name, panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
]
UNITS = set((Path(__file__).parent / "units.txt").read_text().split())
PROMETHEUS_OWN = {
    name: ("gauge", frozenset[str]()) for name in ("up", "scrape_duration_seconds", "scrape_samples_scraped")
}
ALERT_LABELS = frozenset({"alertname", "severity", "organization", "hostname"})
ALERTS = {"ALERTS": ("gauge", ALERT_LABELS | {"alertstate"}), "ALERTS_FOR_STATE": ("gauge", ALERT_LABELS)}
"""What Prometheus stores of alerts, with the labels of ours that dashboards use."""
METRICS = {**PROMETHEUS_OWN, **ALERTS, **catalogue()}
TARGET_LABELS = {"job", "instance"}

every_dashboard = pytest.mark.parametrize("name", DASHBOARDS)
every_panel = pytest.mark.parametrize(("name", "panel"), EVERY_PANEL)
every_expression = pytest.mark.parametrize("expression", EVERY, ids=lambda e: f"{e.dashboard}: {e.where}")


def test_the_committed_json_is_what_the_code_makes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == render(), "run `make dashboards`"


def test_the_dashboards_are_there_under_their_names_and_small_enough_for_a_config_map() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == UIDS
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 900_000


@every_dashboard
def test_a_dashboard_says_what_it_is_for(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["title"].startswith("TheEye / ")
    assert len(dashboard["description"]) > 40
    assert "theeye" in dashboard["tags"]
    assert dashboard["time"]["from"].startswith("now-")
    assert dashboard["refresh"]
    assert "id" not in dashboard


@every_dashboard
def test_the_data_source_is_a_variable(name: str) -> None:
    dashboard = DASHBOARDS[name]
    variables = dashboard["templating"]["list"]
    assert (variables[0]["name"], variables[0]["type"], variables[0]["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    users = [variable for variable in variables if variable["type"] == "query"]
    users += [user for panel in panels(dashboard) for user in (panel, *panel["targets"])]
    assert {(user["datasource"]["type"], user["datasource"]["uid"]) for user in users} == {
        ("prometheus", "${datasource}")
    }


@every_dashboard
@pytest.mark.parametrize(("variable", "label"), [("job", "Job"), ("instance", "Instance")])
def test_exporters_can_be_told_apart(name: str, variable: str, label: str) -> None:
    (found,) = (v for v in DASHBOARDS[name]["templating"]["list"] if v["name"] == variable)
    assert found["type"] == "query"
    assert found["query"].startswith("label_values(")
    assert (found["label"], found["multi"], found["includeAll"], found["allValue"]) == (label, True, True, ".+")


@every_dashboard
def test_variables_follow_the_time_range_and_offer_only_what_a_query_can_hold(name: str) -> None:
    for variable in DASHBOARDS[name]["templating"]["list"][1:]:
        assert variable["description"], variable["name"]
        if variable["type"] == "textbox":
            assert (variable["name"], variable["query"]) == ("theeye", "https://app.theeye.io")
            continue
        assert variable["refresh"] == 2, variable["name"]
        if variable["name"] not in {"job", "instance"}:
            assert variable["regex"], variable["name"]
        if variable.get("includeAll"):
            # A list of all names would be a query of megabytes with a large fleet.
            assert variable["allValue"] in {".+", ".*"}, variable["name"]


@every_dashboard
def test_every_variable_is_used(name: str) -> None:
    dashboard = DASHBOARDS[name]
    used = set()
    for panel in panels(dashboard):
        used |= {match for target in panel["targets"] for match in re.findall(r"\$(\w+)", target["expr"])}
    used |= {match for link in dashboard["links"] for match in re.findall(r"\$\{(\w+):raw\}", link["url"])}
    assert {v["name"] for v in dashboard["templating"]["list"][1:]} <= used


@every_dashboard
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    cells: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARDS[name]["panels"]:
        grid = panel["gridPos"]
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert 0 <= x < 24, panel["title"]
                assert (x, y) not in cells, (panel["title"], cells.get((x, y)))
                cells[x, y] = panel["title"]
    for y in {y for _, y in cells}:
        assert sum((x, y) in cells for x in range(24)) == 24, f"a hole in line {y}"


@every_panel
def test_a_panel_explains_itself(name: str, panel: JSON) -> None:
    del name
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["title"][0].isupper()
    assert len(panel["description"]) > 15
    assert panel["description"].endswith(".")
    assert len(defaults["noValue"]) > 6
    units = {defaults.get("unit"), panel["options"].get("yAxis", {}).get("unit")}
    units |= {
        prop["value"]
        for override in panel["fieldConfig"]["overrides"]
        for prop in override["properties"]
        if prop["id"] == "unit"
    }
    assert units - {None} <= UNITS
    if panel["type"] not in {"table", "heatmap"}:
        assert defaults["unit"]
    # What stands above a narrow panel has to be read, too: a letter is some 8 pixels, a column 53.
    assert len(panel["title"]) * 8 <= panel["gridPos"]["w"] * 53


@every_panel
def test_series_have_names(name: str, panel: JSON) -> None:
    del name
    if panel["type"] == "table":
        return
    several = len(panel["targets"]) > 1
    for target in panel["targets"]:
        if panel["type"] != "stat" or several:
            assert target["legendFormat"], target["refId"]
        labels = re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
        parsed = next(e for e in OF_PANELS if e.target is target).parsed
        kept = {label for node in nodes(parsed) if isinstance(node, promql.AggregateExpr) for label in _by(node)}
        assert set(labels) <= kept | TARGET_LABELS, target["legendFormat"]


def _by(node: promql.AggregateExpr) -> list[str]:
    return list(node.modifier.labels) if node.modifier is not None else []


@every_panel
def test_a_click_leads_to_the_detail_and_keeps_what_is_chosen(name: str, panel: JSON) -> None:
    assert panel["links"]
    links = [link["url"] for link in panel["links"]]
    overrides = panel["fieldConfig"]["overrides"]
    links += [
        link["url"]
        for override in overrides
        for prop in override["properties"]
        if prop["id"] == "links"
        for link in prop["value"]
    ]
    own = [url for url in links if url.startswith("${theeye:raw}/")]
    assert all(value.endswith(":percentencode}") for url in own for value in re.findall(r"\$\{__data[^}]*\}", url))
    by_uid = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS.values()}
    for url in set(links) - set(own):
        parts = urlsplit(url.replace("${__url_time_range}", "from=now"))
        target = by_uid[parts.path.removeprefix("/d/")]
        assert "${__url_time_range}" in url
        known = {variable["name"] for variable in target["templating"]["list"]}
        chosen = {key.removeprefix("var-") for key, _ in parse_qsl(parts.query) if key.startswith("var-")}
        kept = set(re.findall(r"\$\{(\w+):queryparam\}", url))
        assert chosen | kept <= known, url
        assert kept <= {variable["name"] for variable in DASHBOARDS[name]["templating"]["list"]}
        assert {"datasource", "job", "instance", "organization", "theeye"} <= kept | chosen
        assert not kept & chosen
        # Names may hold anything, an ampersand too.
        assert all(value.endswith(":percentencode}") for _, value in parse_qsl(parts.query) if "__data" in value)


@every_dashboard
def test_the_pages_lead_to_each_other_with_variables_and_time(name: str) -> None:
    link, own = DASHBOARDS[name]["links"]
    assert (own["type"], own["url"], own["targetBlank"]) == ("link", "${theeye:raw}/dashboard", True)
    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", ["theeye"], True, True)


@every_expression
def test_an_expression_parses_and_asks_for_what_the_exporter_has(expression: Expression) -> None:
    found = list(selectors(expression.parsed))
    assert found
    for selector in found:
        assert selector.name in METRICS, selector.name
        _, labels = METRICS[selector.name]
        assert set(selector.matchers) <= labels | TARGET_LABELS, selector


def test_what_theeye_calls_cache_is_called_swap_at_once() -> None:
    (description,) = [panel["description"] for panel in panels(DASHBOARDS["hosts"]) if panel["title"] == "Swap"]
    (family,) = [family for family in CATALOGUE if family.name == "theeye_host_cache_usage_ratio"]
    rules = (FOLDER.parent / "alerts" / "usage.rules.yml").read_text()
    assert description.startswith("Swap in use; TheEye calls it cache")
    assert family.help.startswith("Share of swap in use, 0 to 1; TheEye calls it cache, but it is not the page cache")
    assert re.search(r'resource="cache"}\[3m\]\)\),\s+"resource", "swap"', rules)
    assert "summary: >-\n            Usage of {{ $labels.resource }}" in rules


@pytest.mark.parametrize("expression", OF_PANELS, ids=lambda e: f"{e.dashboard}: {e.where}")
def test_every_selector_keeps_to_what_is_chosen(expression: Expression) -> None:
    variables = {v["name"] for v in DASHBOARDS[expression.dashboard]["templating"]["list"]}
    for braces in re.findall(r"(?<!S)(?<!STATE)\{([^}]*)\}", expression.raw):
        assert 'job=~"$job", instance=~"$instance"' in braces
    for selector in selectors(expression.parsed):
        _, labels = METRICS[selector.name]
        wanted = {"organization"} & labels
        if selector.name not in ALERTS:
            wanted |= {"job", "instance"}
        if selector.name.startswith(("theeye_monitor_", "theeye_host_", "theeye_task_", "theeye_job_")):
            wanted |= {"hostname"} & variables & labels
            if "task" in variables and "task_id" in labels:
                wanted.add("task_id")
        assert wanted <= set(selector.matchers), selector


@every_expression
def test_metrics_that_every_process_has_are_those_of_exporters(expression: Expression) -> None:
    """By default, the variable job matches every process that Prometheus scrapes."""
    names = {selector.name for selector in selectors(expression.parsed)}
    assert all(name.startswith(("theeye_", "ALERTS")) for name in names) or any(
        name.startswith("theeye_") for name in names
    )


@every_expression
def test_counters_are_rates_and_gauges_are_not(expression: Expression) -> None:
    for selector in selectors(expression.parsed):
        kind, _ = METRICS[selector.name]
        of_counters = {"rate", "increase"} & set(selector.functions)
        assert (kind == "counter") == bool(of_counters), selector


@pytest.mark.parametrize("expression", OF_PANELS, ids=lambda e: f"{e.dashboard}: {e.where}")
def test_windows_are_grafanas(expression: Expression) -> None:
    windows = set(re.findall(r"\[([^\]]+)\]", expression.raw))
    instant = expression.target["instant"]
    # Over time, a window is that of the points; at the end, it is the whole time range.
    fixed = {"$__range", "$__range:1m", "$__range:5m"} if instant or "@ end()" in expression.raw else set()
    assert windows <= fixed | ({"$__rate_interval"} if not instant else set())
    assert expression.target["range"] != instant


@every_expression
def test_joins_are_within_one_exporter(expression: Expression) -> None:
    for node in nodes(expression.parsed):
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            card, labels = node.modifier.card, set(node.modifier.matching.labels)
            if card in (promql.VectorMatchCardinality.ManyToOne, promql.VectorMatchCardinality.OneToMany):
                # Only an id names one object, and only within one exporter.
                assert labels >= TARGET_LABELS
                assert labels & {"monitor_id", "task_id", "workflow_id", "indicator_id"}


@pytest.mark.parametrize("expression", OF_PANELS, ids=lambda e: f"{e.dashboard}: {e.where}")
def test_no_answer_grows_with_the_fleet(expression: Expression) -> None:
    of_objects = {"monitor_id", "task_id", "workflow_id", "hostname", "monitor", "task", "workflow", "device"}
    assert not _open_labels(expression.parsed) & of_objects


def _is_cut(node: promql.Expr) -> bool:
    if isinstance(node, promql.AggregateExpr):
        return str(node.op) in {"topk", "bottomk"}
    return isinstance(node, promql.Call) and node.func.name == "absent"


def _open_labels(node: promql.Expr) -> set[str]:
    """Return the labels by which an answer has as many series as there are objects; none, where it is cut."""
    if _is_cut(node):
        return set()
    if isinstance(node, promql.AggregateExpr):
        return set(_by(node)) & _open_labels(node.expr) if node.modifier is not None else set()
    if isinstance(node, promql.BinaryExpr):
        left, right = _open_labels(node.lhs), _open_labels(node.rhs)
        if str(node.op) == "and" and not right:
            return set()
        return left | right if str(node.op) == "or" else left
    if isinstance(node, promql.VectorSelector | promql.MatrixSelector):
        name = node.name if isinstance(node, promql.VectorSelector) else node.vector_selector.name
        matchers = next(iter(selectors(node))).matchers
        one = {"task_id", "task", "hostname", "workflow_id"} if matchers.get("task_id") not in {None, ".*"} else set()
        return set(METRICS[name or ""][1]) - one
    inner = [_open_labels(child) for child in children(node)]
    return set().union(*inner) if inner else set()
