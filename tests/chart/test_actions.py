"""Tests the second Deployment, which starts runs: apart from the exporter in everything."""

from typing import Any, Final

import pytest
import yaml

from chart.cases import ACME
from chart.releases import Helm

CONFIG: Final = {
    "organizations": [{"name": "acme", "token_file": "/etc/theeye-exporter/secrets/acme"}],
    "canaries": [{"name": "script-on-web-01", "task": "canary@web-01"}],
}
ACTIONS: Final[dict[str, Any]] = {
    "organizations": [ACME],
    "networkPolicy": {"enabled": True},
    "actions": {
        "enabled": True,
        "config": CONFIG,
        "existingSecret": "theeye-actions",
        "persistence": {"enabled": True, "storageClass": "fast"},
    },
}


def named(helm: Helm, values: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [one for one in helm.template(values).of_kind(kind) if one["metadata"]["name"].endswith("-actions")]
    return found


def test_nothing_of_it_is_made_unless_asked_for(newest_helm: Helm) -> None:
    release = newest_helm.template({"organizations": [ACME]})
    assert len(release.of_kind("Deployment")) == 1
    assert release.of_kind("PersistentVolumeClaim") == []


def test_one_pod_at_most_runs_with_its_own_account_secret_and_volume(newest_helm: Helm) -> None:
    spec = named(newest_helm, ACTIONS, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][:2] == ["actions", "--config.file=/etc/theeye-exporter/actions/actions.yaml"]
    account = named(newest_helm, ACTIONS, "ServiceAccount")
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["secrets"]["secret"]["secretName"] == "theeye-actions"
    claim = named(newest_helm, ACTIONS, "PersistentVolumeClaim")
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_it_has_its_own_file_and_pods(newest_helm: Helm) -> None:
    assert yaml.safe_load(named(newest_helm, ACTIONS, "ConfigMap")["data"]["actions.yaml"]) == CONFIG
    selectors = [one["spec"]["selector"]["matchLabels"] for one in newest_helm.template(ACTIONS).of_kind("Deployment")]
    assert {selector["app.kubernetes.io/component"] for selector in selectors} == {"exporter", "actions"}


def test_its_network_is_closed_too(newest_helm: Helm) -> None:
    spec = named(newest_helm, ACTIONS, "NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "actions"
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"port": 9856, "protocol": "TCP"}]
    assert len(spec["egress"]) == 2


def test_a_missing_secret_is_refused(newest_helm: Helm) -> None:
    values = ACTIONS | {"actions": ACTIONS["actions"] | {"existingSecret": ""}}
    with pytest.raises(Exception, match=r"actions\.existingSecret is missing"):
        newest_helm.template(values)
