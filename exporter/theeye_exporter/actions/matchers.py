"""Matchers in Alertmanager's own syntax: `alertname="NginxDown"`, `severity=~"critical|warning"`, `{"päge"!="yes"}`.

As Alertmanager does, the older syntax is tried first, and then the newer one, in which names and values may have any character
of UTF-8. Regular expressions are RE2, anchored at both ends. A label that is missing has the empty value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from theeye_exporter.actions.regular import Regex, compile_regex

__all__ = ["Matcher", "matches", "parse_matchers"]

_GO_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_OLD: Final = re.compile(
    r"[ \t\n\f\r]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t\n\f\r]*(=~|=|!=|!~)[ \t\n\f\r]*(.*?)[ \t\n\f\r]*", re.DOTALL
)
_TOKEN: Final = re.compile(
    rf'[{_GO_SPACE}]*(?:(?P<sign>=~|!=|!~|=|[{{}},])|"(?P<quoted>(?:[^"\\\n]|\\.)*)"|(?P<bare>[^{_GO_SPACE}{{}}!=~,\\"\'`]+))'
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.|\Z))", re.DOTALL
)
_SHORT: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OPERATORS: Final = frozenset({"=", "!=", "=~", "!~"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label.

    Attributes:
        name: The name of the label.
        operator: `=`, `!=`, `=~` or `!~`.
        value: What the value of the label is compared with.
        regex: The compiled value, with `=~` and `!~`.
    """

    name: str
    operator: str
    value: str
    regex: Regex | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels fulfil it."""
        value = labels.get(self.name, "")
        equal = value == self.value if self.regex is None else self.regex.matches(value)
        return equal if self.operator in {"=", "=~"} else not equal

    def __str__(self) -> str:
        name = self.name if _NAME.fullmatch(self.name) else _quoted(self.name)
        return f"{name}{self.operator}{_quoted(self.value)}"


def matches(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether these labels fulfil all of them."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matchers(written: str) -> tuple[Matcher, ...]:
    """Return the matchers in a text; several are separated by commas.

    Raises:
        ValueError: The text has no matcher, or is not right; the message says why.
    """
    try:
        found = _old_syntax(written)
    except ValueError as old:
        try:
            found = _new_syntax(written)
        except ValueError as new:
            # What begins like the older syntax is explained as such.
            raise (old if _OLD.match(written) else new) from None
    if not found:
        raise ValueError("there is no matcher")
    return tuple(_compiled(*one) for one in found)


def _compiled(name: str, operator: str, value: str) -> Matcher:
    return Matcher(name, operator, value, compile_regex(value) if operator.endswith("~") else None)


def _old_syntax(written: str) -> list[tuple[str, str, str]]:
    tokens, token = [], ""
    quoted = escaped = False
    for c in written.removeprefix("{").removesuffix("}"):
        if c == "," and not quoted:
            tokens.append(token)
            token = ""
            continue
        # As in Alertmanager: a comma in quotes is passed over, and a backslash before the comma escapes the character after it.
        if c == '"' and not escaped:
            quoted = not quoted
        if c != ",":
            escaped = c == "\\" and not escaped
        token += c
    if token := token.strip(_GO_SPACE):
        tokens.append(token)
    return [_old_matcher(token) for token in tokens]


def _old_matcher(token: str) -> tuple[str, str, str]:
    if (found := _OLD.fullmatch(token)) is None:
        raise ValueError(f"{token.strip()!r} is not a name, one of = != =~ !~, and a value")
    name, operator, raw = found.groups()
    wants_end = raw.startswith('"')
    raw = raw.removeprefix('"')
    value, at = "", 0
    while at < len(raw):
        c, following = raw[at], raw[at + 1 : at + 2]
        if c == "\\" and following:
            value += {"n": "\n", '"': '"', "\\": "\\"}.get(following, c + following)
            at += 2
            continue
        if c == '"':
            if not wants_end or following:
                raise ValueError(f"the value of {name} has a double quote in it without a backslash before it")
            wants_end = False
        else:
            value += c
        at += 1
    if wants_end:
        raise ValueError(f"the value of {name} has no double quote at its end")
    return name, operator, value


def _new_syntax(written: str) -> list[tuple[str, str, str]]:
    tokens = _tokens(written)
    signs = [sign for sign, _ in tokens]
    if signs[:1] == ["{"]:
        if signs[-1] != "}":
            raise ValueError("there is no } at the end")
        tokens = tokens[1:-1]
    found = []
    while tokens:
        (name_sign, name), *_ = tokens
        operator, value_sign = ([sign for sign, _ in tokens[1:3]] + ["", ""])[:2]
        if name_sign or not name:
            raise ValueError(f"a name is missing{f' before {name_sign}' if name_sign else ''}")
        if operator not in _OPERATORS:
            raise ValueError(f"one of = != =~ !~ is missing after {name!r}")
        if len(tokens) < 3 or value_sign:  # noqa: PLR2004 - name, operator, value
            raise ValueError(f"the value of {name!r} is missing")
        found.append((name, operator, tokens[2][1]))
        if tokens[3:4] and tokens[3][0] != ",":
            raise ValueError(f"a comma is missing after the value of {name!r}")
        tokens = tokens[4:]
    return found


def _tokens(written: str) -> list[tuple[str, str]]:
    """Return the sign, or the text, of each token."""
    tokens, at, written = [], 0, written.rstrip(_GO_SPACE)
    while at < len(written):
        if (found := _TOKEN.match(written, at)) is None:
            raise ValueError(f"{written[at:].strip()!r} is not a matcher")
        at = found.end()
        quoted = found["quoted"]
        tokens.append((found["sign"] or "", found["bare"] or "" if quoted is None else _unquoted(quoted)))
    return tokens


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unquoted(quoted: str) -> str:
    """Return the text of a string in Go's double quotes."""

    def one(found: re.Match[str]) -> bytes:
        short, two, four, eight, octal, other = found.groups()
        if other is not None:
            raise ValueError(f"\\{other} means nothing in double quotes")
        if short:
            return bytes([_SHORT[short]])
        if two or octal:
            return bytes([int(two, 16) if two else int(octal, 8)])
        return chr(int(four or eight, 16)).encode()

    result, at = b"", 0
    for found in _ESCAPE.finditer(quoted):
        result += quoted[at : found.start()].encode() + one(found)
        at = found.end()
    try:
        return (result + quoted[at:].encode()).decode()
    except ValueError:
        raise ValueError("a text in double quotes is not UTF-8") from None
