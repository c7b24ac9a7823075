"""Images and containers without a daemon: buildah builds, podman and runc run, in a storage of their own."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools import require_tool

__all__ = ["BASE", "CERTIFICATES", "Container", "Engine", "pip_settings"]

BASE: Final = "docker.io/library/python:3.13-slim"
"""The base of the image, as the Dockerfile names it."""

HARDENED: Final = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", "256m")
"""As a cautious operator runs it, with less memory than the chart allows."""

# Nothing is shared with other containers of this machine; no service is asked for anything; and the limits are such
# that a machine that is a container itself may set them.
_SETTINGS: Final = """\
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
tmp_dir = "{temporary}"
[engine.runtimes]
runc = ["{runc}"]
"""
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_SECONDS: Final = 300
# Of what this machine says about package indexes, only how to reach them: paths of this machine mean nothing inside.
_PIP_KEYS: Final = ("index-url", "proxy", "timeout", "trusted-host")


@dataclass(frozen=True)
class Engine:
    """podman and buildah with a storage below a folder, removed with `clean`."""

    folder: Path

    def podman(self, *arguments: str | Path, timeout: float = _SECONDS) -> str:
        """Run a command of podman that must succeed; returns what it prints."""
        return self._run("podman", *arguments, timeout=timeout)

    def build(self, context: Path, name: str) -> None:
        """Build the Dockerfile of a folder, with this machine's way to its package index."""
        settings = self.folder / "pip.conf"
        settings.write_text(pip_settings())
        mounts = [f"--volume={settings}:/etc/pip.conf:ro", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"]
        flags = ("--isolation=chroot", "--format=docker", "--pull-never", *mounts)
        self._run("buildah", "build", *flags, f"--tag={name}", context)

    def context(self, folder: Path) -> list[Path]:
        """Return the files of a folder that a build is given."""
        everything = self.folder / "Everything.Dockerfile"
        everything.write_text("FROM scratch\nCOPY . /\n")
        name = self._run("buildah", "build", "--quiet", "--isolation=chroot", f"--file={everything}", folder).strip()
        mounted = Path(self.podman("image", "mount", name).strip())
        try:
            return [path.relative_to(mounted) for path in mounted.rglob("*") if path.is_file()]
        finally:
            self.podman("image", "unmount", name)

    def import_stand_in(self, name: str) -> None:
        """Make an image like the official one of Python out of Debian packages, for machines without a registry.

        Python lies elsewhere in it, but has the same version, the same command and no bytecode.
        """
        root, archive = self.folder / "base", self.folder / "base.tar"
        packages = "python3,python3-venv,ca-certificates"
        subprocess.run(
            [require_tool("mmdebstrap"), "--quiet", "--variant=minbase", f"--include={packages}", "trixie", archive],
            check=True,
            timeout=_SECONDS,
        )
        root.mkdir()
        subprocess.run(["tar", "--directory", root, "--extract", "--file", archive], check=True)
        for bytecode in root.rglob("*.pyc"):
            bytecode.unlink()
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        (root / "etc/pip.conf").touch()  # where that of a build is mounted, so that the build adds no file
        subprocess.run(["tar", "--directory", root, "--create", "--file", archive, "."], check=True)
        shutil.rmtree(root)
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.podman("import", "--quiet", "--change", f"ENV {path}", archive, name)
        archive.unlink()

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what is known of an image."""
        (found,) = json.loads(self.podman("image", "inspect", name))
        return dict(found)

    @contextmanager
    def running(
        self, image: str, *command: str, flags: tuple[str, ...] = ("--network", "none")
    ) -> Iterator["Container"]:
        """Run a hardened container until the block ends."""
        name = f"test-{uuid.uuid4().hex}"
        self.podman("run", "--detach", "--name", name, "--pull", "never", *HARDENED, *flags, image, *command)
        try:
            yield Container(self, name)
        finally:
            self.podman("rm", "--force", "--time", "0", "--volumes", name)

    def failing(self, image: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a hardened container that ends by itself."""
        flags = ("--rm", "--pull", "never", "--network", "none", *HARDENED)
        return self._start("podman", "run", *flags, image, *command, check=False)

    def clean(self) -> None:
        """Remove everything, mounts included."""
        self.podman("rm", "--all", "--force", "--time", "0", "--volumes")
        self.podman("rmi", "--all", "--force")
        subprocess.run(["umount", self.folder / "storage" / "overlay"], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path, timeout: float = _SECONDS) -> str:
        return self._start(program, *arguments, timeout=timeout).stdout

    def _start(
        self, program: str, *arguments: str | Path, check: bool = True, timeout: float = _SECONDS
    ) -> subprocess.CompletedProcess[str]:
        settings = self.folder / "containers.conf"
        settings.write_text(_SETTINGS.format(runc=require_tool("runc"), temporary=self.folder / "tmp"))
        places: list[str | Path] = [
            "--root",
            self.folder / "storage",
            "--runroot",
            self.folder / "run",
            "--storage-driver",
            "overlay",
        ]
        result = subprocess.run(
            [require_tool(program), *places, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, "CONTAINERS_CONF": str(settings)},
        )
        if check and result.returncode:
            words = " ".join(str(argument) for argument in arguments)
            raise AssertionError(f"{program} {words}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
        return result


@dataclass(frozen=True)
class Container:
    """A container that runs."""

    engine: Engine
    name: str

    def execute(self, *command: str) -> str:
        """Run a command in it that must succeed; returns what it prints."""
        return self.engine.podman("exec", self.name, *command)

    def python(self, program: str) -> str:
        """Run a program in it, with the image's Python; returns what it prints."""
        return self.execute("python", "-c", program)

    def healthy(self) -> bool:
        """Run the health check of the image."""
        try:
            self.engine.podman("healthcheck", "run", self.name)
        except AssertionError:
            return False
        return True

    def stop(self, seconds: int) -> int:
        """Ask it to end, kill it after some seconds; returns the exit code, 137 if it was killed."""
        self.engine.podman("stop", "--time", str(seconds), self.name)
        return int(self.state()["ExitCode"])

    def state(self) -> dict[str, Any]:
        """Return its state."""
        (found,) = json.loads(self.engine.podman("container", "inspect", self.name))
        return dict(found["State"])

    def log(self) -> str:
        """Return what it printed."""
        result = self.engine._start("podman", "logs", self.name)
        return result.stdout + result.stderr


def pip_settings() -> str:
    """Return a pip.conf for a build: how this machine reaches its index, and its certificates."""
    settings = configparser.RawConfigParser()
    settings["global"] = {"cert": str(CERTIFICATES)}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in _PIP_KEYS:
            settings["global"][name] = value.strip("'\"")
    lines = [f"{key} = {value}" for key, value in settings["global"].items()]
    return "\n".join(["[global]", *lines, ""])
