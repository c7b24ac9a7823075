"""The query strings of the API: where, sort and limit, as restify, qs, mongoose and MongoDB handle them together."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from theeye_exporter.demo.ids_and_time import ID_DIGITS, parse_time

__all__ = ["BadQueryError", "Selection", "parse_query", "read_selection", "select", "stored_document"]

Document = Mapping[str, Any]
_T = TypeVar("_T")

_DEPTH: Final = 5
_PARAMETERS: Final = 1000
_LARGEST_INDEX: Final = 20
_DATES: Final = frozenset({"creation_date", "last_update", "last_check"})
_NUMBERS: Final = frozenset({"order", "fails_count", "recovery_count", "timeout", "execution_count"})
_BOOLEANS: Final = frozenset({"enable", "alerts", "notify", "cancellable", "user_inputs", "show_result"})
_DESCENDING: Final = frozenset({"-1", "desc", "descending"})
_ASCENDING: Final = frozenset({"1", "asc", "ascending"})


class BadQueryError(ValueError):
    """The database would refuse this query."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects to return, in which order, and how many (0: all)."""

    where: tuple[tuple[str, str, Any], ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int = 0


def parse_query(query: str) -> dict[str, Any]:
    """Nested parameters of a query string: `where[a][$in][]=x` is `{"where": {"a": {"$in": ["x"]}}}`.

    Values stay strings. As in qs, array indices from 20 on create an object instead of an array.
    """
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True)[:_PARAMETERS]:
        _insert(tree, _segments(key), value)
    return {key: _arrays(value) for key, value in tree.items()}


def _segments(key: str) -> list[str]:
    head, bracket, rest = key.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return [key]
    return [head, *rest[:-1].split("][", _DEPTH - 1)]


def _insert(tree: dict[str, Any], segments: list[str], value: str) -> None:
    collects = len(segments) > 1 and not segments[-1]
    *above, last = segments[:-1] if collects else segments
    for segment in above:
        below = tree.get(segment)
        if not isinstance(below, dict):
            below = tree[segment] = {}
        tree = below
    if last in tree:
        before = tree[last]
        tree[last] = [*before, value] if isinstance(before, list) else [before, value]
    else:
        tree[last] = [value] if collects else value


def _arrays(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() and int(name) < _LARGEST_INDEX for name in value):
        return [_arrays(value[name]) for name in sorted(value, key=int)]
    return {name: _arrays(below) for name, below in value.items()}


def read_selection(parameters: Mapping[str, Any]) -> Selection:
    """Reads where, sort and limit of a query.

    Raises:
        BadQueryError: A value does not fit the field's type, an operator is unknown, or the structure is invalid.
    """
    where = parameters.get("where", {})
    sort = parameters.get("sort", {})
    if not isinstance(where, dict) or not isinstance(sort, dict):
        raise BadQueryError("where and sort are objects")
    conditions = [condition for field, wanted in where.items() for condition in _conditions(field, wanted)]
    return Selection(tuple(conditions), tuple(_direction(*item) for item in sort.items()), _limit(parameters))


def _limit(parameters: Mapping[str, Any]) -> int:
    try:
        return abs(int(parameters.get("limit", 0)))
    except (TypeError, ValueError):
        raise BadQueryError("limit is a number") from None


def _direction(field: str, direction: Any) -> tuple[str, bool]:
    if direction in _DESCENDING:
        return field, True
    if direction in _ASCENDING:
        return field, False
    raise BadQueryError(f"sort[{field}] is 1 or -1")


def _conditions(field: str, wanted: Any) -> Iterable[tuple[str, str, Any]]:
    if field in {"customer_id", "customer"}:
        return  # the server replaces it with its own
    if not isinstance(wanted, dict):
        yield field, "$in" if isinstance(wanted, list) else "$eq", _cast(field, wanted)
        return
    for operator, operand in wanted.items():
        if operator not in _OPERATORS:
            raise BadQueryError(f"unknown operator {operator}")
        if operator in {"$in", "$nin", "$all"}:
            if isinstance(operand, dict):
                raise BadQueryError(f"{operator} needs an array")
            yield field, operator, _cast(field, operand if isinstance(operand, list) else [operand])
        elif isinstance(operand, str):
            yield field, operator, operand not in {"false", "0"} if operator == "$exists" else _cast(field, operand)
        else:
            raise BadQueryError(f"{operator} needs one value")


def _cast(field: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_cast(field, one) for one in value]
    if not isinstance(value, str):
        raise BadQueryError(f"where[{field}] is no value")
    try:
        return _cast_text(field, value)
    except (LookupError, ValueError, OverflowError):
        raise BadQueryError(f"where[{field}]={value!r} does not fit the field") from None


def _cast_text(field: str, value: str) -> Any:
    if field in _DATES:
        return parse_time(value)
    if field in _NUMBERS:
        return float(value)
    if field in _BOOLEANS:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
    if field == "_id" and (len(value) != ID_DIGITS or int(value, 16) < 0):
        raise ValueError(value)
    return value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(have: Any, want: Any) -> bool:
        try:
            return have is not None and bool(compare(have, want))
        except TypeError:
            return False  # MongoDB compares only values of one type

    return holds


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": lambda have, want: want in have if isinstance(have, list) else have == want,
    "$ne": lambda have, want: have != want,
    "$gt": _ordered(lambda have, want: have > want),
    "$gte": _ordered(lambda have, want: have >= want),
    "$lt": _ordered(lambda have, want: have < want),
    "$lte": _ordered(lambda have, want: have <= want),
    "$in": lambda have, want: any(one in want for one in have) if isinstance(have, list) else have in want,
    "$nin": lambda have, want: have not in want,
    "$all": lambda have, want: all(one in have if isinstance(have, list) else one == have for one in want),
    "$exists": lambda have, want: (have is not None) == want,
}


def stored_document(document: Document) -> Document:
    """The stored fields of a listed object: dates as milliseconds since the epoch."""
    dates = {name: parse_time(document[name]) for name in _DATES if isinstance(document.get(name), str)}
    return {**document, **dates}


def _stored(document: Document, field: str) -> Any:
    # The database calls it `_id`; `id` only exists in responses and matches nothing.
    if field == "id":
        return None
    return document.get("id") if field == "_id" else document.get(field)


def select(objects: Iterable[_T], selection: Selection, document: Callable[[_T], Document]) -> list[_T]:
    """The objects that match, sorted and cut.

    Args:
        objects: All objects, in the order of the database.
        selection: The requested selection.
        document: Returns the stored fields of an object: dates as milliseconds since the epoch.
    """
    chosen = [(document(one), one) for one in objects] if selection.where or selection.sort else []
    if not chosen:
        every = list(objects)
        return every[: selection.limit] if selection.limit else every
    for field, operator, want in selection.where:
        holds = _OPERATORS[operator]
        chosen = [pair for pair in chosen if holds(_stored(pair[0], field), want)]
    for field, descending in reversed(selection.sort):
        chosen.sort(key=partial(_pair_key, field), reverse=descending)
    result = [one for _, one in chosen]
    return result[: selection.limit] if selection.limit else result


def _pair_key(field: str, pair: tuple[Document, Any]) -> tuple[int, Any]:
    return _sort_key(_stored(pair[0], field))


def _sort_key(value: Any) -> tuple[int, Any]:
    # MongoDB sorts by type first: null, numbers (here also dates), strings, the rest.
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, repr(value))
