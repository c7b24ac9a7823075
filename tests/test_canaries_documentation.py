"""The examples of docs/canaries.md do what the page says."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import promql_parser as promql
import pytest
import requests
import yaml

from documents import ROOT, code_blocks, document, filled_in
from processes import eventually, exporter_command, free_port, running
from queries import catalogue, selectors
from theeye_exporter.actions.settings import PORT, CanarySettings
from theeye_exporter.cli import main
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from theeye_exporter.values.durations import parse_duration

PAGE: Final = document("docs/canaries.md")
COMMANDS: Final = [
    shlex.split(line) for line in "".join(code_blocks(PAGE, "sh")).splitlines() if line.startswith("theeye-exporter")
]


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    """A TheEye with the task of the page."""
    with SimulatedTheEye(DemoSettings(organization="acme", monitors=10, tasks=24, speed=50.0, calm=True)) as server:
        host = next(host for host in server.world.hosts.values() if host.hostname == "web-01")
        task = Task("6a30f0c1a2b3c4d5e6f70809", "canary", "script", host, server.world.now_ms - 1000)
        task.script_id, task.secret, task.ends = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64, (Ending("success", 1.0), None)
        server.world.add_task(task)
        yield server


@pytest.fixture
def folder(theeye: SimulatedTheEye, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the page's file, its token, and the address of the simulated TheEye."""
    monkeypatch.chdir(tmp_path)
    (text,) = code_blocks(PAGE, "yaml")
    file = tmp_path / re.findall(r"^# (\S+\.yaml)$", text, re.MULTILINE)[0]
    file.write_text(f"theeye: {{url: '{theeye.url}'}}\n{text}")
    (token,) = re.findall(r"token_file: (\S+)", text)
    (tmp_path / token).write_text(theeye.settings.user_token)
    return tmp_path


def test_the_example_is_checked_and_starts_nothing(
    theeye: SimulatedTheEye, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del folder
    check, _ = COMMANDS
    assert main(check[1:]) == 0
    assert "script-on-web-01" in capsys.readouterr().out
    assert {request.method for request in theeye.requests} == {"GET"}


def test_compose_runs_the_example(
    theeye: SimulatedTheEye, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    del theeye
    address, state = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("state")
    service = yaml.safe_load((ROOT / "compose.theeye.yaml").read_text())["services"]["actions"]
    here = {"/etc/theeye-exporter": str(folder), "/var/lib/theeye-exporter": str(state), f"=:{PORT}": f"={address}"}
    command = [re.sub("|".join(here), lambda found: here[found[0]], flag) for flag in filled_in(service["command"])]
    with running(exporter_command(*command), state / "log"):
        eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "readiness")


def test_the_example_runs_and_shows_its_phases(theeye: SimulatedTheEye, folder: Path) -> None:
    del theeye
    _, serve = COMMANDS
    assert f"port {PORT}" in PAGE
    address = f"127.0.0.1:{free_port()}"
    command = exporter_command(*serve[1:], f"--web.listen-address={address}")
    shown = re.compile(
        r'^theeye_canary_last_duration_seconds\{organization="acme",canary="script-on-web-01",phase="(\w+)"\}'
    )

    def phases() -> list[str]:
        lines = requests.get(f"http://{address}/metrics", timeout=5).text.splitlines()
        return [found[1] for line in lines if (found := shown.match(line))]

    with running(command, folder / "log"):
        found = eventually(phases, "a run")
    assert found == [row for row in re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) if row in found]
    assert len(found) == 3


def test_the_script_prints_what_theeye_reads() -> None:
    (script,) = [code for code in code_blocks(PAGE, "sh") if code.startswith("echo")]
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=10)
    assert json.loads(ran.stdout) == {"state": "success"}


def test_the_table_has_every_key_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\|", PAGE.partition("## Which task")[0], re.MULTILINE))
    assert rows.keys() == CanarySettings.model_fields.keys()
    for name in ("interval", "timeout"):
        assert parse_duration(rows[name]) == CanarySettings.model_fields[name].default


def test_the_queries_ask_for_what_is_served() -> None:
    served = catalogue()
    queries = code_blocks(PAGE, "promql")
    assert len(queries) == 2
    for query in queries:
        for selector in selectors(promql.parse(query)):
            assert selector.matchers.keys() <= served[selector.name][1], query
