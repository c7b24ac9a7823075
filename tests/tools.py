"""Programs that tests run."""

import os
import shutil
import subprocess

import pytest

__all__ = ["check_metrics", "require_tool"]


def require_tool(name: str) -> str:
    """Return the path of a program on PATH; without it the test is skipped, or fails where `CI` is set."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def check_metrics(exposition: bytes) -> None:
    """Let promtool read an exposition in the text format; it must find nothing to criticise."""
    ran = subprocess.run(
        [require_tool("promtool"), "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
