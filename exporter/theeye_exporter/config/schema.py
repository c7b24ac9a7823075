"""The schema of a file, derived from settings: every key is optional, and values are as people write them."""

from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from theeye_exporter.config.document import Document, Location
from theeye_exporter.values.errors import InvalidValueError, did_you_mean
from theeye_exporter.values.settings import Kind, is_list, model_in, setting_of
from theeye_exporter.values.text import shown

__all__ = ["Section", "check_document", "section_of"]

T = TypeVar("T", bound="Section")

_OF_ACTIONS = {("actions",), ("canaries",)}
_ELSEWHERE = 'a file with this key is for "theeye-exporter actions"; check it with "theeye-exporter actions check"'


class Section(BaseModel):
    """A part of a file; unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@cache
def section_of(settings: type[BaseModel]) -> type[Section]:
    """Return the schema of a file with these settings; the value of a missing key is None."""
    fields: dict[str, Any] = {}
    for key, field in settings.model_fields.items():
        inner, setting = model_in(field.annotation), setting_of(field)
        if setting is not None and setting.in_file:
            fields[key] = (_written(setting.kind), None)
        elif inner is not None:
            section: Any = section_of(inner)
            fields[key] = ((tuple[section, ...] if is_list(field) else section) | None, None)
    return create_model(settings.__name__.replace("Settings", "Section"), __base__=Section, **fields)


def _written(kind: Kind) -> Any:
    value: Any = Annotated[Any, BeforeValidator(kind.parse)]
    if kind.listed is None:
        return value
    return Annotated[tuple[value, ...], BeforeValidator(kind.listed), AfterValidator(kind.check_list)]


def check_document(document: Document, schema: type[T]) -> T:
    """Return the valid part of a document; report invalid values, and remove them from the document's data."""
    while True:
        try:
            return schema.model_validate(document.data)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        for fault in faults:
            document.add_fault(fault["loc"], _explain(fault, schema))
        for fault in faults:
            _remove(document.data, fault["loc"], schema)


def _explain(fault: ErrorDetails, schema: type[Section]) -> InvalidValueError:
    """Return the message for a fault from Pydantic."""
    own = fault.get("ctx", {}).get("error")
    if isinstance(own, InvalidValueError):
        return own
    location = fault["loc"]
    if fault["type"] == "extra_forbidden":
        key, valid = str(location[-1]), _keys(location[:-1], schema)
        if location in _OF_ACTIONS:
            return InvalidValueError("unknown key", _ELSEWHERE)
        return _unknown_key(key, valid)
    if fault["type"] == "model_type":
        keys = ", ".join(_keys(location, schema))
        return InvalidValueError(f"expected keys ({keys}), got {shown(fault['input'])}")
    if fault["type"] == "dict_type":
        return InvalidValueError(f"expected keys, got {shown(fault['input'])}")
    return InvalidValueError(f"expected a list, got {shown(fault['input'])}", 'each item starts with "- "')


def _unknown_key(key: str, valid: list[str]) -> InvalidValueError:
    start, colon, _ = key.partition(":")
    if colon and start in valid:
        return InvalidValueError(f'expected a space after "{start}:"')
    return InvalidValueError("unknown key", did_you_mean(key, valid) or f"valid keys are {', '.join(valid)}")


def _section_at(location: Location, schema: type[BaseModel]) -> type[BaseModel] | None:
    """Return the section at a place, or the section of each item in a list; None if a value is there."""
    section: type[BaseModel] | None = schema
    for part in location:
        if isinstance(part, str):
            field = section.model_fields.get(part) if section else None
            section = model_in(field.annotation) if field else None
    return section


def _keys(location: Location, schema: type[BaseModel]) -> list[str]:
    section = _section_at(location, schema)
    return list(section.model_fields) if section else []


def _remove(data: dict[str, Any], location: Location, schema: type[BaseModel]) -> None:
    """Remove a value; a list of values is removed as a whole, but a section in a list becomes empty instead."""
    for index, part in enumerate(location):
        if isinstance(part, int) and _section_at(location[:index], schema) is None:
            location = location[:index]
            break
    holder: Any = data
    for part in location[:-1]:
        holder = holder[part]
    if isinstance(holder, list):
        holder[int(location[-1])] = {}
    else:
        holder.pop(location[-1], None)
