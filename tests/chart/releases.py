"""Renders the chart with values."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["CHART", "Helm", "Release"]

CHART: Final = Path(__file__).parents[2] / "helm/theeye-exporter"
COMPONENT: Final = {"app.kubernetes.io/component": "exporter"}
_SECONDS: Final = 60


@dataclass(frozen=True)
class Release:
    """The objects of a release, hooks among them."""

    text: str

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """Every object as Helm would send it to Kubernetes."""
        return [document for document in yaml.safe_load_all(self.text) if document is not None]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in self.objects if item["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """Return the only object of a kind, or that of a name."""
        (found,) = (item for item in self.of_kind(kind) if name is None or item["metadata"]["name"] == name)
        return found

    @property
    def workload(self) -> dict[str, Any]:
        """What runs the exporter, and not what starts canaries beside it."""
        workloads = self.of_kind("Deployment") + self.of_kind("StatefulSet")
        (found,) = (item for item in workloads if COMPONENT.items() <= item["spec"]["selector"]["matchLabels"].items())
        return found

    @property
    def template(self) -> dict[str, Any]:
        """The exporter's pods."""
        template: dict[str, Any] = self.workload["spec"]["template"]
        return template

    @property
    def container(self) -> dict[str, Any]:
        """The exporter's container."""
        (found,) = (item for item in self.template["spec"]["containers"] if item["name"] == "exporter")
        return dict(found)

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        return {volume["name"]: volume for volume in self.template["spec"]["volumes"]}

    @property
    def pod_specs(self) -> Iterator[dict[str, Any]]:
        """Every pod of the chart: the exporter's, and that of `helm test`."""
        yield self.template["spec"]
        yield from (pod["spec"] for pod in self.of_kind("Pod"))

    @property
    def file(self) -> str:
        """The exporter's configuration file, if the release has one."""
        (text,) = self.one("ConfigMap", self.workload["metadata"]["name"])["data"].values()
        return str(text)


@dataclass(frozen=True)
class Helm:
    """One version of Helm."""

    binary: Path

    def template(
        self,
        values: Mapping[str, Any],
        *flags: str,
        release: str = "acme",
        namespace: str = "monitoring",
        chart: Path = CHART,
    ) -> Release:
        """Render the chart; the same is rendered once."""
        command = ("template", release, str(chart), f"--namespace={namespace}", *flags)
        return _template(self, command, json.dumps(values))

    def refusal(self, values: Mapping[str, Any], *flags: str) -> str:
        """Return Helm's error message for invalid values."""
        done = self.run("template", "acme", str(CHART), *flags, values=json.dumps(values))
        assert done.returncode != 0
        return done.stderr

    def notes(self, values: Mapping[str, Any]) -> str:
        """Return the NOTES; needs Helm 4 or later, which renders them without a cluster."""
        command = ("install", "acme", str(CHART), "--namespace=monitoring", "--dry-run=client")
        done = self.run(*command, values=json.dumps(values))
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\nNOTES:\n")[2]

    def run(self, *arguments: str, values: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command with values on standard input, and without this machine's configuration."""
        with tempfile.TemporaryDirectory() as home:
            return subprocess.run(
                [self.binary, *arguments, *(["--values=-"] if values is not None else [])],
                input=values,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                env={"PATH": os.environ["PATH"], "HOME": home},
            )


@lru_cache(maxsize=256)
def _template(helm: Helm, command: tuple[str, ...], values: str) -> Release:
    done = helm.run(*command, values=values)
    assert done.returncode == 0, done.stderr
    return Release(done.stdout)
