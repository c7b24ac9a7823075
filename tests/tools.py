"""Programs that tests run."""

import os
import shutil
import subprocess
from typing import Final, NoReturn

import pytest

__all__ = ["TOOLS", "check_metrics", "do_without_tools", "lack", "missing_tools", "require_tool"]

TOOLS: Final = (
    *("promtool", "prometheus", "amtool", "prometheus-alertmanager", "chromium", "openssl", "curl", "systemd-analyze"),
    *("wrk", "taskset", "nginx", "faketime", "buildah", "podman", "runc", "mmdebstrap", "node", "npm"),
    *("skopeo", "docker-registry", "jq", "ss"),
)
"""All programs that tests use and that pip does not install; `.ci/run --tools-only` does."""

_allowed = True


def do_without_tools() -> None:
    """Skip every test that needs a tool from now on, also where the tool is there and `CI` is set."""
    global _allowed  # noqa: PLW0603 - an option of the whole run
    _allowed = False


def missing_tools() -> list[str]:
    """Return the tools that this machine does not have."""
    return [name for name in TOOLS if shutil.which(name) is None]


def require_tool(name: str) -> str:
    """Return the path of one of the tools; without it the test is skipped, or fails where `CI` is set."""
    assert name in TOOLS
    if not _allowed:
        pytest.skip(f"needs {name}")
    path = shutil.which(name)
    if path is None:
        lack(f"{name} is not installed")
    return path


def lack(what: str) -> NoReturn:
    """Skip the test for what the machine lacks; where `CI` is set, nothing may be lacking, and the test fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def check_metrics(exposition: bytes) -> None:
    """Let promtool read an exposition in the text format; it must find nothing to criticise."""
    ran = subprocess.run(
        [require_tool("promtool"), "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
