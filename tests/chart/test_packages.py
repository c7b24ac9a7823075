"""Tests that the package of the chart is complete, and can be a dependency of another chart."""

import gzip
import tarfile
from pathlib import Path

import pytest
import yaml

from chart.cases import CASES, INSTALLED
from chart.charts import RULES, copy_chart, dashboard
from chart.releases import CHART, Helm

RELEASE_BYTES = 1024 * 1024
"""What Kubernetes stores in one Secret, as which Helm keeps a release."""


def package(helm: Helm, chart: Path, folder: Path) -> Path:
    done = helm.run("package", str(chart), f"--destination={folder}")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.tgz")
    return path


@pytest.mark.parametrize("case", ["everything", *(f"installed: {way}" for way in INSTALLED)])
def test_lint_finds_nothing(helm: Helm, case: str) -> None:
    done = helm.run("lint", "--strict", str(CHART), values=yaml.safe_dump(CASES[case]))
    assert done.returncode == 0, done.stdout
    assert not [word for word in ("[INFO]", "[WARNING]", "[ERROR]") if word in done.stdout], done.stdout


def test_lint_takes_the_chart_without_values(helm: Helm) -> None:
    assert helm.run("lint", "--strict", str(CHART)).returncode == 0


def test_the_package_has_every_file(helm: Helm, tmp_path: Path) -> None:
    files = {f"alerts/{name}": text for name, text in RULES.items()} | {"dashboards/a.json": dashboard("a")}
    chart = copy_chart(tmp_path, files)
    with tarfile.open(package(helm, chart, tmp_path)) as archive:
        packed = {Path(name) for name in archive.getnames()}
    present = {path.relative_to(tmp_path) for path in chart.rglob("*") if path.is_file() and path.parent.name != "ci"}
    assert packed == present - {Path("theeye-exporter/.helmignore")} or packed == present
    assert len(present) > 20


def test_a_package_installs_as_the_folder_does(helm: Helm, tmp_path: Path) -> None:
    path = package(helm, CHART, tmp_path)
    assert helm.template(CASES["everything"], chart=path).objects == helm.template(CASES["everything"]).objects


def test_a_release_fits_into_its_secret(newest_helm: Helm, tmp_path: Path) -> None:
    package_bytes = package(newest_helm, CHART, tmp_path).stat().st_size
    manifest = gzip.compress(newest_helm.template(CASES["everything"]).text.encode())
    assert (package_bytes + len(manifest)) * 4 / 3 < RELEASE_BYTES / 2


def test_it_can_be_a_part_of_another_chart(helm: Helm, tmp_path: Path) -> None:
    umbrella = tmp_path / "umbrella"
    (umbrella / "charts").mkdir(parents=True)
    package(helm, CHART, umbrella / "charts")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["version"]
    dependency = {"name": "theeye-exporter", "version": version, "condition": "theeye-exporter.enabled"}
    metadata = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [dependency]}
    (umbrella / "Chart.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")
    values = {"global": {"x": 1}, "theeye-exporter": {"enabled": True, **CASES["existing_secret"]}}

    release = helm.template(values, chart=umbrella)

    assert release.workload["metadata"]["name"] == "acme-theeye-exporter"
    switched_off = helm.template({"theeye-exporter": {"enabled": False}}, chart=umbrella)
    assert switched_off.objects == []
