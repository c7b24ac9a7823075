"""release/promote publishes the images that were tested, and no others, in a registry on this machine."""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from processes import eventually, free_port, running
from tools import require_tool

ROOT: Final = Path(__file__).parents[2]
ACCEPTED: Final = ", ".join(f"application/vnd.docker.distribution.manifest.{kind}+json" for kind in ("v2", "list.v2"))

pytestmark = pytest.mark.e2e


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Run a registry that accepts everything; yields its address."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}}
    (tmp_path / "registry.yml").write_text(json.dumps(settings | {"http": {"addr": address}}))
    with running([require_tool("docker-registry"), "serve", str(tmp_path / "registry.yml")], tmp_path / "registry.log"):
        eventually(lambda: requests.get(f"http://{address}/v2/", timeout=5).ok, "the registry is ready")
        yield address


def archive(path: Path, architecture: str) -> str:
    """Write an image with one layer, as `docker save` does; returns its id."""
    layer = BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        add(tar, "hello", architecture.encode())
    diff = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Healthcheck": {"Test": ["CMD", "true"]}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
    }
    text = json.dumps(config).encode()
    image = hashlib.sha256(text).hexdigest()
    with tarfile.open(path, "w") as tar:
        add(tar, f"{image}.json", text)
        add(tar, "layer.tar", layer.getvalue())
        manifest = [{"Config": f"{image}.json", "RepoTags": ["theeye-exporter:test"], "Layers": ["layer.tar"]}]
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return f"sha256:{image}"


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, BytesIO(content))


def promote(
    tmp_path: Path, tags: list[str], *archives: Path, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the script as the workflow does, with a storage of its own."""
    for tool in ("skopeo", "podman", "jq"):
        require_tool(tool)
    registry = tags[0].partition("/")[0]
    settings = tmp_path / ".config/containers"
    settings.mkdir(parents=True)
    (settings / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    places = {"graphroot": "storage", "runroot": "run"}
    lines = [f'{key} = "{tmp_path / name}"' for key, name in places.items()]
    (tmp_path / "storage.conf").write_text("\n".join(["[storage]", 'driver = "vfs"', *lines, ""]))
    environ = {
        "PATH": path or os.environ["PATH"],
        "HOME": str(tmp_path),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
    }
    return subprocess.run(
        [ROOT / "release/promote", "1.2.3", *archives],
        input="\n".join(tags) + "\n",
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def manifest(registry: str, reference: str) -> tuple[Mapping[str, Any], str]:
    """Return what the registry has under a tag or a digest, and its digest."""
    url = f"http://{registry}/v2/theeye/exporter/manifests/{reference}"
    answer = requests.get(url, headers={"Accept": ACCEPTED}, timeout=10)
    assert answer.ok, answer.text
    return answer.json(), f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def test_the_tested_images_are_published_under_every_tag(registry: str, tmp_path: Path) -> None:
    tested = {name: archive(tmp_path / f"{name}.tar", name) for name in ("amd64", "arm64")}
    name = f"{registry}/theeye/exporter"
    done = promote(tmp_path, [f"{name}:1.2.3", f"{name}:1.2"], *(tmp_path / f"{one}.tar" for one in tested))
    assert done.returncode == 0, done.stderr
    index, digest = manifest(registry, "1.2.3")
    assert manifest(registry, "1.2") == (index, digest)
    assert done.stdout.splitlines() == [f"name={name}", f"digest={digest}"]
    published = {
        one["platform"]["architecture"]: manifest(registry, one["digest"])[0]["config"]["digest"]
        for one in index["manifests"]
    }
    assert published == tested


def test_an_image_that_was_not_tested_is_refused(registry: str, tmp_path: Path) -> None:
    archive(tmp_path / "amd64.tar", "amd64")
    # Something between the archive and the registry publishes another image.
    other = tmp_path / "bin/skopeo"
    other.parent.mkdir()
    other.write_text(f'#!/bin/sh\nexec {require_tool("skopeo")} "$@" | sed "s/sha256:[0-9a-f]*/sha256:0/"\n')
    other.chmod(0o755)
    name = f"{registry}/theeye/exporter"
    done = promote(tmp_path, [f"{name}:1.2.3"], tmp_path / "amd64.tar", path=f"{other.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "was tested, but sha256:0 was published" in done.stderr
    assert requests.get(f"http://{registry}/v2/theeye/exporter/manifests/1.2.3", timeout=10).status_code == 404
