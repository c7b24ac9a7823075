"""Text from a file, a variable or a flag, and how much of it a message may repeat."""

import re

from theeye_exporter.config.problems import InvalidValueError

__all__ = ["Plain", "expect_text", "is_safe_key", "shown"]

# A token in the wrong place must not reach a message: tokens are longer than this.
_LONGEST_SHOWN = 12
_KEY = re.compile("[A-Za-z][A-Za-z_.-]{0,31}[0-9]?")


class Plain(str):
    """Text that was written without quotes, so that it may stand for a number or a boolean."""

    __slots__ = ()


def shown(value: object) -> str:
    """Return what a message may say about a value that somebody wrote; long text is not repeated."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    if not text:
        return "empty text"
    if len(text) > _LONGEST_SHOWN or not text.isprintable():
        return "other text"
    return text if isinstance(value, Plain) else f'"{text}"'


def is_safe_key(key: str) -> bool:
    """Whether a message may repeat the key: words only, for a token in a key's place has more than a digit."""
    return _KEY.fullmatch(key) is not None


def expect_text(value: object, what: str) -> str:
    """Return the value without surrounding blanks, if it is text and something remains.

    Raises:
        InvalidValueError: it is something else; ``what`` says what was expected.
    """
    if not isinstance(value, str):
        raise InvalidValueError(f"expected {what}, got {shown(value)}")
    text = value.strip()
    if not text:
        raise InvalidValueError(f"expected {what}, got empty text")
    return text
