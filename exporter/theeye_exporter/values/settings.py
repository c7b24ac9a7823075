"""Settings are fields of strict, immutable models. Their types define how a value is written, and what it means.

The schema of a file, flags, environment variables and documentation are derived from such models.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Final, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from theeye_exporter.values import parsers
from theeye_exporter.values.durations import format_duration, parse_duration

__all__ = [
    "BOOLEAN",
    "DURATION",
    "FILE",
    "Kind",
    "Place",
    "Setting",
    "SettingsModel",
    "choice",
    "duration",
    "given",
    "integer",
    "is_list",
    "merged",
    "model_in",
    "setting_of",
    "settings_in",
    "value_at",
]

Place = tuple[str, ...]
"""The keys that lead to a setting."""


class SettingsModel(BaseModel):
    """Effective settings: typed, complete and immutable. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """How people write a value.

    Attributes:
        name: the placeholder in help and documentation.
        parse: returns the value of a text, or raises `InvalidValueError`.
        show: returns a value as YAML writes it.
        limits: the accepted values, in words.
        listed: set if there are several values; returns the list of texts.
        check_list: checks several values together.
    """

    name: str
    parse: Callable[[object], Any]
    show: Callable[[Any], Any] = _same
    limits: str = ""
    listed: Callable[[object], list[Any]] | None = None
    check_list: Callable[[Any], Any] = _same


BOOLEAN: Final = Kind("boolean", parsers.parse_boolean)
DURATION: Final = Kind("duration", parse_duration, format_duration)
FILE: Final = Kind("file", parsers.parse_file_path, str)


def duration(minimum: float) -> Kind:
    """Return the kind of durations of at least `minimum` seconds."""
    parse = partial(parsers.parse_duration_from, minimum=minimum)
    return Kind("duration", parse, format_duration, f"at least {format_duration(minimum)}")


def integer(minimum: int, maximum: int) -> Kind:
    """Return the kind of whole numbers from `minimum` to `maximum`."""
    parse = partial(parsers.parse_whole_number, minimum=minimum, maximum=maximum)
    return Kind("number", parse, limits=f"{minimum} to {maximum}")


def choice(name: str, literal: object) -> Kind:
    """Return the kind for the words of a `Literal`."""
    words = get_args(literal)
    return Kind(name, partial(parsers.parse_choice, choices=words), limits=f"{', '.join(words[:-1])} or {words[-1]}")


@dataclass(frozen=True, slots=True)
class Setting:
    """Describes a setting, in the `Annotated` type of its field.

    `{section}` in `doc` and `flag` is replaced by the name of the setting's section.

    Attributes:
        kind: how a value is written.
        doc: its meaning: a short line of Markdown that starts with a small letter and has no full stop.
        flag: its flag, if any.
        variable: its environment variable, if any.
        in_file: whether a file can have it.
    """

    kind: Kind
    doc: str
    flag: str = ""
    variable: str = ""
    in_file: bool = True

    @property
    def sentence(self) -> str:
        """The documentation as a sentence."""
        return f"{self.doc[0].upper()}{self.doc[1:]}."

    def within(self, section: str) -> Self:
        """Return the setting with the name of its section filled in."""
        doc, flag = (text.replace("{section}", section) for text in (self.doc, self.flag))
        return replace(self, doc=doc, flag=flag)

    def show(self, value: Any) -> Any:
        """Return a value as YAML writes it; several values are a tuple."""
        return tuple(map(self.kind.show, value)) if isinstance(value, tuple) else self.kind.show(value)

    def text(self, value: Any) -> str:
        """Return a value as text for people."""
        shown = self.show(value)
        if isinstance(shown, tuple):
            return ", ".join(shown)
        return str(shown).lower() if isinstance(shown, bool) else str(shown)


def setting_of(field: FieldInfo) -> Setting | None:
    """Return the description of a field; None for a section, and for a field that cannot be set."""
    return next((item for item in field.metadata if isinstance(item, Setting)), None)


def model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model of a field, or of the items of a field with several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds several values."""
    return get_origin(field.annotation) is tuple


def settings_in(model: type[BaseModel], within: Place = ()) -> Iterator[tuple[Place, Setting]]:
    """Return the settings of a model and its sections, in order, without those in lists of sections."""
    for key, field in model.model_fields.items():
        section, setting = model_in(field.annotation), setting_of(field)
        if setting is not None:
            yield (*within, key), setting.within(within[-1] if within else "")
        elif section is not None and not is_list(field):
            yield from settings_in(section, (*within, key))


def value_at(settings: BaseModel, place: Place) -> Any:
    """Return the value of a setting."""
    return reduce(getattr, place, settings)


def given(model: BaseModel) -> dict[str, Any]:
    """Return the explicit values of a model and its sections, without defaults, as nested mappings."""
    found: dict[str, Any] = {}
    for key, value in model:
        if isinstance(value, BaseModel):
            found[key] = given(value)
        elif key in model.model_fields_set and value is not None:
            found[key] = _items(value) if isinstance(value, tuple) else value
    return found


def _items(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(given(value) if isinstance(value, BaseModel) else value for value in values)


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; for each key, the last one wins."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result
