"""The flags of a command, in Prometheus style, derived from its settings."""

import argparse
from typing import Any

from pydantic import BaseModel

from theeye_exporter.config.problems import Report, attempt
from theeye_exporter.config.sections import OrganizationSettings
from theeye_exporter.config.settings import Settings
from theeye_exporter.values.settings import BOOLEAN, Place, Setting, settings_in, value_at
from theeye_exporter.values.text import Plain

__all__ = ["add_flags", "add_variables", "read_flags"]


def add_flags(parser: argparse.ArgumentParser, model: type[BaseModel] = Settings) -> None:
    """Add the flags to a parser. A flag that is not given is None. `read_flags` checks the values."""
    defaults = model()
    for place, setting in settings_in(model):
        if not setting.flag:
            continue
        options: dict[str, Any] = {"metavar": setting.kind.name.upper()}
        if setting.kind is BOOLEAN:
            options = {"action": argparse.BooleanOptionalAction}
        elif setting.kind.listed is not None:
            options["action"] = "append"
        text = _help(setting, value_at(defaults, place))
        parser.add_argument(setting.flag, dest=_dest(setting), default=None, help=text, **options)


def add_variables(parser: argparse.ArgumentParser, model: type[BaseModel] = OrganizationSettings) -> None:
    """Describe the environment variables in the help of a parser."""
    lines = []
    for place, setting in settings_in(model):
        if setting.variable:
            field = model.model_fields[place[-1]]
            lines.append(f"{setting.variable:26} {_help(setting, None if field.is_required() else field.default)}")
    parser.add_argument_group("environment variables (for one organisation)", "\n".join(lines))


def _dest(setting: Setting) -> str:
    return setting.flag.removeprefix("--").replace(".", "_").replace("-", "_")


def _help(setting: Setting, default: object) -> str:
    details = [setting.kind.limits] if setting.kind.limits else []
    if setting.kind.listed is not None:
        details.append("may be repeated")
    if default is not None:
        details.append(f"default {setting.text(default)}")
    text = setting.doc.replace("`", "") + (f" ({'; '.join(details)})" if details else "")
    return text.replace("%", "%%")


def read_flags(namespace: argparse.Namespace, model: type[BaseModel], report: Report) -> dict[Place, Any]:
    """Return the value of each given flag by place, None if it is invalid, and report mistakes."""
    found = {}
    for place, setting in settings_in(model):
        given = getattr(namespace, _dest(setting), None) if setting.flag else None
        if given is not None:
            found[place] = _read(setting, given, report)
    return found


def _read(setting: Setting, given: object, report: Report) -> Any:
    if isinstance(given, list):
        values = (_read(setting, text, report) for text in given)
        return tuple(value for value in values if value is not None) or None
    if isinstance(given, bool):
        return given
    return attempt(setting.kind.parse, Plain(given), report.add_flag, setting.flag)
