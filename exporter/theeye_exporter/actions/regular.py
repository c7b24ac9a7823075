"""Regular expressions of RE2: Prometheus' own dialect, and linear in the length of a text that a stranger may have written."""

from typing import Any, Final, final

import re2

__all__ = ["Regex", "compile_regex"]

_QUIET: Final = re2.Options()
_QUIET.log_errors = False


@final
class Regex:
    """A regular expression, anchored at both ends."""

    def __init__(self, pattern: str, *, dot_matches_newline: bool) -> None:
        self.pattern = pattern
        flags = "s" if dot_matches_newline else ""
        # A pattern such as `a)(b` must not get out of the parentheses.
        re2.compile(pattern, _QUIET)
        self._compiled: Any = re2.compile(f"(?{flags}:{pattern})", _QUIET)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._compiled.fullmatch(text) is not None

    def expanded(self, text: str, replacement: str) -> str | None:
        """Return the replacement, with the groups of the match in place of `$1`, `${1}` and `${name}`, as relabelling does.

        None if the text does not match. A group that is missing, or did not take part, is empty.
        """
        found = self._compiled.fullmatch(text)
        if found is None:
            return None
        names = self._compiled.groupindex

        def group(name: str) -> str:
            number = int(name) if name.isdecimal() and name.isascii() else names.get(name, -1)
            return (found.group(number) or "") if 0 <= number <= self._compiled.groups else ""

        return _expand(replacement, group)


def compile_regex(pattern: str, *, dot_matches_newline: bool = False) -> Regex:
    """Return a compiled regular expression.

    Raises:
        ValueError: RE2 does not understand it.
    """
    try:
        return Regex(pattern, dot_matches_newline=dot_matches_newline)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"the regular expression {pattern!r} is wrong: {words}") from None


def _expand(template: str, group: Any) -> str:
    result, at = "", 0
    while (dollar := template.find("$", at)) >= 0:
        result += template[at:dollar]
        rest = template[dollar + 1 :]
        if rest.startswith("$"):
            result, at = result + "$", dollar + 2
            continue
        braced = rest.startswith("{")
        name = _name(rest[1:] if braced else rest)
        closed = not braced or rest[1 + len(name) :].startswith("}")
        if name and closed:
            result += group(name)
            at = dollar + 1 + len(name) + 2 * braced
        else:  # as Go: a dollar that means nothing stays
            result, at = result + "$", dollar + 1
    return result + template[at:]


def _name(text: str) -> str:
    length = next((at for at, c in enumerate(text) if not (c == "_" or c.isalnum())), len(text))
    return text[:length]
