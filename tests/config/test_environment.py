"""Tests the environment: two variables are enough, and near misses are explained."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.configurations import CANARY, configure, problems_of

NO_ORGANIZATION = (
    "environment: THEEYE_ORGANIZATION_NAME: no organisation is configured: set THEEYE_ORGANIZATION_NAME and "
    "THEEYE_TOKEN (or THEEYE_TOKEN_FILE), or list organisations in a file (--config.file); "
    '"theeye-exporter demo" needs none'
)
ONE = "organizations: [{name: demo, token: file, auth: query}]\n"
TWO = "organizations: [{name: demo, token: file}, {name: other, token: file}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def test_two_variables_are_enough() -> None:
    (organization,) = configure(
        environ={"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": f" {CANARY}\n"}
    ).organizations
    assert (organization.name, organization.token) == ("demo", SecretStr(CANARY))
    assert organization.url == "https://supervisor.theeye.io"


def test_values_as_theeye_hands_them_to_its_tasks() -> None:
    (organization,) = configure(
        environ={
            "THEEYE_ORGANIZATION_NAME": '"d\\u00e9mo"',
            "THEEYE_TOKEN": f'"{CANARY}"',
            "THEEYE_TOKEN_FILE": '""',
            "THEEYE_SUPERVISOR_URL": '"http://127.0.0.1:60080/"',
        }
    ).organizations
    assert (organization.name, organization.token) == ("démo", SecretStr(CANARY))
    assert organization.url == "http://127.0.0.1:60080"


def test_token_file(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(CANARY, encoding="utf-8")
    environ = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN_FILE": str(token_file), "THEEYE_TOKEN": ""}
    (organization,) = configure(environ=environ).organizations
    assert (organization.token, organization.token_file) == (None, token_file)


def test_named_organization_of_the_file_gets_the_token(file: Path) -> None:
    environ = {"THEEYE_ORGANIZATION_NAME": "other", "THEEYE_TOKEN": "environment"}
    organizations = configure(file=file, text=TWO, environ=environ).organizations
    assert [(one.name, one.token) for one in organizations] == [
        ("demo", SecretStr("file")),
        ("other", SecretStr("environment")),
    ]


def test_token_replaces_a_token_file_that_does_not_exist(file: Path) -> None:
    environ = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "environment"}
    text = "organizations: [{name: demo, token_file: nowhere, timeout: 3s}]\n"
    (organization,) = configure(file=file, text=text, environ=environ).organizations
    assert (organization.token, organization.token_file) == (SecretStr("environment"), None)
    assert organization.timeout == 3.0


def test_organization_that_the_file_does_not_have_is_added(file: Path) -> None:
    environ = {"THEEYE_ORGANIZATION_NAME": "new", "THEEYE_TOKEN": "environment"}
    organizations = configure(file=file, text=f"theeye: {{timeout: 3s}}\n{ONE}", environ=environ).organizations
    assert [(one.name, one.token, one.auth, one.timeout) for one in organizations] == [
        ("demo", SecretStr("file"), "query", 3.0),
        ("new", SecretStr("environment"), "header", 3.0),
    ]


def test_token_without_name_is_for_the_only_organization(file: Path) -> None:
    (organization,) = configure(file=file, text=ONE, environ={"THEEYE_TOKEN": "environment"}).organizations
    assert (organization.name, organization.token) == ("demo", SecretStr("environment"))


def test_name_without_token_is_fine_where_the_file_has_one(file: Path) -> None:
    (organization,) = configure(file=file, text=ONE, environ={"THEEYE_ORGANIZATION_NAME": "demo"}).organizations
    assert organization.token == SecretStr("file")


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, NO_ORGANIZATION),
        ({"THEEYE_ORGANIZATION_NAME": "", "THEEYE_TOKEN": '""'}, NO_ORGANIZATION),
        (
            {"THEEYE_ORG": "demo", "THEEYE_JOB": "{}"},
            f"{NO_ORGANIZATION}; THEEYE_ORG is set; did you mean THEEYE_ORGANIZATION_NAME?",
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "demo"},
            (
                "environment: THEEYE_ORGANIZATION_NAME: no token for this organisation: "
                "set THEEYE_TOKEN or THEEYE_TOKEN_FILE"
            ),
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKENFILE": "/x"},
            (
                "environment: THEEYE_ORGANIZATION_NAME: no token for this organisation: "
                "set THEEYE_TOKEN or THEEYE_TOKEN_FILE; THEEYE_TOKENFILE is set; did you mean THEEYE_TOKEN_FILE?"
            ),
        ),
        (
            {"THEEYE_ORG_NAME": "demo", "THEEYE_TOKEN": CANARY},
            (
                "environment: THEEYE_TOKEN: the token has no organisation: set THEEYE_ORGANIZATION_NAME; "
                "THEEYE_ORG_NAME is set; did you mean THEEYE_ORGANIZATION_NAME?"
            ),
        ),
        (
            {"THEEYE_TOKEN_FILE": "/dev/null"},
            "environment: THEEYE_TOKEN_FILE: the token has no organisation: set THEEYE_ORGANIZATION_NAME",
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": CANARY, "THEEYE_TOKEN_FILE": __file__},
            "environment: THEEYE_TOKEN: given together with THEEYE_TOKEN_FILE; unset one of them",
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN_FILE": CANARY},
            f"environment: THEEYE_TOKEN_FILE: no such file: {Path.cwd()}/canary-<redacted>",
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "a/b", "THEEYE_TOKEN": CANARY},
            'environment: THEEYE_ORGANIZATION_NAME: expected the organisation\'s name, without "/"',
        ),
        (
            {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": f"Bearer {CANARY}"},
            "environment: THEEYE_TOKEN: the token contains spaces or line breaks",
        ),
        (
            {
                "THEEYE_ORGANIZATION_NAME": "demo",
                "THEEYE_TOKEN": CANARY,
                "THEEYE_SUPERVISOR_URL": f"https://u:{CANARY}@theeye.io",
            },
            (
                "environment: THEEYE_SUPERVISOR_URL: expected an address without a user name or password; "
                "use token or token_file"
            ),
        ),
    ],
)
def test_mistakes(environ: dict[str, str], problem: str) -> None:
    assert problem in problems_of(environ=environ)
    assert CANARY not in "".join(problems_of(environ=environ))


def test_token_without_name_for_several_organizations(file: Path) -> None:
    assert problems_of(file=file, text=TWO, environ={"THEEYE_TOKEN": CANARY}) == [
        "environment: THEEYE_TOKEN: 2 organisations are configured, and it is unclear which one the token is for: set THEEYE_ORGANIZATION_NAME"
    ]


def test_file_without_organizations(file: Path) -> None:
    assert problems_of(file=file, text="log: {level: debug}\n") == [NO_ORGANIZATION]


def test_organization_of_the_file_without_token_points_at_the_misspelt_variable(file: Path) -> None:
    assert problems_of(file=file, text="organizations: [{name: a}]\n", environ={"THEEYE_TOKENS": CANARY}) == [
        "1: organizations[0]: neither token nor token_file is given; THEEYE_TOKENS is set; did you mean THEEYE_TOKEN?"
    ]


def test_unreadable_file_does_not_make_the_environment_wrong(file: Path) -> None:
    """The file may say whose token it is."""
    assert problems_of(file=file, text="", environ={"THEEYE_TOKEN": CANARY}) == ["1: the file is empty"]


def test_a_variable_in_the_environment_is_told_what_to_write_there() -> None:
    (problem,) = problems_of(environ={"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "${X}"})
    assert problem == (
        "environment: THEEYE_TOKEN: variables are not expanded; "
        "use token_file, or set THEEYE_TOKEN in the environment to the token itself"
    )
