"""Checks the section `actions` of the configuration, and makes plans of it."""

from collections.abc import Callable
from typing import Any, Final

from theeye_exporter.actions.arguments import ArgumentRule, Relabelling
from theeye_exporter.actions.limits import Limits
from theeye_exporter.actions.matchers import parse_matchers
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.regular import compile_regex
from theeye_exporter.actions.settings import ActionSettings, ArgumentSettings, RelabellingSettings
from theeye_exporter.config.document import Document, Location
from theeye_exporter.config.sources import Sources
from theeye_exporter.theeye.starting import is_object_id
from theeye_exporter.values.errors import InvalidValueError

__all__ = ["check_actions", "plan_of"]

_ACTIONS: Final = "actions"
_EVERY_ALERT: Final = """to take every alert, write 'alertname=~".+"'"""
CheckTarget = Callable[[Document, Location, dict[str, Any], list[str]], dict[str, Any]]


def check_actions(sources: Sources, organizations: list[str], check_target: CheckTarget) -> list[dict[str, Any]]:
    """Return the items with the names of their organisations, and report mistakes.

    Args:
        sources: The configuration.
        organizations: The names of all organisations.
        check_target: Checks what an item starts.
    """
    document = sources.document
    sections: tuple[dict[str, Any], ...] = sources.file.get(_ACTIONS) or ()
    lines: dict[str, int] = {}
    checked = []
    for index, section in enumerate(sections):
        item: Location = (_ACTIONS, index)
        checked.append(check_target(document, item, section, organizations))
        for key in ("name", "matchers"):
            if key not in section and not document.faulty_keys(item):
                document.add_fault((*item, key), InvalidValueError(f"{key} is missing"))
        if section.get("matchers") == ():
            document.add_fault((*item, "matchers"), InvalidValueError("there is no matcher", _EVERY_ALERT))
        name, line = section.get("name"), document.lines.get((*item, "name"), 0)
        if name is not None and (first := lines.setdefault(name, line)) != line:
            document.add_fault((*item, "name"), InvalidValueError(f"this name is already used on line {first}"))
        _check_hostname(document, item, section)
        for number, argument in enumerate(section.get("arguments") or ()):
            place = (*item, "arguments", number)
            if ("value" in argument) == ("source_labels" in argument) and not document.faulty_keys(place):
                document.add_fault(place, InvalidValueError("expected either value or source_labels"))
    if sections and sources.values["state"].get("file") is None:
        error = InvalidValueError(
            "state.file is missing",
            "actions need a state file: without it, the process could start a run again after a restart",
        )
        sources.add_fault(("state", "file"), error)
    return checked


def _check_hostname(document: Document, item: Location, section: dict[str, Any]) -> None:
    if (rule := section.get("hostname_from")) is None:
        return
    place = (*item, "hostname_from")
    task = section.get("task", "")
    if not task or is_object_id(task):
        document.add_fault(
            place, InvalidValueError("it works only if `task` is the name of a task, and not with an id or a workflow")
        )
    if not rule.get("source_labels") and not document.faulty_keys(place):
        document.add_fault(place, InvalidValueError("source_labels is missing"))


def plan_of(settings: ActionSettings) -> ActionPlan:
    """Return what an action does."""
    return ActionPlan(
        name=settings.name,
        organization=settings.organization or "",
        kind="workflow" if settings.task is None else "task",
        target=settings.task or settings.workflow or "",
        hostname_from=None if settings.hostname_from is None else _relabelling(settings.hostname_from),
        matchers=tuple(one for text in settings.matchers for one in parse_matchers(text)),
        rules=tuple(map(_rule, settings.arguments)),
        live=settings.mode == "live",
        limits=Limits(
            cooldown=settings.cooldown,
            max_concurrent=settings.max_concurrent,
            rate=settings.rate_limit,
            max_wait=settings.max_wait,
            suspend_after_failures=settings.suspend_after_failures,
        ),
        timeout=settings.timeout,
    )


def _rule(settings: ArgumentSettings) -> ArgumentRule:
    allow = None if settings.allow is None else compile_regex(settings.allow)
    return ArgumentRule(_relabelling(settings) if settings.value is None else settings.value, allow)


def _relabelling(settings: RelabellingSettings) -> Relabelling:
    regex = compile_regex(settings.regex, dot_matches_newline=True)
    return Relabelling(settings.source_labels, regex, settings.replacement, settings.separator)
