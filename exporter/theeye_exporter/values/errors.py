"""Errors for invalid values, in words for the person who wrote them."""

import difflib
from collections.abc import Iterable

__all__ = ["InvalidValueError", "did_you_mean"]


class InvalidValueError(ValueError):
    """A single value is invalid; the text never contains a secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return a hint with the nearest valid word, or an empty text if none is near."""
    by_form = {_form(name): name for name in valid}
    near = difflib.get_close_matches(_form(word[:64]), by_form, n=1, cutoff=0.7)
    return f'did you mean "{by_form[near[0]]}"?' if near else ""


def _form(word: str) -> str:
    return word.lower().replace("-", "_")
