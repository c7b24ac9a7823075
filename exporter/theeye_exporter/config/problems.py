"""What is wrong with a configuration, in words for the person who wrote it."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["ConfigError", "InvalidValueError", "Problem", "Report", "did_you_mean"]

T = TypeVar("T")

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, what was expected, and how to mend it. Never holds a secret."""

    source: str
    """``FILE:LINE``, ``environment`` or ``command line``."""
    key: str
    """The dotted key of the file, the variable or the flag; empty where the file as a whole is meant."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.key, self.message) if part)
        return f"{where}; {self.hint}" if self.hint else where


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` holds everything that is wrong with it, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidValueError(ValueError):
    """A single value that cannot be used; its text holds no secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


class Report:
    """Collects problems from all sources, each once."""

    __slots__ = ("_files", "_places")

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._places: dict[Problem, tuple[int, int, int]] = {}

    def add_file(self, file: str, line: int, key: str, error: InvalidValueError) -> None:
        """Note a mistake in the file; the first line is 1."""
        place = self._files.setdefault(file, len(self._files))
        self._add(Problem(f"{file}:{line}", key, error.message, error.hint), (0, place, line))

    def add_environment(self, variable: str, message: str, hint: str = "") -> None:
        """Note a mistake in an environment variable."""
        self._add(Problem(ENVIRONMENT, variable, message, hint), (1, 0, 0))

    def add_flag(self, flag: str, message: str, hint: str = "") -> None:
        """Note a mistake in a flag."""
        self._add(Problem(COMMAND_LINE, flag, message, hint), (2, 0, 0))

    def _add(self, problem: Problem, place: tuple[int, int, int]) -> None:
        self._places.setdefault(problem, place)

    def problems(self) -> tuple[Problem, ...]:
        """Everything noted so far: each file's by line, then the environment's, then the command line's."""
        return tuple(sorted(self._places, key=self._places.__getitem__))

    def raise_problems(self) -> None:
        """Raise ConfigError if anything was noted."""
        if self._places:
            raise ConfigError(self.problems())


def attempt(parse: Callable[[object], T], value: object, complain: Callable[[str, str], None]) -> T | None:
    """Return the parsed value, or complain with message and hint and return None."""
    try:
        return parse(value)
    except InvalidValueError as error:
        complain(error.message, error.hint)
        return None


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return a hint with the nearest of the valid words, or nothing when none is near."""
    by_form = {_form(name): name for name in valid}
    near = difflib.get_close_matches(_form(word[:64]), by_form, n=1, cutoff=0.7)
    return f'did you mean "{by_form[near[0]]}"?' if near else ""


def _form(word: str) -> str:
    return word.lower().replace("-", "_")
