"""The values from file, environment and flags, and their mistakes."""

import argparse
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from theeye_exporter.config.document import Document, Location, read_document
from theeye_exporter.config.environment import read_environment
from theeye_exporter.config.flags import read_flags
from theeye_exporter.config.problems import Report
from theeye_exporter.config.schema import check_document, section_of
from theeye_exporter.config.sections import CONFIG_FILE, TheEyeSettings
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.settings import Place, given, merged, settings_in

__all__ = ["Sources"]


class Sources:
    """The valid values of each source, as mappings nested like the settings. Mistakes are in the report.

    Attributes:
        model: the settings.
        folder: the folder of the file.
        file: values of the file; relative paths are relative to its folder.
        environment: values of the variables, for one organisation.
        flags: values of the command line.
        values: defaults, file, environment and flags merged, in this order; lists of sections come from the file.
        document: the file, with the lines of its keys.

    Args:
        model: the settings; they have a section ``theeye``.
        flags: the parsed command line.
        environ: the environment variables.
        report: receives the mistakes.
    """

    def __init__(
        self, model: type[BaseModel], flags: argparse.Namespace, environ: Mapping[str, str], report: Report
    ) -> None:
        self.report = report
        self.model = model
        self._names = {place: setting.flag for place, setting in settings_in(model)}
        self._flags = read_flags(flags, model, report)
        self.flags = merged(*(_nested(place, value) for place, value in self._flags.items() if value is not None))
        path = self.flags.get("config_file")
        if path is None:
            self.document = Document("", report)
            self.document.complete = ("config_file",) not in self._flags
        else:
            self.document = read_document(path, report, CONFIG_FILE.flag, "organizations")
        self.folder = path.parent if path else Path()
        self.file = self.checked(self.document, self.folder)
        self.environment = read_environment(environ, report)
        shared = {key: value for key, value in self.environment.values.items() if key in TheEyeSettings.model_fields}
        self.values = merged(given(model()), self.file, {"theeye": shared}, self.flags)

    def checked(self, document: Document, folder: Path) -> dict[str, Any]:
        """Return the valid values of a document, and report the others; relative paths start at the folder."""
        values: dict[str, Any] = _from(folder, given(check_document(document, section_of(self.model))))
        return values

    def is_faulty(self, *locations: Location) -> bool:
        """Whether a mistake at one of the places is already reported, so that its consequences need not be."""
        unusable = {place for place, value in self._flags.items() if value is None}
        return self.document.is_faulty(*locations) or not unusable.isdisjoint(locations)

    def add_fault(self, place: Place, error: InvalidValueError) -> None:
        """Report a mistake in a merged value at its source: the flag if it is given, otherwise the file."""
        if place in self._flags:
            self.report.add_flag(self._names[place], error.message, error.hint)
        else:
            self.document.add_fault(place, error)


def _nested(place: Place, value: Any) -> Any:
    return reduce(lambda inner, key: {key: inner}, reversed(place), value)


def _from(folder: Path, value: Any) -> Any:
    """Return the value; relative paths in it are resolved from the folder."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, dict):
        return {key: _from(folder, inner) for key, inner in value.items()}
    return tuple(_from(folder, inner) for inner in value) if isinstance(value, tuple) else value
