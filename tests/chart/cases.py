"""Example values, from the minimum to everything at once, and those that the chart has for each way of installing it."""

from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["CASES", "INSTALLED", "SECRETS"]

TOKEN: Final = "canary-token-0123456789"
PASSWORD_HASH: Final = "$2y$10$canary0123456789abcdeeghijklmnopqrstuvwxyz0123456789A"
SECRETS: Final = (TOKEN, PASSWORD_HASH)
"""Texts that may stand in Secrets alone."""

ACME: Final = {"name": "acme", "existingSecret": {"name": "theeye-acme"}}
TLS: Final = {
    "tls_server_config": {
        "cert_file": "/etc/theeye-exporter/tls/tls.crt",
        "key_file": "/etc/theeye-exporter/tls/tls.key",
    }
}
BASIC: Final = {"username": {"name": "scrape", "key": "user"}, "password": {"name": "scrape", "key": "password"}}

EVERYTHING: Final[dict[str, Any]] = {
    "organizations": [
        {"name": "acme", "existingSecret": {"name": "theeye", "key": "acme"}, "timeout": "30s"},
        {"name": "Größe & Söhne: #1", "token": TOKEN, "url": "http://theeye.factory.example.com:8080", "auth": "query"},
        {
            "name": "vault",
            "token_file": "/vault/secrets/theeye",
            "collectors": {"jobs": {"interval": "30s", "max_details_per_cycle": 100000}, "tasks": {"enabled": False}},
        },
    ],
    "config": {
        "theeye": {"url": "https://theeye.example.com"},
        "collectors": {"monitors": {"interval": "1m"}},
        "web": {"telemetry_path": "/theeye"},
        "log": {"format": "json"},
        "histograms": {"job_duration": {"buckets": ["1s", "1m", "1h"]}},
        "limits": {"max_series_per_family": 2000000, "max_response_bytes": 1073741824},
        "labels": {"tags": False},
    },
    "shards": 3,
    "persistence": {"enabled": True, "storageClass": "fast", "size": "5Gi", "annotations": {"backup": "daily"}},
    "image": {
        "registry": "registry.example.com",
        "repository": "theeye-exporter",
        "digest": "sha256:" + "0123456789abcdef" * 4,
    },
    "imagePullSecrets": [{"name": "registry"}],
    "commonLabels": {"team": "platform"},
    "commonAnnotations": {"contact": "platform@example.com"},
    "service": {
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv6", "IPv4"],
        "annotations": {"a": "b"},
        "labels": {"c": "d"},
    },
    "web": {
        "config": {**TLS, "basic_auth_users": {"prometheus": PASSWORD_HASH}},
        "tlsSecret": "theeye-exporter-tls",
        "enableLifecycle": True,
    },
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "kube-prometheus-stack"},
        "interval": "30s",
        "scrapeTimeout": "20s",
        "tlsConfig": {"ca": {"secret": {"name": "theeye-exporter-tls", "key": "ca.crt"}}, "serverName": "exporter"},
        "basicAuth": BASIC,
        "params": {"exclude[]": ["webhooks"]},
        "honorLabels": True,
        "relabelings": [{"targetLabel": "cluster", "replacement": "eu"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
        "extraSpec": {"sampleLimit": 2000000},
    },
    "prometheusRule": {"enabled": True, "namespace": "monitoring", "labels": {"release": "kube-prometheus-stack"}},
    "dashboards": {"enabled": True},
    "resources": {"limits": {"memory": "12Gi"}},
    "networkPolicy": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
    "serviceAccount": {"annotations": {"e": "f"}},
    "podLabels": {"g": "h"},
    "podAnnotations": {"i": "j"},
    "extraArgs": ["--log.level=debug"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraEnvFrom": [{"configMapRef": {"name": "environment"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    "initContainers": [{"name": "wait", "image": "busybox"}],
    "sidecars": [{"name": "reloader", "image": "reloader"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "affinity": {"podAntiAffinity": {}},
    "tolerations": [{"key": "monitoring", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "dnsPolicy": "ClusterFirst",
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["theeye.example.com"]}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n",
    ],
}

INSTALLED: Final[dict[str, dict[str, Any]]] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "helm/theeye-exporter/ci").glob("*-values.yaml"))
}
"""The values for each way of installing."""

