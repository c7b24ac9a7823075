"""A bare Debian in which commands are typed as they stand in the documents: with ports and processes of its own."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from documents import ROOT
from image.containers import CERTIFICATES, pip_settings
from tools import lack, require_tool

__all__ = ["HOME", "Tree", "tree_with"]

HOME: Final = "/root/theeye-exporter"
"""The folder with the sources, in which commands are typed."""

_SECONDS: Final = 300
_NOT_SOURCES: Final = shutil.ignore_patterns(".venv*", ".git", "dist", "__pycache__", ".*_cache", "node_modules")
_ENVIRONMENT: Final = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/root/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
}


class Tree:
    """Runs commands in a Debian.

    Args:
        root: Its root folder.
        process: The first process of its namespaces.

    Attributes:
        variables: The environment.
    """

    def __init__(self, root: Path, process: int) -> None:
        self.root = root
        self.variables = dict(_ENVIRONMENT)
        self._process = process

    def type(self, command: str, *, stdin: str = "", online: bool = False) -> str:
        """Type a command that must succeed; returns what it prints.

        Args:
            command: What is typed.
            stdin: What is entered then.
            online: Whether it may reach package indexes; then it does not reach the tree's own ports.
        """
        done = subprocess.run(
            self._command(command, online=online),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,  # so that what asks for a password reads it from `stdin`, and not from a terminal
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[Callable[[], str]]:
        """Run the exporter in the foreground of another terminal until the block ends; then SIGTERM must end it with 0.

        The block is given a function that returns what has been printed so far.
        """
        with tempfile.NamedTemporaryFile() as log:
            printed = Path(log.name).read_text
            started = subprocess.Popen(
                self._command(f"exec {command}", online=False),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield printed
            finally:
                for exporter in _python_of(started.pid):
                    os.kill(exporter, signal.SIGTERM)
                code = started.wait(_SECONDS)
            assert code == 0, f"{command}\n{printed()}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread open sockets as the tree's programs do."""
        with Path("/proc/thread-self/ns/net").open() as ours, Path(f"/proc/{self._process}/ns/net").open() as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())

    def _command(self, command: str, *, online: bool) -> list[str]:
        spaces = ["--mount", "--pid", "--root", *([] if online else ["--net"])]
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        shell = ["bash", "-euo", "pipefail", "-c", f"cd {HOME}; {command}"]
        return ["nsenter", f"--target={self._process}", *spaces, "env", "-i", *variables, *shell]


@contextmanager
def tree_with(*packages: str) -> Iterator[Tree]:
    """Make a Debian with these packages, the sources of this project, and its wheel in `dist`."""
    debootstrap = require_tool("mmdebstrap")
    if os.geteuid():
        lack("a Debian in a folder needs root")
    folder = Path(tempfile.mkdtemp(prefix="tree-"))
    root = folder / "root"
    try:
        include = ",".join(("ca-certificates", *packages))
        subprocess.run(
            [debootstrap, "--quiet", "--variant=minbase", f"--include={include}", "trixie", root],
            check=True,
            timeout=_SECONDS,
        )
        sources = shutil.copytree(ROOT, root / HOME[1:], ignore=_NOT_SOURCES)
        _build_wheel(sources)
        (root / "etc/pip.conf").write_text(pip_settings())
        shutil.copy(CERTIFICATES, root / str(CERTIFICATES)[1:])
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        sudo = root / "usr/local/bin/sudo"  # everything is root's here
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        with _namespaces(root) as process:
            yield Tree(root, process)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _namespaces(root: Path) -> Iterator[int]:
    """Keep namespaces for the block, and return their first process; all others end with it."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(root)]
    script = "mount -t proc proc /proc && echo made && exec sleep infinity"
    with subprocess.Popen([*unshare, "sh", "-c", script], stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "made\n"
            (process,) = _children(keeper.pid)
            subprocess.run(["nsenter", f"--target={process}", "--net", "ip", "link", "set", "lo", "up"], check=True)
            yield process
        finally:
            keeper.kill()


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _python_of(process: int) -> list[int]:
    """Return the first Python that a process runs, directly or through others; that one ends its own children."""
    if Path(f"/proc/{process}/exe").readlink().name.startswith("python"):
        return [process]
    return [python for child in _children(process) for python in _python_of(child)]


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


def _build_wheel(sources: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    flags = ["--quiet", "--offline", "--no-build-isolation", f"--python={sys.executable}", "--wheel"]
    subprocess.run([uv, "build", *flags, f"--out-dir={sources / 'dist'}", sources], check=True, timeout=_SECONDS)
