"""Long lists of mutated objects from a seed; Hypothesis, in contrast, searches for few bad ones."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import msgspec

from fuzz.bodies import CANARY, TOKENS, recorded

__all__ = ["mutated", "mutated_list"]

_NOT_NUMBERS: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    "",
    CANARY,
    "1",
    "NaN",
    "\ud83d",
    "\x00",
    [],
    {},
    [1],
    {"a": 1},
    "x" * 600,
)
_NUMBERS: Final = (0, -1, 1, 0.5, 1e308, -1e308, 5e-324, 2**53, 2**63, -(2**64), 10**25, 1e18, 86_400_000)
_DATES: Final = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "2026-11-22T13:09:05.000Z",
    "2026-W47",
    "99999-01-01",
)
_KINDS_OF_CHANGE: Final = (
    "replace",
    "replace",
    "replace",
    "number",
    "number",
    "date",
    "drop",
    "nest",
    "rename",
    "flip",
)


def _is_json(token: bytes) -> bool:
    try:
        msgspec.json.decode(token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_SOUND_TOKENS: Final = tuple(token for token in TOKENS if len(token) < 10_000 and _is_json(token))
"""What may stand where a value stood without costing the whole list."""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _change(document: dict[str, Any], chance: random.Random, tokens: list[bytes]) -> None:
    holder, key = chance.choice(list(_places(document)))
    value: Any
    match chance.choice(_KINDS_OF_CHANGE):
        case "drop":
            del holder[key]
            return
        case "rename" if isinstance(holder, dict):
            holder[chance.choice(("id", "name", "_id", ""))] = holder.pop(key)
            return
        case "nest":
            value = [holder[key]] if chance.random() < 0.5 else {"id": holder[key]}
        case "number":
            value = chance.choice(_NUMBERS) * chance.choice((1, 1, -1, 3))
        case "date":
            value = chance.choice(_DATES)
        case "flip" if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            value = chance.choice((-holder[key], str(holder[key]), holder[key] + 0.5, holder[key] * 10**12))
        case _ if chance.random() < 0.5:
            value = f"@token {len(tokens)}@"
            tokens.append(chance.choice(_SOUND_TOKENS))
        case _:
            value = deepcopy(chance.choice(_NOT_NUMBERS))
    holder[key] = value


def mutated(document: dict[str, Any], chance: random.Random) -> bytes:
    """Return an object as JSON after some changes; the same seed makes the same ones."""
    tokens: list[bytes] = []
    document = json.loads(json.dumps(document))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if document:
            _change(document, chance, tokens)
    text = json.dumps(document, separators=(",", ":")).encode()
    for number, token in enumerate(tokens):
        text = text.replace(b'"@token %d@"' % number, token)
    return text


def mutated_list(kind: str, good: list[dict[str, Any]], count: int, chance: random.Random) -> bytes:
    """Return a JSON list with this many mutated objects of a kind, and the good ones unchanged between them.

    Args:
        kind: One of `fuzz.bodies.KINDS` that is a list.
        good: Objects that must survive the company.
        count: How many mutated ones there are.
        chance: Decides; the same seed gives the same bytes.
    """
    originals = [{**original, "id": f"{original['id']}-{n}"} for n, original in enumerate(recorded(kind))]
    texts = []
    for number in range(count):
        original = chance.choice(originals)
        # Mostly other ids, so that objects are not thrown away as each other's duplicates.
        texts.append(mutated({**original, "id": f"{number}-{original['id']}"} if number % 8 else original, chance))
    for sound in good:
        texts.insert(chance.randrange(len(texts) + 1), json.dumps(sound).encode())
    return b"[" + b",".join(texts) + b"]"
