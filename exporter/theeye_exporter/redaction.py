"""Secrets that no log line may show, in whatever form they have got into its text."""

import json
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


class Secrets:
    """Replaces secrets: as they are, quoted as text in code or JSON, and percent-encoded. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: dict[str, tuple[str, ...]] = {}

    def add(self, secrets: Iterable[str]) -> None:
        """Take note of further secrets."""
        for secret in secrets:
            if len(secret) < _SHORTEST or secret in self._forms:
                continue
            with self._lock:
                forms = dict.fromkeys((secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]))
                self._forms = self._forms | {secret: tuple(forms)}
                if len(self._forms) > _REMEMBERED:
                    self._forms = dict(list(self._forms.items())[1:])

    def redact(self, text: str) -> str:
        """Return the text without any secret; where one was percent-encoded, the rest is decoded."""
        text, decoded = self._replace(text), text
        for _ in range(_DECODINGS):
            if "%" not in decoded:
                break
            decoded = unquote(decoded)
            clean = self._replace(decoded)
            if clean != decoded:
                text = decoded = clean
        return text

    def _replace(self, text: str) -> str:
        for forms in self._forms.values():
            for form in forms:
                if form in text:
                    text = text.replace(form, _MARK)
        return text
