"""Tests that the exporter accepts every file and argument that the chart passes."""

import argparse
import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.cases import ACME, CASES, TLS
from chart.releases import Helm, Release
from theeye_exporter.cli import main
from theeye_exporter.config import Settings, add_flags
from theeye_exporter.config.loading import load
from theeye_exporter.theeye.tokens import token_from_file
from tools import require_tool

FOLDERS = ("/etc/theeye-exporter", "/var/lib/theeye-exporter", "/vault/secrets")


def known_flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser


def start(release: Release, root: Path, index: int = 0) -> Settings:
    """Load the configuration as in a pod; the mounted files are below a folder."""
    for folder in FOLDERS:
        (root / folder[1:]).mkdir(parents=True, exist_ok=True)
    (root / "vault/secrets/theeye").write_text("of-the-vault")
    tokens = root / "etc/theeye-exporter/tokens"
    tokens.mkdir(exist_ok=True)
    for path in mounted_tokens(release):
        (tokens / path).write_text(f"of-{path}")
    if "organizations" in release.volumes:
        (root / "etc/theeye-exporter/organizations").mkdir()
        (root / "etc/theeye-exporter/organizations/one.yaml").write_text("name: in a file\ntoken_file: one.token\n")
        (root / "etc/theeye-exporter/organizations/one.token").write_text("of-one")
    put_web_files(release, root)
    config = root / "etc/theeye-exporter/config"
    config.mkdir(exist_ok=True)
    if "secret" in release.volumes["config"]:
        key = next(
            argument.rpartition("/")[2] for argument in release.container["args"] if "--config.file=" in argument
        )
        (config / key).write_text("organizations: [{name: in a Secret, token_file: token}]\n")
        (config / "token").write_text("of-the-secret")
    else:
        (config / "theeye-exporter.yml").write_text(below(release.file, root), encoding="utf-8")

    arguments = [below(argument, root).replace("$(POD_INDEX)", str(index)) for argument in release.container["args"]]
    environ = {}
    if arguments[0] == "demo":
        assert [argument.partition("=")[0] for argument in arguments[1:3]] == ["--demo.monitors", "--demo.tasks"]
        arguments, environ = arguments[3:], {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "demo"}
    return load(known_flags().parse_args(arguments), environ)


def put_web_files(release: Release, root: Path) -> None:
    """Write the files of the web server to their mount path: from the Secret of the release, or from the user's Secret."""
    if "web" not in release.volumes:
        return
    name = release.volumes["web"]["secret"]["secretName"]
    made = [secret["data"] for secret in release.of_kind("Secret") if secret["metadata"]["name"] == name]
    theirs = {"web.yml": base64.b64encode(yaml.safe_dump(TLS).encode()).decode()}
    folder = root / "etc/theeye-exporter/web"
    folder.mkdir()
    for key, data in (made[0] if made else theirs).items():
        (folder / key).write_text(below(base64.b64decode(data).decode(), root), encoding="utf-8")
    certificates = folder.with_name("tls")
    certificates.mkdir()
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=exporter -keyout {certificates}/tls.key -out {certificates}/tls.crt"
    require_tool("openssl")
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60)


def below(text: str, root: Path) -> str:
    for folder in FOLDERS:
        text = text.replace(folder, f"{root}{folder}")
    return text


def mounted_tokens(release: Release) -> Iterator[str]:
    for source in release.volumes.get("tokens", {}).get("projected", {}).get("sources", []):
        for item in source["secret"]["items"]:
            yield item["path"]


def test_the_exporter_takes_the_configuration(release: Release, tmp_path: Path) -> None:
    settings = start(release, tmp_path)

    assert settings.web.listen_address[0].port == release.container["ports"][0]["containerPort"]
    for organization in settings.organizations:
        if organization.token_file:
            assert token_from_file(organization.token_file)()


def test_organisations_by_name_are_as_in_a_list_and_none_are_removed(newest_helm: Helm, tmp_path: Path) -> None:
    release = newest_helm.template(CASES["by_name"])
    settings = start(release, tmp_path)
    assert [o.name for o in settings.organizations] == ["Größe & Söhne: #1", "acme"]
    assert settings.organizations[0].url == "http://theeye.factory.example.com:8080"
    assert yaml.safe_load(release.file)["organizations"][1].keys() == {"name", "token_file"}


def test_values_files_with_organisations_by_name_merge(newest_helm: Helm, tmp_path: Path) -> None:
    for number, name in enumerate(("acme", "beta")):
        values = {"organizations": {name: {"existingSecret": {"name": f"theeye-{name}"}}}}
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(values))
    merged = newest_helm.template({}, *(f"--values={tmp_path}/{number}.yaml" for number in range(2)))
    assert [o["name"] for o in yaml.safe_load(merged.file)["organizations"]] == ["acme", "beta"]


def test_a_secret_with_organisation_files_is_mounted_as_a_folder(newest_helm: Helm, tmp_path: Path) -> None:
    release = newest_helm.template(CASES["organization_files"])
    assert release.volumes["organizations"]["secret"]["secretName"] == "customers"
    (mount,) = [mount for mount in release.container["volumeMounts"] if mount["name"] == "organizations"]
    assert mount == {"name": "organizations", "mountPath": "/etc/theeye-exporter/organizations", "readOnly": True}
    (organization,) = start(release, tmp_path).organizations
    assert (organization.name, token_from_file(organization.token_file or Path())()) == ("in a file", "of-one")
    both = newest_helm.template(CASES["some_in_files"])
    assert yaml.safe_load(both.file)["organization_files"] == [
        "/vault/secrets/*.yaml",
        "/etc/theeye-exporter/organizations/*.yaml",
        "/etc/theeye-exporter/organizations/*.yml",
    ]


