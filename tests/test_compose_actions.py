"""The stack of compose.yaml with compose.actions.yaml: a monitor fails, its alert starts a run, and the monitor works again."""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import yaml
from compose_spec import PyCompose

from documents import code_blocks, document
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.commands import demo_actions
from theeye_exporter.demo import DemoSettings
from tools import require_tool
from watching import shortened

ROOT: Final = Path(__file__).parents[1]
BASE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
ADDED: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.actions.yaml").read_text())
ACTIONS: Final[dict[str, Any]] = ADDED["services"]["actions"]
BREAK: Final = "monitor-failing=web-02/Processes List"
MINUTE: Final = 2
"""Seconds that a minute of the rules and of Alertmanager takes."""


def test_it_is_added_to_a_compose_file_and_as_closed_as_the_exporter() -> None:
    services = {
        **BASE["services"],
        **{name: BASE["services"].get(name, {}) | service for name, service in ADDED["services"].items()},
    }
    merged = {**BASE, "services": services, **{key: BASE[key] | ADDED[key] for key in ("secrets", "volumes")}}
    PyCompose.from_yaml(yaml.safe_dump(merged)).validate()
    shared = ("build", "read_only", "cap_drop", "security_opt", "restart")
    assert {key: ACTIONS[key] for key in shared} == {key: BASE["services"]["exporter"][key] for key in shared}
    assert ACTIONS["ports"] == ["127.0.0.1:9856:9856"]
    mounted = [one.split(":")[0] for service in ADDED["services"].values() for one in service.get("volumes", ())]
    assert [path for path in mounted if path.startswith("./") and not (ROOT / path).exists()] == []


def test_it_has_the_actions_of_the_demo() -> None:
    text = demo_actions.CONFIGURATION.format(organization="demo", token=DemoSettings().user_token)
    assert yaml.safe_load((ROOT / "compose" / "actions.yaml").read_text()) == yaml.safe_load(text)


def test_the_documentation_breaks_what_it_mends() -> None:
    commands = [block for page in ("README.md", "docs/actions.md") for block in code_blocks(document(page), "console")]
    shown = [block for block in commands if "compose.actions.yaml" in block]
    assert len(shown) == 2
    assert all(f"--data '{BREAK}'" in block and block.count("\n") < 8 for block in shown)


class Stack:
    """The containers' programs, with the files and flags that they have there, on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = {"exporter": (9855, 60080), "actions": (9856,), "alertmanager": (9093,), "prometheus": (9090,)}
        self.ports = {port: free_port() for ports in names.values() for port in ports}
        (folder / "state").mkdir()
        self._here: dict[str, str | Callable[[re.Match[str]], str]] = {
            **{
                rf"\b{name}:{port}\b": f"127.0.0.1:{self.ports[port]}"
                for name, ports in names.items()
                for port in ports
            },
            r"(?<==):(\d+)$": lambda found: f"127.0.0.1:{self.ports[int(found[1])]}",
            "/run/secrets/actions-password": str(ROOT / "compose" / "actions.password"),
            "/etc/theeye-exporter": str(ROOT / "compose"),
            "/var/lib/theeye-exporter": str(folder / "state"),
        }

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def here(self, text: str) -> str:
        for pattern, replacement in self._here.items():
            text = re.sub(pattern, replacement, text)
        return text

    def exporter(self) -> Any:
        flags = [self.here(word) for word in ADDED["services"]["exporter"]["command"]]
        return running(exporter_command(*flags, "--demo.monitors=80", "--demo.tasks=4"), self._folder / "demo.log")

    def actions(self) -> Any:
        env = {name: self.here(value) for name, value in ACTIONS["environment"].items()}
        return running(exporter_command(*map(self.here, ACTIONS["command"])), self._folder / "actions.log", env=env)

    def alertmanager(self) -> Any:
        text = self.here((ROOT / "compose" / "alertmanager.yml").read_text())
        (self._folder / "alertmanager.yml").write_text(text.replace("30s", f"{MINUTE / 2:.0f}s"))
        flags = [f"--config.file={self._folder}/alertmanager.yml", f"--storage.path={self._folder}/am"]
        flags += [f"--web.listen-address=127.0.0.1:{self.ports[9093]}", "--cluster.listen-address="]
        return running([require_tool("prometheus-alertmanager"), *flags], self._folder / "alertmanager.log")

    def prometheus(self) -> Any:
        config = yaml.safe_load(self.here((ROOT / "grafana" / "prometheus" / "prometheus.yml").read_text()))
        config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
        for job in config["scrape_configs"]:
            if job.pop("dns_sd_configs", None):
                job["static_configs"] = [{"targets": [f"127.0.0.1:{self.ports[9856]}"]}]
        config["rule_files"] = ["monitors.rules.yml"]
        rules = (ROOT / "grafana" / "alerts" / "monitors.rules.yml").read_text()
        (self._folder / "monitors.rules.yml").write_text(shortened(rules, MINUTE))
        (self._folder / "prometheus.yml").write_text(json.dumps(config))
        flags = [f"--config.file={self._folder}/prometheus.yml", f"--storage.tsdb.path={self._folder}/tsdb"]
        flags.append(f"--web.listen-address=127.0.0.1:{self.ports[9090]}")
        return running([require_tool("prometheus"), *flags], self._folder / "prometheus.log")

    def value(self, query: str) -> float:
        """Return what Prometheus answers; 0 if nothing."""
        answer = requests.get(f"{self.url(9090)}/api/v1/query", {"query": query}, timeout=10)
        return sum(float(one["value"][1]) for one in answer.json()["data"]["result"]) if answer.ok else 0.0


@pytest.mark.e2e
def test_the_loop_closes(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    failing = 'theeye_monitor_state{hostname="web-02",monitor="Processes List",state="failure"}'
    normal = failing.replace("failure", "normal")
    with ExitStack() as programs:
        for program in (stack.exporter, stack.actions, stack.alertmanager, stack.prometheus):
            programs.enter_context(program())
        eventually(lambda: stack.value(f"{normal} == 1"), "the monitor works")
        eventually(lambda: stack.value("theeye_canary_success"), "the canary ran, and Prometheus has the password")
        assert requests.get(stack.url(9856), timeout=5).status_code == 401
        assert requests.get(stack.url(9856), auth=("demo", "demo"), timeout=5).ok
        assert requests.put(f"{stack.url(60080)}/-/faults", BREAK.encode(), timeout=10).ok
        eventually(lambda: stack.value(f"{failing} == 1"), "it fails")
        eventually(
            lambda: stack.value('theeye_action_runs_total{outcome="success"}'), "an alert started a run", seconds=120
        )
        eventually(lambda: stack.value(f"{normal} == 1"), "it works again")
        after_run = 'theeye_action_episodes_total{result="resolved_after_run"}'
        eventually(lambda: stack.value(after_run), "the alert went away", seconds=120)
