"""Tests that with little address space, the exporter continues, names the missing resource, and reports no bug."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from hostile import attack
from processes import eventually, free_port

_LIMITED = """
import resource, runpy, sys
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (size, size))
runpy.run_module("theeye_exporter", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space in this way")
@pytest.mark.parametrize("megabytes", [130, 150, 170, 200])
def test_little_address_space_is_a_failed_poll_and_no_bug(megabytes: int, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with attack(["small objects"]) as url, log.open("w") as out:
        config = tmp_path / "config.yml"
        config.write_text(
            f"theeye: {{url: {url}/0}}\norganizations: [{{name: demo, token: a-token}}]\n"
            f"web: {{listen_address: '127.0.0.1:{port}'}}\n"
        )
        command = [sys.executable, "-c", _LIMITED, str(megabytes * 10**6), f"--config.file={config}"]
        with subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                eventually(lambda: process.poll() is not None or failed(port) or None, "the process lacks something")
                alive = process.poll() is None
            finally:
                process.kill()
    told = log.read_text()
    assert "report" not in told
    assert "internal" not in told
    if alive:
        assert "reason=out_of_resources" in told
    else:
        assert re.search(r"error: the system (gives|lets) the exporter", told), told
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def failed(port: int) -> bool:
    """Whether a poll failed for want of memory or threads."""
    try:
        page = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except requests.RequestException:
        return False
    return re.search(r'failures_by_reason_total{.*reason="out_of_resources"} [1-9]', page) is not None
