"""Removes secrets from log lines, in every form in which they can get there."""

import re
import threading
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

__all__ = ["Secrets"]

_SHORTEST: Final = 6
"""Shorter texts are not replaced: that would garble lines and protect nothing."""

_REMEMBERED: Final = 10_000
"""Number of secrets to remember: a poll may still use a replaced token, but not after this many newer ones."""

_MARK: Final = "<redacted>"
_DECODINGS: Final = 3
_QUOTES: Final = "'\""


class Secrets:
    """Replaces secrets, also if they are quoted as in code or JSON, or percent-encoded. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patterns: dict[str, re.Pattern[str] | None] = {}

    def add(self, secrets: Iterable[str]) -> None:
        """Add further secrets."""
        for secret in secrets:
            if len(secret) < _SHORTEST or secret in self._patterns:
                continue
            with self._lock:
                self._patterns = {**self._patterns, secret: _pattern(secret)}
                if len(self._patterns) > _REMEMBERED:
                    self._patterns = dict(list(self._patterns.items())[1:])

    def redact(self, text: str) -> str:
        """Return the text without secrets; if one was found only after decoding, the rest of the text is decoded."""
        text = decoded = self._replace(text)
        for _ in range(_DECODINGS):
            if "%" not in decoded:
                break
            decoded = unquote(decoded)
            clean = self._replace(decoded)
            if clean != decoded:
                text = decoded = clean
        return text

    def _replace(self, text: str) -> str:
        for secret, pattern in self._patterns.items():
            text = text.replace(secret, _MARK) if pattern is None else pattern.sub(_MARK, text)
        return text


def _pattern(secret: str) -> re.Pattern[str] | None:
    """Return a pattern for all forms of the secret; None if it has only one.

    It is necessary because decoding a whole line fails where the text before a secret looks like an escape: `100%ab`.
    """
    return None if _is_plain(secret) else re.compile("".join(map(_forms, secret)))


def _forms(character: str) -> str:
    """Return a pattern for the character, with any number of backslashes where code or JSON would add them."""
    if _is_plain(character):
        return character
    own, backslash = _encoded(character), _encoded("\\")
    if character == "\\":
        return f"{own}+"
    return f"{backslash}*{own}" if character in _QUOTES else own


def _encoded(character: str) -> str:
    """Return a pattern for the character, percent-encoded any number of times or not at all."""
    escapes = (f"%(?:25)*{byte:02x}" for byte in character.encode(errors="surrogatepass"))
    return f"(?:(?i:{''.join(escapes)})|{re.escape(character)})"


def _is_plain(text: str) -> bool:
    """Return whether nobody encodes a character of the text."""
    return text.isascii() and text.isalnum()