def test_a_secret_can_be_the_whole_configuration(newest_helm: Helm, tmp_path: Path) -> None:
    release = newest_helm.template(CASES["config_file"])
    assert release.of_kind("ConfigMap") == []
    assert release.volumes["config"]["secret"]["secretName"] == "theeye-config"
    assert "checksum/config" not in release.template["metadata"]["annotations"]
    pods = []
    for index in range(2):
        (tmp_path / str(index)).mkdir()
        settings = start(release, tmp_path / str(index), index)
        assert settings.web.telemetry_path == "/metrics"
        pods += [(o.name, token_from_file(o.token_file or Path())()) for o in settings.organizations]
    assert pods == [("in a Secret", "of-the-secret")]


def test_everything_said_arrives(newest_helm: Helm, tmp_path: Path) -> None:
    settings = start(newest_helm.template(CASES["everything"] | {"shards": 1}), tmp_path)

    acme, factory, vault = settings.organizations
    assert [acme.name, factory.name, vault.name] == ["acme", "Größe & Söhne: #1", "vault"]
    assert [acme.url, factory.url] == ["https://theeye.example.com", "http://theeye.factory.example.com:8080"]
    assert [acme.timeout, factory.auth] == [30.0, "query"]
    assert vault.token_file == tmp_path / "vault/secrets/theeye"
    assert (vault.collectors.jobs.interval, vault.collectors.jobs.max_details_per_cycle) == (30.0, 100000)
    assert vault.collectors.tasks.enabled is False
    assert settings.web.telemetry_path == "/theeye"
    assert (settings.log.format, settings.log.level) == ("json", "debug")
    assert settings.histograms.job_duration.buckets == (1.0, 60.0, 3600.0)
    assert settings.limits.max_series_per_family == 2_000_000
    assert settings.limits.max_response_bytes == 2**30
    assert settings.state.file == tmp_path / "var/lib/theeye-exporter/state.db"


@pytest.mark.parametrize("number", ["1000000", "123456789"])
def test_long_numbers_stay_whole(helm: Helm, number: str) -> None:
    for flags in ([f"--set=config.limits.max_series_per_family={number}"], []):
        values = CASES["existing_secret"] | (
            {} if flags else {"config": {"limits": {"max_series_per_family": int(number)}}}
        )
        assert f"max_series_per_family: {number}\n" in helm.template(values, *flags).file


def test_fifty_organisations_in_three_shards(newest_helm: Helm, tmp_path: Path) -> None:
    names = [f"organisation {number}" for number in range(50)]
    values = {"organizations": [ACME | {"name": name} for name in names], "shards": 3}
    release = newest_helm.template(values)

    assert release.workload["spec"]["replicas"] == 3
    assert len(set(mounted_tokens(release))) == 50
    assert [organization["name"] for organization in yaml.safe_load(release.file)["organizations"]] == names
    pods = []
    for index in range(3):
        (tmp_path / str(index)).mkdir()
        settings = start(release, tmp_path / str(index), index)
        pods.append({organization.name for organization in settings.organizations})
    assert sorted(name for pod in pods for name in pod) == sorted(names)
    assert all(pods)


def test_shards_know_their_index(newest_helm: Helm) -> None:
    container = newest_helm.template(CASES["shards"]).container
    assert {"--shard.count=2", "--shard.index=$(POD_INDEX)"} <= set(container["args"])
    field = "metadata.labels['apps.kubernetes.io/pod-index']"
    assert container["env"] == [{"name": "POD_INDEX", "valueFrom": {"fieldRef": {"fieldPath": field}}}]


def test_a_single_pod_knows_no_shards(newest_helm: Helm) -> None:
    for case in ("existing_secret", "persistence", "demo"):
        container = newest_helm.template(CASES[case]).container
        assert not [argument for argument in container["args"] if argument.startswith("--shard")]


def test_demo_is_a_command_before_its_flags(newest_helm: Helm, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = newest_helm.template(CASES["demo"]).container["args"]
    assert arguments[:2] == ["demo", "--demo.monitors=1000"]
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    assert "a simulated TheEye" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "rolls"),
    [
        ({"config": {"log": {"level": "debug"}}}, True),
        ({"organizations": [ACME, ACME | {"name": "beta"}]}, True),
        ({"serviceMonitor": {"enabled": True}}, False),
        ({"organizations": [{"name": "acme", "existingSecret": {"name": "another"}}]}, False),
    ],
)
def test_pods_are_replaced_when_the_configuration_changes(
    newest_helm: Helm, change: dict[str, Any], *, rolls: bool
) -> None:
    before = newest_helm.template(CASES["existing_secret"])
    after = newest_helm.template(CASES["existing_secret"] | change)
    assert (checksum(before) != checksum(after)) is rolls


def test_pods_can_stay_when_the_configuration_changes(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["existing_secret"] | {"rollOnConfigChange": False})
    assert "checksum/config" not in release.template["metadata"]["annotations"]


def checksum(release: Release) -> str:
    return str(release.template["metadata"]["annotations"]["checksum/config"])
