"""Secrets that no log line may show, in whatever form they have got into its text."""

import re
import threading
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

__all__ = ["Secrets"]

_SHORTEST: Final = 6
"""Replacing a text shorter than this would mangle lines rather than protect anything."""

_REMEMBERED: Final = 10_000
"""Tokens that were replaced may still be on their way in a poll; after so many newer ones, they are not."""

_MARK: Final = "<redacted>"
_DECODINGS: Final = 3
_ESCAPED: Final = frozenset("\\'\"")


class Secrets:
    """Replaces secrets: as they are, quoted as text in code or JSON, and percent-encoded. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patterns: dict[str, re.Pattern[str] | None] = {}

    def add(self, secrets: Iterable[str]) -> None:
        """Take note of further secrets."""
        for secret in secrets:
            if len(secret) < _SHORTEST or secret in self._patterns:
                continue
            with self._lock:
                self._patterns = {**self._patterns, secret: _quoted(secret)}
                if len(self._patterns) > _REMEMBERED:
                    self._patterns = dict(list(self._patterns.items())[1:])

    def redact(self, text: str) -> str:
        """Return the text without any secret; where one was percent-encoded, the rest is decoded."""
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


def _quoted(secret: str) -> re.Pattern[str] | None:
    """Return a pattern of the secret with any number of backslashes where code or JSON would add some, if anywhere."""
    if not set(secret) & _ESCAPED:
        return None
    parts = (r"\\+" if c == "\\" else rf"\\*{re.escape(c)}" if c in _ESCAPED else re.escape(c) for c in secret)
    return re.compile("".join(parts))
