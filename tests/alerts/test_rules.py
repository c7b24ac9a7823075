"""Tests every rule: valid, with unit tests in both directions, documented, and based on existing series."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import promql_parser as promql
import pytest
import yaml

from alerts.rulebook import RULE_FILES, TEST_FILES, Rule, label_names, promtool, rules
from dashboards import DASHBOARDS
from documents import code_blocks, document
from queries import catalogue, selectors

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = "https://github.com/theeye-io/theeye-exporter"
RULES: Final = rules()
ALERTS: Final = [rule for rule in RULES if rule.is_alert]
SEVERITIES: Final = {"critical", "warning", "info", "none"}
FROM_PROMETHEUS: Final = {"up": frozenset[str]()}
TARGET: Final = frozenset({"job", "instance"})
SERVED: Final = {name: labels for name, (_, labels) in catalogue().items()}
SCRAPED: Final = {name: labels | TARGET for name, labels in {**FROM_PROMETHEUS, **SERVED}.items()}
OF_RULES: Final = {"ALERTS": frozenset({"alertname", "alertstate"})}
"""What Prometheus itself records of alerts."""
RECORDED: Final = {rule.name for rule in RULES if not rule.is_alert}
WRITTEN: Final = {"theeye_severity", "resource", "file"}
"""Labels that label_replace writes."""


@cache
def unit_tests() -> list[dict[str, Any]]:
    return [test for path in TEST_FILES for test in yaml.safe_load(path.read_text())["tests"]]


@pytest.mark.e2e
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert said.count("SUCCESS") == len(RULE_FILES) >= 4


@pytest.mark.e2e
@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_the_unit_tests_of_the_rules_pass(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_there_are_enough_alerts_and_no_name_in_two_files() -> None:
    files = defaultdict(set)
    for rule in RULES:
        files[rule.name].add(rule.file)
    assert len({rule.name for rule in ALERTS}) >= 12
    assert [name for name, where in files.items() if len(where) > 1] == []


@pytest.mark.parametrize("rule", ALERTS, ids=str)
def test_each_alert_fires_in_a_unit_test_and_is_silent_in_another(rule: Rule) -> None:
    checks = [c for test in unit_tests() for c in test["alert_rule_test"] if c["alertname"] == rule.name]
    fired = [alert for check in checks for alert in check["exp_alerts"]]
    assert rule.content["labels"]["severity"] in {alert["exp_labels"]["severity"] for alert in fired}
    assert any(check["exp_alerts"] == [] for check in checks)


@pytest.mark.parametrize("rule", ALERTS, ids=str)
def test_each_alert_is_explained(rule: Rule) -> None:
    annotations, labels = rule.content["annotations"], rule.content["labels"]
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert labels["severity"] in SEVERITIES
    assert set(labels) <= {"severity", "theeye_severity"}
    assert "keep_firing_for" in rule.content
    page, _, anchor = annotations["runbook_url"].partition("#")
    assert page == f"{SOURCES}/blob/main/docs/runbooks.md"
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert anchor == rule.name.lower()
    assert rule.name in headings
    # Everything it is about is named in the description: an organisation or an exporter, and the object with its host.
    for fired in (a for t in unit_tests() for c in t["alert_rule_test"] for a in c["exp_alerts"]):
        if fired["exp_annotations"]["runbook_url"].endswith(f"#{anchor}"):
            said = fired["exp_annotations"]["description"]
            about = {k: v for k, v in fired["exp_labels"].items() if k in ABOUT}
            assert [k for k, v in about.items() if v not in said] == []
            assert "  " not in said
            assert "%!" not in said


def test_each_name_has_one_severity() -> None:
    assert len({rule.name for rule in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("rule", ALERTS, ids=str)
def test_an_alert_leads_to_a_dashboard_and_chooses_what_it_is_about(rule: Rule) -> None:
    url = urlsplit(rule.content["annotations"]["dashboard_url"])
    assert f"{url.scheme}://{url.netloc}" == "http://localhost:3000"
    shown = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS.values()}[url.path.removeprefix("/d/")]
    variables = {f"var-{variable['name']}" for variable in shown["templating"]["list"]}
    chosen = dict(parse_qsl(url.query))
    assert chosen.keys() <= variables
    assert all(value.endswith(" | urlquery }}") for value in chosen.values())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_scrape_that_fails_changes_nothing(rule: Rule) -> None:
    """Prometheus ends every series of a target at once when a scrape fails: only a range still has the sample before."""
    for selector in selectors(rule.expression):
        if selector.name in SCRAPED:
            of_ranges = ("_over_time", "rate", "increase", "changes")
            assert selector.functions[:1], f"{selector.name} is read without a range"
            assert selector.functions[0].endswith(of_ranges)
    ranges = re.findall(r"theeye_\w+(?:\{[^}]*\})?\[(\w+)\]", rule.content["expr"])
    assert not {"15s", "30s", "1m", "2m"} & set(ranges)


ABOUT: Final = {
    *("organization", "hostname", "monitor", "task", "workflow", "device", "resource", "collector", "reason"),
    *("canary", "action"),
}


@pytest.mark.parametrize("rule", [rule for rule in ALERTS if "monitor:" in rule.content["expr"]], ids=str)
def test_alerts_on_monitors_pass_on_theeyes_severity(rule: Rule) -> None:
    assert "theeye_severity" in rule.content["labels"]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_each_rule_uses_only_existing_series_and_labels(rule: Rule) -> None:
    chosen = list(selectors(rule.expression))
    assert chosen
    known: set[str] = set()
    for selector in chosen:
        assert selector.name in {**SCRAPED, **OF_RULES} or selector.name in RECORDED, f"nobody serves {selector.name}"
        if selector.name in SCRAPED:
            assert selector.matchers.keys() <= SCRAPED[selector.name], f"{selector.name} has no such label"
            known |= SCRAPED[selector.name]
        else:
            known |= ALL_LABELS
            assert selector.matchers.keys() <= ALL_LABELS | OF_RULES["ALERTS"]
    assert label_names(rule.expression) <= known | WRITTEN


ALL_LABELS: Final = frozenset(WRITTEN).union(*SCRAPED.values())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_no_rule_depends_on_how_exporters_are_called_or_multiplies_many_by_many(rule: Rule) -> None:
    expression = rule.content["expr"]
    assert "instance" not in expression.replace("on (job, instance)", "")
    assert re.findall(r"\bjob[=!~]+\"", expression) == []
    # Two exporters may serve one object: what group_left takes labels from is reduced to one series for each first.
    joins = re.findall(r"group_left \([^)]*\)\s*(?:label_replace\(\s*)?(\w+)", expression)
    assert set(joins) <= {"topk", "max"}


def test_the_page_on_alerts_has_each_with_its_severities_and_how_long_it_takes() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    rows = re.findall(rf"^\| (TheEye\w+) \| ({'|'.join(SEVERITIES)}) \| (.+?) \|", text, re.MULTILINE)
    told = {name: (set(severities.split(", ")), set(after.split(", "))) for name, severities, after in rows}
    real: dict[str, tuple[set[str], set[str]]] = {}
    for rule in ALERTS:
        severities, after = real.setdefault(rule.name, (set(), set()))
        severities.add(rule.content["labels"]["severity"])
        after.add(rule.content.get("for", "at once"))
    assert told == real


def queries() -> list[str]:
    text = document("docs/runbooks.md")
    blocks = [line for block in code_blocks(text, "promql") for line in block.splitlines()]
    inline = [code.replace("\n", " ") for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    return [*blocks, *(code for code in inline if re.search(r"theeye_\w+[{)]|\bup\b", code) and "curl" not in code)]


def test_the_queries_of_the_runbooks_are_sound() -> None:
    found = queries()
    assert len(found) > 20
    for query in found:
        for selector in selectors(promql.parse(query)):
            assert selector.name in SCRAPED or selector.name in RECORDED, query
            assert selector.matchers.keys() <= SCRAPED.get(selector.name, ALL_LABELS), query
