"""Turns the settings of a canary or an action into the target to start, and the way to start it."""

from typing import Any

from theeye_exporter.actions.connections import Connection
from theeye_exporter.actions.rows import Target
from theeye_exporter.actions.settings import ActionSettings, CanarySettings, TargetSettings
from theeye_exporter.actions.targets import Found, find_task, find_task_on, find_tasks, find_workflow, fitted
from theeye_exporter.actions.upstream import HttpUpstream
from theeye_exporter.polling.connecting import protected
from theeye_exporter.theeye.tokens import secret_from_file

__all__ = ["find", "find_anywhere", "find_on", "find_target", "upstream_of"]


def find(settings: TargetSettings, connection: Connection) -> Found:
    """Find the task or workflow in TheEye, among those of the organisation.

    Raises:
        TargetError: There is none, or there are several.
        UpstreamError: TheEye did not answer.
    """
    if settings.task is not None:
        return find_task(connection.client, settings.task)
    return find_workflow(connection.client, settings.workflow or "")


def find_on(settings: TargetSettings, connection: Connection, hostname: str) -> Found:
    """Find the task on a host that a stranger may have named; raise as `find`."""
    return find_task_on(connection.client, settings.task or "", hostname)


def find_anywhere(settings: ActionSettings, connection: Connection) -> list[Found]:
    """Find all that an action may start, on whatever host the alert is; raise as `find`."""
    if settings.hostname_from is None:
        return [find(settings, connection)]
    return find_tasks(connection.client, settings.task or "")


def find_target(settings: CanarySettings, connection: Connection) -> tuple[Target, tuple[tuple[int, Any], ...]]:
    """Return what is started, and the order and the value of each argument; raise as `find`, or if these do not fit."""
    found = find(settings, connection)
    return found.target, fitted(found, settings.arguments)


def upstream_of(settings: TargetSettings, connection: Connection) -> HttpUpstream:
    """Return TheEye as starts need it: with the secret key if there is one, otherwise with the token."""
    path = settings.secret_file
    return HttpUpstream(connection.client, None if path is None else protected(secret_from_file(path)))
