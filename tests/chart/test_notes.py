"""Tests that the NOTES are correct for every case and say what to do next."""

import re
import shlex
from typing import Any

import pytest
import yaml

from chart.cases import ACME, CASES, TLS
from chart.releases import Helm


def notes(helm: Helm, case: str | dict[str, Any]) -> str:
    return helm.notes(CASES[case] if isinstance(case, str) else case)


def test_they_say_what_is_watched(newest_helm: Helm) -> None:
    assert notes(newest_helm, "existing_secret").startswith("theeye-exporter watches 1 organisation.\n")
    assert notes(newest_helm, "shards").startswith("theeye-exporter watches 2 organisations with 2 shards.\n")
    assert notes(newest_helm, "demo").startswith(
        "theeye-exporter watches a simulated TheEye with 1000 monitors and 40 tasks.\n"
    )


@pytest.mark.parametrize("case", CASES)
def test_commands_name_what_is_there(newest_helm: Helm, case: str) -> None:
    text = notes(newest_helm, case)
    release = newest_helm.template(CASES[case])
    kind, name = release.workload["kind"].lower(), release.workload["metadata"]["name"]

    commands = [shlex.split(line) for line in text.splitlines() if re.match(" {5}(kubectl|helm|curl) ", line)]
    assert [command[0] for command in commands if command[0] != "kubectl"] == ["helm", "curl"]
    for command in commands:
        if command[0] == "kubectl":
            assert command[1:3] == ["--namespace", "monitoring"]
            (target,) = (word for word in command if "/" in word)
            assert target in {f"{kind}/{name}", f"pod/{name}-0"}
    assert ["helm", "--namespace", "monitoring", "test", "acme"] in commands
    (forward,) = (command for command in commands if "port-forward" in command)
    assert int(forward[-1]) == release.container["ports"][0]["containerPort"]


@pytest.mark.parametrize(
    ("case", "command"),
    [
        ("existing_secret", "curl http://localhost:9855/metrics"),
        ("tls", "curl --insecure https://localhost:9855/metrics"),
        ("users", "curl --user NAME http://localhost:9855/metrics"),
        ("client_certificates", "curl --insecure --cert FILE --key FILE https://localhost:9855/metrics"),
        ("everything", "curl --insecure --user NAME https://localhost:9855/theeye"),
    ],
)
def test_they_ask_as_the_exporter_serves(newest_helm: Helm, case: str, command: str) -> None:
    assert f"     {command}\n" in notes(newest_helm, case)


def test_they_show_how_to_scrape(newest_helm: Helm) -> None:
    text = notes(newest_helm, {"organizations": [ACME], "web": {"config": TLS}})
    (job,) = yaml.safe_load(text[text.index("scrape_configs:") :].split("\n\n")[0])["scrape_configs"]
    assert (job["scheme"], job["job_name"]) == ("https", "theeye-exporter")
    labels = newest_helm.template({"organizations": [ACME]}).template["metadata"]["labels"]
    selector = dict(term.split("=") for term in job["kubernetes_sd_configs"][0]["selectors"][0]["label"].split(","))
    assert selector.items() <= labels.items()


def test_they_show_how_to_scrape_actions(newest_helm: Helm) -> None:
    values = CASES["actions"] | {"podMonitor": {"enabled": False}}
    text = notes(newest_helm, values)
    shown = text[text.index("scrape_configs:") :].split("\n\n")[0]
    exporter, actions = yaml.safe_load(shown)["scrape_configs"]
    assert ("scheme" in exporter, "basic_auth" in exporter) == (False, False)
    assert (actions["job_name"], actions["scheme"], actions["basic_auth"]["username"]) == (
        "theeye-actions",
        "https",
        "NAME",
    )
    (pod,) = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in newest_helm.template(values).of_kind("Deployment")
        if one["metadata"]["name"].endswith("-actions")
    ]
    selector = actions["kubernetes_sd_configs"][0]["selectors"][0]["label"]
    assert dict(term.split("=") for term in selector.split(",")).items() <= pod.items()


def test_they_know_who_scrapes(newest_helm: Helm) -> None:
    assert "The PodMonitor tells Prometheus to scrape the exporter. It has no additional labels" in notes(
        newest_helm, "pod_monitor"
    )
    text = notes(newest_helm, "everything")
    assert "The ServiceMonitor tells Prometheus to scrape the exporter.\n" in text
    assert "scrape_configs" not in text


def test_they_say_that_the_organisations_are_in_a_file(newest_helm: Helm) -> None:
    text = notes(newest_helm, "config_file")
    assert text.startswith("theeye-exporter watches the organisations of the configuration file with 2 shards.\n")
    assert "There are more shards" not in text


def test_they_warn(newest_helm: Helm) -> None:
    text = notes(newest_helm, {"organizations": [ACME], "shards": 2})
    assert "There are more shards than organisations" in text
    assert "Without persistence.enabled, counters of runs start at 0" in text
    assert "The web server asks clients for a certificate" in notes(newest_helm, "client_certificates")
    quiet = notes(newest_helm, "existing_secret")
    assert not [word for word in ("more shards", "Without persistence", "asks clients") if word in quiet]
