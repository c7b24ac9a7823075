"""Applies faults to responses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import msgspec

from theeye_exporter.demo.answers import Answer, Body, bad_token, conflict, json_answer
from theeye_exporter.demo.faults import Fault

__all__ = ["NOTHING", "afflicted", "delay_of"]

NOTHING: Final = Answer(HTTPStatus.OK, Body([]), transport="drop")
"""The connection closes without an answer."""
_EVERY: Final = 10
_FIRST: Final = 3
_GARBAGE: Final = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"
_SENDING: Final = frozenset({"truncate", "drip", "drip-headers"})
_INSTEAD: Final = frozenset({"hang", "drop", "bomb", "too-large"})
_ANSWERS: Final[Mapping[str, Callable[[], Answer]]] = {
    "garbage": lambda: Answer(HTTPStatus.OK, Body([_GARBAGE])),
    "token-expired": bad_token,
    "forbidden": lambda: json_answer(HTTPStatus.FORBIDDEN, "forbidden"),
    "conflict": conflict,
    "no-organization": lambda: json_answer(HTTPStatus.NOT_FOUND, "organization not found"),
    "empty": lambda: json_answer(HTTPStatus.OK, []),
}


def delay_of(faults: Iterable[Fault]) -> float:
    """Seconds to wait before the response."""
    return sum(fault.seconds for fault in faults if fault.name == "latency")


def afflicted(faults: Iterable[Fault], make: Callable[[], Answer]) -> Answer:
    """The response with the faults applied.

    The first fault that replaces the response wins, and the real response is not created. Other faults change its
    objects, and how it is sent.
    """
    chosen = tuple(faults)
    answers = (_replacement(fault) for fault in chosen)
    answer = next((found for found in answers if found is not None), None) or make()
    for fault in chosen:
        if fault.name == "applied-no-answer":
            answer = NOTHING
        elif fault.name == "applied-error":
            answer = _error(fault)
        elif fault.name in {"malformed", "duplicates"} and answer.status == HTTPStatus.OK:
            answer = replace(answer, body=_altered(fault, answer.body))
        elif fault.name in _SENDING and answer.transport == "full":
            answer = replace(answer, transport=fault.name)
    return answer


def _replacement(fault: Fault) -> Answer | None:
    if fault.name in _INSTEAD:
        return Answer(HTTPStatus.OK, Body([]), transport=fault.name)
    if fault.name == "error":
        return _error(fault)
    if fault.name == "redirect":
        return Answer(HTTPStatus.FOUND, Body([]), (("Location", fault.value),))
    make = _ANSWERS.get(fault.name)
    return None if make is None else make()


def _error(fault: Fault) -> Answer:
    status = int(fault.value)
    known = status in HTTPStatus.__members__.values()
    phrase = HTTPStatus(status).phrase if known else "Error"
    headers = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
    return json_answer(status, {"code": phrase.replace(" ", ""), "message": phrase}, *headers)


def _altered(fault: Fault, body: Body) -> Body:
    value = msgspec.json.decode(body.plain())
    if isinstance(value, list):
        value = _malformed(value) if fault.name == "malformed" else _with_duplicates(value)
    elif isinstance(value, dict) and fault.name == "malformed":
        value = _wrong_types(value)
    return Body([msgspec.json.encode(value)])


def _malformed(objects: list[Any]) -> list[Any]:
    spoilt = list(objects)
    for turn, index in enumerate(range(_FIRST, len(objects), _EVERY)):
        spoil = _SPOILERS[turn % len(_SPOILERS)]
        spoilt[index] = spoil(objects[index])
    return spoilt


def _with_duplicates(objects: list[Any]) -> list[Any]:
    chosen = (one for one in objects[_FIRST::_EVERY] if isinstance(one, dict))
    return [*objects, *({**one, "order": 99} for one in chosen)]


def _wrong_types(one: dict[str, Any]) -> dict[str, Any]:
    wrong: dict[str, Any] = {"name": {"text": "x"}, "state": 7, "last_update": 12, "creation_date": [], "type": None}
    wrong |= {"fails_count": "three", "monitor": "x", "last_event": 5, "lifecycle": [], "result": "x", "tags": 1}
    return {name: wrong.get(name, value) for name, value in one.items()}


def _without_id(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in {"id", "_id"}}


_SPOILERS: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda _: None,
    lambda _: "an object, really",
    lambda _: 42,
    lambda one: _wrong_types(one) if isinstance(one, dict) else None,
    lambda one: _without_id(one) if isinstance(one, dict) else None,
    lambda _: {},
)
