"""JSON lists to structs, so that a malformed object costs itself only."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = [
    "ITEMS_AT_MOST",
    "Identified",
    "Listing",
    "Reader",
    "Reading",
    "decode_list",
    "decode_object",
    "is_id",
    "read_list",
]


class Identified(Protocol):
    """An object of TheEye; a valid one has a short string of printable ASCII as its id."""

    id: Any


class Reader(Protocol):
    """Makes something of a list's objects while they are decoded."""

    def take(self, items: list[Any]) -> None:
        """Take the next objects, some hundred of them."""

    def repeats(self) -> bool:
        """Return whether an id came twice."""


T = TypeVar("T", bound=Identified)
R = TypeVar("R", bound=Reader)


_ID_LIMIT: Final = 128
_PIECE: Final = 256 * 1024
"""Bytes of a list that are decoded at once, in a fraction of a millisecond."""

ITEMS_AT_MOST: Final = 1_000_000
"""Objects of a list; with many more, some bytes of JSON each, a small answer would fill the memory."""

_VALUES: Final = 30_000_000
"""Values in an answer that is decoded at once. TheEye's have one in some twenty bytes."""

_OPENING: Final = re.compile(rb'\s*\[(\{"[^"\\]{1,64}")')

_DIGITS: Final = 18
"""Digits, a sign included, that an integer of 64 bits has for sure; msgspec refuses one that has more bits."""

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


@dataclass(frozen=True, slots=True)
class Reading(Generic[R]):
    """What a reader made of a list.

    Attributes:
        result: the reader.
        skipped: objects left out, by reason, as in a `Listing`.
        date: the server's Unix time, in seconds, if it said.
    """

    result: R
    skipped: Counter[str] = field(default_factory=Counter)
    date: float | None = None


def decode_list(
    body: bytes | bytearray,
    decoder: msgspec.json.Decoder[list[T]],
    change: Callable[[list[T]], list[T]] | None = None,
) -> tuple[list[T], Counter[str]]:
    """Decode a JSON list of objects.

    Args:
        body: the answer.
        decoder: decodes some of them at once if nothing is wrong with them.
        change: makes the objects that are meant of those that are listed, before their ids are looked at.

    Returns:
        The valid objects, the last one of each id, and how many were left out, by reason.

    Raises:
        UpstreamError: the body is no JSON list, has far too many values, or is the object that lists a bot's jobs.
    """
    valid: dict[str, T] = {}
    skipped = Counter[str]()
    for batch, malformed in _batches(body, decoder, change):
        skipped["malformed"] += malformed
        skipped["duplicate"] += len(batch)
        valid |= {item.id: item for item in batch}
    skipped["duplicate"] -= len(valid)
    return list(valid.values()), +skipped


def read_list(
    body: bytes | bytearray,
    decoder: msgspec.json.Decoder[list[T]],
    start: Callable[[], R],
    change: Callable[[list[T]], list[T]] | None = None,
) -> tuple[R, Counter[str]]:
    """Hand the objects of a JSON list to a reader while they are decoded, so that they are never all in memory.

    Args:
        body: the answer.
        decoder: as for `decode_list`.
        start: makes a reader; once more if an id comes twice, for the list without what the repeated ones replace.
        change: as for `decode_list`.

    Returns:
        The reader that took the valid objects, and how many were left out, by reason.

    Raises:
        UpstreamError: as for `decode_list`.
    """
    reader, skipped = start(), Counter[str]()
    for batch, malformed in _batches(body, decoder, change):
        skipped["malformed"] += malformed
        reader.take(batch)
    if reader.repeats():
        reader = start()
        items, skipped = decode_list(body, decoder, change)
        reader.take(items)
    return reader, +skipped


def _batches(
    body: bytes | bytearray,
    decoder: msgspec.json.Decoder[list[T]],
    change: Callable[[list[T]], list[T]] | None,
) -> Iterator[tuple[list[T], int]]:
    """Yield a list's objects, some hundred at a time, and how many among them were malformed."""
    listed = 0
    for piece, undecodable in _pieces(body, decoder):
        listed += len(piece) + undecodable
        if listed > ITEMS_AT_MOST:
            raise UpstreamError(Reason.TOO_LARGE, f"the list has more than {ITEMS_AT_MOST} objects")
        items = piece if change is None else change(piece)
        valid = items if _are_ids([item.id for item in items]) else [item for item in items if is_id(item.id)]
        yield valid, undecodable + len(items) - len(valid)


