"""Generates values.schema.json, so that a misspelt key fails at once instead of having no effect."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from chart_values import Value
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.values.settings import Place, model_in, setting_of

__all__ = ["make_schema"]

_TYPES: Final = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}

_OURS: Final = {
    ("organizations",),
    ("shard",),
    ("state",),
    ("web", "enable_lifecycle"),
    ("web", "listen_address"),
}
"""Keys of the exporter's file that are not for ``config``: other values of the chart set them, or flags in its templates."""


def make_schema(values: Sequence[Value]) -> dict[str, Any]:
    """Return the schema of all values; ``config`` accepts what the exporter accepts in its file."""
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
    # A chart that includes this one passes it `global`, and often has `enabled` to switch it on.
    root["properties"].setdefault("global", _object())["additionalProperties"] = True
    root["properties"]["enabled"] = {"type": "boolean"}
    root["$defs"] = {
        "texts": {"type": "object", "additionalProperties": {"type": "string"}},
        "objectName": {"type": "string", "pattern": "^([a-z]([-a-z0-9]*[a-z0-9])?)?$"},
        "config": _of_settings(Settings),
        "organization": _organization(),
        "namedOrganization": _named_organization(),
    }
    return root


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _of_value(value: Value) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": value.description} if value.description else {}
    if "$ref" in value.schema:
        # This draft ignores everything beside a reference, so the reference stands alone inside `allOf`.
        return schema | {"allOf": [value.schema]}
    if value.has_children:
        return schema | _object()
    schema["type"] = _TYPES[type(value.default)]
    return schema | value.schema


def _of_settings(settings: type[BaseModel], within: Place = ()) -> dict[str, Any]:
    """Return the schema of a section of the exporter's file: only its keys, because the exporter checks the values."""
    properties: dict[str, Any] = {}
    for key, field in settings.model_fields.items():
        inner, setting = model_in(field.annotation), setting_of(field)
        if (*within, key) in _OURS:
            continue
        if inner is not None:
            properties[key] = _of_settings(inner, (*within, key))
        elif setting is not None and setting.in_file:
            properties[key] = {"description": setting.within(within[-1] if within else "").sentence}
    return _object(**properties)


def _organization() -> dict[str, Any]:
    name: dict[str, Any] = {"type": "string", "minLength": 1}
    schema = _of_settings(OrganizationSettings, ("organizations",))
    schema["required"] = ["name"]
    properties = schema["properties"]
    properties["name"] |= name
    properties["token"] |= {"type": "string"}
    properties["token_file"] |= {"type": "string"}
    properties["existingSecret"] = _object(name=name, key=name) | {"required": ["name"]}
    return schema


def _named_organization() -> dict[str, Any]:
    """Return the schema of an organisation whose name is its key; null in its place removes it."""
    schema = _organization()
    del schema["required"], schema["properties"]["name"]
    return schema | {"type": ["object", "null"]}
