"""Errors for invalid values and configurations, in words for the person who wrote them."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ConfigError", "InvalidValueError", "Problem", "did_you_mean"]


class InvalidValueError(ValueError):
    """A single value is invalid; the text never contains a secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, what was expected, and how to fix it. It never contains a secret."""

    source: str
    """``FILE:LINE``, ``environment`` or ``command line``."""
    key: str
    """The dotted key of the file, the variable or the flag; empty for the file as a whole."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.key, self.message) if part)
        return f"{where}; {self.hint}" if self.hint else where


class ConfigError(Exception):
    """The configuration is invalid; ``problems`` holds all mistakes, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return a hint with the nearest valid word, or an empty text if none is near."""
    by_form = {_form(name): name for name in valid}
    near = difflib.get_close_matches(_form(word[:64]), by_form, n=1, cutoff=0.7)
    return f'did you mean "{by_form[near[0]]}"?' if near else ""


def _form(word: str) -> str:
    return word.lower().replace("-", "_")
