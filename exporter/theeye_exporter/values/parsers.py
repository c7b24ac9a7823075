"""Parses the values in a configuration, with messages for invalid ones.

Every function `parse_…` takes a value as written and returns the typed value, or raises InvalidValueError.
"""

import re
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from pydantic import SecretStr

from theeye_exporter.values.durations import format_duration, parse_duration
from theeye_exporter.values.errors import InvalidValueError, did_you_mean
from theeye_exporter.values.text import Plain, expect_text, is_variable, shown

__all__ = [
    "check_buckets",
    "format_size",
    "parse_argument",
    "parse_boolean",
    "parse_bucket",
    "parse_bucket_list",
    "parse_choice",
    "parse_duration_from",
    "parse_file_path",
    "parse_file_pattern",
    "parse_hosts",
    "parse_label_value",
    "parse_one_or_more",
    "parse_organization_name",
    "parse_size",
    "parse_target",
    "parse_timeout",
    "parse_token",
    "parse_whole_number",
]

_LONGEST_TIMEOUT = 600.0
_MILLISECOND = 0.001
_MOST_BUCKETS = 50
_NAME_LIMIT = 512
_LABEL_LIMIT = 100

_YES = {"yes", "on", "y", "1", "enabled"}
_NO = {"no", "off", "n", "0", "disabled"}

_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]{0,3})")


def parse_boolean(value: object) -> bool:
    """Accept true and false without quotes; refuse ``yes`` and the like, because versions of YAML disagree on them."""
    word = value.lower() if isinstance(value, str) else ""
    if isinstance(value, Plain) and value in {"true", "True", "TRUE"}:
        return True
    if isinstance(value, Plain) and value in {"false", "False", "FALSE"}:
        return False
    if word in {"true", "false"}:
        hint = f"write {word} without quotes"
    elif word in _YES | _NO:
        hint = f"did you mean {'true' if word in _YES else 'false'}?"
    else:
        hint = ""
    raise InvalidValueError(f"expected true or false, got {shown(value)}", hint)


def parse_whole_number(value: object, minimum: int, maximum: int) -> int:
    """Accept whole numbers from `minimum` to `maximum`."""
    expected = f"expected a whole number from {minimum} to {maximum}, got {shown(value)}"
    if not isinstance(value, Plain):
        quoted = isinstance(value, str) and re.fullmatch("[0-9]+", value)
        raise InvalidValueError(expected, "write it without quotes" if quoted else "")
    if not re.fullmatch("[+-]?[0-9]{1,15}", value) or not minimum <= int(value) <= maximum:
        raise InvalidValueError(expected)
    return int(value)


def parse_choice(value: object, choices: Collection[str]) -> str:
    """Accept one of the words."""
    if isinstance(value, str) and value in choices:
        return str(value)
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise InvalidValueError(f"expected one of {', '.join(choices)}, got {shown(value)}", hint)


def parse_duration_from(value: object, minimum: float) -> float:
    """Accept durations of at least `minimum` seconds."""
    seconds = parse_duration(value, shortest=minimum)
    if seconds < minimum:
        raise InvalidValueError(f"expected at least {format_duration(minimum)}, got {shown(value)}")
    return seconds


def parse_timeout(value: object) -> float:
    """Accept durations above zero, up to ten minutes."""
    seconds = parse_duration(value, shortest=_MILLISECOND, longest=_LONGEST_TIMEOUT)
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidValueError(
            f"expected more than 0s and at most {format_duration(_LONGEST_TIMEOUT)}, got {shown(value)}"
        )
    return seconds


def parse_bucket_list(value: object) -> list[object]:
    """Accept a list that is neither empty nor too long; its items are checked one by one."""
    if not isinstance(value, list):
        raise InvalidValueError(f"expected a list of durations such as [500ms, 1s, 5s], got {shown(value)}")
    if not 1 <= len(value) <= _MOST_BUCKETS:
        raise InvalidValueError(f"expected 1 to {_MOST_BUCKETS} buckets, got {len(value) or 'none'}")
    return value


def parse_bucket(value: object) -> float:
    """Accept durations above zero; the infinite bucket is always added."""
    if isinstance(value, str) and value.lstrip("+.").lower() == "inf":
        raise InvalidValueError(
            "expected a duration such as 30s, got infinity", "leave out the infinite bucket: it always exists"
        )
    seconds = parse_duration(value, shortest=_MILLISECOND)
    if seconds == 0:
        raise InvalidValueError(f"expected more than 0s, got {shown(value)}")
    return seconds


