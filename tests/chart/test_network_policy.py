"""Tests which connections the NetworkPolicy allows."""

from typing import Any

import pytest

from chart.cases import ACME, CASES
from chart.releases import Helm

DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]


def policy(helm: Helm, values: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    base = values or {"organizations": [ACME]}
    spec: dict[str, Any] = helm.template(base | {"networkPolicy": {"enabled": True, **settings}}).one("NetworkPolicy")[
        "spec"
    ]
    return spec


def test_none_is_made_unless_asked_for(newest_helm: Helm) -> None:
    assert newest_helm.template(CASES["existing_secret"]).of_kind("NetworkPolicy") == []


def test_both_ways_are_closed_but_for_what_is_said(newest_helm: Helm) -> None:
    spec = policy(newest_helm)
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    prometheus = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    }
    ((rule),) = spec["ingress"]
    assert rule["from"][0] == prometheus
    assert rule["ports"] == [{"port": 9855, "protocol": "TCP"}]
    assert spec["egress"] == [{"ports": DNS}, {"ports": [{"port": 443, "protocol": "TCP"}], "to": ANYWHERE}]


def test_the_pod_of_helm_test_may_come_in(newest_helm: Helm) -> None:
    release = newest_helm.template({"organizations": [ACME], "networkPolicy": {"enabled": True}})
    _, peer = release.one("NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert peer.keys() == {"podSelector"}  # of this namespace
    assert peer["podSelector"]["matchLabels"].items() <= release.one("Pod")["metadata"]["labels"].items()


def test_prometheus_can_be_narrowed_down(newest_helm: Helm) -> None:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": "prometheus"}}
    pods = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["prometheus", "agent"]}]}
    spec = policy(newest_helm, ingress={"namespaceSelector": namespace, "podSelector": pods})
    # One peer with both: two peers would let in every pod of the namespace.
    assert {
        "namespaceSelector": namespace,
        "podSelector": pods | {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    } in (spec["ingress"][0]["from"])


def test_the_ports_of_proxies_are_open_too(newest_helm: Helm) -> None:
    values = {
        "organizations": [ACME, ACME | {"name": "own", "proxy_url": "https://proxy.example.com"}],
        "config": {"theeye": {"url": "http://theeye", "proxy_url": "http://user:pass%2Fword@proxy.example.com:3128"}},
    }
    ports = policy(newest_helm, values)["egress"][1]["ports"]
    assert [port["port"] for port in ports] == [80, 3128, 443]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://theeye.example.com", 443),
        ("http://theeye.example.com", 80),
        ("https://theeye.example.com:8443/api", 8443),
        ("http://[2001:db8::1]:3000", 3000),
        ("http://[2001:db8::1]", 80),
    ],
)
def test_ports_are_those_of_the_urls(newest_helm: Helm, url: str, port: int) -> None:
    for values in (
        {"organizations": [ACME], "config": {"theeye": {"url": url}}},
        {"organizations": [ACME | {"url": url}]},
    ):
        (_, upstream) = policy(newest_helm, values)["egress"]
        assert upstream["ports"] == [{"port": port, "protocol": "TCP"}]


def test_each_port_stands_once(newest_helm: Helm) -> None:
    urls = ["https://a", "https://b:443", "https://c:8443", "https://d:8443"]
    values = {"organizations": [ACME | {"name": url, "url": url} for url in urls]}
    (_, upstream) = policy(newest_helm, values)["egress"]
    assert [port["port"] for port in upstream["ports"]] == [443, 8443]


def test_everything_can_be_said(newest_helm: Helm) -> None:
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    own = {"ports": [{"port": 1, "protocol": "TCP"}]}
    egress = {"cidrs": ["10.0.0.0/8"], "ports": [3128], "dns": [dns], "extra": [own]}
    spec = policy(newest_helm, ingress={"extra": [own]}, egress=egress)
    assert spec["ingress"][1] == own
    assert spec["egress"] == [
        {"ports": DNS, "to": [dns]},
        {"ports": [{"port": 3128, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        own,
    ]


def test_a_demo_needs_nobody(newest_helm: Helm) -> None:
    assert policy(newest_helm, {"demo": {"enabled": True}})["egress"] == [{"ports": DNS}]
