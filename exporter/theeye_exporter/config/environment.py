"""The environment variables, with the names that TheEye itself uses in its tasks."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from theeye_exporter.config.problems import Report, attempt
from theeye_exporter.config.sections import NAME, TOKEN, TOKEN_FILE, OrganizationSettings
from theeye_exporter.values.settings import settings_in
from theeye_exporter.values.text import is_safe_key

__all__ = ["Environment", "read_environment"]

_SETTINGS = {
    setting.variable: (place[-1], setting) for place, setting in settings_in(OrganizationSettings) if setting.variable
}
_PREFIX = "THEEYE_"


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of one organisation.

    Attributes:
        values: valid values, by key.
        given: the variables that are set, valid or not.
        near_miss: a hint about a variable with a misspelt name; empty if there is none.
    """

    values: dict[str, Any]
    given: frozenset[str]
    near_miss: str

    @property
    def has_token(self) -> bool:
        """Whether a token is given, valid or not."""
        return not self.given.isdisjoint({TOKEN, TOKEN_FILE})


def read_environment(environ: Mapping[str, str], report: Report) -> Environment:
    """Return the values of the variables, and report mistakes."""
    texts = {variable: text for variable in _SETTINGS if (text := _unquoted(environ.get(variable, "")))}
    values = {}
    for variable, text in texts.items():
        key, setting = _SETTINGS[variable]
        value = attempt(setting.kind.parse, text, report.add_environment, variable)
        if value is not None:
            values[key] = value
    if {TOKEN, TOKEN_FILE} <= texts.keys():
        report.add_environment(TOKEN, f"given together with {TOKEN_FILE}", "unset one of them")
    given = frozenset(texts)
    return Environment(values, given, _near_miss(environ, given))


def _unquoted(text: str) -> str:
    """Return the text without JSON quotes; TheEye passes variables to its tasks as JSON strings."""
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
        if typed.startswith(_PREFIX) and name not in _SETTINGS and environ[name] and is_safe_key(name):
            ending = typed.removeprefix(_PREFIX)
            near = difflib.get_close_matches(ending, missing, n=1) or _abbreviated(ending, missing)
            if near:
                return f"{name} is set; did you mean {missing[near[0]]}?"
    return ""


def _abbreviated(ending: str, candidates: Mapping[str, str]) -> list[str]:
    """Return the candidates that match every word, even if it is abbreviated, such as ORG_NAME."""
    words = ending.split("_")
    return [
        candidate
        for candidate in candidates
        if all(word and any(whole.startswith(word) for whole in candidate.split("_")) for word in words)
    ]
