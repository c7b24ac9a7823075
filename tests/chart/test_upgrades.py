"""Tests that immutable fields do not change, and that releases do not interfere."""

from pathlib import Path
from typing import Any

import pytest

from chart.cases import ACME, CASES
from chart.charts import copy_chart
from chart.releases import Helm, Release

ONE: dict[str, Any] = {"organizations": [ACME]}
IMMUTABLE = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
"""Fields of Deployments and StatefulSets that an upgrade must not touch."""


def identities(release: Release) -> set[tuple[str, str, str]]:
    return {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in release.objects}


@pytest.mark.parametrize("case", ["existing_secret", "shards", "persistence", "demo"])
@pytest.mark.parametrize(
    "change",
    [
        {"commonLabels": {"team": "platform"}, "commonAnnotations": {"a": "b"}, "podLabels": {"c": "d"}},
        {"image": {"tag": "2.0.0"}, "resources": {"limits": {"memory": "1Gi"}}},
        {"config": {"log": {"level": "debug"}}, "extraArgs": ["--log.format=json"]},
        {"serviceMonitor": {"enabled": True}, "service": {"labels": {"a": "b"}}},
    ],
)
def test_an_upgrade_keeps_what_cannot_be_changed(
    newest_helm: Helm, tmp_path: Path, case: str, change: dict[str, Any]
) -> None:
    before = newest_helm.template(CASES[case]).workload
    later = copy_chart(tmp_path, {}, {"version": "9.8.7", "appVersion": "9.8.7"})
    after = newest_helm.template(CASES[case] | change, chart=later).workload

    assert after["metadata"]["labels"]["helm.sh/chart"] == "theeye-exporter-9.8.7"
    assert (after["kind"], after["metadata"]["name"]) == (before["kind"], before["metadata"]["name"])
    for field in IMMUTABLE:
        assert after["spec"].get(field) == before["spec"].get(field)
    assert after["spec"]["selector"]["matchLabels"].items() <= after["spec"]["template"]["metadata"]["labels"].items()


def test_another_version_of_the_chart_replaces_no_pod(newest_helm: Helm, tmp_path: Path) -> None:
    later = copy_chart(tmp_path, {}, {"version": "9.8.7"})
    assert newest_helm.template(ONE, chart=later).template == newest_helm.template(ONE).template


def test_more_shards_are_only_more_replicas(newest_helm: Helm) -> None:
    two, three = (newest_helm.template(CASES["shards"] | {"shards": count}).workload for count in (2, 3))
    assert [two["spec"]["replicas"], three["spec"]["replicas"]] == [2, 3]
    for field in IMMUTABLE:
        assert two["spec"].get(field) == three["spec"].get(field)


def test_labels_of_users_do_not_get_into_selectors(newest_helm: Helm) -> None:
    labels = {"app.kubernetes.io/name": "theirs", "app.kubernetes.io/instance": "theirs", "team": "platform"}
    own = newest_helm.template(ONE | {"commonLabels": labels, "podLabels": labels})
    assert own.workload["spec"]["selector"] == newest_helm.template(ONE).workload["spec"]["selector"]
    assert own.template["metadata"]["labels"]["app.kubernetes.io/name"] == "theeye-exporter"
    assert own.template["metadata"]["labels"]["team"] == "platform"


def test_two_releases_in_one_namespace_stay_apart(newest_helm: Helm) -> None:
    long = "a-very-long-name-of-a-release-that-goes-on-and-on-xx"
    names = ["acme", "beta", f"{long}1", f"{long}2"]
    values = CASES["everything"] | {"extraObjects": []}
    releases = [newest_helm.template(values, release=name) for name in names]
    for number, release in enumerate(releases):
        own = release.template["metadata"]["labels"]
        for other in releases[:number] + releases[number + 1 :]:
            assert not identities(release) & identities(other)
            for service in other.of_kind("Service"):
                assert not service["spec"]["selector"].items() <= own.items()
            assert not other.workload["spec"]["selector"]["matchLabels"].items() <= own.items()


@pytest.mark.parametrize("values", [{}, {"nameOverride": "n" * 70}, {"fullnameOverride": "f" * 70}])
@pytest.mark.parametrize("release", ["r" * 53, "x", "r" * 42 + "." + "s" * 10])
def test_names_are_cut(newest_helm: Helm, values: dict[str, str], release: str) -> None:
    rendered = newest_helm.template(CASES["everything"] | {"extraObjects": []} | values, release=release)
    for item in rendered.objects:
        assert len(item["metadata"]["name"]) <= 63
        for value in item["metadata"]["labels"].values():
            assert len(value) <= 63
    # Kubernetes appends a hyphen and ten characters in the label controller-revision-hash.
    assert len(rendered.workload["metadata"]["name"]) + 11 <= 63


def test_names_can_be_given(newest_helm: Helm) -> None:
    values = ONE | {"fullnameOverride": "theeye", "namespaceOverride": "observability"}
    assert identities(newest_helm.template(values)) == {
        (kind, "observability", "theeye") for kind in ("ConfigMap", "Deployment", "Service", "ServiceAccount")
    } | {("Pod", "observability", "theeye-test")}


def test_a_release_named_like_the_chart_does_not_say_it_twice(newest_helm: Helm) -> None:
    assert newest_helm.template(ONE, release="theeye-exporter").workload["metadata"]["name"] == "theeye-exporter"


def test_a_bad_image_leaves_the_old_pod_running(newest_helm: Helm) -> None:
    assert newest_helm.template(ONE).workload["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 1,
        "maxUnavailable": 0,
    }


def test_nodes_can_be_drained(newest_helm: Helm) -> None:
    spec = newest_helm.template(ONE | {"podDisruptionBudget": {"enabled": True}}).one("PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
