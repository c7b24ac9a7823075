"""Decodes JSON lists to structs, and leaves out only the malformed objects."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import Room

__all__ = [
    "ITEMS_AT_MOST",
    "Identified",
    "Listing",
    "decode_list",
    "decode_object",
    "is_id",
]


class Identified(Protocol):
    """An object of TheEye; a valid one has a short string of printable ASCII as its id."""

    id: Any


S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=Identified)


_ID_LIMIT: Final = 128
ITEMS_AT_MOST: Final = 1_000_000
"""Maximum number of objects in a list: a small response with many more tiny objects would fill the memory."""

_VALUES: Final = 30_000_000
"""Maximum number of values in a response. TheEye's responses have about one value in twenty bytes."""

_SMALL: Final = 2**20
"""The values of a response up to this many bytes are not counted."""

_VALUE: Final = 120
"""Maximum bytes of memory per value, without its text; an object with one member takes this much."""

_TEXT: Final = 10
"""Maximum bytes of memory per byte of a response: names appear in the labels of several families, and a single rare
character makes all characters of a name take four bytes."""

_DIGITS: Final = 18
"""An integer of up to this many characters, including the sign, fits into 64 bits; msgspec refuses larger ones."""

_OBJECTS: Final = 500
"""After this many objects, a slow decoder checks the memory again."""

_UNDECODABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""Raised by the decoders if bytes are not UTF-8, not JSON, of another type, or nested too deeply."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list from TheEye.

    Attributes:
        items: the valid objects; if an id occurs twice, the last object wins.
        skipped: objects left out, by reason: malformed, duplicate, other_organization.
        date: the server's Unix time, in seconds, if it said.
    """

    items: list[T]
    skipped: Counter[str] = field(default_factory=Counter)
    date: float | None = None


def decode_list(
    body: bytes | bytearray,
    decoder: msgspec.json.Decoder[list[T]],
    change: Callable[[list[T]], list[T]] | None = None,
    *,
    room: Room,
) -> tuple[list[T], Counter[str]]:
    """Decode a JSON list of objects.

    Args:
        body: the response body.
        decoder: decodes several objects at once if all are valid.
        change: converts the listed objects, before their ids are checked.
        room: checks whether there is memory.

    Returns:
        The valid objects, the last one of each id, and how many were left out, by reason.

    Raises:
        UpstreamError: the body is not a JSON list, has far too many values, or is the object that lists a bot's jobs.
    """
    items, malformed = _decode_items(body, decoder, room)
    if change is not None:
        items = change(items)
    valid = items if _are_ids([item.id for item in items]) else [item for item in items if is_id(item.id)]
    unique = list({item.id: item for item in valid}.values())
    counts = {"malformed": malformed + len(items) - len(valid), "duplicate": len(valid) - len(unique)}
    return unique, +Counter(counts)


def _decode_items(body: bytes | bytearray, decoder: msgspec.json.Decoder[list[T]], room: Room) -> tuple[list[T], int]:
    """Decode a list's objects; return them and the number of malformed ones."""
    _need_room(body, room)
    try:
        items, malformed = decoder.decode(body), 0
    except _UNDECODABLE:
        items, malformed = _decode_each(memoryview(body), decoder, room)
    if len(items) + malformed > ITEMS_AT_MOST:
        raise UpstreamError(Reason.TOO_LARGE, f"the list has more than {ITEMS_AT_MOST} objects (a fixed limit)")
    return items, malformed


def _need_room(body: bytes | bytearray, room: Room) -> None:
    """Raise `UpstreamError` if there is no room for the most that the decoded body can take.

    The interpreter runs no other thread while a decoder works, so nobody takes this room in the meantime.
    """
    room.need()
    if len(body) > _SMALL:
        # A comma precedes every value of a list or object except the first.
        values = sum(map(body.count, (b",", b"[", b"{")))
        if values > _VALUES:
            raise UpstreamError(Reason.TOO_LARGE, f"the response has more than {_VALUES} values (a fixed limit)")
        room.need(values * _VALUE + len(body) * (1 if body.isascii() else _TEXT))


def decode_object(body: bytes | bytearray, decoder: msgspec.json.Decoder[S], *, room: Room) -> S:
    """Decode one JSON object; raise `UpstreamError` if the body is something else, or if there is no room."""
    _need_room(body, room)
    try:
        return decoder.decode(body)
    except _UNDECODABLE:
        pass
    try:
        return decoder.decode(_repaired(_lenient(body, room)))
    except _UNDECODABLE:
        raise UpstreamError(Reason.INVALID_RESPONSE, "the response is not the expected JSON object") from None


def _decode_each(body: memoryview, decoder: msgspec.json.Decoder[list[T]], room: Room) -> tuple[list[T], int]:
    kind = decoder.type.__args__[0]  # type: ignore[attr-defined] # the parameter of list[T]
    try:
        raws = msgspec.json.decode(body, type=list[msgspec.Raw])
    except _UNDECODABLE:
        # A strict decoder refuses it; perhaps only because of bytes that are not UTF-8.
        try:
            parsed = _lenient(body, room)
        except _UNDECODABLE:
            raise UpstreamError(Reason.INVALID_RESPONSE, "the response is not JSON") from None
        if isinstance(parsed, dict) and isinstance(parsed.get("jobs"), list):
            raise UpstreamError(
                Reason.AGENT_TOKEN, "TheEye treated this as a bot's token: it sent an object instead of a list of jobs"
            ) from None
        if not isinstance(parsed, list):
            raise UpstreamError(Reason.INVALID_RESPONSE, "the response is not a list") from None
        return _convert_each(parsed, kind, room)
    items: list[T] = []
    malformed = 0
    for raw in room.watched(raws):
        try:
            items.append(msgspec.json.decode(raw, type=kind))
        except _UNDECODABLE:
            try:
                items.append(msgspec.json.decode(_repaired(_lenient(raw, room)), type=kind))
            except _UNDECODABLE:
                malformed += 1
    return items, malformed


def _convert_each(parsed: list[Any], kind: type[T], room: Room) -> tuple[list[T], int]:
    items: list[T] = []
    for value in room.watched(parsed):
        try:
            items.append(msgspec.json.decode(_repaired(value), type=kind))
        except _UNDECODABLE:
            continue
    return items, len(parsed) - len(items)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _lenient(body: bytes | bytearray | memoryview | msgspec.Raw, room: Room) -> Any:
    """Parse JSON that msgspec refuses: lone surrogates and invalid UTF-8 become U+FFFD, very long numbers text."""
    objects = 0

    def clean(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if not objects % _OBJECTS:  # other threads run in between, and may take the room
            room.need()
        return {_clean(key): _clean(value) for key, value in pairs}

    return json.loads(
        bytes(body).decode("utf-8", errors="replace"),
        strict=False,
        parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else digits,
        parse_float=lambda digits: value if math.isfinite(value := float(digits)) else digits,
        # Not JSON: treated as null, like other missing numbers.
        parse_constant=lambda _: None,
        object_pairs_hook=clean,
    )


def _repaired(value: Any) -> bytes:
    return json.dumps(value).encode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def is_id(value: object) -> bool:
    """Whether a value is a valid id of an object; different valid ids give different labels."""
    return isinstance(value, str) and _are_ids([value])


def _are_ids(values: list[Any]) -> bool:
    # An id that has to be replaced or cut in a label could become the same series as another one.
    try:
        joined = "".join(values)
    except TypeError:
        return False
    return all(values) and max(map(len, values), default=0) <= _ID_LIMIT and joined.isascii() and joined.isprintable()
