"""Collects the mistakes in a configuration, in words for the person who wrote it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from theeye_exporter.values.errors import ConfigError, InvalidValueError, Problem

__all__ = ["ReloadError", "Report"]

T = TypeVar("T")

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"


class Report:
    """Collects problems from all sources, each once."""

    __slots__ = ("_files", "_places")

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._places: dict[Problem, tuple[int, int, int]] = {}

    def add_file(self, file: str, line: int, key: str, error: InvalidValueError) -> None:
        """Record a mistake in the file; the first line is 1."""
        place = self._files.setdefault(file, len(self._files))
        self._add(Problem(f"{file}:{line}", key, error.message, error.hint), (0, place, line))

    def add_environment(self, variable: str, message: str, hint: str = "") -> None:
        """Record a mistake in an environment variable."""
        self._add(Problem(ENVIRONMENT, variable, message, hint), (1, 0, 0))

    def add_flag(self, flag: str, message: str, hint: str = "") -> None:
        """Record a mistake in a flag."""
        self._add(Problem(COMMAND_LINE, flag, message, hint), (2, 0, 0))

    def _add(self, problem: Problem, place: tuple[int, int, int]) -> None:
        self._places.setdefault(problem, place)

    def problems(self) -> tuple[Problem, ...]:
        """All mistakes so far: those of each file by line, then the environment's, then the command line's."""
        return tuple(sorted(self._places, key=self._places.__getitem__))

    def raise_problems(self) -> None:
        """Raise ConfigError if there are mistakes."""
        if self._places:
            raise ConfigError(self.problems())


def attempt(parse: Callable[[object], T], text: str, complain: Callable[[str, str, str], None], where: str) -> T | None:
    """Return the parsed value; if it is invalid, report it with `complain` and return None."""
    try:
        return parse(text)
    except InvalidValueError as error:
        complain(where, error.message, error.hint)
        return None


class ReloadError(Exception):
    """The configuration, or a part of it, could not be loaded.

    Attributes:
        problems: the reasons, without secrets.
        effect: what is in effect now.
    """

    def __init__(self, problems: Sequence[str], effect: str) -> None:
        self.problems = tuple(problems)
        self.effect = effect
        super().__init__("; ".join(self.problems))
