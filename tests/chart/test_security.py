"""Tests that pods meet the strictest standard, and that secrets are only in Secrets."""

import base64
from typing import Any

import pytest

from chart.cases import CASES, PASSWORD_HASH, SECRETS, TOKEN
from chart.pod_security import violations
from chart.releases import Helm, Release

BARE: dict[str, Any] = {"containers": [{"name": "bare"}]}


def test_the_standard_is_strict() -> None:
    assert violations(BARE) == [
        "bare: allowPrivilegeEscalation",
        "bare: runAsNonRoot",
        "bare: seccompProfile",
        "bare: capabilities",
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}, "volume host: ['hostPath']"),
        ({"securityContext": {"runAsUser": 0}}, "pod: runAsUser"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "bare: seccompProfile"),
    ],
)
def test_the_standard_sees(change: dict[str, Any], found: str) -> None:
    assert found in violations(BARE | change)


def test_every_pod_of_ours_passes_the_standard(release: Release) -> None:
    for spec in release.pod_specs:
        ours = [container for container in spec["containers"] if container["name"] in {"exporter", "test"}]
        assert len(ours) == 1
        assert violations({**spec, "containers": ours, "initContainers": []}) == []
        assert ours[0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert ours[0]["resources"]["requests"].keys() == {"cpu", "memory"}
        assert ours[0]["resources"]["limits"].keys() == {"memory"}


def test_no_pod_gets_a_token_of_kubernetes(release: Release) -> None:
    for spec in release.pod_specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
    for account in release.of_kind("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_a_sidecar_that_needs_a_token_can_have_it(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["token_file"] | {"serviceAccount": {"automountToken": True}})
    assert release.template["spec"]["automountServiceAccountToken"] is True


def encoded(secret: str) -> set[str]:
    """Return the text itself and its encodings at every alignment, without the characters at the ends."""
    shifted = (base64.b64encode(b"\0" * shift + secret.encode()).decode()[4:-4] for shift in range(3))
    return {secret, *shifted}


def test_secrets_are_in_secrets_alone(release: Release) -> None:
    for item in release.objects:
        if item["kind"] != "Secret":
            for secret in SECRETS:
                assert not [text for text in encoded(secret) if text in str(item)], item["kind"]


def test_secrets_are_where_they_belong(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["everything"])

    tokens = release.one("Secret", "acme-theeye-exporter-tokens")["data"]
    assert [base64.b64decode(value).decode() for value in tokens.values()] == [TOKEN]
    web = release.one("Secret", "acme-theeye-exporter-web")["data"]["web-config.yml"]
    assert PASSWORD_HASH in base64.b64decode(web).decode()


def test_no_secret_is_made_without_need(newest_helm: Helm) -> None:
    for case in ("existing_secret", "token_file", "demo"):
        assert newest_helm.template(CASES[case]).of_kind("Secret") == []


def test_notes_tell_no_secret(newest_helm: Helm) -> None:
    notes = newest_helm.notes(CASES["everything"])
    assert notes
    assert not [secret for secret in SECRETS if secret in notes]


def test_each_token_is_a_file_of_its_own(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["everything"])

    tokens = release.volumes["tokens"]["projected"]
    assert tokens["defaultMode"] == 0o440
    (own_key,) = release.one("Secret", "acme-theeye-exporter-tokens")["data"]
    assert [source["secret"] for source in tokens["sources"]] == [
        {"name": "theeye", "items": [{"key": "acme", "path": "acme-822b33ad"}]},
        {"name": "acme-theeye-exporter-tokens", "items": [{"key": own_key, "path": own_key}]},
    ]
    (mount,) = (mount for mount in release.container["volumeMounts"] if mount["name"] == "tokens")
    assert mount == {"name": "tokens", "mountPath": "/etc/theeye-exporter/tokens", "readOnly": True}


def test_tokens_can_be_read_without_a_group_of_files(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["openshift"])
    assert release.template["spec"]["securityContext"].keys() == {
        "runAsNonRoot",
        "fsGroupChangePolicy",
        "seccompProfile",
    }
    assert release.volumes["tokens"]["projected"]["defaultMode"] == 0o444


def test_the_order_of_organisations_leaves_the_files_of_tokens_alone(newest_helm: Helm) -> None:
    organizations = CASES["everything"]["organizations"]
    turned = newest_helm.template({"organizations": organizations[::-1]})
    kept = newest_helm.template({"organizations": organizations})
    assert turned.one("Secret")["data"] == kept.one("Secret")["data"]
