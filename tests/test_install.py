"""docs/install.md: its unit, its Compose files and its commands work as they stand there."""

import base64
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest
import requests
import yaml
from compose_spec import PyCompose

from documents import ROOT, code_blocks, document, filled_in
from playback import Asked, Reply, http_server
from processes import eventually, exporter_command, free_port, running
from theeye_exporter import healthcheck
from theeye_exporter.actions.settings import PORT
from theeye_exporter.cli import main
from theeye_exporter.commands import COMMANDS
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from tools import require_tool

PAGE: Final = document("docs/install.md")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.theeye.yaml").read_text())
ENVIRONMENT: Final = (ROOT / "env.example").read_text()
MOST_EXPOSURE: Final = 15
"""In tenths of systemd's scale, on which a service without any protection has 9.6."""


UNITS: Final = dict(
    zip(re.findall(r"`/etc/systemd/system/(\S+)\.service`", PAGE), code_blocks(PAGE, "ini"), strict=True)
)
"""The text of each unit by its name."""


@pytest.fixture(params=UNITS)
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    text = UNITS[request.param]
    program = Path(sys.executable).with_name("theeye-exporter")
    path = tmp_path / f"{request.param}.service"
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
    for flags in (start_of(UNITS["theeye-exporter"]), COMPOSE["services"]["exporter"]["command"]):
        here = [re.sub("%S/theeye-exporter|/var/lib/theeye-exporter", str(tmp_path), flag) for flag in flags]
        assert main(["check", "--config-only", *here]) == 0
    assert "1 organisation" in capsys.readouterr().out


def test_commands_are_shell_and_those_of_the_exporter_exist() -> None:
    for block in code_blocks(PAGE, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, timeout=10)
    named = re.findall(r"^theeye-exporter ?(\w*)", "\n".join(code_blocks(PAGE, "sh")), re.MULTILINE)
    assert set(named) == {"", "check", "version"}
    assert UNITS.keys() == {"theeye-exporter", "theeye-exporter-actions"}
    assert len({unit.partition("DynamicUser")[2] for unit in UNITS.values()}) == 1
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
        "secrets": {**base["secrets"], **COMPOSE["secrets"]},
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
    assert "secrets" not in actions
    assert not {"THEEYE_TOKEN", "THEEYE_TOKEN_FILE"} & actions["environment"].keys()
    prometheus = yaml.safe_load((ROOT / "grafana/prometheus/prometheus.yml").read_text())
    found = [one for config in prometheus["scrape_configs"] for one in config.get("dns_sd_configs", ())]
    assert found == [{"names": ["actions"], "type": "A", "port": PORT}]


