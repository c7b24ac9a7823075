"""docs/install.md: its unit, its Compose files and its commands work as they stand there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from compose_spec import PyCompose

from documents import ROOT, code_blocks, document
from theeye_exporter.actions.settings import PORT
from theeye_exporter.cli import main
from theeye_exporter.commands import COMMANDS
from tools import require_tool

PAGE: Final = document("docs/install.md")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.theeye.yaml").read_text())
ENVIRONMENT: Final = (ROOT / "env.example").read_text()
MOST_EXPOSURE: Final = 15
"""In tenths of systemd's scale, on which a service without any protection has 9.6."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    (text,) = code_blocks(PAGE, "ini")
    program = Path(sys.executable).with_name("theeye-exporter")
    path = tmp_path / "theeye-exporter.service"
    path.write_text(text.replace("/opt/theeye-exporter/bin/theeye-exporter", str(program)))
    return path


def analysed(*arguments: str | Path) -> str:
    done = subprocess.run(
        [require_tool("systemd-analyze"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_systemd_accepts_the_unit_and_finds_it_closed(unit: Path) -> None:
    assert analysed("verify", "--man=no", unit) == ""
    analysed("security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", "--no-pager", unit)


def test_systemd_would_notice_a_unit_that_is_wrong_or_open(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("DynamicUser=yes", "DynamicUsr=yes"))
    with pytest.raises(AssertionError):
        assert analysed("verify", "--man=no", unit) == ""
    with pytest.raises(AssertionError):
        analysed("security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", "--no-pager", unit)


def start_of(unit: str) -> list[str]:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return shlex.split(line)[1:]


def test_the_exporter_accepts_what_the_unit_and_compose_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token")
    monkeypatch.setenv("THEEYE_ORGANIZATION_NAME", "acme")
    monkeypatch.setenv("THEEYE_TOKEN_FILE", str(token))
    for flags in (start_of(code_blocks(PAGE, "ini")[0]), COMPOSE["services"]["exporter"]["command"]):
        here = [re.sub("%S/theeye-exporter|/var/lib/theeye-exporter", str(tmp_path), flag) for flag in flags]
        assert main(["check", "--config-only", *here]) == 0
    assert "1 organisation" in capsys.readouterr().out


def test_commands_are_shell_and_those_of_the_exporter_exist() -> None:
    for block in code_blocks(PAGE, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, timeout=10)
    named = re.findall(r"^theeye-exporter ?(\w*)", "\n".join(code_blocks(PAGE, "sh")), re.MULTILINE)
    assert set(named) == {"", "check", "version"}
    assert set(named) - {""} <= COMMANDS.keys()


def test_make_knows_its_targets() -> None:
    targets = set(re.findall(r"\bmake (\w+)", PAGE))
    assert targets == {"run", "dist", "image"}
    assert targets <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_compose_with_ones_own_theeye_is_a_compose_file() -> None:
    base = yaml.safe_load((ROOT / "compose.yaml").read_text())
    merged = {
        **base,
        "services": base["services"]
        | {name: base["services"].get(name, {}) | service for name, service in COMPOSE["services"].items()},
        "secrets": COMPOSE["secrets"],
        "volumes": {**base["volumes"], **COMPOSE["volumes"]},
    }
    PyCompose.from_yaml(yaml.safe_dump(merged)).validate()


def test_compose_starts_runs_only_with_a_profile_and_as_closed_as_the_exporter() -> None:
    exporter = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["exporter"]
    actions = COMPOSE["services"]["actions"]
    assert [name for name, service in COMPOSE["services"].items() if "profiles" in service] == ["actions"]
    assert f"#COMPOSE_PROFILES={actions['profiles'][0]}" in ENVIRONMENT.splitlines()
    assert f"docker compose --profile {actions['profiles'][0]} up -d" in document("docs/canaries.md")
    shared = ("build", "read_only", "cap_drop", "security_opt", "restart")
    assert {key: actions[key] for key in shared} == {key: exporter[key] for key in shared}
    assert actions["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert f"http://127.0.0.1:{PORT}/-/ready" in actions["healthcheck"]["test"][-1]
    assert "secrets" not in actions
    assert not {"THEEYE_TOKEN", "THEEYE_TOKEN_FILE"} & actions["environment"].keys()
    prometheus = yaml.safe_load((ROOT / "grafana/prometheus/prometheus.yml").read_text())
    found = [one for config in prometheus["scrape_configs"] for one in config.get("dns_sd_configs", ())]
    assert found == [{"names": ["actions"], "type": "A", "port": PORT}]


def test_the_example_of_an_environment_sets_what_compose_demands() -> None:
    values = dict(line.split("=", 1) for line in ENVIRONMENT.splitlines() if line and not line.startswith("# "))
    assert all((ROOT / name).exists() for name in values["COMPOSE_FILE"].split(":"))
    text = (ROOT / "compose.theeye.yaml").read_text()
    demanded, optional = re.findall(r"\$\{(\w+):\?", text), re.findall(r"\$\{(\w+):-", text)
    assert set(demanded) == {"THEEYE_ORGANIZATION_NAME", "THEEYE_TOKEN_FILE"}
    assert demanded == [name for name in demanded if name in values]
    assert {f"#{name}" for name in [*optional, "COMPOSE_PROFILES"]} == {name for name in values if name.startswith("#")}
    (token,) = re.findall(r"^cat > (\S+)", code_blocks(PAGE, "sh")[0], re.MULTILINE)
    assert Path(values["THEEYE_TOKEN_FILE"]) == Path(token)
