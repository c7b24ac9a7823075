"""Tests the command line: its mistakes are reported together with all others."""

import argparse
from pathlib import Path

import pytest

from config.configurations import configure, problems_of
from theeye_exporter.config import ListenAddress, add_flags
from theeye_exporter.config.loading import load

ENVIRON = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "token"}


def test_flags_that_are_not_given_are_none() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    assert set(vars(parser.parse_args([])).values()) == {None}


def test_flags_may_be_absent_from_the_namespace() -> None:
    settings = load(argparse.Namespace(), ENVIRON)
    assert [organization.name for organization in settings.organizations] == ["demo"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9855", ListenAddress("", 9855)),
        ("10.0.0.1:80", ListenAddress("10.0.0.1", 80)),
        ("exporter.example.com:65535", ListenAddress("exporter.example.com", 65535)),
        ("[::1]:9855", ListenAddress("::1", 9855)),
        ("127.0.0.1:0", ListenAddress("127.0.0.1", 0)),
    ],
)
def test_listen_addresses(text: str, address: ListenAddress) -> None:
    assert configure("--web.listen-address", text, environ=ENVIRON).web.listen_address == (address,)


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        (
            "--web.listen-address=9855",
            (
                "--web.listen-address: expected an address such as :9855, 127.0.0.1:9855 or [::1]:9855, got 9855; "
                'did you mean ":9855"?'
            ),
        ),
        (
            "--web.listen-address=host name:1",
            "--web.listen-address: expected an address such as :9855, 127.0.0.1:9855 or [::1]:9855, got host name:1",
        ),
        (
            "--web.listen-address=[::g]:1",
            "--web.listen-address: expected an address such as :9855, 127.0.0.1:9855 or [::1]:9855, got [::g]:1",
        ),
        (
            "--web.telemetry-path=/",
            "--web.telemetry-path: / is already the path of the status page; use another one, such as /metrics",
        ),
        (
            "--log.level=inf",
            '--log.level: expected one of debug, info, warn, error, got inf; did you mean "info"?',
        ),
        ("--log.format=", "--log.format: expected one of logfmt, json, got empty text"),
        (
            "--limits.max-series-per-family=many",
            "--limits.max-series-per-family: expected a whole number from 1 to 1000000000, got many",
        ),
        ("--state.file=", "--state.file: expected the path of a file, got empty text"),
        ("--state.file=a\tb", "--state.file: expected the path of a file, without control characters"),
        ("--config.file=/nonexistent.yml", "--config.file: no such file: /nonexistent.yml"),
        ("--config.file=/", "--config.file: is a folder, not a file: /"),
        ("--config.file=", "--config.file: expected the path of a file, got empty text"),
    ],
)
def test_mistakes(flag: str, problem: str) -> None:
    assert problems_of(flag, environ=ENVIRON) == [f"command line: {problem}"]


def test_a_configuration_file_that_is_no_path_does_not_make_the_environment_wrong() -> None:
    """The file may say whose token it is."""
    assert problems_of("--config.file=${CONFIG}", environ={"THEEYE_TOKEN": "token"}) == [
        "command line: --config.file: expected the path of a file, got a variable (variables are not expanded)"
    ]


def test_mistakes_of_file_environment_and_command_line_come_together(tmp_path: Path) -> None:
    assert problems_of(
        "--log.level=x",
        file=tmp_path / "exporter.yml",
        text="log: {level: y}\nlabels: {tags: z}\n",
        environ={"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "a b"},
    ) == [
        "1: log.level: expected one of debug, info, warn, error, got y",
        "2: labels.tags: expected true or false, got z",
        "environment: THEEYE_TOKEN: the token contains spaces or line breaks",
        "command line: --log.level: expected one of debug, info, warn, error, got x",
    ]
