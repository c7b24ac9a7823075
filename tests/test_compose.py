"""Tests the stack of compose.yaml: valid, secured, and every mounted file checked by its own tool."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from compose_spec import PyCompose

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from tools import require_tool

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "compose.yaml").read_text()
SERVICES: Final[dict[str, dict[str, Any]]] = yaml.safe_load(TEXT)["services"]
PORTS: Final = {"exporter": {9855, 60080}, "prometheus": {9090}, "alertmanager": {9093}, "grafana": {3000}}


def binds(service: str) -> dict[str, Path]:
    """Files and folders of the repository in a container, by their path there."""
    mounts = [volume.split(":") for volume in SERVICES[service].get("volumes", ())]
    return {target: ROOT / source for source, target, *_ in mounts if source.startswith("./")}


def container(service: str, root: Path) -> Path:
    """Lay a container's mounts out below a folder."""
    for target, source in binds(service).items():
        place = root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
    return root


def config_flag(service: str) -> str:
    (flag,) = [flag for flag in SERVICES[service]["command"] if flag.startswith("--config.file=")]
    return str(flag.partition("=")[2])


def run(*command: str | Path) -> str:
    ran = subprocess.run(
        [require_tool(str(command[0])), *command[1:]], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_is_a_compose_file() -> None:
    compose = PyCompose.from_yaml(TEXT)
    compose.validate()
    assert set(compose.service_names()) == set(PORTS)
    named = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ()) if not v.startswith("./")}
    assert named == set(yaml.safe_load(TEXT)["volumes"])


def test_a_key_that_compose_does_not_know_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="healthchek"):
        PyCompose.from_yaml(TEXT.replace("healthcheck:", "healthchek:", 1))


@pytest.mark.parametrize("name", PORTS)
def test_each_service_is_closed_pinned_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service.get("build") == "." or re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert "privileged" not in service
    published = [port.split(":") for port in service["ports"]]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert {int(inside) for _, _, inside in published} == PORTS[name]
    (checked,) = re.findall(r"http://127\.0\.0\.1:(\d+)/", " ".join(service["healthcheck"]["test"]))
    assert int(checked) in PORTS[name]
    assert all(volume.endswith(":ro") for volume in service.get("volumes", ()) if volume.startswith("./"))
    assert not re.search(r"password|secret|token", " ".join(service.get("environment", {})), re.IGNORECASE)
    waited_for = service.get("depends_on", {})
    assert all("healthcheck" in SERVICES[other] for other in waited_for)


@pytest.mark.parametrize("name", PORTS)
def test_what_is_mounted_is_there(name: str) -> None:
    assert [source for source in binds(name).values() if not source.exists()] == []


def test_the_exporter_understands_its_flags_and_listens_where_it_is_published(tmp_path: Path) -> None:
    flags = SERVICES["exporter"]["command"]
    listened = {int(port) for flag in flags for port in re.findall(r"listen-address=:(\d+)$", flag)}
    assert listened == PORTS["exporter"]
    ports = {port: free_port() for port in listened}
    command = [re.sub(r"=:(\d+)$", lambda found: f"=127.0.0.1:{ports[int(found[1])]}", flag) for flag in flags]
    with running(exporter_command(*command), tmp_path / "demo.log"):
        ready = f"http://127.0.0.1:{ports[9855]}/-/ready"
        eventually(lambda: requests.get(ready, timeout=5).ok, "the demo is ready")
        assert requests.get(f"http://127.0.0.1:{ports[60080]}/-/faults", timeout=5).ok


@pytest.mark.e2e
def test_promtool_finds_prometheus_configuration_and_rules_where_they_are_mounted(tmp_path: Path) -> None:
    root = container("prometheus", tmp_path)
    said = run("promtool", "check", "config", root / config_flag("prometheus").lstrip("/"))
    assert f"SUCCESS: {len(list((ROOT / 'grafana' / 'alerts').glob('*.rules.yml')))} rule files found" in said


@pytest.mark.e2e
def test_amtool_finds_nothing_wrong_where_the_configuration_is_mounted(tmp_path: Path) -> None:
    root = container("alertmanager", tmp_path)
    assert "SUCCESS" in run("amtool", "check-config", root / config_flag("alertmanager").lstrip("/"))


def test_all_that_is_connected_is_listened_to() -> None:
    prometheus = yaml.safe_load((ROOT / "grafana/prometheus/prometheus.yml").read_text())
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    groups = [*prometheus["alerting"]["alertmanagers"], *prometheus["scrape_configs"]]
    addresses = [target for group in groups for one in group.get("static_configs", ()) for target in one["targets"]]
    addresses += [urlsplit(source["url"]).netloc for source in sources]
    for host, port in (address.split(":") for address in addresses):
        assert int(port) in PORTS["prometheus" if host == "localhost" else host]
    assert "theeye" in [config["job_name"] for config in prometheus["scrape_configs"]]


def test_a_click_on_a_run_leads_to_its_job() -> None:
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    ((link,),) = [
        source["jsonData"].get("exemplarTraceIdDestinations", ()) for source in sources if source.get("isDefault")
    ]
    assert link["name"] == "job_id"
    # Grafana replaces variables of the environment between double dollars.
    prefix = SERVICES["grafana"]["environment"]["THEEYE_JOB_LINK"]
    url = "$".join(part.replace("$THEEYE_JOB_LINK", prefix) for part in link["url"].split("$$"))
    published = "http://127.0.0.1:60080/"
    assert url.startswith(published)
    with SimulatedTheEye(DemoSettings(monitors=5, tasks=5)) as theeye:
        job = next(iter(theeye.world.jobs))
        address = url.replace(published, f"{theeye.url}/").replace("${__value.raw}", job)
        assert [found["id"] for found in requests.get(address, timeout=30).json()] == [job]


def test_grafana_looks_for_dashboards_where_they_are_mounted() -> None:
    (provider,) = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/theeye.yml").read_text())["providers"]
    assert provider["options"]["path"] in binds("grafana")
    assert "/etc/grafana/provisioning" in binds("grafana")
