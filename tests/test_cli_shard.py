"""Tests shards from outside: the output of `check`, and a process without organisations."""

import signal
from pathlib import Path

import pytest
import requests

from processes import DEADLINE, eventually, exporter_command, free_port, running
from samples import labels, parse
from theeye_exporter.cli import main
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.exposition.render import Format


def write(folder: Path, url: str) -> str:
    """Write a file of one organisation, `demo`, which belongs to shard 1 of 3; returns the flag."""
    file = folder / "exporter.yml"
    file.write_text(f"organizations: [{{name: demo, url: '{url}', token: demo-integration-token}}]\n")
    return f"--config.file={file}"


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (0, "Shard 0 of 3 (numbered from 0) has none of 1 organisation."),
        (1, "Shard 1 of 3 (numbered from 0) has 1 of 1 organisation."),
    ],
)
def test_check_says_which_share_it_looks_at(
    index: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SimulatedTheEye(DemoSettings(monitors=3, tasks=2)) as theeye:
        assert main(["check", write(tmp_path, theeye.url), f"--shard.index={index}", "--shard.count=3"]) == 0
    out = capsys.readouterr().out
    assert words in out
    assert ("demo          monitors" in out) == (index == 1)


@pytest.mark.parametrize("command", [[], ["check"]])
def test_a_shard_that_is_none_is_exit_code_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flag = write(tmp_path, "http://127.0.0.1:1")
    assert main([*command, flag, "--shard.index=3", "--shard.count=3"]) == 2
    assert capsys.readouterr().err == (
        "theeye-exporter: error: command line: --shard.index: 3 is too large for shard.count 3, because shards are numbered from 0\n"
    )


def test_a_shard_without_organizations_serves_its_own_metrics_and_is_ready(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with SimulatedTheEye(DemoSettings(monitors=3, tasks=2)) as theeye:
        flag = write(tmp_path, theeye.url)
        command = exporter_command(flag, f"--web.listen-address={address}", "--shard.index=2", "--shard.count=3")
        with running(command, tmp_path / "log") as process:
            eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "ready")
            text = requests.get(f"http://{address}/metrics", timeout=DEADLINE).text
            assert requests.get(f"http://{address}/", timeout=DEADLINE).ok
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
        assert not theeye.requests
    shown = parse(text, Format.TEXT_0_0_4)
    assert shown["theeye_exporter_shards", labels()] == 3
    assert not [key for _, key in shown if any(name == "organization" for name, _ in key)]
    assert "shard=2/3" in (tmp_path / "log").read_text()