def test_actions_of_compose_demand_users_as_soon_as_prometheus_has_a_password() -> None:
    command = COMPOSE["services"]["actions"]["command"]
    assert not [flag for flag in filled_in(command) if "web.config" in flag]
    assert filled_in(command, ACTIONS_PASSWORD_FILE="x")[-1] == "--web.config.file=/etc/theeye-exporter/web.yml"
    assert COMPOSE["services"]["actions"]["healthcheck"]["test"][1:] == ["python", "-m", healthcheck.__name__]
    stack = yaml.safe_load((ROOT / "compose.yaml").read_text())
    (secret,) = stack["services"]["prometheus"]["secrets"]
    assert stack["secrets"] == {secret: {"file": "${ACTIONS_PASSWORD_FILE:-/dev/null}"}}
    configured = yaml.safe_load((ROOT / "grafana/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (job,) = [one for one in configured if "dns_sd_configs" in one]
    assert job["basic_auth"] == {"username": "prometheus", "password_file": f"/run/secrets/{secret}"}


STARTS: Final = {
    "systemd": start_of(UNITS["theeye-exporter-actions"]),
    "compose": filled_in(COMPOSE["services"]["actions"]["command"], ACTIONS_PASSWORD_FILE="x"),
}


@pytest.mark.parametrize("way", STARTS)
def test_actions_start_with_users_and_are_seen_to_be_healthy_without_one(way: str, tmp_path: Path) -> None:
    folder, state = tmp_path / "actions", tmp_path / "state"
    folder.mkdir()
    state.mkdir()
    (example,) = re.findall(r"^ +# actions\.yaml\n(.*?)^ +```$", document("docs/actions.md"), re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"^LoadCredential=(\S+):", UNITS["theeye-exporter-actions"], re.MULTILINE))
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    with SimulatedTheEye(DemoSettings(organization="acme", monitors=10, tasks=24, calm=True)) as theeye:
        files = {
            "actions.yaml": f"theeye: {{url: '{theeye.url}'}}\n{textwrap.dedent(example)}",
            "acme.token": theeye.settings.user_token,
            "web.yml": yaml.safe_dump({"basic_auth_users": {"prometheus": hashed}}),
        }
        assert files.keys() == named
        for name, text in files.items():
            (folder / name).write_text(text)
        address = f"127.0.0.1:{free_port()}"
        here = {"%d": folder, "/etc/theeye-exporter": folder}
        here |= {"%S/theeye-exporter-actions": state, "/var/lib/theeye-exporter": state}
        words = [re.sub("|".join(here), lambda found: str(here[found[0]]), word) for word in STARTS[way]]
        command = [word for word in words if "listen-address" not in word]
        with running(exporter_command(*command, f"--web.listen-address={address}"), tmp_path / "log") as process:
            pages = [f"http://{address}{page}" for page in ("/-/ready", "/metrics")]
            ready = lambda: requests.get(pages[0], auth=("prometheus", "right"), timeout=5).ok  # noqa: E731 - short
            eventually(ready, "readiness")
            assert [requests.get(page, timeout=5).status_code for page in pages] == [401, 401]
            (endpoint,) = healthcheck.listening(Path("/proc"))[process.pid]
            assert healthcheck.answers(*endpoint)
    assert {file.name for file in state.iterdir()} == {"actions.state"}


def test_a_login_gives_the_token_of_a_user(tmp_path: Path) -> None:
    require_tool("curl")
    (login,) = [block for block in code_blocks(PAGE, "sh") if "/api/auth/login" in block]

    def answer(asked: Asked) -> Reply:
        right = "Basic " + base64.b64encode(b"starter@example.com:its password").decode()
        found = (asked.method, asked.path, asked.query, asked.headers.get("Authorization"))
        if found != ("POST", "/api/auth/login", "customer=acme", right):
            return Reply(b'"Unauthorized"', 401)
        return Reply(b'{"access_token": "a-token", "credential": "user"}')

    with http_server(answer) as server:
        typed = login.replace("https://app.theeye.io", server.url)
        right, wrong = "starter@example.com:'its password'", "starter@example.com:another"
        for user, stored in ((wrong, ""), (right, "a-token\n"), (wrong, "a-token\n")):
            subprocess.run(
                ["bash", "-c", typed.replace("-u starter@example.com", f"-u {user}")],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
            )
            found = tmp_path / "acme.token"
            assert (found.read_text() if found.exists() else "") == stored
    assert (tmp_path / "acme.token").stat().st_mode & 0o777 == 0o600


CHECKS: Final = re.findall(r"^\| (.*?) \| `(.*?\bcheck\b.*?)`", PAGE.split("## Check it")[1], re.MULTILINE)


def test_each_way_has_its_check() -> None:
    ways = re.findall(r"^\| \[`?([\w ]+?)`?\]", PAGE, re.MULTILINE)
    assert [way for way, _ in CHECKS][: len(ways)] == ["clone", *ways[1:]]
    files = {path for _, command in CHECKS for path in re.findall(r"--config\.file=(/\S+)", command)}
    (of_compose,) = re.findall(r"--config\.file=(\S+)", COMPOSE["services"]["actions"]["command"])
    (of_unit,) = re.findall(r"^LoadCredential=actions.yaml:(\S+)$", UNITS["theeye-exporter-actions"], re.MULTILINE)
    templates = "".join(path.read_text() for path in (ROOT / "helm/theeye-exporter/templates").rglob("*.*"))
    for path in files - {of_compose, of_unit}:
        folder, _, name = path.rpartition("/")
        assert folder in templates
        assert name in templates
    for _, command in CHECKS:
        words = command.split()
        with pytest.raises(SystemExit) as ended:
            main([*words[words.index("check") - ("actions check" in command) :], "--help"])
        assert ended.value.code == 0


def test_the_example_of_an_environment_sets_what_compose_demands() -> None:
    values = dict(line.split("=", 1) for line in ENVIRONMENT.splitlines() if line and not line.startswith("# "))
    assert all((ROOT / name).exists() for name in values["COMPOSE_FILE"].split(":"))
    text = (ROOT / "compose.theeye.yaml").read_text()
    demanded, optional = re.findall(r"\$\{(\w+):\?", text), re.findall(r"\$\{(\w+):[-+]", text)
    assert set(demanded) == {"THEEYE_ORGANIZATION_NAME", "THEEYE_TOKEN_FILE"}
    assert demanded == [name for name in demanded if name in values]
    assert {f"#{name}" for name in [*optional, "COMPOSE_PROFILES"]} == {name for name in values if name.startswith("#")}
    (token,) = re.findall(r"^cat > (\S+)", code_blocks(PAGE, "sh")[0], re.MULTILINE)
    assert Path(values["THEEYE_TOKEN_FILE"]) == Path(token)
