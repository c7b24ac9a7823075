"""Builds the configuration: defaults < file < environment < flags."""

import argparse
from collections.abc import Mapping
from typing import Any

from theeye_exporter.config.document import Document, Location
from theeye_exporter.config.networks import Networks
from theeye_exporter.config.organization_files import Kept, Listing, read_organization_files
from theeye_exporter.config.organizations import find_organizations
from theeye_exporter.config.problems import Report
from theeye_exporter.config.settings import OrganizationSettings, Settings
from theeye_exporter.config.shard import find_shard, shard_of
from theeye_exporter.config.sources import Sources
from theeye_exporter.config.state import check_state_file
from theeye_exporter.config.web_file import read_web_file
from theeye_exporter.values.durations import format_duration
from theeye_exporter.values.errors import ConfigError, InvalidValueError
from theeye_exporter.values.settings import merged

__all__ = ["load"]

_LEAST_INTERVALS = 2
"""Minimum max age in intervals: with less, one slow or failed poll would leave a gap."""


def load(flags: argparse.Namespace, environ: Mapping[str, str], kept: Kept | None = None) -> Settings:
    """Return the effective configuration.

    Args:
        flags: the result of a parser with the flags of ``add_flags``.
        environ: the environment variables.
        kept: the last valid organisations of each organisation file, which stay in effect while the file has mistakes.
            They are replaced by those of this time. Without it, such mistakes make the whole configuration invalid.

    Raises:
        ConfigError: the configuration is invalid; the error holds all mistakes in files, environment and flags.
    """
    report = Report()
    sources = Sources(Settings, flags, environ, report)
    files = read_organization_files(sources, kept)
    networks = Networks(environ, report)
    for listing in (Listing(sources.document, sources.file.get("organizations", ()), report), *files.values()):
        _check_max_ages(sources, listing)
        networks.check_tls(sources, listing)
    listed = find_organizations(sources, files.values())
    organizations = [merged(one, networks.of(one)) for one in listed]
    shard = find_shard(sources)
    check_state_file(sources)
    web_file = sources.values["web"].get("config_file")
    if web_file is not None:
        read_web_file(web_file, report)
    problems = () if kept is None else tuple(p for listing in files.values() for p in listing.report.problems())
    if problems and not organizations:
        raise ConfigError((*report.problems(), *problems))
    report.raise_problems()
    if kept is not None:
        kept.clear()
        kept.update({path: listing.effective for path, listing in files.items()})
    own = [one for one in organizations if shard_of(one["name"], shard.count) == shard.index]
    return Settings.model_validate(
        sources.values
        | {
            "organizations": tuple(_organization(one, sources) for one in own),
            "elsewhere": len(organizations) - len(own),
            "problems": problems,
        }
    )


def _organization(own: dict[str, Any], sources: Sources) -> OrganizationSettings:
    """Return an organisation; its collector settings override the general ones, and flags override both."""
    layers = ({"collectors": layer.get("collectors", {})} for layer in (sources.values, own, sources.flags))
    return OrganizationSettings.model_validate(own | merged(*layers))


def _check_max_ages(sources: Sources, listing: Listing) -> None:
    """Check that data does not expire before the next poll can replace it, for every interval in effect."""
    shared = sources.values["collectors"]
    for name in shared:
        general = sources.document, ("collectors", name)
        _check_max_age((general,), shared[name])
        for index, section in enumerate(listing.sections):
            own = listing.document, ("organizations", index, "collectors", name)
            _check_max_age((own, general), merged(shared, section.get("collectors", {}))[name])


def _check_max_age(places: tuple[tuple[Document, Location], ...], values: dict[str, Any]) -> None:
    keys = [(document, (*place, key)) for document, place in places for key in ("max_age", "interval")]
    interval, max_age = values["interval"], values.get("max_age")
    if max_age is None or max_age >= _LEAST_INTERVALS * interval:
        return
    if any(document.is_faulty(key) for document, key in keys):
        return
    message = f"max_age ({format_duration(max_age)}) is shorter than two intervals ({format_duration(interval)} each)"
    hint = f"give at least {format_duration(_LEAST_INTERVALS * interval)}, or one failed poll leaves a gap"
    document, place = next((document, key) for document, key in keys if key in document.lines)
    document.add_fault(place, InvalidValueError(message, hint))
