"""Builds the configuration of `theeye-exporter actions`: defaults < file < environment < flags."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from theeye_exporter.actions.loading_actions import check_actions
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.config.document import Document, Location
from theeye_exporter.config.networks import Networks
from theeye_exporter.config.organization_files import Listing
from theeye_exporter.config.organizations import find_organizations
from theeye_exporter.config.problems import Report
from theeye_exporter.config.sources import Sources
from theeye_exporter.config.state import check_state_file
from theeye_exporter.config.web_file import read_web_file
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.tokens import secret_from_file
from theeye_exporter.values.durations import format_duration
from theeye_exporter.values.errors import InvalidValueError, did_you_mean
from theeye_exporter.values.settings import merged
from theeye_exporter.values.text import shown

__all__ = ["check_target", "load", "state_file"]

_CANARIES: Final = "canaries"


def load(flags: argparse.Namespace, environ: Mapping[str, str]) -> ActionsSettings:
    """Return the effective configuration.

    Args:
        flags: The result of a parser with the flags of `ActionsSettings`.
        environ: The environment variables.

    Raises:
        ConfigError: The configuration is invalid; the error holds all mistakes in file, environment and flags.
    """
    report = Report()
    sources = Sources(ActionsSettings, flags, environ, report)
    networks = Networks(environ, report)
    networks.check_tls(sources, Listing(sources.document, sources.file.get("organizations", ()), report))
    organizations = [merged(one, networks.of(one)) for one in find_organizations(sources)]
    names = [one["name"] for one in organizations]
    canaries, actions = _canaries(sources, names), check_actions(sources, names, check_target)
    _check_shared(sources.document, canaries, actions)
    _check_work(sources)
    check_state_file(sources)
    web_file = sources.values["web"].get("config_file")
    if web_file is not None:
        read_web_file(web_file, report)
    report.raise_problems()
    return ActionsSettings.model_validate(
        sources.values | {"organizations": tuple(organizations), _CANARIES: tuple(canaries), "actions": tuple(actions)}
    )


def state_file(flags: argparse.Namespace, environ: Mapping[str, str]) -> Path | None:
    """Return the state file, whether there is a configuration or not; None if nothing names it.

    Args:
        flags: The result of a parser with the flags of `ActionsSettings`.
        environ: The environment variables.

    Raises:
        ConfigError: The flags, or the file of the configuration, have mistakes.
    """
    report = Report()
    path: Path | None = Sources(ActionsSettings, flags, environ, report).values["state"].get("file")
    report.raise_problems()
    return path


def _check_work(sources: Sources) -> None:
    document = sources.document
    given = sources.file.get(_CANARIES) or sources.file.get("actions")
    if given or not document.complete or document.is_faulty((_CANARIES,), ("actions",)):
        return
    if document.file:
        error = InvalidValueError("there is no canary and no action, so there is nothing to do")
        document.add_fault((_CANARIES,), error)
    else:
        sources.report.add_flag("--config.file", "missing", "name a file that has canaries or actions")


def _check_shared(document: Document, canaries: list[dict[str, Any]], actions: list[dict[str, Any]]) -> None:
    """Report actions that start what a canary starts: a run whose start got no answer could be taken for the other's."""
    for index, action in enumerate(actions):
        for number, canary in enumerate(canaries):
            if action.get("organization") != canary.get("organization"):
                continue
            for key in ("task", "workflow"):
                if key in action and key in canary and _same(action[key], canary[key]):
                    line = document.lines.get((_CANARIES, number, key), 0)
                    message = f"the canary on line {line} starts the same {key}"
                    error = InvalidValueError(message, f"give each a {key} of its own")
                    document.add_fault(("actions", index, key), error)


def _same(one: str, other: str) -> bool:
    """Whether two names are those of the same thing; one may have a host."""
    return one == other or one.rpartition("@")[0] == other or other.rpartition("@")[0] == one


def _canaries(sources: Sources, organizations: list[str]) -> list[dict[str, Any]]:
    document = sources.document
    sections: tuple[dict[str, Any], ...] = sources.file.get(_CANARIES, ())
    first: dict[tuple[str, str], int] = {}
    checked = []
    for index, section in enumerate(sections):
        item: Location = (_CANARIES, index)
        section = check_target(document, item, section, organizations)  # noqa: PLW2901 - now with its organisation
        if "name" not in section and not document.faulty_keys(item):
            document.add_fault((*item, "name"), InvalidValueError("name is missing"))
        identity = section.get("organization", ""), section.get("name", "")
        if (
            all(identity)
            and (line := first.setdefault(identity, document.lines[*item, "name"])) != (document.lines[*item, "name"])
        ):
            document.add_fault((*item, "name"), InvalidValueError(f"this name is already used on line {line}"))
        _check_times(document, item, section)
        checked.append(section)
    return checked


def check_target(
    document: Document, item: Location, section: dict[str, Any], organizations: list[str]
) -> dict[str, Any]:
    """Return an item that starts something with the name of its organisation, and report mistakes.

    Args:
        document: The configuration file.
        item: The place of the item.
        section: The item.
        organizations: The names of all organisations.
    """
    faulty = document.faulty_keys(item) or document.is_faulty(item)
    if not {"task", "workflow"} & section.keys() and not faulty:
        document.add_fault(item, InvalidValueError("neither task nor workflow is given"))
    if {"task", "workflow"} <= section.keys():
        document.add_fault((*item, "workflow"), InvalidValueError("given together with task", "remove one of them"))
    if (path := section.get("secret_file")) is not None:
        try:
            secret_from_file(path)()
        except UpstreamError as error:
            document.add_fault((*item, "secret_file"), InvalidValueError(error.detail))
    name = section.get("organization")
    if name is None and len(organizations) == 1:
        return section | {"organization": organizations[0]}
    if name is None and organizations and not faulty:
        message = f"organization is missing: {len(organizations)} organisations are configured"
        document.add_fault((*item, "organization"), InvalidValueError(message))
    elif name is not None and organizations and name not in organizations:
        message = f"no organisation has the name {shown(name)}"
        document.add_fault((*item, "organization"), InvalidValueError(message, did_you_mean(name, organizations)))
    return section


def _check_times(document: Document, item: Location, section: dict[str, Any]) -> None:
    """Check that a run is over before the next one starts."""
    settings = {"interval": 300.0, "timeout": 120.0} | section
    interval, timeout = settings["interval"], settings["timeout"]
    if timeout <= interval or document.is_faulty((*item, "interval"), (*item, "timeout")):
        return
    key = "timeout" if "timeout" in section else "interval"
    message = f"timeout ({format_duration(timeout)}) is longer than interval ({format_duration(interval)})"
    document.add_fault((*item, key), InvalidValueError(message, "a run has to be over before the next one starts"))
