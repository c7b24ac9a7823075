"""docs/no-data.md: every command prints something when it is typed as it stands there, and every name and link exists."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests
import yaml

from documents import code_blocks, document
from processes import eventually, exporter_command, free_port, running
from queries import catalogue
from tools import require_tool
from web.certificates import Authority

PAGE: Final = document("docs/no-data.md")
COMMANDS: Final = code_blocks(PAGE, "sh")
QUIET_WHEN_WELL: Final = ("theeye_exporter_cut_series",)
"""Of these there is nothing to show until it happens."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = exporter_command("demo", f"--web.listen-address={address}", "--demo.listen-address=127.0.0.1:0")
    with running(command, tmp_path_factory.mktemp("demo") / "log"):
        eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "the demo is ready")
        yield address


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: re.sub(r"\W+", " ", command).strip()[-60:])
def test_a_command_shows_what_the_page_explains(command: str, demo: str) -> None:
    require_tool("curl")
    metrics = requests.get(f"http://{demo}/metrics", timeout=10).text
    host = re.search(r'^theeye_monitor_state\{.*hostname="([^"]+)"', metrics, re.MULTILINE)
    assert host
    typed = command.replace("localhost:9855", demo).replace("ORG", "demo").replace("HOST", host[1])
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", typed], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    if not any(name in command for name in QUIET_WHEN_WELL):
        assert (done.returncode, bool(done.stdout)) == (0, True)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)


def test_what_curl_says_to_an_exporter_with_tls_is_on_the_page_and_so_is_the_cure(tmp_path: Path) -> None:
    require_tool("curl")
    certificate, key = Authority(tmp_path).server
    web = {"tls_server_config": {"cert_file": str(certificate), "key_file": str(key)}}
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    (words, cure) = re.findall(r"^\| `(Empty reply.*?)` \| .*?`(https://.*?)`", PAGE, re.MULTILINE)[0]
    address = f"127.0.0.1:{free_port()}"
    command = exporter_command("demo", f"--web.listen-address={address}", f"--web.config.file={tmp_path / 'web.yml'}")
    (waiting,) = [one for one in COMMANDS if "--retry" in one]
    with running([*command, "--demo.listen-address=127.0.0.1:0"], tmp_path / "log"):
        secure = waiting.replace("localhost:9855", f"--cacert {tmp_path / 'ca.pem'} {cure}").strip()
        # It begins before the exporter listens, and ends when the exporter is ready.
        assert shell(secure.replace("localhost:9855", address)).returncode == 0
        assert words in shell(COMMANDS[0].replace("localhost:9855", address)).stderr


def test_every_metric_that_it_names_exists() -> None:
    named = set(re.findall(r"theeye_[a-z_]+[a-z](?=[^(a-z_]|$)", PAGE, re.MULTILINE))
    assert {name for name in named if not name.endswith("_")} - catalogue().keys() == set()
