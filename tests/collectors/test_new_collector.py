"""Tests that another collector needs only a module and a line in the registry."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests

import theeye_exporter
from processes import DEADLINE, eventually, free_port, running
from samples import labels, parse
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.exposition.render import Format

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path(theeye_exporter.__file__).parent
TOYS: Final = Path(__file__).with_name("toys.py")
LAST: Final = COLLECTORS[-1].name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as it would be with toys."""
    folder = tmp_path_factory.mktemp("toys")
    package = folder / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOYS, package / "collectors")
    registry = package / "collectors" / "registry.py"
    before = registry.read_text()
    after = before.replace("theeye_exporter.collectors import ", "theeye_exporter.collectors import toys, ")
    after = after.replace(".KIND,\n)", ".KIND,\n    toys.KIND,\n)")
    assert len(after) - len(before) == len("toys,     toys.KIND,\n")
    registry.write_text(after)
    return folder


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=5, tasks=8)) as theeye:
        yield theeye


def environment(folder: Path, theeye: SimulatedTheEye | None = None) -> dict[str, str]:
    found = {"PYTHONPATH": str(folder)}
    if theeye is not None:
        found["THEEYE_ORGANIZATION_NAME"] = theeye.settings.organization
        found["THEEYE_TOKEN"] = theeye.settings.token
        found["THEEYE_SUPERVISOR_URL"] = theeye.url
    return found


def run(folder: Path, *arguments: str, theeye: SimulatedTheEye | None = None) -> subprocess.CompletedProcess[str]:
    others = {key: value for key, value in os.environ.items() if not key.startswith("THEEYE_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env=others | environment(folder, theeye),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def exporter(folder: Path, *arguments: str, theeye: SimulatedTheEye | None = None) -> tuple[int, str]:
    done = run(folder, "-m", "theeye_exporter", *arguments, theeye=theeye)
    return done.returncode, done.stdout + done.stderr


def test_it_is_polled_served_filtered_and_shown(folder: Path, theeye: SimulatedTheEye, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "theeye_exporter", f"--web.listen-address={url.removeprefix('http://')}"]
    with running(command, tmp_path / "log", env=environment(folder, theeye)):
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=DEADLINE).ok, "the exporter is ready")
        served, only, others = (
            parse(requests.get(f"{url}/metrics{query}", timeout=DEADLINE).text, Format.TEXT_0_0_4)
            for query in ("", "?collect[]=toys", "?exclude[]=toys")
        )
        refused = requests.get(f"{url}/metrics?collect[]=toy", timeout=DEADLINE)
        page = requests.get(url, timeout=DEADLINE).text
    toys = [(name, of) for name, of in served if name == "theeye_toy_info"]
    assert len(toys) == 3
    assert served["theeye_collector_success", labels(organization="demo", collector="toys")] == 1
    assert list(only) == toys
    assert not [name for name, _ in others if name == "theeye_toy_info"]
    assert [name for name, _ in others if name == "theeye_task_info"]
    assert (refused.status_code, f"{LAST}, toys, exporter" in refused.text) == (400, True)
    assert page.index(f">{LAST}<") < page.index(">toys<") < page.index("Toys of the simulation")


def test_check_includes_it(folder: Path, theeye: SimulatedTheEye) -> None:
    code, said = exporter(folder, "check", "--show-config", theeye=theeye)
    assert code == 0, said
    assert ["demo", "toys", "ok", "3", "0"] in [line.split()[:5] for line in said.splitlines()]
    assert "toys:\n      enabled: true\n      interval: 20s\n      max_age: 1m40s\n      most: 3\n" in said


def test_it_can_be_set_and_switched_off(folder: Path, theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text("collectors: {toys: {most: 2}}\n")
    _, said = exporter(folder, "check", f"--config.file={file}", theeye=theeye)
    assert ["demo", "toys", "ok", "2", "0"] in [line.split()[:5] for line in said.splitlines()]
    _, said = exporter(folder, "check", "--no-collector.toys", theeye=theeye)
    assert not [line for line in said.splitlines() if line.startswith("demo") and "toys" in line]
    assert "--collector.toys, --no-collector.toys" in exporter(folder, "--help")[1]


def test_mistakes_in_its_settings_are_reported(folder: Path, theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text("collectors:\n  toys:\n    most: 11\n    intervall: 5s\n  toy: {}\n")
    code, said = exporter(folder, "check", f"--config.file={file}", theeye=theeye)
    assert code == 2
    assert [line.partition(f"{file}:")[2] for line in said.splitlines()] == [
        "3: collectors.toys.most: expected a whole number from 1 to 10, got 11",
        '4: collectors.toys.intervall: unknown key; did you mean "interval"?',
        '5: collectors.toy: unknown key; did you mean "toys"?',
    ]


def test_documentation_and_chart_are_made_of_it(folder: Path, tmp_path: Path) -> None:
    _, catalogue = exporter(folder, "metrics", "--format=markdown")
    section = catalogue.partition("## Toys of the simulation\n")[2].partition("\n## ")[0]
    assert "| `theeye_toy_info` | info | organization, toy_id, toy | Descriptive properties of a toy. |" in section
    code = "import sys, make_reference as m; m.main([], m.Path(sys.argv[1]))"
    reference = tmp_path / "configuration.md"
    shutil.copy(ROOT / "docs" / "configuration.md", reference)
    made = run(folder, "-c", f"import sys; sys.path.append({str(ROOT / 'release')!r}); {code}", str(reference))
    assert made.returncode == 0, made.stderr
    text = reference.read_text()
    assert "| `--collector.toys`, `--no-collector.toys` | boolean | `true` | Use the collector toys. |" in text
    assert "  toys:\n    enabled: true\n    interval: 20s\n    max_age: 1m40s\n    most: 3\n" in text
    assert "| `most` | number: 1 to 10 | `3` | `toys` only: Maximum number of toys. |" in text
    code = "import json, make_chart as m; print(json.dumps(m.make_schema(())['$defs']['config']))"
    made = run(folder, "-c", f"import sys; sys.path.append({str(ROOT / 'helm')!r}); {code}")
    assert made.returncode == 0, made.stderr
    assert "most" in json.loads(made.stdout)["properties"]["collectors"]["properties"]["toys"]["properties"]
