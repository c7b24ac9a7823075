"""Tests that Kubernetes accepts the objects for all values, and that they refer to each other correctly."""

import re
from importlib.util import find_spec
from typing import Any

import pytest
from cloudcoil.models.prometheus_operator import v1 as operator
from kubernetes_validate import utils as kubernetes

from chart.cases import CASES
from chart.releases import Helm, Release

OLDEST, NEWEST = "1.28", "1.37"
OPERATOR = {kind: getattr(operator, kind) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")}


def selected_by(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_kubernetes_takes_every_object(release: Release) -> None:
    for item in release.objects:
        if item["kind"] in OPERATOR:
            OPERATOR[item["kind"]].model_validate(item, extra="forbid")
        else:
            for version in (OLDEST, NEWEST):
                assert kubernetes.validate(item, version, strict=True) == version


def test_the_models_see_what_is_wrong() -> None:
    monitor = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "x"}}
    with pytest.raises(ValueError, match="intervall"):
        operator.ServiceMonitor.model_validate(
            monitor | {"spec": {"selector": {}, "endpoints": [{"intervall": "30s"}]}}, extra="forbid"
        )
    with pytest.raises(kubernetes.ValidationError, match="replica"):
        kubernetes.validate(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"replica": 1}},
            NEWEST,
            strict=True,
        )


@pytest.mark.parametrize("case", CASES)
def test_every_version_of_helm_makes_the_same(helm: Helm, newest_helm: Helm, case: str) -> None:
    assert helm.template(CASES[case]).objects == newest_helm.template(CASES[case]).objects


def test_every_object_has_the_usual_labels_and_its_namespace(release: Release) -> None:
    for item in release.objects:
        if item["metadata"]["name"] in {"acme-map", "acme-text"}:
            continue  # the user's own
        metadata = item["metadata"]
        assert metadata["namespace"] == "monitoring"
        assert metadata["labels"]["app.kubernetes.io/name"] == "theeye-exporter"
        assert metadata["labels"]["app.kubernetes.io/instance"] == "acme"
        if item["kind"] != "Pod":
            assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
            assert metadata["labels"]["app.kubernetes.io/version"] == "0.1.0"
            assert metadata["labels"]["helm.sh/chart"] == "theeye-exporter-0.1.0"


def test_selectors_select_the_pods_of_one_workload_and_not_the_test(release: Release) -> None:
    pods = [
        workload["spec"]["template"]["metadata"]["labels"]
        for workload in release.of_kind("Deployment") + release.of_kind("StatefulSet")
    ]
    test = release.one("Pod")["metadata"]["labels"]
    selectors = [release.workload["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in release.of_kind("Service")]
    selectors += [item["spec"]["podSelector"]["matchLabels"] for item in release.of_kind("NetworkPolicy")]
    selectors += [item["spec"]["selector"]["matchLabels"] for item in release.of_kind("PodDisruptionBudget")]
    selectors += [item["spec"]["selector"]["matchLabels"] for item in release.of_kind("PodMonitor")]
    for selector in selectors:
        assert sum(selected_by(selector, labels) for labels in pods) == 1
        assert not selected_by(selector, test)


def test_names_are_names(release: Release) -> None:
    for item in release.objects:
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", item["metadata"]["name"])
    names = [(item["kind"], item["metadata"]["name"]) for item in release.objects]
    assert len(set(names)) == len(names)


def test_what_is_mounted_is_there(release: Release) -> None:
    claims = [item["metadata"]["name"] for item in release.workload["spec"].get("volumeClaimTemplates", [])]
    mounted = {mount["name"] for mount in release.container["volumeMounts"]}
    assert mounted == {*release.volumes, *claims}


def test_what_is_needed_is_made(release: Release) -> None:
    """Objects refer to objects of the release, or to what the values name."""
    made = {(item["kind"], item["metadata"]["name"]) for item in release.objects}
    config = release.volumes["config"]
    assert "secret" in config or ("ConfigMap", config["configMap"]["name"]) in made
    account = release.template["spec"]["serviceAccountName"]
    assert ("ServiceAccount", account) in made or account == "default"
    if release.workload["kind"] == "StatefulSet":
        assert ("Service", release.workload["spec"]["serviceName"]) in made


def test_commands_of_probes_exist(newest_helm: Helm) -> None:
    probes = newest_helm.template(CASES["users"]).container
    assert probes["readinessProbe"]["tcpSocket"] == {"port": "metrics"}
    for name in ("startupProbe", "livenessProbe"):
        *start, module = probes[name]["exec"]["command"]
        assert start == ["python3", "-m"]
        assert find_spec(module) is not None


@pytest.mark.parametrize(("case", "scheme"), [("existing_secret", "HTTP"), ("tls", "HTTPS"), ("demo", "HTTP")])
def test_probes_ask_as_the_exporter_serves(newest_helm: Helm, case: str, scheme: str) -> None:
    container = newest_helm.template(CASES[case]).container
    paths = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
    for probe, path in paths.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "metrics", "scheme": scheme}


def test_probes_can_be_left_out(newest_helm: Helm) -> None:
    values = {"startupProbe": {"enabled": False}, "livenessProbe": {"periodSeconds": 60}}
    container = newest_helm.template(CASES["existing_secret"] | values).container
    assert "startupProbe" not in container
    assert container["livenessProbe"]["periodSeconds"] == 60


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "ghcr.io/theeye-io/theeye-exporter:0.1.0"),
        ({"tag": "main"}, "ghcr.io/theeye-io/theeye-exporter:main"),
        ({"digest": "sha256:" + "0" * 64}, "ghcr.io/theeye-io/theeye-exporter@sha256:" + "0" * 64),
        ({"tag": "1", "digest": "sha256:" + "0" * 64}, "ghcr.io/theeye-io/theeye-exporter:1@sha256:" + "0" * 64),
    ],
)
def test_image_by_tag_or_digest(newest_helm: Helm, image: dict[str, str], expected: str) -> None:
    assert images_of(newest_helm.template(CASES["existing_secret"] | {"image": image})) == {expected}


def images_of(release: Release) -> set[str]:
    return {container["image"] for spec in release.pod_specs for container in spec["containers"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"global": {"imageRegistry": "mirror.example.com:5000"}},
            "mirror.example.com:5000/theeye-io/theeye-exporter:0.1.0",
        ),
        ({"image": {"registry": "mirror.example.com"}}, "mirror.example.com/theeye-io/theeye-exporter:0.1.0"),
        ({"image": {"registry": "", "repository": "mirror.example.com/eye"}}, "mirror.example.com/eye:0.1.0"),
    ],
)
def test_image_from_another_registry(helm: Helm, values: dict[str, Any], expected: str) -> None:
    assert images_of(helm.template(CASES["existing_secret"] | values)) == {expected}


def test_services_have_the_wanted_address_families(newest_helm: Helm) -> None:
    for service in newest_helm.template(CASES["everything"]).of_kind("Service"):
        assert (service["spec"]["ipFamilyPolicy"], service["spec"]["ipFamilies"]) == (
            "PreferDualStack",
            ["IPv6", "IPv4"],
        )
    for service in newest_helm.template(CASES["shards"]).of_kind("Service"):
        assert not {"ipFamilyPolicy", "ipFamilies"} & service["spec"].keys()