def check_buckets(buckets: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Accept buckets if each is longer than the one before."""
    for shorter, longer in pairwise(buckets or ()):
        if shorter >= longer:
            first, second = format_duration(shorter), format_duration(longer)
            found = f"{first} twice" if first == second else f"{first} before {second}"
            raise InvalidValueError(f"expected each bucket to be longer than the one before, got {found}")
    return buckets


def parse_size(value: object) -> int:
    """Accept a number of bytes, with or without a binary unit."""
    expected = f"expected a size such as 256MiB, got {shown(value)}"
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(expected, f"units are {', '.join(_SIZES)}")
    count, unit = match.groups()
    if (unit or "B") not in _SIZES:
        near = {name.upper().replace("I", ""): name for name in _SIZES}.get(unit.upper().replace("I", ""))
        near = near or {name[0].upper(): name for name in _SIZES}.get(unit.upper())
        raise InvalidValueError(
            expected, f'did you mean "{count}{near}"?' if near and int(count) else f"units are {', '.join(_SIZES)}"
        )
    size = int(count) * _SIZES[unit or "B"]
    if size == 0:
        raise InvalidValueError("expected a size above zero")
    return size


def format_size(size: int) -> str:
    """Return the size in the largest unit without a remainder."""
    name, unit = next((name, unit) for name, unit in reversed(_SIZES.items()) if size % unit == 0)
    return f"{size // unit}{name}"


def parse_organization_name(value: object) -> str:
    """Accept names that can be part of a path: TheEye addresses an organisation's objects as ``/NAME/…``."""
    name = expect_text(value, "the organisation's name in TheEye")
    if "/" in name or name in {".", ".."}:
        raise InvalidValueError('expected the organisation\'s name, without "/"')
    if not name.isprintable():
        raise InvalidValueError("expected the organisation's name, without control characters")
    if len(name) > _NAME_LIMIT:  # labels would cut it, and could then mix it up with another one
        raise InvalidValueError(f"expected the organisation's name, of at most {_NAME_LIMIT} characters")
    return name


def parse_label_value(value: object) -> str:
    """Accept a short name in one line."""
    name = expect_text(value, "a name")
    if not name.isprintable() or len(name) > _LABEL_LIMIT:
        raise InvalidValueError(f"expected a name of at most {_LABEL_LIMIT} characters, without control characters")
    return name


def parse_target(value: object) -> str:
    """Accept the id or the name of an object of TheEye."""
    name = expect_text(value, "an id or a name")
    if not name.isprintable() or len(name) > _NAME_LIMIT:
        raise InvalidValueError(
            f"expected an id or a name of at most {_NAME_LIMIT} characters, without control characters"
        )
    return name


def parse_argument(value: object) -> str:
    """Accept any text."""
    if not isinstance(value, str):
        raise InvalidValueError(f"expected text, got {shown(value)}")
    return str(value)


def parse_token(value: object) -> SecretStr:
    """Accept text that can be part of an HTTP header; the messages never repeat the token."""
    if not isinstance(value, str):
        raise InvalidValueError("expected the token's text")
    token = value.strip()
    if not token:
        raise InvalidValueError("the token is empty")
    if is_variable(token):
        raise InvalidValueError(
            "variables are not expanded", "use token_file, or set THEEYE_TOKEN in the environment to the token itself"
        )
    if any(character.isspace() for character in token):
        raise InvalidValueError("the token contains spaces or line breaks")
    if not (token.isascii() and token.isprintable()):
        raise InvalidValueError("the token has characters that no token has (only visible ASCII is allowed)")
    return SecretStr(token)


def parse_file_path(value: object) -> Path:
    """Accept the path of a file; whether it is readable is checked later."""
    text = expect_text(value, "the path of a file")
    if not text.isprintable():
        raise InvalidValueError("expected the path of a file, without control characters")
    return Path(text)


def parse_hosts(value: object) -> str:
    """Accept a list with commas, as in ``NO_PROXY``."""
    text = expect_text(value, "hosts with commas between them")
    if not re.fullmatch(r"[\w.*:/\[\]-]+( *, *[\w.*:/\[\]-]+)*,?", text):
        raise InvalidValueError("expected names, addresses or networks with commas between them", "or * for all hosts")
    return text


def parse_file_pattern(value: object) -> str:
    """Accept the path of a file, or a pattern for such paths."""
    return str(parse_file_path(value))


def parse_one_or_more(value: object) -> list[object]:
    """Accept a list, or one value in place of a list; the values are checked one by one."""
    return value if isinstance(value, list) else [value]
