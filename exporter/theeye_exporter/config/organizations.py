"""Which organisations are watched: those of the file and that of the environment, each with its token."""

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from theeye_exporter.config.document import Document, Location, cannot_read, relative_hint
from theeye_exporter.config.environment import NAME, TOKEN, TOKEN_FILE, Environment
from theeye_exporter.config.problems import InvalidValueError, Report, did_you_mean
from theeye_exporter.config.schema import FileSettings, OrganizationSection
from theeye_exporter.config.values import parse_token

__all__ = ["Organization", "find_organizations"]

_LARGEST_TOKEN_FILE = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation with its token, before defaults are merged in."""

    name: str
    token: SecretStr | None
    token_file: Path | None
    section: OrganizationSection


def find_organizations(
    document: Document, file: FileSettings, folder: Path, environment: Environment, report: Report
) -> tuple[Organization, ...]:
    """Return the organisations, noting what is wrong with them; relative token files of the file are in ``folder``."""
    sections = file.organizations or ()
    listed = _listed(document, sections, folder)
    # Where the file is faulty, how many organisations it means is anybody's guess.
    certain = (
        document.complete
        and len(listed) == len(sections)
        and not any(did_you_mean(str(key), ["organizations"]) for key in document.faulty_keys(()))
    )
    found = {organization.name: organization for organization in listed}
    target = _environment_target(list(found), environment, report, certain=certain)
    if target is not None:
        organization = found.get(target) or Organization(target, None, None, OrganizationSection())
        found[target] = replace(organization, token=environment.token, token_file=environment.token_file)
    if certain and not found and not environment.given & {NAME, TOKEN, TOKEN_FILE}:
        report.add_environment(
            NAME,
            f"no organisation is configured: set {NAME} and {TOKEN} (or {TOKEN_FILE}), or list organisations in a file "
            '(--config.file); "theeye-exporter demo" needs none',
            environment.near_miss,
        )
    if environment.token_file is not None:
        reason = _why_unusable(environment.token_file)
        if reason:
            report.add_environment(TOKEN_FILE, reason)
    for index, section in enumerate(sections):
        if target is None or section.name != target:
            _check_credential(document, index, section, folder, environment)
    return tuple(found.values())


def _listed(document: Document, sections: tuple[OrganizationSection, ...], folder: Path) -> list[Organization]:
    """Return the organisations of the file; those without a usable name are left out."""
    listed: list[Organization] = []
    first_lines: dict[str, int] = {}
    for index, section in enumerate(sections):
        item: Location = ("organizations", index)
        place: Location = (*item, "name")
        if section.name is None:
            if not _is_misspelt(document, item, "name"):
                document.add_fault(place, InvalidValueError("name is missing"))
        elif section.name in first_lines:
            document.add_fault(place, InvalidValueError(f"the same name as on line {first_lines[section.name]}"))
        else:
            first_lines[section.name] = document.lines[place]
            token_file = folder / section.token_file if section.token_file else None
            listed.append(Organization(section.name, section.token, token_file, section))
    return listed


def _is_misspelt(document: Document, item: Location, *keys: str) -> bool:
    """Whether a noted mistake may be why none of the keys has a value."""
    faulty = (str(key).partition(":")[0] for key in document.faulty_keys(item))
    return document.is_faulty(item) or any(did_you_mean(key, keys) for key in faulty)


def _environment_target(names: list[str], environment: Environment, report: Report, *, certain: bool) -> str | None:
    """Return the name of the organisation whose token stands in the environment, if there is one."""
    given = environment.given
    if given.isdisjoint({TOKEN, TOKEN_FILE}):
        if certain and environment.name is not None and environment.name not in names:
            report.add_environment(
                NAME, f"no token for this organisation: set {TOKEN} or {TOKEN_FILE}", environment.near_miss
            )
        return None
    if NAME in given or not certain:
        return environment.name
    if len(names) == 1:
        return names[0]
    report.add_environment(
        TOKEN if TOKEN in given else TOKEN_FILE,
        f"which of the {len(names)} organisations is the token for? set {NAME}"
        if names
        else f"the token has no organisation: set {NAME}",
        environment.near_miss,
    )
    return None


def _check_credential(
    document: Document, index: int, section: OrganizationSection, folder: Path, environment: Environment
) -> None:
    """See that an organisation of the file, whose token is not the environment's, has one token."""
    item: Location = ("organizations", index)
    place: Location = (*item, "token_file")
    if section.token is not None and section.token_file is not None:
        document.add_fault(place, InvalidValueError("given together with token", "remove one of them"))
    elif section.token_file is not None:
        reason = _why_unusable(folder / section.token_file)
        if reason:
            document.add_fault(place, InvalidValueError(reason, relative_hint(section.token_file)))
    elif section.token is None and not _is_misspelt(document, item, "token", "token_file"):
        meant_by_environment = section.name is None and environment.given & {TOKEN, TOKEN_FILE}
        if not meant_by_environment:
            document.add_fault(item, InvalidValueError("neither token nor token_file is given", environment.near_miss))


def _why_unusable(token_file: Path) -> str:
    """Return what is wrong with the file, without its name, which may be a token, and without its content."""
    try:
        with token_file.open("rb") as file:
            content = file.read(_LARGEST_TOKEN_FILE)
    except OSError as error:
        return cannot_read(error)
    try:
        parse_token(content.decode("ascii", "replace"))
    except InvalidValueError as error:
        return f"in the file: {error.message}"
    return ""
