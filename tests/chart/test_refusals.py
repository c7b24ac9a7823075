"""Values that cannot work are refused, with a message that says which and why."""

from typing import Any

import pytest

from chart.cases import ACME, BASIC, CASES, TLS, TOKEN
from chart.releases import Helm

ONE = {"organizations": [ACME]}
MONITOR = {"serviceMonitor": {"enabled": True}}
EXISTING = {"name": "web", "tls": False, "auth": "basic"}

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
    "no name": ({"organizations": [{"token": "x"}]}, "missing property 'name'"),
    "Secret without a name": ({"organizations": [{"name": "a", "existingSecret": {}}]}, "missing property 'name'"),
    "no digest": ({"image": {"digest": "latest"}}, "'/image/digest': 'latest' does not match pattern"),
    "none of these": ({"service": {"type": "Cluster"}}, "'/service/type': value must be one of 'ClusterIP'"),
    "no name of an object": ({"fullnameOverride": "The_Eye"}, "'/fullnameOverride'"),
    "a label that is no text": ({"commonLabels": {"a": 1}}, "'/commonLabels/a': got number, want string"),
}
COMBINATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "demo and organisations": (ONE | {"demo": {"enabled": True}}, "demo.enabled watches a simulated TheEye alone"),
    "demo and shards": ({"demo": {"enabled": True}, "shards": 2}, "demo.enabled is one pod without state"),
    "no token": (
        {"organizations": [{"name": "acme"}]},
        "organizations[0] (acme): give exactly one of existingSecret, token_file and token (given: none)",
    ),
    "two tokens": (
        {"organizations": [ACME, {"name": "b", "token": "x", "token_file": "/y"}]},
        "organizations[1] (b): give exactly one of existingSecret, token_file and token (given: token_file, token)",
    ),
    "same name": (
        {"organizations": [ACME, ACME]},
        "organizations[1] (acme): there is another organisation of this name",
    ),
    "one claim": (ONE | {"shards": 2, "persistence": {"enabled": True, "existingClaim": "x"}}, "needs its own"),
    "claim of nobody": (ONE | {"persistence": {"existingClaim": "x"}}, "but persistence.enabled is false"),
    "web twice": (ONE | {"web": {"config": TLS, "existingSecret": {"name": "x"}}}, "are both given"),
    "token in env": (
        ONE | {"extraEnv": [{"name": "THEEYE_TOKEN", "value": TOKEN}]},
        "extraEnv: THEEYE_TOKEN would show",
    ),
    "scraped twice": (ONE | MONITOR | {"podMonitor": {"enabled": True}}, "everything would be scraped twice"),
    "unverified": (
        ONE | MONITOR | {"web": {"config": TLS}},
        "serviceMonitor.tlsConfig has to say how Prometheus verifies",
    ),
    "no user": (
        ONE | {"podMonitor": {"enabled": True}, "web": {"existingSecret": EXISTING}},
        "podMonitor.basicAuth has to say where user and password are",
    ),
    "no certificate": (
        ONE
        | {"serviceMonitor": {"enabled": True, "tlsConfig": {"insecureSkipVerify": True}}}
        | {"web": {"config": {"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}}},
        "serviceMonitor.tlsConfig has to name one",
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


def test_all_mistakes_are_told_at_once(helm: Helm) -> None:
    refusal = helm.refusal(
        {"organizations": [{"name": "acme"}, {"name": "acme"}], "persistence": {"existingClaim": "x"}}
    )
    assert refusal.count("\n- ") == 4


def test_an_old_kubernetes_is_refused(helm: Helm) -> None:
    assert "kubeVersion" in helm.refusal(CASES["existing_secret"], "--kube-version=1.27.9")
    helm.template(CASES["existing_secret"], "--kube-version=1.28.0-gke.1")


def test_users_of_the_exporter_need_no_monitor(helm: Helm) -> None:
    helm.template(ONE | {"web": {"existingSecret": EXISTING}})
    helm.template(ONE | {"web": {"existingSecret": EXISTING}, "podMonitor": {"enabled": True, "basicAuth": BASIC}})
