"""The commands that explain: metrics, completion, version."""

import json
import re
import subprocess
import sys

import pytest

from config.configurations import CANARY
from theeye_exporter import __version__
from theeye_exporter.cli import main
from theeye_exporter.collectors.registry import CATALOGUE
from theeye_exporter.commands import COMMANDS
from theeye_exporter.exposition.family import Family, MetricType


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("family", CATALOGUE, ids=lambda family: family.name)
def test_a_metric_is_explained_by_its_name(family: Family, capsys: pytest.CaptureFixture[str]) -> None:
    (said,) = (line for line in printed(capsys, "metrics", family.name).splitlines() if not line.startswith(" "))
    assert said.startswith(f"{family.name} ({family.type})")


@pytest.mark.parametrize("suffix", ["_bucket", "_sum", "_count"])
def test_a_sample_of_a_histogram_is_explained_by_its_family(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    histogram = next(family for family in CATALOGUE if family.type is MetricType.HISTOGRAM)
    assert printed(capsys, "metrics", f"{histogram.name}{suffix}") == printed(capsys, "metrics", histogram.name)


def test_json_has_every_metric_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = json.loads(printed(capsys, "metrics", "--format=json"))
    listed = re.findall(r"^(\S+) \(", printed(capsys, "metrics"), re.MULTILINE)
    assert [metric["name"] for metric in metrics] == listed
    assert {tuple(metric) for metric in metrics} == {("name", "type", "labels", "unit", "help", "stability", "section")}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("theeye_ub", 'did you mean "theeye_up"?'),
        ("nothing_like_it", "theeye-exporter metrics lists all of them"),
        (CANARY, "theeye-exporter metrics lists all of them"),
    ],
)
def test_an_unknown_metric_is_one_line_that_does_not_repeat_it(
    name: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["metrics", "theeye_up", name]) == 2
    assert capsys.readouterr() == ("", f"theeye-exporter: error: unknown metric; {advice}\n")


def test_version_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "version") == f"theeye-exporter {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert COMMANDS[command] in " ".join(capsys.readouterr().out.split())


def completed(*words: str) -> set[str]:
    """Return what bash offers for the last of the words."""
    script = f"""
        source <({sys.executable} -m theeye_exporter completion bash)
        COMP_WORDS=(theeye-exporter {" ".join(repr(word) for word in words)})
        COMP_CWORD={len(words)}
        $(complete -p theeye-exporter | sed 's/.*-F \\([^ ]*\\).*/\\1/') theeye-exporter {words[-1]!r}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_bash_completes_commands_flags_and_values() -> None:
    assert completed("") >= COMMANDS.keys()
    assert completed("me") == {"metrics"}
    assert completed("check", "--show") == {"--show-config"}
    assert completed("metrics", "--format", "") == {"text", "markdown", "json"}
    assert completed("demo", "--demo.mon") == {"--demo.monitors"}


def test_zsh_gets_a_script_that_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys, "completion", "zsh")
    assert script.startswith("#compdef theeye-exporter\n")
    assert all(f"{command}:'{text}'" in script for command, text in COMMANDS.items())
