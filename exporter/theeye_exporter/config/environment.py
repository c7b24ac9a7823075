"""The environment variables, named as TheEye itself names them in its tasks."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from theeye_exporter.config.addresses import parse_url
from theeye_exporter.config.problems import Report, attempt
from theeye_exporter.config.text import is_safe_key
from theeye_exporter.config.values import parse_file_path, parse_organization_name, parse_token

__all__ = ["NAME", "TOKEN", "TOKEN_FILE", "URL", "Environment", "read_environment"]

T = TypeVar("T")

NAME = "THEEYE_ORGANIZATION_NAME"
TOKEN = "THEEYE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE = "THEEYE_TOKEN_FILE"  # noqa: S105 - the name of a variable
URL = "THEEYE_SUPERVISOR_URL"

_VARIABLES = (NAME, TOKEN, TOKEN_FILE, URL)
_PREFIX = "THEEYE_"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says; None where it says nothing, or nothing that can be used."""

    name: str | None
    token: SecretStr | None
    token_file: Path | None
    url: str | None
    given: frozenset[str]
    """The variables that are set, whether or not their values can be used."""
    near_miss: str
    """A hint at a variable whose name is almost that of one that is not set; empty when there is none."""


def read_environment(environ: Mapping[str, str], report: Report) -> Environment:
    """Return what the environment says, noting what is wrong with it."""
    texts = {variable: _unquoted(environ.get(variable, "")) for variable in _VARIABLES}
    given = frozenset(variable for variable, text in texts.items() if text)

    def read(variable: str, parse: Callable[[object], T]) -> T | None:
        if variable not in given:
            return None
        return attempt(parse, texts[variable], lambda message, hint: report.add_environment(variable, message, hint))

    environment = Environment(
        name=read(NAME, parse_organization_name),
        token=read(TOKEN, parse_token),
        token_file=read(TOKEN_FILE, parse_file_path),
        url=read(URL, parse_url),
        given=given,
        near_miss=_near_miss(environ, given),
    )
    if {TOKEN, TOKEN_FILE} <= given:
        report.add_environment(TOKEN, f"given together with {TOKEN_FILE}", "unset one of them")
    return environment


def _unquoted(text: str) -> str:
    """Return the text; TheEye hands variables to its tasks as JSON strings."""
    text = text.strip()
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        if isinstance(value, str):
            return value.strip()
    return text


def _near_miss(environ: Mapping[str, str], given: frozenset[str]) -> str:
    missing = {
        variable.removeprefix(_PREFIX): variable
        for variable in (NAME, TOKEN, TOKEN_FILE)
        if variable not in given and (variable == NAME or given.isdisjoint({TOKEN, TOKEN_FILE}))
    }
    for name in sorted(environ):
        typed = name.upper()
        if typed.startswith(_PREFIX) and name not in _VARIABLES and environ[name] and is_safe_key(name):
            ending = typed.removeprefix(_PREFIX)
            near = difflib.get_close_matches(ending, missing, n=1) or _abbreviated(ending, missing)
            if near:
                return f"{name} is set; did you mean {missing[near[0]]}?"
    return ""


def _abbreviated(ending: str, candidates: Mapping[str, str]) -> list[str]:
    """Return the candidates that contain every word, or one that it begins: ORG_NAME, TOKENS."""
    words = ending.split("_")
    return [
        candidate
        for candidate in candidates
        if all(word and any(whole.startswith(word) for whole in candidate.split("_")) for word in words)
    ]
