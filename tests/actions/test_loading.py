"""The configuration of `theeye-exporter actions`; each file in ``bad/`` starts with the expected messages."""

import argparse
from pathlib import Path
from typing import Final

import pytest

from config.configurations import CANARY
from theeye_exporter.actions.loading import load
from theeye_exporter.actions.process import ActionsProcess
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.config import ConfigError, add_flags

BAD_FILES: Final = sorted((Path(__file__).parent / "bad").glob("*.yml"))
ENVIRON: Final = {"THEEYE_ORGANIZATION_NAME": "environment", "THEEYE_TOKEN": CANARY}


def loaded(*flags: str) -> ActionsSettings:
    parser = argparse.ArgumentParser()
    add_flags(parser, ActionsSettings)
    return load(parser.parse_args(flags), ENVIRON)


@pytest.mark.parametrize("file", BAD_FILES, ids=lambda file: file.stem)
def test_mistake_is_reported_with_line_key_and_remedy(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = [
        line.removeprefix("# expect: ").replace("FOLDER", str(file.parent))
        for line in lines
        if line.startswith("# expect: ")
    ]
    with pytest.raises(ConfigError) as caught:
        loaded(f"--config.file={file}")
    problems = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    assert problems == expected
    assert not any(CANARY in problem for problem in problems)


def test_there_are_bad_files() -> None:
    assert len(BAD_FILES) >= 15


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text("canaries: [{name: one, task: t}]\n")
    settings = loaded(f"--config.file={file}")
    (canary,) = settings.canaries
    assert canary.organization == "environment"
    assert (canary.interval, canary.timeout, canary.arguments) == (300.0, 120.0, ())
    assert [str(address) for address in settings.web.listen_address] == [":9856"]
    assert settings.problems == ()


def test_everything_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("5" * 64)
    file = tmp_path / "actions.yaml"
    file.write_text("""
theeye: {url: "https://theeye.example", timeout: 5s}
web: {listen_address: "127.0.0.1:1234", enable_lifecycle: true}
log: {format: json}
canaries:
  - name: one
    organization: environment
    workflow: w
    arguments: [a, "1", ""]
    secret_file: key
    interval: 1m
    timeout: 30s
""")
    settings = loaded(f"--config.file={file}", "--log.level=debug")
    (canary,) = settings.canaries
    assert (canary.task, canary.workflow, canary.arguments) == (None, "w", ("a", "1", ""))
    assert canary.secret_file == tmp_path / "key"
    assert (canary.interval, canary.timeout) == (60.0, 30.0)
    assert [organization.timeout for organization in settings.organizations] == [5.0]
    assert (settings.log.level, settings.log.format) == ("debug", "json")


def test_without_a_file_there_is_nothing_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded()
    assert [str(problem) for problem in caught.value.problems] == [
        "command line: --config.file: missing; name a file that has canaries or actions"
    ]


def test_a_reload_tells_what_has_changed(tmp_path: Path) -> None:
    def settings(work: str) -> ActionsSettings:
        file = tmp_path / "actions.yaml"
        file.write_text(f"state: {{file: state}}\n{work}")
        return loaded(f"--config.file={file}")

    one = "{name: one, task: t, matchers: [a=b]}"
    old = settings(f"actions: [{one}, {{name: two, task: u, matchers: [a=b]}}]\ncanaries: [{{name: one, task: v}}]")
    new = settings(f"actions: [{one.replace('a=b', 'a=c')}, {{name: three, task: u, matchers: [a=b]}}]")
    process = ActionsProcess(settings("canaries: [{name: one, task: v}]"))
    assert process.changes(old, new) == {"added": 1, "removed": 2, "changed": 1, "canaries": 0, "actions": 2}
    assert process.changes(new, new) == {"added": 0, "removed": 0, "changed": 0, "canaries": 0, "actions": 2}


def test_a_canary_and_an_action_may_start_tasks_with_one_name_on_two_hosts(tmp_path: Path) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text(f"""
state: {{file: {tmp_path / "state"}}}
canaries: [{{name: one, task: echo@web-01}}]
actions: [{{name: two, task: echo@web-02, matchers: [a=b]}}]
""")
    settings = loaded(f"--config.file={file}")
    assert [one.task for one in (*settings.canaries, *settings.actions)] == ["echo@web-01", "echo@web-02"]
