"""Makes arguments of labels, as relabelling does, and allows only characters that cannot add a command in a shell.

Whoever can write a metric chooses labels, and an argument ends in a shell on a host. So an argument that is made of labels has
up to 256 characters of a small alphabet. After spaces at both ends are removed, it must not be empty, and must not begin with a
hyphen, because it would look like an option.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.actions.regular import Regex, compile_regex

__all__ = ["ALPHABET", "LONGEST", "ArgumentRule", "BadArgumentError", "Relabelling", "arguments_of"]

ALPHABET: Final = frozenset(string.ascii_letters + string.digits + "_.:/@=,+ -")
LONGEST: Final = 256


class BadArgumentError(Exception):
    """A label cannot become an argument; the text says why."""


@dataclass(frozen=True, slots=True)
class Relabelling:
    """How labels become one text of up to 256 characters, as in Prometheus: the same names, the same defaults.

    Attributes:
        source_labels: The labels; their values are joined.
        regex: What the joined values must match as a whole.
        replacement: The text, with `$1` for the first group.
        separator: What stands between the values.
    """

    source_labels: tuple[str, ...]
    regex: Regex = compile_regex("(.*)", dot_matches_newline=True)  # noqa: RUF009 - it cannot change
    replacement: str = "$1"
    separator: str = ";"

    def text(self, labels: Mapping[str, str]) -> str:
        """Return the text.

        Raises:
            BadArgumentError: The labels do not match, or the text is too long.
        """
        joined = self.separator.join(labels.get(name, "") for name in self.source_labels)
        made = self.regex.expanded(joined, self.replacement)
        if made is None:
            raise BadArgumentError(f"the value of {', '.join(self.source_labels)} does not match {self.regex.pattern}")
        if len(made) > LONGEST:
            raise BadArgumentError(f"the text has more than {LONGEST} characters")
        return made


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """How one argument is made.

    Attributes:
        made: A fixed text, or how labels become one.
        allow: What the text must match; the rules about characters, hyphens and empty texts then do not apply.
    """

    made: str | Relabelling
    allow: Regex | None = None


def arguments_of(rules: Sequence[ArgumentRule], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the arguments for an alert.

    Raises:
        BadArgumentError: One cannot be made, or has what is not allowed. The text does not contain it.
    """
    return tuple(_argument(position, rule, labels) for position, rule in enumerate(rules, 1))


def _argument(position: int, rule: ArgumentRule, labels: Mapping[str, str]) -> str:
    if isinstance(rule.made, str):
        return rule.made
    try:
        made = rule.made.text(labels)
    except BadArgumentError as error:
        raise BadArgumentError(f"argument {position}: {error}") from None
    if why := _fault(made, rule.allow):
        raise BadArgumentError(f"argument {position}: {why}")
    return made


def _fault(made: str, allow: Regex | None) -> str:
    if allow is not None:
        return "" if allow.matches(made) else f"it does not match {allow.pattern}"
    word = made.strip()  # a program may ignore the spaces around it
    if not word:
        return "it is empty"
    if word.startswith("-"):
        return "it begins with a hyphen"
    if not ALPHABET.issuperset(made):
        return "it has a character that is not allowed"
    return ""
