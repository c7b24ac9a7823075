"""Puts the configuration together: defaults < file < environment < flags."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from theeye_exporter.config.document import Document, Location, read_document
from theeye_exporter.config.durations import format_duration
from theeye_exporter.config.environment import Environment, read_environment
from theeye_exporter.config.flags import Flags, read_flags
from theeye_exporter.config.organizations import Organization, find_organizations
from theeye_exporter.config.problems import InvalidValueError, Report
from theeye_exporter.config.schema import CollectorsSection, FileSettings, HistogramsSection, check_document
from theeye_exporter.config.settings import (
    CollectorSettings,
    CollectorsSettings,
    HistogramSettings,
    HistogramsSettings,
    LabelsSettings,
    LimitsSettings,
    LogSettings,
    OrganizationSettings,
    Settings,
    StateSettings,
    WebSettings,
)
from theeye_exporter.config.shard import find_shard, own_organizations
from theeye_exporter.config.state import find_state_file
from theeye_exporter.config.web_file import read_web_file

__all__ = ["load"]

_LEAST_INTERVALS = 2
"""Intervals for which an answer is good at least: polls come up to a tenth of one late, and take their time."""


def load(flags: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the effective configuration.

    Args:
        flags: what a parser with the flags of ``add_flags`` returned.
        environ: the environment variables.

    Raises:
        ConfigError: something is wrong; it holds every mistake of the file, the environment and the flags.
    """
    report = Report()
    given = read_flags(flags, report)
    document = (
        read_document(given.config_file, report, "--config.file", "organizations")
        if given.config_file
        else Document("", report)
    )
    file = check_document(document, FileSettings)
    environment = read_environment(environ, report)
    folder = given.config_file.parent if given.config_file else Path()
    organizations = find_organizations(document, file, folder, environment, report)
    shard = find_shard(document, file.shard, given, report)
    state_file = find_state_file(document, file.state, folder, given.state_file, report)
    _check_max_ages(document, file)
    if given.web_config_file is not None:
        read_web_file(given.web_config_file, report)
    report.raise_problems()
    own = own_organizations(organizations, shard)
    return Settings(
        organizations=tuple(_organization(organization, file, environment, given) for organization in own),
        elsewhere=len(organizations) - len(own),
        web=WebSettings(**_web(file, given)),
        log=LogSettings(**_given(file.log) | _present(level=given.log_level, format=given.log_format)),
        state=StateSettings(file=state_file),
        shard=shard,
        histograms=_histograms(file.histograms),
        limits=LimitsSettings(**_given(file.limits) | _present(max_series_per_family=given.max_series_per_family)),
        labels=LabelsSettings(**_given(file.labels)),
        config_file=given.config_file,
    )


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _given(section: BaseModel | None) -> dict[str, Any]:
    return {} if section is None else _present(**dict(section))


def _web(file: FileSettings, flags: Flags) -> dict[str, Any]:
    values = _given(file.web)
    if "listen_address" in values:
        values["listen_addresses"] = values.pop("listen_address")
    return values | _present(
        listen_addresses=flags.listen_addresses,
        telemetry_path=flags.telemetry_path,
        enable_lifecycle=flags.enable_lifecycle,
        config_file=flags.web_config_file,
    )


def _histograms(section: HistogramsSection | None) -> HistogramsSettings:
    return HistogramsSettings(**{name: HistogramSettings(**_given(own)) for name, own in _given(section).items()})


def _organization(
    organization: Organization, file: FileSettings, environment: Environment, flags: Flags
) -> OrganizationSettings:
    section = organization.section
    values = _given(file.theeye) | _present(url=environment.url) | _given(section)
    values |= {"name": organization.name, "token": organization.token, "token_file": organization.token_file}
    values["collectors"] = _collectors((file.collectors, section.collectors), flags)
    return OrganizationSettings(**values)


def _collectors(sections: tuple[CollectorsSection | None, ...], flags: Flags) -> CollectorsSettings:
    """Return the collectors, where later sections win key by key, and flags win over all."""
    collectors: dict[str, CollectorSettings] = {}
    for name, default in CollectorsSettings():
        values = _collector(name, default, sections) | _present(enabled=flags.collectors.get(name))
        collectors[name] = type(default)(**values)
    return CollectorsSettings.model_validate(collectors)


def _collector(name: str, default: CollectorSettings, sections: tuple[CollectorsSection | None, ...]) -> dict[str, Any]:
    values = default.model_dump(exclude_unset=True)
    for section in sections:
        values |= _given(getattr(section, name, None))
    return values


def _check_max_ages(document: Document, file: FileSettings) -> None:
    """See that no good answer is thrown away before the next one had its chance, for whatever interval is in effect."""
    for name, default in CollectorsSettings():
        shared: Location = ("collectors", name)
        _check_max_age(document, (shared,), _collector(name, default, (file.collectors,)))
        for index, section in enumerate(file.organizations or ()):
            own: Location = ("organizations", index, "collectors", name)
            values = _collector(name, default, (file.collectors, section.collectors))
            _check_max_age(document, (own, shared), values)


def _check_max_age(document: Document, places: tuple[Location, ...], values: dict[str, Any]) -> None:
    keys = [(*place, key) for place in places for key in ("max_age", "interval")]
    interval, max_age = values["interval"], values.get("max_age")
    if max_age is None or max_age >= _LEAST_INTERVALS * interval or document.is_faulty(*keys):
        return
    message = f"max_age ({format_duration(max_age)}) is shorter than two intervals ({format_duration(interval)} each)"
    hint = f"give at least {format_duration(_LEAST_INTERVALS * interval)}, or one failed poll leaves a gap"
    document.add_fault(next(key for key in keys if key in document.lines), InvalidValueError(message, hint))
