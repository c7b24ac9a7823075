"""Finds the one task or workflow that a person or a configuration names, and fits values to its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from theeye_exporter.actions.rows import Target
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.models import Host
from theeye_exporter.theeye.run_models import Argument, StartableTask, StartableWorkflow
from theeye_exporter.theeye.starting import StartingClient, is_object_id

__all__ = ["Found", "TargetError", "by_position", "find_task", "find_task_on", "find_tasks", "find_workflow", "fitted"]

_NAMED_AT_MOST: Final = 10
_FIXED: Final = "fixed"
_VERSION_THAT_ENDS: Final = 2
"""TheEye ends the runs of workflows of this version and later."""


class TargetError(Exception):
    """Nothing was started, since it is not clear what was meant; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        target: What is started.
        name: Its name.
        hostname: The host of the task; empty without one.
        arguments: Order and label of each argument that needs a value; None if the task cannot be seen.
        note: What to know about its runs, for people; may be empty.
        schedule_note: Says so if TheEye itself starts the task, too; may be empty.
    """

    target: Target
    name: str
    hostname: str
    arguments: tuple[tuple[int, str], ...] | None
    note: str = ""
    schedule_note: str = ""


def find_task(client: StartingClient, wanted: str) -> Found:
    """Find a task by id, by name, or by `name@hostname`.

    Raises:
        TargetError: there is none, or there are several.
        UpstreamError: TheEye did not answer.
    """
    if is_object_id(wanted):
        tasks = client.startable_tasks(task_id=wanted).items
    else:
        tasks = client.startable_tasks(name=wanted).items
        name, at, hostname = wanted.rpartition("@")
        if not tasks and at:
            tasks = [task for task in client.startable_tasks(name=name).items if _hostname(task) == hostname]
    return _single(client, wanted, tasks)


def find_task_on(client: StartingClient, name: str, hostname: str) -> Found:
    """Find the task with this name on this host, which a stranger may have named; raise as `find_task`."""
    tasks = [task for task in client.startable_tasks(name=name).items if _hostname(task) == hostname]
    return _single(client, f"{name}@{hostname}", tasks)


def find_tasks(client: StartingClient, name: str) -> list[Found]:
    """Find the tasks with this name, on whatever hosts; raise as `find_task`, but not if there are several."""
    tasks = client.startable_tasks(name=name).items
    return [_found(task) for task in tasks] or [_single(client, name, tasks)]


def _single(client: StartingClient, wanted: str, tasks: Sequence[StartableTask]) -> Found:
    if not tasks:
        raise TargetError(
            f"this token sees no task {wanted!r} in organisation {client.organization} that TheEye can run"
        )
    if len(tasks) > 1:
        raise TargetError(_several(wanted, "task", [f"{_hostname(task) or 'no host'}, {task.id}" for task in tasks]))
    return _found(tasks[0])


def _found(task: StartableTask) -> Found:
    note = "" if task.enable is not False else "the task is disabled, but TheEye still runs it"
    also = "the task also has a schedule in TheEye" if task.schedules else ""
    return Found(Target("task", task.id, task.id), text(task.name), _hostname(task), _needed(task), note, also)


def find_workflow(client: StartingClient, wanted: str) -> Found:
    """Find a workflow by id or by name; raise as `find_task`."""
    by_id = is_object_id(wanted)
    listing = client.startable_workflows(workflow_id=wanted) if by_id else client.startable_workflows(name=wanted)
    if not listing.items:
        raise TargetError(f"this token sees no workflow {wanted!r} in organisation {client.organization}")
    if len(listing.items) > 1:
        raise TargetError(_several(wanted, "workflow", [str(one.id) for one in listing.items]))
    (workflow,) = listing.items
    first = text(workflow.start_task_id)
    seen = client.startable_tasks(task_id=first).items if is_object_id(first) else []
    needed = _needed(seen[0]) if seen else None
    return Found(Target("workflow", workflow.id, first), text(workflow.name), "", needed, _note(workflow))


def fitted(found: Found, values: Sequence[str]) -> tuple[tuple[int, Any], ...]:
    """Return the order and the value of each argument.

    Raises:
        TargetError: there are more or fewer values than the task has arguments; TheEye would accept some of these.
    """
    needed = found.arguments
    if needed is None:
        return by_position(values)
    if len(values) != len(needed):
        labels = f" ({', '.join(label for _, label in needed)})" if needed else ""
        count = f"{len(needed)} argument{'' if len(needed) == 1 else 's'}"
        given = "1 value is" if len(values) == 1 else f"{len(values) or 'no'} values are"
        raise TargetError(f"the {found.target.kind} has {count}{labels}, but {given} given")
    return tuple((order, value) for (order, _), value in zip(needed, values, strict=True))


def by_position(values: Sequence[str]) -> tuple[tuple[int, Any], ...]:
    """Return the values with their positions, for a task that cannot be seen."""
    return tuple(enumerate(values))


def _needed(task: StartableTask) -> tuple[tuple[int, str], ...]:
    listed = task.task_arguments if isinstance(task.task_arguments, list) else []
    arguments = [one for one in listed if isinstance(one, Argument) and one.type != _FIXED]
    ordered = [(one.order, text(one.label)) for one in arguments if isinstance(one.order, int)]
    return tuple(sorted(ordered))


def _hostname(task: StartableTask) -> str:
    return text(task.hostname) or (text(task.host.hostname) if isinstance(task.host, Host) else "")


def _note(workflow: StartableWorkflow) -> str:
    version = workflow.version if isinstance(workflow.version, int) else 1
    return "" if version >= _VERSION_THAT_ENDS else "the workflow is of version 1: TheEye never ends its runs"


def _several(wanted: str, kind: str, candidates: Sequence[str]) -> str:
    some = "; ".join(candidates[:_NAMED_AT_MOST])
    more = f"; and {len(candidates) - _NAMED_AT_MOST} more" if len(candidates) > _NAMED_AT_MOST else ""
    how = "give name@hostname or the id" if kind == "task" else "give the id"
    return f"{len(candidates)} {kind}s are named {wanted!r} ({some}{more}); {how}"
