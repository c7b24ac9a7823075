"""JSON lists to structs, so that a malformed object costs itself only."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["Identified", "Listing", "decode_list", "decode_object"]


class Identified(Protocol):
    """An object of TheEye; a valid one has a short string of printable ASCII as its id."""

    id: Any


T = TypeVar("T", bound=Identified)

_ID_LIMIT: Final = 128

_UNDECODABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What the decoders raise for bytes that are no UTF-8, no JSON, of another type, or nested without end."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list as TheEye answered it.

    Attributes:
        items: the valid objects, each id once: the last one wins.
        skipped: objects left out, by reason: malformed, duplicate, other_organization.
        date: the server's Unix time, in seconds, if it said.
    """

    items: list[T]
    skipped: Counter[str] = field(default_factory=Counter)
    date: float | None = None


def decode_list(
    body: bytes | bytearray, decoder: msgspec.json.Decoder[list[T]], change: Callable[[T], T] | None = None
) -> tuple[list[T], Counter[str]]:
    """Decode a JSON list of objects.

    Args:
        body: the answer.
        decoder: decodes it at once if nothing is wrong with it.
        change: is applied to each object before its id is looked at.

    Returns:
        The valid objects and how many were left out, by reason.

    Raises:
        UpstreamError: the body is no JSON list, or is the object that lists a bot's jobs.
    """
    try:
        items: list[T] = decoder.decode(body)
        malformed = 0
    except _UNDECODABLE:
        items, malformed = _decode_each(body, decoder)
    return _identified(items if change is None else [change(item) for item in items], malformed)


def decode_object(body: bytes | bytearray, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode one JSON object; raises `UpstreamError` if it is none."""
    try:
        return decoder.decode(body)
    except _UNDECODABLE:
        pass
    try:
        return msgspec.convert(_lenient(body), decoder.type)
    except _UNDECODABLE:
        raise UpstreamError(Reason.INVALID_RESPONSE, "the answer is not the JSON object that it should be") from None


def _decode_each(body: bytes | bytearray, decoder: msgspec.json.Decoder[list[T]]) -> tuple[list[T], int]:
    kind = decoder.type.__args__[0]  # type: ignore[attr-defined] # the parameter of list[T]
    try:
        raws = msgspec.json.decode(body, type=list[msgspec.Raw])
    except _UNDECODABLE:
        # Not JSON to a strict decoder: bytes that are no UTF-8 may be all that is wrong with it.
        try:
            parsed = _lenient(body)
        except _UNDECODABLE:
            raise UpstreamError(Reason.INVALID_RESPONSE, "the answer is no JSON") from None
        if isinstance(parsed, dict) and isinstance(parsed.get("jobs"), list):
            raise UpstreamError(Reason.AGENT_TOKEN, "TheEye answered as it does to bots: an object of jobs") from None
        if not isinstance(parsed, list):
            raise UpstreamError(Reason.INVALID_RESPONSE, "the answer is not a list") from None
        return _convert_each(parsed, kind)
    items: list[T] = []
    malformed = 0
    for raw in raws:
        try:
            items.append(msgspec.json.decode(raw, type=kind))
        except _UNDECODABLE:
            try:
                items.append(msgspec.convert(_lenient(bytes(raw)), kind))
            except _UNDECODABLE:
                malformed += 1
    return items, malformed


def _convert_each(parsed: list[Any], kind: type[T]) -> tuple[list[T], int]:
    items: list[T] = []
    for value in parsed:
        try:
            items.append(msgspec.convert(value, kind))
        except _UNDECODABLE:
            continue
    return items, len(parsed) - len(items)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _lenient(body: bytes | bytearray) -> Any:
    """Parse JSON with what msgspec refuses: lone surrogates and invalid UTF-8, as U+FFFD."""
    return json.loads(
        bytes(body).decode("utf-8", errors="replace"),
        strict=False,
        # Not JSON: as null, like the other absent numbers.
        parse_constant=lambda _: None,
        object_pairs_hook=lambda pairs: {_clean(key): _clean(value) for key, value in pairs},
    )


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _is_id(value: object) -> bool:
    # What would have to be replaced or cut in a label could make two ids the same series.
    return isinstance(value, str) and 0 < len(value) <= _ID_LIMIT and value.isascii() and value.isprintable()


def _identified(items: list[T], malformed: int) -> tuple[list[T], Counter[str]]:
    valid = {item.id: item for item in items if _is_id(item.id)}
    without_id = sum(not _is_id(item.id) for item in items)
    skipped = Counter(malformed=malformed + without_id, duplicate=len(items) - without_id - len(valid))
    return list(valid.values()), +skipped
