"""values.schema.json: what values may be, so that a misspelt key fails at once instead of changing nothing."""

from collections.abc import Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

from chart_values import Value
from theeye_exporter.config.schema import FileSettings, OrganizationSection

__all__ = ["make_schema"]

_TYPES: Final = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}

_OURS: Final = {
    ("organizations",),
    ("shard",),
    ("state",),
    ("web", "config_file"),
    ("web", "enable_lifecycle"),
    ("web", "listen_address"),
}
"""Keys of the exporter's file that are not for ``config``: values of the chart say them, or its flags."""


def make_schema(values: Sequence[Value]) -> dict[str, Any]:
    """Return the schema of all values; what may stand in ``config`` is what the exporter accepts in its file."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart theeye-exporter",
        **_object(),
    }
    for value in values:
        holder = root
        for key in value.path[:-1]:
            holder = holder["properties"][key]
        holder["properties"][value.path[-1]] = _of_value(value)
    # As a part of another chart, it gets the values of all, and the switch it is put in by.
    root["properties"] |= {"global": {"type": "object"}, "enabled": {"type": "boolean"}}
    root["$defs"] = {
        "texts": {"type": "object", "additionalProperties": {"type": "string"}},
        "objectName": {"type": "string", "pattern": "^([a-z]([-a-z0-9]*[a-z0-9])?)?$"},
        "config": _of_section(FileSettings),
        "organization": _organization(),
    }
    return root


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _of_value(value: Value) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": value.description} if value.description else {}
    if "$ref" in value.schema:
        # In this draft, nothing beside a reference is looked at; so the reference stands beside nothing.
        return schema | {"allOf": [value.schema]}
    if value.has_children:
        return schema | _object()
    schema["type"] = _TYPES[type(value.default)]
    return schema | value.schema


def _of_section(section: type[BaseModel], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a section of the exporter's file may have: its keys. Of its values, the exporter speaks better."""
    properties: dict[str, Any] = {}
    for key, field in section.model_fields.items():
        if (*path, key) not in _OURS:
            inner = _section_in(field.annotation)
            properties[key] = _of_section(inner, (*path, key)) if inner else {}
    return _object(**properties)


def _section_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)


def _organization() -> dict[str, Any]:
    name: dict[str, Any] = {"type": "string", "minLength": 1}
    schema = _of_section(OrganizationSection, ("organizations",))
    schema["required"] = ["name"]
    schema["properties"] |= {
        "name": name,
        "token": {"type": "string"},
        "token_file": {"type": "string"},
        "existingSecret": _object(name=name, key=name) | {"required": ["name"]},
    }
    return schema