CASES: Final[dict[str, dict[str, Any]]] = {
    **{f"installed: {way}": values for way, values in INSTALLED.items()},
    "existing_secret": {"organizations": [ACME]},
    "by_name": {
        "organizations": {
            "acme": {"existingSecret": {"name": "theeye-acme"}},
            "Größe & Söhne: #1": {"token": TOKEN, "url": "http://theeye.factory.example.com:8080"},
            "gone": None,
        },
        "networkPolicy": {"enabled": True},
    },
    "organization_files": {"organizationFiles": {"existingSecret": "customers"}, "networkPolicy": {"enabled": True}},
    "some_in_files": {
        "organizations": [ACME],
        "organizationFiles": {"existingSecret": "customers"},
        "config": {"organization_files": "/vault/secrets/*.yaml"},
        "shards": 2,
    },
    "inline_token": {"organizations": [{"name": "acme", "token": TOKEN}]},
    "token_file": {"organizations": [{"name": "acme", "token_file": "/vault/secrets/theeye"}]},
    "demo": {"demo": {"enabled": True, "monitors": 1000}, "networkPolicy": {"enabled": True}},
    "demo_with_configuration": {"demo": {"enabled": True}, "config": {"collectors": {"jobs": {"enabled": False}}}},
    "shards": {"organizations": [ACME, {**ACME, "name": "beta"}], "shards": 2},
    "persistence": {"organizations": [ACME], "persistence": {"enabled": True}},
    "existing_claim": {"organizations": [ACME], "persistence": {"enabled": True, "existingClaim": "state"}},
    "tls": {"organizations": [ACME], "web": {"config": TLS, "tlsSecret": "tls"}},
    "users": {
        "organizations": [ACME],
        "web": {"config": {"basic_auth_users": {"prometheus": PASSWORD_HASH}}},
        "podMonitor": {"enabled": True, "basicAuth": BASIC},
    },
    "client_certificates": {
        "organizations": [ACME],
        "web": {"existingSecret": {"name": "web", "key": "web.yml", "auth": "certificate"}},
        "serviceMonitor": {
            "enabled": True,
            "tlsConfig": {
                "insecureSkipVerify": True,
                "cert": {"secret": {"name": "client", "key": "tls.crt"}},
                "keySecret": {"name": "client", "key": "tls.key"},
            },
        },
    },
    "actions": {
        "organizations": [ACME],
        "networkPolicy": {"enabled": True},
        "podMonitor": {"enabled": True, "params": {"exclude[]": ["webhooks"]}},
        "actions": {
            "enabled": True,
            "existingSecret": "theeye-actions",
            "persistence": {"enabled": True},
            "config": {
                "organizations": [{"name": "acme", "token_file": "/etc/theeye-exporter/secrets/acme"}],
                "actions": [{"name": "restart-nginx", "task": "restart nginx", "matchers": ['alertname="NginxDown"']}],
            },
            "web": {
                "config": {**TLS, "basic_auth_users": {"alertmanager": PASSWORD_HASH}},
                "tlsSecret": "theeye-actions-tls",
            },
            "monitor": {"basicAuth": BASIC, "tlsConfig": {"insecureSkipVerify": True}},
        },
    },
    "pod_monitor": {"organizations": [ACME], "podMonitor": {"enabled": True, "extraSpec": {"sampleLimit": 100000}}},
    "nothing_made": {"organizations": [ACME], "serviceAccount": {"create": False}},
    "openshift": {
        "organizations": [ACME],
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    },
    "config_file": {
        "configFile": {"existingSecret": {"name": "theeye-config", "key": "theeye.yml"}},
        "networkPolicy": {"enabled": True},
        "serviceMonitor": {"enabled": True},
        "shards": 2,
    },
    "everything": EVERYTHING,
}
