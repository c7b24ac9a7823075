"""Kubernetes' Pod Security Standard `restricted`, as its documentation lists it, with fields that may be left out."""

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["violations"]

_VOLUMES: Final = {
    *(
        "name",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
}
_PROFILES: Final = {"RuntimeDefault", "Localhost"}


def violations(spec: dict[str, Any]) -> list[str]:
    """Return the violations of the standard in a pod's spec; a namespace with the standard accepts a pod without any."""
    return [*_of_pod(spec), *(found for container in _containers(spec) for found in _of_container(container, spec))]


def _containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key, [])


def _of_pod(spec: dict[str, Any]) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield key
    for volume in spec.get("volumes", []):
        if not set(volume) <= _VOLUMES:
            yield f"volume {volume['name']}: {sorted(set(volume) - _VOLUMES)}"
    context = spec.get("securityContext", {})
    if context.get("sysctls"):
        yield "sysctls"
    yield from _of_options(context, "pod")


def _of_container(container: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    name = container["name"]
    own: dict[str, Any] = container.get("securityContext", {})
    pod: dict[str, Any] = spec.get("securityContext", {})
    yield from _of_options(own, name)
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in _PROFILES:
        yield f"{name}: seccompProfile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield f"{name}: hostPort"


def _of_options(context: dict[str, Any], where: str) -> Iterator[str]:
    """Yield the violations in a security context of a pod or a container."""
    if context.get("runAsUser") == 0:
        yield f"{where}: runAsUser"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{where}: hostProcess"
    if context.get("appArmorProfile", {"type": "RuntimeDefault"})["type"] not in _PROFILES:
        yield f"{where}: appArmorProfile"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("user") or selinux.get("role"):
        yield f"{where}: seLinuxOptions"
