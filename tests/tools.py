"""Programs that tests run."""

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

__all__ = ["check_metrics", "lack", "require_tool"]


def require_tool(name: str) -> str:
    """Return the path of a program on PATH; without it the test is skipped, or fails where `CI` is set."""
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
