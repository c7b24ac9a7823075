"""Finds the organisations in the file and the environment, each with its token."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from theeye_exporter.config.document import Document, Location, cannot_read
from theeye_exporter.config.environment import Environment
from theeye_exporter.config.organization_files import Listing
from theeye_exporter.config.problems import Report
from theeye_exporter.config.sections import NAME, TOKEN, TOKEN_FILE
from theeye_exporter.config.sources import Sources
from theeye_exporter.values.errors import InvalidValueError, did_you_mean
from theeye_exporter.values.parsers import parse_token
from theeye_exporter.values.settings import merged
from theeye_exporter.values.text import shown_path

__all__ = ["find_organizations"]

_LARGEST_TOKEN_FILE = 64 * 2**10


def find_organizations(sources: Sources, listings: Collection[Listing] = ()) -> tuple[dict[str, Any], ...]:
    """Return each organisation's values, merged with the defaults from ``theeye:``, and report mistakes.

    Args:
        sources: the configuration file, the environment and the flags.
        listings: the other files with organisations. If one has mistakes, its former organisations are used.
    """
    document, environment, report = sources.document, sources.environment, sources.report
    own = Listing(document, sources.file.get("organizations", ()), report)
    listings = (own, *listings)
    listed = _listed(listings)
    # If a file has mistakes, the intended number of organisations is unknown.
    certain = (
        all(listing.document.complete for listing in listings)
        and len(listed) == sum(len(listing.sections) for listing in listings)
        and not any(did_you_mean(str(key), ["organizations"]) for key in document.faulty_keys(()))
    )
    target = _environment_target(list(listed), environment, report, certain=certain)
    for listing in listings:
        for index, section in enumerate(listing.sections):
            if target is None or section.get("name") != target:
                _check_credential(listing.document, index, section, environment)
    listed = _effective(listings)
    if target is not None:
        values = {key: value for key, value in listed.get(target, {}).items() if key not in {"token", "token_file"}}
        credential = {key: value for key, value in environment.values.items() if key in {"token", "token_file"}}
        listed[target] = values | credential | {"name": target}
    if certain and not listed and not environment.given & {NAME, TOKEN, TOKEN_FILE}:
        if sources.file.get("organization_files"):
            place: Location = ("organization_files",)
            document.add_fault(place, InvalidValueError("no organisation is configured: no file lists one"))
            return ()
        report.add_environment(
            NAME,
            f"no organisation is configured: set {NAME} and {TOKEN} (or {TOKEN_FILE}), or list organisations in a file "
            '(--config.file); "theeye-exporter demo" needs none',
            environment.near_miss,
        )
    if (token_file := environment.values.get("token_file")) and (reason := _why_unusable(token_file)):
        report.add_environment(TOKEN_FILE, reason)
    return tuple(merged(sources.values["theeye"], values) for values in listed.values())


def _listed(listings: Collection[Listing]) -> dict[str, dict[str, Any]]:
    """Return the organisations of all files by name; those without a valid name are left out, and reported."""
    listed: dict[str, dict[str, Any]] = {}
    first: dict[str, tuple[Document, int]] = {}
    for listing in listings:
        document = listing.document
        for index, section in enumerate(listing.sections):
            item: Location = ("organizations", index)
            place: Location = (*item, "name")
            name = section.get("name")
            if name is None:
                if not _is_misspelt(document, item, "name"):
                    document.add_fault(place, InvalidValueError("name is missing"))
            elif name in listed:
                other, line = first[name]
                where = f"on line {line}" if other is document else f"in {other.file}:{line}"
                document.add_fault(place, InvalidValueError(f"this name is already used {where}"))
            else:
                first[name] = document, document.lines[place]
                listed[name] = section
    return listed


def _effective(listings: Collection[Listing]) -> dict[str, dict[str, Any]]:
    """Return the organisations in effect by name; an invalid file gives its former ones, unless a valid file has them."""
    valid = {s["name"] for listing in listings if not listing.replaced for s in listing.sections if "name" in s}
    effective: dict[str, dict[str, Any]] = {}
    for listing in listings:
        for section in listing.effective:
            name = section.get("name")
            if name is not None and not (listing.replaced and name in valid):
                effective.setdefault(name, section)
    return effective


def _is_misspelt(document: Document, item: Location, *keys: str) -> bool:
    """Whether a reported mistake can be the reason why none of the keys has a value."""
    faulty = (str(key).partition(":")[0] for key in document.faulty_keys(item))
    return document.is_faulty(item) or any(did_you_mean(key, keys) for key in faulty)


def _environment_target(names: list[str], environment: Environment, report: Report, *, certain: bool) -> str | None:
    """Return the name of the organisation that the token in the environment belongs to, if there is one."""
    name: str | None = environment.values.get("name")
    if not environment.has_token:
        if certain and name is not None and name not in names:
            report.add_environment(
                NAME, f"no token for this organisation: set {TOKEN} or {TOKEN_FILE}", environment.near_miss
            )
        return None
    if NAME in environment.given or not certain:
        return name
    if len(names) == 1:
        return names[0]
    report.add_environment(
        TOKEN if TOKEN in environment.given else TOKEN_FILE,
        f"{len(names)} organisations are configured, and it is unclear which one the token is for: set {NAME}"
        if names
        else f"the token has no organisation: set {NAME}",
        environment.near_miss,
    )
    return None


def _check_credential(document: Document, index: int, section: dict[str, Any], environment: Environment) -> None:
    """Check that an organisation of the file has exactly one token, unless its token is in the environment."""
    item: Location = ("organizations", index)
    place: Location = (*item, "token_file")
    if {"token", "token_file"} <= section.keys():
        document.add_fault(place, InvalidValueError("given together with token", "remove one of them"))
    elif "token_file" in section:
        if reason := _why_unusable(section["token_file"]):
            document.add_fault(place, InvalidValueError(reason))
    elif "token" not in section and not _is_misspelt(document, item, "token", "token_file"):
        meant_by_environment = "name" not in section and environment.has_token
        if not meant_by_environment:
            document.add_fault(item, InvalidValueError("neither token nor token_file is given", environment.near_miss))


def _why_unusable(token_file: Path) -> str:
    """Return what is wrong with the token file, without showing its content."""
    try:
        with token_file.open("rb") as file:
            content = file.read(_LARGEST_TOKEN_FILE)
    except OSError as error:
        return cannot_read(error, token_file)
    try:
        parse_token(content.decode("ascii", "replace"))
    except InvalidValueError as error:
        return f"in {shown_path(token_file)}: {error.message}"
    return ""