def _pieces(body: bytes | bytearray, decoder: msgspec.json.Decoder[list[T]]) -> Iterator[tuple[list[T], int]]:
    """Yield a list's objects a piece of the text at a time, with the number of those that cannot be understood.

    The decoder lets no other thread run, and a scrape shall not wait for megabytes.

    The list is cut where an object seems to end and the next to begin with the first object's first key. A piece that
    is a list of its own tells that it was cut well: a parser that read this far is between two objects.
    """
    opening = _OPENING.match(body)
    if opening is None or len(body) <= 2 * _PIECE:
        yield _decode_rest(body, 0, decoder)
        return
    text = body if isinstance(body, bytearray) else bytearray(body)
    cut, view = b"}," + opening[1], memoryview(text)
    start = opening.start(1) - 1
    while (end := text.find(cut, start + _PIECE) + 1) > 0:
        first, last = text[start], text[end]
        text[start], text[end] = b"[]"
        try:
            items = decoder.decode(view[start : end + 1])
        except _UNDECODABLE:
            break
        finally:
            text[start], text[end] = first, last
        yield items, 0
        start = end
    first, text[start] = text[start], ord("[")
    try:
        rest = _decode_rest(text, start, decoder)
    finally:
        text[start] = first
    yield rest


def _decode_rest(body: bytes | bytearray, start: int, decoder: msgspec.json.Decoder[list[T]]) -> tuple[list[T], int]:
    """Decode the list that begins at `start`; the number is that of the objects that cannot be understood."""
    # All but the first value of a list or object stand behind a comma.
    if len(body) - start > 2 * _PIECE and sum(body.count(sign, start) for sign in (b",", b"[", b"{")) > _VALUES:
        raise UpstreamError(Reason.TOO_LARGE, f"the answer has more than {_VALUES} values")
    view = memoryview(body)[start:]
    try:
        return decoder.decode(view), 0
    except _UNDECODABLE:
        return _decode_each(view, decoder)


def decode_object(body: bytes | bytearray, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode one JSON object; raises `UpstreamError` if it is none."""
    try:
        return decoder.decode(body)
    except _UNDECODABLE:
        pass
    try:
        return decoder.decode(_repaired(_lenient(body)))
    except _UNDECODABLE:
        raise UpstreamError(Reason.INVALID_RESPONSE, "the answer is not the JSON object that it should be") from None


def _decode_each(body: memoryview, decoder: msgspec.json.Decoder[list[T]]) -> tuple[list[T], int]:
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
                items.append(msgspec.json.decode(_repaired(_lenient(bytes(raw))), type=kind))
            except _UNDECODABLE:
                malformed += 1
    return items, malformed


def _convert_each(parsed: list[Any], kind: type[T]) -> tuple[list[T], int]:
    items: list[T] = []
    for value in parsed:
        try:
            items.append(msgspec.json.decode(_repaired(value), type=kind))
        except _UNDECODABLE:
            continue
    return items, len(parsed) - len(items)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _lenient(body: bytes | bytearray | memoryview) -> Any:
    """Parse JSON with what msgspec refuses: lone surrogates and invalid UTF-8, as U+FFFD; endless numbers, as text."""
    return json.loads(
        bytes(body).decode("utf-8", errors="replace"),
        strict=False,
        parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else digits,
        parse_float=lambda digits: value if math.isfinite(value := float(digits)) else digits,
        # Not JSON: as null, like the other absent numbers.
        parse_constant=lambda _: None,
        object_pairs_hook=lambda pairs: {_clean(key): _clean(value) for key, value in pairs},
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
    """Whether a value can be an object's id: no two of them look alike as a label."""
    return isinstance(value, str) and _are_ids([value])


def _are_ids(values: list[Any]) -> bool:
    # What would have to be replaced or cut in a label could make two ids the same series.
    try:
        joined = "".join(values)
    except TypeError:
        return False
    return all(values) and max(map(len, values), default=0) <= _ID_LIMIT and joined.isascii() and joined.isprintable()
