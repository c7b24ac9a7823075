"""Handles text from a file, a variable or a flag, and decides how much of it a message may repeat."""

import re
from pathlib import Path

from theeye_exporter.values.errors import InvalidValueError

__all__ = ["Plain", "expect_text", "is_safe_key", "is_variable", "printable", "shown", "shown_path"]

# A token in the wrong place must not reach a message: tokens are longer than this.
_LONGEST_SHOWN = 12
_KEY = re.compile("[A-Za-z][A-Za-z_.-]{0,31}[0-9]?")
# A word in a path, and a word that somebody chose: a short one, letters with a few digits after them, or a number.
_WORD = re.compile("[A-Za-z0-9+=]+")
_CHOSEN = re.compile("[A-Za-z0-9+=]{0,7}|[A-Za-z]{1,24}[0-9]{0,4}|[0-9]{1,12}")
# A variable as written in shells, Kubernetes, templates and Windows.
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\{\{.*\}\}|^\$[A-Za-z_][A-Za-z_0-9]*$|^%[A-Za-z_][A-Za-z_0-9]*%$")


class Plain(str):
    """Text that was written without quotes, so it can mean a number or a boolean."""

    __slots__ = ()


def shown(value: object) -> str:
    """Return the form of a value that a message may show; long text is not repeated."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys"
    if isinstance(value, list):
        return "a list"
    return _shown_text(value) if isinstance(value, str) else "other text"


def _shown_text(text: str) -> str:
    if not text:
        return "empty text"
    if is_variable(text):
        return "a variable (variables are not expanded)"
    if len(text) > _LONGEST_SHOWN or not text.isprintable():
        return "other text"
    return text if isinstance(text, Plain) else f'"{text}"'


def shown_path(path: Path) -> str:
    """Return the absolute path, without words that may be a token written there by mistake."""

    def chosen(word: re.Match[str]) -> str:
        return word[0] if _CHOSEN.fullmatch(word[0]) else "<redacted>"

    return _WORD.sub(chosen, printable(path.absolute()))


def printable(path: Path) -> str:
    """Return the path as one printable line."""
    return "".join(character if character.isprintable() else "?" for character in str(path))


def is_variable(text: str) -> bool:
    """Whether the text looks like a variable that somebody expects to be expanded."""
    return _VARIABLE.search(text) is not None


def is_safe_key(key: str) -> bool:
    """Whether a message may repeat the key: only words, because a token in its place has more than one digit."""
    return _KEY.fullmatch(key) is not None


def expect_text(value: object, what: str) -> str:
    """Return the value without surrounding spaces, if it is non-empty text.

    Raises:
        InvalidValueError: the value is something else; ``what`` says what was expected.
    """
    if not isinstance(value, str):
        raise InvalidValueError(f"expected {what}, got {shown(value)}")
    text = value.strip()
    if not text:
        raise InvalidValueError(f"expected {what}, got empty text")
    if is_variable(text):
        raise InvalidValueError(f"expected {what}, got {shown(text)}")
    return text
