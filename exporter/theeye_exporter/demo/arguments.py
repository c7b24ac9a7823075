"""The arguments of a task, as the server checks and binds them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["BuildError", "TooFewArgumentsError", "bind", "given"]

Document = Mapping[str, Any]

_FIXED: Final = "fixed"


class TooFewArgumentsError(ValueError):
    """The arguments are no array, or too few; the server refuses the request."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"Invalid Task Arguments. An array of length {needed} is required. Optionals must be null")


class BuildError(ValueError):
    """The arguments do not fit; the server answers 200 with a job that has ended."""


def given(arguments: Sequence[Document], fields: Document) -> list[Any]:
    """The values in a request; fixed arguments need none.

    The server takes the whole body for the value of a single argument if the body names no arguments.

    Raises:
        TooFewArgumentsError: They are no array, or too few.
    """
    needed = sum(argument["type"] != _FIXED for argument in arguments)
    values = fields.get("task_arguments", [dict(fields)] if needed == 1 else [])
    if not isinstance(values, list) or len(values) < needed:
        raise TooFewArgumentsError(needed)
    return values


def bind(arguments: Sequence[Document], arguments_type: str, values: Sequence[Any]) -> list[Any]:
    """The value of each argument: those in a request are found by `order`, and without one by their position.

    Raises:
        BuildError: An argument has no value.
    """
    by_order: dict[Any, Any] = {}
    for position, value in enumerate(values):
        if isinstance(value, dict) and "value" in value:
            by_order[value.get("order", position)] = value["value"]
        else:
            by_order[position] = value
    bound = []
    for argument in sorted(arguments, key=lambda one: one["order"]):
        if argument["type"] == _FIXED:
            bound.append(argument["value"])
        elif argument["order"] not in by_order:
            raise BuildError("InvalidTaskArguments")
        else:
            bound.append(_stored(by_order[argument["order"]], arguments_type))
    return bound


def _stored(value: Any, arguments_type: str) -> Any:
    if arguments_type != "json" and (value is None or isinstance(value, str | list)):
        return value
    return msgspec.json.encode(value).decode()
