"""Tests that generated files of the chart match their sources, and that differences are found."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.charts import RULES, dashboard
from chart.releases import CHART
from chart_values import read_values
from make_chart import chart_version, expected_files, main

VALUES = """\
## Scale

# -- How many. In two
# lines.
# @schema {"minimum": 1}
shards: 1

# An aside.

web:
  # -- Where.
  port: 80
  # -- Kubernetes' own.
  # @schema {"additionalProperties": true}
  context:
    deep: 1

## Rest

# -- A list.
list: []
# - not: a key
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the chart, rules and dashboards."""
    shutil.copytree(CHART, tmp_path / "helm/theeye-exporter", ignore=shutil.ignore_patterns("alerts", "dashboards"))
    for folder, files in (("alerts", RULES), ("dashboards", {"jobs.json": dashboard("Jobs")})):
        (tmp_path / "grafana" / folder).mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / "grafana" / folder / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_values_are_read_with_what_describes_them() -> None:
    values = read_values(VALUES)
    assert [(".".join(value.path), value.description, value.section) for value in values] == [
        ("shards", "How many. In two lines.", "Scale"),
        ("web", "", "Scale"),
        ("web.port", "Where.", "Scale"),
        ("web.context", "Kubernetes' own.", "Scale"),
        ("list", "A list.", "Rest"),
    ]
    assert values[0].schema == {"minimum": 1}
    assert values[3].default == {"deep": 1}
    assert [value.has_children for value in values] == [False, True, False, False, False]


def test_a_value_without_a_description_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"values.yaml: web.port has no description"):
        read_values(VALUES.replace("  # -- Where.\n", ""))


def test_every_value_of_the_chart_is_read() -> None:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = read_values(text)
    assert {value.path for value in values} == set(
        paths_of(yaml.safe_load(text), {v.path: v.has_children for v in values})
    )


def paths_of(tree: dict[str, Any], parents: dict[tuple[str, ...], bool], *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key, except those below keys that have no children of ours."""
    for key, value in tree.items():
        yield (*above, key)
        if parents.get((*above, key), True) and isinstance(value, dict):
            yield from paths_of(value, parents, *above, key)


def test_files_are_copied_and_drift_is_noticed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], root) == 1
    assert "helm/theeye-exporter/files/alerts/a.rules.yml is not what `make docs` makes" in capsys.readouterr().err

    assert main([], root) == 0
    assert main(["--check"], root) == 0
    files = root / "helm/theeye-exporter/files"
    assert {path.name for path in files.rglob("*.yml")} == set(RULES)
    assert (files / "dashboards/jobs.json").read_text(encoding="utf-8") == dashboard("Jobs")


def test_what_is_gone_is_removed(root: Path) -> None:
    main([], root)
    (root / "grafana/dashboards/jobs.json").unlink()
    assert main(["--check"], root) == 1
    assert main([], root) == 0
    assert not (root / "helm/theeye-exporter/files/dashboards/jobs.json").exists()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("Chart.yaml", "version: 0", "version: 1"),
        ("Chart.yaml", 'appVersion: "0', 'appVersion: "1'),
        ("Chart.yaml", "theeye-exporter:0", "theeye-exporter:1"),
        ("values.yaml", "# -- Tag; empty", "# -- Tag. Empty"),
        ("README.md", "| `shards` |", "| `shard` |"),
        ("values.schema.json", '"minimum": 1024', '"minimum": 1'),
    ],
)
def test_every_drift_is_noticed(root: Path, file: str, old: str, new: str) -> None:
    main([], root)
    path = root / "helm/theeye-exporter" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert main(["--check"], root) == 1


@pytest.mark.parametrize(
    ("version", "semantic"),
    [("0.1.0", "0.1.0"), ("1.2.3rc1", "1.2.3-rc.1"), ("1.2.3a2", "1.2.3-alpha.2"), ("1.0.0.dev3", "1.0.0-dev.3")],
)
def test_versions_are_semantic(version: str, semantic: str) -> None:
    assert chart_version(version) == semantic


def test_a_version_without_a_semantic_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.2 has no semantic version"):
        chart_version("1.2")


def test_the_chart_has_the_version_of_the_exporter(root: Path) -> None:
    text = expected_files(root, "2.0.0rc1")[root / "helm/theeye-exporter/Chart.yaml"]
    assert text is not None
    metadata = yaml.safe_load(text)
    assert (metadata["version"], metadata["appVersion"]) == ("2.0.0-rc.1", "2.0.0rc1")
