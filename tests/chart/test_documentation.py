"""The examples for users work as they stand."""

import re
from typing import Any

import pytest
import yaml

from chart.cases import CASES
from chart.releases import CHART, Helm

GUIDE = (CHART.parents[1] / "docs/kubernetes.md").read_text(encoding="utf-8")
README = (CHART / "README.md").read_text(encoding="utf-8")
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
EXAMPLES = [yaml.safe_load(text) for text in re.findall("```yaml\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_install(helm: Helm, number: int) -> None:
    helm.template(CASES["existing_secret"] | EXAMPLES[number])


def test_the_example_of_the_readme_installs(newest_helm: Helm) -> None:
    (example,) = re.findall("<<EOF\n(.*?)EOF", README, re.DOTALL)
    assert newest_helm.template(yaml.safe_load(example)).of_kind("ServiceMonitor")


def test_values_that_are_named_exist() -> None:
    named = re.findall(r"`([a-z][A-Za-z]+(?:\.[A-Za-z]+)+)(?:=[a-z]+|: [^`]*)?`", GUIDE)
    assert len(named) > 5
    for path in named:
        values = VALUES
        for key in path.split("."):
            assert key in values or values == {}, path
            values = values.get(key, {})


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", GUIDE):
        assert (CHART.parents[1] / "docs" / link).exists()


def test_the_default_of_memory_is_the_one_described() -> None:
    memory = {VALUES["resources"][kind]["memory"] for kind in ("requests", "limits")}
    assert memory <= set(re.findall(r"\d+Mi", GUIDE))
