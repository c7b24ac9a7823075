"""Renders labels as they appear between the braces of a sample line."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["LABEL_VALUE_LIMIT", "LabelCache", "escape_label_value", "format_labels"]

LABEL_VALUE_LIMIT: Final = 512
"""Maximum characters in a label value: a name of several kilobytes helps nobody and makes every scrape larger."""

_UNSAFE: Final = re.compile(r'[\\"\n]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def escape_label_value(value: str) -> str:
    """Convert any text to a valid label value: cut to 512 characters, escaped.

    A cut text ends with a digest of the whole text, so that texts that differ only at the end remain different series.

    Control characters, line separators and lone surrogates become U+FFFD: UTF-8, the grammar of the exposition formats
    or Prometheus' lexer does not allow them in a label value.
    """
    if len(value) > LABEL_VALUE_LIMIT:
        digest = hashlib.blake2b(value.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        value = f"{value[: LABEL_VALUE_LIMIT - len(digest) - 1]}~{digest}"
    return _UNSAFE.sub(lambda match: _ESCAPES.get(match[0], _REPLACEMENT), value)


def format_labels(names: Iterable[str], values: Iterable[str]) -> str:
    """Render labels as they appear between the braces of a sample line."""
    return ",".join([f'{name}="{escape_label_value(value)}"' for name, value in zip(names, values, strict=True)])


class LabelCache:
    """Caches the rendered labels of objects that appear in every poll.

    `get` renders a combination of values once. `prune` forgets combinations that were not requested since the last
    `prune`, so that the cache follows the fleet.
    """

    __slots__ = ("_current", "_names", "_previous")

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._current: dict[tuple[str, ...], str] = {}
        self._previous: dict[tuple[str, ...], str] = {}

    def get(self, *values: str) -> str:
        """Return the rendered labels for `values`, which must be in the order of the names."""
        rendered = self._current.get(values)
        if rendered is None:
            rendered = self._previous.get(values)
            if rendered is None:
                rendered = format_labels(self._names, values)
            self._current[values] = rendered
        return rendered

    def prune(self) -> None:
        """Forget labels that were not requested since the last call."""
        self._previous = self._current
        self._current = {}
