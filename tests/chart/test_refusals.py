"""Tests that invalid values are rejected with a message that names them and the reason."""

from typing import Any

import pytest

from chart.cases import ACME, BASIC, CASES, TLS, TOKEN
from chart.releases import Helm

ONE = {"organizations": [ACME]}
MONITOR = {"serviceMonitor": {"enabled": True}}
EXISTING = {"name": "web", "tls": False, "auth": "basic"}


def acting(**other: Any) -> dict[str, Any]:
    """Return values with actions, with some of these changed."""
    return CASES["actions"] | {"actions": CASES["actions"]["actions"] | other}


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "at the top": ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    "below": ({"persistence": {"enable": True}}, "'/persistence': additional properties 'enable' not allowed"),
    "deep": ({"networkPolicy": {"egress": {"port": 1}}}, "'/networkPolicy/egress': additional properties 'port'"),
    "of the exporter": ({"config": {"theeye": {"timeot": "5s"}}}, "'/config/theeye': additional properties 'timeot'"),
    "of an organisation": ({"organizations": [ACME | {"tokenFile": "x"}]}, "additional properties 'tokenFile'"),
    "of its collectors": (
        {"organizations": [ACME | {"collectors": {"job": {}}}]},
        "'/organizations/0/collectors': additional properties 'job' not allowed",
    ),
    "what the chart fills in": ({"config": {"organizations": []}}, "'/config': additional properties 'organizations'"),
    "state": ({"config": {"state": {"file": "x"}}}, "'/config': additional properties 'state' not allowed"),
    "address": ({"config": {"web": {"listen_address": ":1"}}}, "'/config/web': additional properties 'listen_address'"),
}
TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "text for a number": ({"shards": "two"}, "'/shards': got string, want integer"),
    "too few": ({"shards": 0}, "'/shards': minimum: got 0, want 1"),
    "number for a text": ({"organizations": [{"name": 7}]}, "'/organizations/0/name': got number, want string"),
    "name twice": ({"organizations": {"a": {"name": "b"}}}, "additional properties 'name' not allowed"),
    "no name": ({"organizations": [{"token": "x"}]}, "missing property 'name'"),
    "Secret without a name": ({"organizations": [{"name": "a", "existingSecret": {}}]}, "missing property 'name'"),
    "no digest": ({"image": {"digest": "latest"}}, "'/image/digest': 'latest' does not match pattern"),
    "none of these": ({"service": {"type": "Cluster"}}, "'/service/type': value must be one of 'ClusterIP'"),
    "no name of an object": ({"fullnameOverride": "The_Eye"}, "'/fullnameOverride'"),
    "a label that is no text": ({"commonLabels": {"a": 1}}, "'/commonLabels/a': got number, want string"),
}
COMBINATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "demo and organisations": (ONE | {"demo": {"enabled": True}}, "demo.enabled watches only a simulated TheEye"),
    "demo and shards": ({"demo": {"enabled": True}, "shards": 2}, "demo.enabled supports only one pod without state"),
    "no token": (
        {"organizations": [{"name": "acme"}]},
        "organizations[0] (acme): give exactly one of existingSecret, token_file and token (given: none)",
    ),
    "two tokens": (
        {"organizations": [ACME, {"name": "b", "token": "x", "token_file": "/y"}]},
        "organizations[1] (b): give exactly one of existingSecret, token_file and token (given: token_file, token)",
    ),
    "no token by name": (
        {"organizations": {"acme": {"timeout": "5s"}}},
        "organizations.acme: give exactly one of existingSecret, token_file and token (given: none)",
    ),
    "demo and organisation files": (
        {"demo": {"enabled": True}, "organizationFiles": {"existingSecret": "x"}},
        "demo.enabled watches only a simulated TheEye",
    ),
    "same name": (
        {"organizations": [ACME, ACME]},
        "organizations[1] (acme): another organisation has this name",
    ),
    "configuration twice": (
        ONE | {"configFile": {"existingSecret": {"name": "x"}}},
        "configFile.existingSecret.name is the whole configuration",
    ),
    "demo and configuration file": (
        {"demo": {"enabled": True}, "configFile": {"existingSecret": {"name": "x"}}},
        "demo.enabled watches only a simulated TheEye",
    ),
    "registry twice": (
        ONE | {"image": {"repository": "registry.example.com/theeye-exporter"}},
        "set image.registry to registry.example.com",
    ),
    "answers larger than the memory": (
        ONE | {"config": {"limits": {"max_response_bytes": 2**29}}, "resources": {"limits": {"memory": "512Mi"}}},
        "config.limits.max_response_bytes: 536870912 needs twelve times as much memory: set resources.limits.memory to 6144Mi",
    ),
    "answers larger than the memory, with a unit": (
        ONE | {"config": {"limits": {"max_response_bytes": "512MiB"}}, "resources": {"limits": {"memory": "512Mi"}}},
        "config.limits.max_response_bytes: 536870912 needs twelve times as much memory: set resources.limits.memory to 6144Mi",
    ),
    "unknown alert": (
        ONE | {"prometheusRule": {"disabledAlerts": ["TheEyeDiskFiling", "TheEyeDiskFilling"]}},
        "prometheusRule.disabledAlerts: there is no alert TheEyeDiskFiling; the alerts are TheEye",
    ),
    "unknown optional alert": (
        ONE | {"prometheusRule": {"optionalAlerts": ["TheEyeDiskFilling"]}},
        "prometheusRule.optionalAlerts: there is no alert TheEyeDiskFilling; the alerts are TheEyeJobOnHold",
    ),
    "unverified in front": (
        ONE | {"serviceMonitor": {"enabled": True, "scheme": "https"}},
        "set serviceMonitor.tlsConfig, so that it can verify",
    ),
    "one claim": (ONE | {"shards": 2, "persistence": {"enabled": True, "existingClaim": "x"}}, "needs its own"),
    "claim of nobody": (ONE | {"persistence": {"existingClaim": "x"}}, "but persistence.enabled is false"),
    "web twice": (ONE | {"web": {"config": TLS, "existingSecret": {"name": "x"}}}, "are both given"),
    "token in env": (
        ONE | {"extraEnv": [{"name": "THEEYE_TOKEN", "value": TOKEN}]},
        "extraEnv: THEEYE_TOKEN would show",
    ),
    "scraped twice": (ONE | MONITOR | {"podMonitor": {"enabled": True}}, "Prometheus would scrape everything twice"),
    "unverified": (
        ONE | MONITOR | {"web": {"config": TLS}},
        "set serviceMonitor.tlsConfig, so that it can verify",
    ),
    "no user": (
        ONE | {"podMonitor": {"enabled": True}, "web": {"existingSecret": EXISTING}},
        "set podMonitor.basicAuth to the user and the password",
    ),
    "anybody could start runs": (acting(web={}), "whoever reaches the port could start runs: set actions.web.config"),
    "alerts without a state file": (acting(persistence={}), "need a state file: set actions.persistence.enabled"),
    "web of actions twice": (
        acting(web={"config": TLS, "existingSecret": EXISTING}),
        "actions.web.config and actions.web.existingSecret.name are both given",
    ),
    "no user of actions": (
        acting(monitor={"tlsConfig": {"insecureSkipVerify": True}}),
        "the actions process asks for a user: set actions.monitor.basicAuth",
    ),
    "actions unverified": (acting(monitor={"basicAuth": BASIC}), "set actions.monitor.tlsConfig, so that it can"),
    "no certificate": (
        ONE
        | {"serviceMonitor": {"enabled": True, "tlsConfig": {"insecureSkipVerify": True}}}
        | {"web": {"config": {"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}}},
        "set one in serviceMonitor.tlsConfig",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_keys_are_refused(helm: Helm, case: str) -> None:
    values, message = UNKNOWN[case]
    assert message in helm.refusal(values)


@pytest.mark.parametrize("case", TYPES)
def test_wrong_types_are_refused(helm: Helm, case: str) -> None:
    values, message = TYPES[case]
    assert message in helm.refusal(values)


@pytest.mark.parametrize("case", COMBINATIONS)
def test_values_that_contradict_each_other_are_refused(helm: Helm, case: str) -> None:
    values, message = COMBINATIONS[case]
    refusal = helm.refusal(values)
    assert message in refusal
    assert TOKEN not in refusal


def test_without_anything_to_watch_the_way_is_shown(helm: Helm) -> None:
    refusal = helm.refusal({}, "--namespace=observability")
    assert "nothing to watch: organizations is empty" in refusal
    assert "kubectl --namespace observability create secret generic theeye --from-file=token=" in refusal
    assert "--set 'organizations[0].existingSecret.name=theeye'" in refusal
    assert "--set demo.enabled=true" in refusal


def test_the_way_that_is_shown_works(helm: Helm) -> None:
    helm.template({}, "--set", "organizations[0].name=acme", "--set", "organizations[0].existingSecret.name=theeye")
    helm.template({}, "--set", "demo.enabled=true")


def test_all_mistakes_are_reported_at_once(helm: Helm) -> None:
    refusal = helm.refusal(
        {"organizations": [{"name": "acme"}, {"name": "acme"}], "persistence": {"existingClaim": "x"}}
    )
    assert refusal.count("\n- ") == 4


def test_an_old_kubernetes_is_refused(helm: Helm) -> None:
    assert "kubeVersion" in helm.refusal(CASES["existing_secret"], "--kube-version=1.27.9")
    helm.template(CASES["existing_secret"], "--kube-version=1.28.0-gke.1")


@pytest.mark.parametrize("size", [42 * 2**20, "42MiB", "43008KiB"])
def test_answers_that_fit_the_memory_are_accepted(helm: Helm, size: object) -> None:
    limits = {"limits": {"memory": "504Mi"}}
    helm.template(ONE | {"config": {"limits": {"max_response_bytes": size}}, "resources": limits})


def test_a_token_in_the_environment_may_come_from_a_secret(helm: Helm) -> None:
    token = {"name": "THEEYE_TOKEN", "valueFrom": {"secretKeyRef": {"name": "theeye", "key": "token"}}}
    helm.template(ONE | {"extraEnv": [token]})


def test_users_of_the_exporter_need_no_monitor(helm: Helm) -> None:
    helm.template(ONE | {"web": {"existingSecret": EXISTING}})
    helm.template(ONE | {"web": {"existingSecret": EXISTING}, "podMonitor": {"enabled": True, "basicAuth": BASIC}})
