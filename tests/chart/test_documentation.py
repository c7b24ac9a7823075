"""Tests that the examples in the documentation work unchanged."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.cases import CASES
from chart.releases import CHART, Helm
from commands import PAGES, commands_of
from documents import ROOT, code_blocks, document

GUIDE = document("docs/kubernetes.md")
README = (CHART / "README.md").read_text(encoding="utf-8")
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
EXAMPLES = [yaml.safe_load(text) for text in code_blocks(GUIDE, "yaml")]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_install(helm: Helm, number: int) -> None:
    example = EXAMPLES[number]
    helm.template(example if "configFile" in example else CASES["existing_secret"] | example)


COMMANDS = sorted({c for page in PAGES for c in commands_of(page) if re.match(r"helm .*\b(install|upgrade) ", c)})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_pages(helm: Helm, tmp_path: Path, command: str) -> None:
    """Helm has the flags; what it would send to a cluster is rendered."""
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(EXAMPLES[0]), encoding="utf-8")
    _, *words = shlex.split(command)
    does = next(word for word in words if word in {"install", "upgrade"})
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert flags <= set(re.findall(r"--[a-z-]+", helm.run(does, "--help").stdout))
    before = [f"--values={values}"] if "--reset-then-reuse-values" in flags else []
    here = {"helm/theeye-exporter": str(CHART), "values.yaml": str(values)}
    left = [here.get(word, word) for word in words if word not in {does, "--install", "--reset-then-reuse-values"}]
    done = helm.run("template", *left, *before)
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


def test_the_first_command_of_the_readme_installs(helm: Helm) -> None:
    """It needs an organisation's name and a Secret, and nothing else: no operator either."""
    (first,) = code_blocks(README, "sh")
    (command,) = (line for line in first.splitlines() if line.startswith("helm") and " install " in line)
    *_, name, chart, flag, value = shlex.split(command)
    assert (name, ROOT / chart, flag) == ("theeye-exporter", CHART, "--set")
    release = helm.template({}, "--set", value)
    (source,) = release.volumes["tokens"]["projected"]["sources"]
    assert f"secret generic {source['secret']['name']} --from-file={source['secret']['items'][0]['key']}=" in first
    assert yaml.safe_load(release.file)["organizations"][0]["name"] == "acme"
    assert {item["apiVersion"] for item in release.objects} == {"v1", "apps/v1"}


def test_artifact_hub_finds_the_image_and_the_documents() -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    (image,) = yaml.safe_load(metadata["annotations"]["artifacthub.io/images"])
    defaults = VALUES["image"]
    assert image["image"] == f"{defaults['registry']}/{defaults['repository']}:{metadata['appVersion']}"
    links = yaml.safe_load(metadata["annotations"]["artifacthub.io/links"])
    (sources,) = metadata["sources"]
    for link in links:
        assert (ROOT / link["url"].removeprefix(f"{sources}/blob/main/")).is_file(), link


def test_values_that_are_named_exist() -> None:
    named = re.findall(r"`([a-z][A-Za-z]+(?:\.[A-Za-z]+)+)(?:=[a-z]+|: [^`]*)?`", GUIDE)
    assert len(named) > 5
    for path in named:
        values = VALUES
        for key in path.split("."):
            assert key in values or values == {}, path
            values = values.get(key, {})


def test_the_default_of_memory_is_the_one_described() -> None:
    memory = {VALUES["resources"][kind]["memory"] for kind in ("requests", "limits")}
    assert memory <= set(re.findall(r"\d+Mi", GUIDE))
