"""The kinds of values in a configuration: what is accepted, and the words for what is not.

Every function takes what somebody wrote and returns the typed value, or raises InvalidValueError.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from theeye_exporter.config.durations import format_duration, parse_duration
from theeye_exporter.config.problems import InvalidValueError, did_you_mean
from theeye_exporter.config.text import Plain, expect_text, shown

__all__ = [
    "check_buckets",
    "choice",
    "duration_from",
    "format_size",
    "parse_boolean",
    "parse_bucket",
    "parse_bucket_list",
    "parse_file_path",
    "parse_organization_name",
    "parse_size",
    "parse_timeout",
    "parse_token",
    "whole_number",
]

_LONGEST_TIMEOUT = 600.0
_MOST_BUCKETS = 50

_YES = {"yes", "on", "y", "1", "enabled"}
_NO = {"no", "off", "n", "0", "disabled"}

_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]{0,3})")


def parse_boolean(value: object) -> bool:
    """Accept true and false without quotes; ``yes`` and its like are refused, since YAML's versions disagree on them."""
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


def _parse_whole_number(value: object, minimum: int, maximum: int) -> int:
    expected = f"expected a whole number from {minimum} to {maximum}, got {shown(value)}"
    if not isinstance(value, Plain):
        quoted = isinstance(value, str) and re.fullmatch("[0-9]+", value)
        raise InvalidValueError(expected, "write it without quotes" if quoted else "")
    if not re.fullmatch("[+-]?[0-9]{1,15}", value) or not minimum <= int(value) <= maximum:
        raise InvalidValueError(expected)
    return int(value)


def whole_number(minimum: int, maximum: int) -> Callable[[object], int]:
    """Accept whole numbers within the bounds, both included."""
    return partial(_parse_whole_number, minimum=minimum, maximum=maximum)


def _parse_choice(value: object, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return str(value)
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise InvalidValueError(f"expected one of {', '.join(choices)}, got {shown(value)}", hint)


def choice(choices: tuple[Any, ...]) -> Callable[[object], str]:
    """Accept one of the words."""
    return partial(_parse_choice, choices=choices)


def _parse_duration_from(value: object, minimum: float) -> float:
    seconds = parse_duration(value)
    if seconds < minimum:
        raise InvalidValueError(f"expected at least {format_duration(minimum)}, got {shown(value)}")
    return seconds


def duration_from(minimum: float) -> Callable[[object], float]:
    """Accept durations from so many seconds."""
    return partial(_parse_duration_from, minimum=minimum)


def parse_timeout(value: object) -> float:
    """Accept durations above zero, up to ten minutes."""
    seconds = parse_duration(value)
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
    """Accept durations above zero; the bucket without a bound is none of the user's."""
    if isinstance(value, str) and value.lstrip("+.").lower() == "inf":
        raise InvalidValueError("expected a duration such as 30s, got infinity", "leave it out: it is always there")
    seconds = parse_duration(value)
    if seconds == 0:
        raise InvalidValueError(f"expected more than 0s, got {shown(value)}")
    return seconds


def check_buckets(buckets: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Accept buckets of which each is longer than the one before."""
    for shorter, longer in pairwise(buckets or ()):
        if shorter >= longer:
            first, second = format_duration(shorter), format_duration(longer)
            found = f"{first} twice" if first == second else f"{first} before {second}"
            raise InvalidValueError(f"expected each bucket to be longer than the one before, got {found}")
    return buckets


def parse_size(value: object) -> int:
    """Accept bytes, with a binary unit or as a bare number."""
    expected = f"expected a size such as 256MiB, got {shown(value)}"
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(expected, f"units are {', '.join(_SIZES)}")
    count, unit = match.groups()
    if (unit or "B") not in _SIZES:
        near = {name.upper().replace("I", ""): name for name in _SIZES}.get(unit.upper().replace("I", ""))
        near = near or {name[0].upper(): name for name in _SIZES}.get(unit.upper())
        raise InvalidValueError(
            expected, f'did you mean "{count}{near}"?' if near else f"units are {', '.join(_SIZES)}"
        )
    size = int(count) * _SIZES[unit or "B"]
    if size == 0:
        raise InvalidValueError("expected a size above zero")
    return size


def format_size(size: int) -> str:
    """Return the bytes in the largest unit that comes out even."""
    name, unit = next((name, unit) for name, unit in reversed(_SIZES.items()) if size % unit == 0)
    return f"{size // unit}{name}"


def parse_organization_name(value: object) -> str:
    """Accept names that can stand in a path: TheEye addresses an organisation's objects as ``/NAME/…``."""
    name = expect_text(value, "the organisation's name as TheEye knows it")
    if "/" in name or name in {".", ".."}:
        raise InvalidValueError('expected the organisation\'s name, without "/"')
    if not name.isprintable():
        raise InvalidValueError("expected the organisation's name, without control characters")
    return name


def parse_token(value: object) -> SecretStr:
    """Accept what can stand in an HTTP header; the messages say nothing of the token itself."""
    if not isinstance(value, str):
        raise InvalidValueError("expected the token's text")
    token = value.strip()
    if not token:
        raise InvalidValueError("the token is empty")
    if any(character.isspace() for character in token):
        raise InvalidValueError("the token has blanks or line breaks inside")
    if not (token.isascii() and token.isprintable()):
        raise InvalidValueError("the token has characters that no token has (only visible ASCII is allowed)")
    return SecretStr(token)


def parse_file_path(value: object) -> Path:
    """Accept the path of a file; whether it can be read is a later question."""
    text = expect_text(value, "the path of a file")
    if not text.isprintable():
        raise InvalidValueError("expected the path of a file, without control characters")
    return Path(text)
