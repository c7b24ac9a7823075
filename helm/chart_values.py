"""Reads values.yaml: every key with its description, its section and its schema."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

__all__ = ["Value", "read_values"]

_KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):(?: |$)")


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml."""

    path: tuple[str, ...]
    default: Any
    description: str
    """Markdown in one line; empty where the key says enough."""
    schema: dict[str, Any]
    """What ``# @schema`` says of it."""
    section: str
    """The heading above it."""

    @property
    def has_children(self) -> bool:
        """Whether its own keys are described below it; otherwise its content is a list, or defined by Kubernetes."""
        return isinstance(self.default, dict) and bool(self.default) and not self.schema


@dataclass(slots=True)
class _Comments:
    """The comments since the last key."""

    description: list[str] = field(default_factory=list)
    schema: dict[str, Any] = field(default_factory=dict)


def read_values(text: str) -> list[Value]:
    """Return every key in the order of the file; keys below a free-form value are not read.

    Raises:
        ValueError: a key has nothing that describes it, neither of its own nor above it.
    """
    values = list(_read(text))
    described = {value.path for value in values if value.description}
    for value in values:
        if not (value.has_children or described & {value.path, value.path[:-1]} or _is_timing(value)):
            raise ValueError(f"values.yaml: {'.'.join(value.path)} has no description")
    return values


def _is_timing(value: Value) -> bool:
    return value.path[0].endswith("Probe")


def _read(text: str) -> Iterator[Value]:
    defaults = yaml.safe_load(text)
    section, comments = "", _Comments()
    path: tuple[str, ...] = ()
    opaque: tuple[str, ...] | None = None
    for line in text.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if line.lstrip().startswith("#"):
            _read_comment(line.strip(), comments)
            continue
        match = _KEY.match(line)
        if match is None:
            comments = _Comments()
            continue
        path = (*path[: len(match["indent"]) // 2], match["key"])
        if opaque and path[: len(opaque)] == opaque:
            continue
        opaque = None
        value = Value(path, _at(defaults, path), " ".join(comments.description), comments.schema, section)
        comments = _Comments()
        if not value.has_children:
            opaque = path
        yield value


def _read_comment(comment: str, comments: _Comments) -> None:
    if comment.startswith("# -- "):
        comments.description = [comment.removeprefix("# -- ")]
    elif comment.startswith("# @schema "):
        comments.schema = json.loads(comment.removeprefix("# @schema "))
    elif comments.description and not comments.schema:
        comments.description.append(comment.removeprefix("# "))


def _at(defaults: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        defaults = defaults[key]
    return defaults
