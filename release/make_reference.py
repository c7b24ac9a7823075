#!/usr/bin/env python3
"""Generates the tables of docs/configuration.md; with --check, it fails if they are out of date."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from made_document import keep
from theeye_exporter.collectors.base import CollectorKind
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.settings import INTERVALS_UNTIL_STALE, CollectorSettings
from theeye_exporter.config import HistogramSettings, OrganizationSettings, Settings, TheEyeSettings, TlsSettings
from theeye_exporter.values.settings import BOOLEAN, Setting, setting_of, settings_in, value_at

__all__ = ["main", "with_settings"]

_REFERENCE: Final = Path(__file__).parents[1] / "docs" / "configuration.md"

_TABLE: Final = re.compile(r"(<!-- ([a-z]+): made by `make docs` -->\n).*?(<!-- /\2 -->\n)", re.DOTALL)
_EXAMPLE: Final = re.compile(r"^collectors:\n(?:  .*\n)+", re.MULTILINE)


def with_settings(reference: str) -> str:
    """Return the document with the tables of all settings, and with the collectors in its example.

    Raises:
        ValueError: it has no place for one of them, or several.
    """
    made = []

    def table(place: re.Match[str]) -> str:
        begin, name, end = place.groups()
        made.append(name)
        lines = _TABLES[name]() if name in _TABLES else ()
        return begin + "".join(f"{line}\n" for line in ("", *lines, "")) + end

    reference = _TABLE.sub(table, reference)
    if sorted(made) != sorted(_TABLES):
        raise ValueError(f"configuration.md has places for {sorted(made)}, not one for each of {sorted(_TABLES)}")
    reference, count = _EXAMPLE.subn("".join(f"{line}\n" for line in _example()), reference)
    if count != 1:
        raise ValueError(f"configuration.md has {count or 'no'} places like {_EXAMPLE.pattern}")
    return reference


def _flags() -> Iterator[str]:
    yield from _head("Flag", "Value", "Default", "Meaning")
    defaults = Settings()
    for place, setting in settings_in(Settings):
        if not setting.flag:
            continue
        flag = f"`{setting.flag}`"
        if setting.kind is BOOLEAN:
            flag += f", `--no-{setting.flag.removeprefix('--')}`"
        yield _row(flag, _value(setting), _default(setting, value_at(defaults, place)), setting.sentence)


def _variables() -> Iterator[str]:
    yield from _head("Variable", "Value", "Meaning")
    for _, setting in settings_in(OrganizationSettings):
        if setting.variable:
            yield _row(f"`{setting.variable}`", _value(setting), setting.sentence)


def _section(model: type[BaseModel], but: Iterable[str] = ()) -> Callable[[], Iterator[str]]:
    """Return the function that generates the table of a section's keys."""

    def table() -> Iterator[str]:
        yield from _head("Key", "Value", "Default", "Meaning")
        yield from _keys(model, but, {})

    return table


def _keys(
    model: type[BaseModel], but: Iterable[str], defaults: Mapping[str, str], section: str = "", only: str = ""
) -> Iterator[str]:
    for key, field in model.model_fields.items():
        setting = setting_of(field)
        if setting is not None and setting.in_file and key not in but:
            default = defaults.get(key) or ("required" if field.is_required() else _default(setting, field.default))
            yield _row(f"`{key}`", _value(setting), default, f"{only}{setting.within(section).sentence}")


def _collectors() -> Iterator[str]:
    yield from _head("Key", "Value", "Default", "Meaning")
    defaults = {key: _of_each(key) for key in ("enabled", "interval")} | {
        "max_age": f"{INTERVALS_UNTIL_STALE} intervals"
    }
    yield from _keys(CollectorSettings, (), defaults, "of these objects")
    for kind in COLLECTORS:
        yield from _keys(kind.settings, CollectorSettings.model_fields, {}, only=f"`{kind.name}` only: ")


def _of_each(key: str) -> str:
    """Return the default value for all collectors, or each collector's value if they differ."""
    defaults = {kind.name: _defaults(kind)[key] for kind in COLLECTORS}
    if len(set(defaults.values())) == 1:
        return f"`{next(iter(defaults.values()))}`"
    return ", ".join(f"`{name}` {value}" for name, value in defaults.items())


def _histograms() -> Iterator[str]:
    yield from _head("Key", "What is measured")
    for key, field in type(Settings().histograms).model_fields.items():
        description = field.description or ""
        yield _row(f"`{key}`", f"{description[0].upper()}{description[1:]}.")


def _example() -> Iterator[str]:
    yield "collectors:"
    for kind in COLLECTORS:
        items = [f"{key}: {text}" for key, text in _defaults(kind).items()]
        if kind.settings is CollectorSettings:
            yield f"  {kind.name}: {{{', '.join(items)}}}"
        else:
            yield f"  {kind.name}:"
            yield from (f"    {item}" for item in items)


def _defaults(kind: CollectorKind[Any]) -> dict[str, str]:
    settings = kind.default_settings()
    return {place[-1]: setting.text(getattr(settings, place[-1])) for place, setting in settings_in(kind.settings)}


def _value(setting: Setting) -> str:
    return f"{setting.kind.name}: {setting.kind.limits}" if setting.kind.limits else setting.kind.name


def _default(setting: Setting, value: object) -> str:
    return "none" if value is None or value == () else f"`{setting.text(value)}`"


def _head(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield _row(*("---" for _ in titles))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


_TABLES: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "flags": _flags,
    "variables": _variables,
    "organizations": _section(OrganizationSettings, but=TheEyeSettings.model_fields),
    "tls": _section(TlsSettings),
    "files": _section(Settings),
    "collectors": _collectors,
    "histograms": _histograms,
    "histogram": _section(HistogramSettings),
    **{
        key: _section(type(section))
        for key, section in Settings()
        if isinstance(section, BaseModel) and key not in {"collectors", "histograms"}
    },
}
"""What makes each table, by the name that stands at its place. The table of a section has the section's key as its name."""


def main(arguments: list[str], reference: Path = _REFERENCE) -> int:
    """Return the exit code."""
    return keep(reference, with_settings, arguments, "Make the tables of docs/configuration.md.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
