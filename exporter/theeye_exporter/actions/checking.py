"""Looks in TheEye for everything that a configuration names, without starting anything; `theeye-exporter actions check`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TextIO

from theeye_exporter.actions.aims import find, find_anywhere
from theeye_exporter.actions.connections import Connection, Connections
from theeye_exporter.actions.settings import ActionSettings, ActionsSettings, CanarySettings
from theeye_exporter.actions.state_file import copied
from theeye_exporter.actions.targets import Found, TargetError, fitted
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.ledger.failures import LedgerError, require_permission
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.web.humanize import clean

__all__ = ["check", "print_table"]

_HEADERS: Final = ("organization", "name", "result", "target")
_AT_THE_SAME_TIME: Final = 8


def check(settings: ActionsSettings, out: TextIO) -> int:
    """Print a table with a row for each canary and each action, and whether the state file can be used.

    Returns:
        0 if all can start, otherwise 1.
    """
    connections = Connections(Telemetry(SnapshotStore((), lambda: 0.0)))
    by_name = {organization.name: connections.of(organization) for organization in settings.organizations}
    listed: list[CanarySettings | ActionSettings] = [*settings.canaries, *settings.actions]
    with ThreadPoolExecutor(_AT_THE_SAME_TIME) as pool:
        seen = list(pool.map(lambda one: _examined(one, by_name[one.organization or ""]), listed))
    canaries = {
        found.target.id: one.name
        for one, (_, all_found) in zip(listed, seen, strict=True)
        if isinstance(one, CanarySettings)
        for found in all_found
    }
    rows = []
    for one, (wrong, all_found) in zip(listed, seen, strict=True):
        kind = "canary"
        if isinstance(one, ActionSettings):
            kind = "action"
            shared = [canaries[found.target.id] for found in all_found if found.target.id in canaries]
            wrong = wrong or (f"canary {shared[0]} starts it, too; give the action a task of its own" if shared else "")  # noqa: PLW2901
        rows.append((one.organization or "", f"{kind} {one.name}", wrong or "ok", "" if wrong else _said(all_found)))
    print_table((_HEADERS, *rows), out)
    print(file=out)
    unusable = _state_file_fault(settings)
    if unusable:
        print(f"{unusable}.", file=out)
    if wrong_ones := sum(result != "ok" for _, _, result, _ in rows):
        print(f"Canaries and actions that cannot start anything: {wrong_ones:,} of {len(rows):,}.", file=out)
    if wrong_ones or unusable:
        return 1
    print(
        "Everything was found. Nothing was started, so only the first run shows whether the token may start runs.",
        file=out,
    )
    return 0


def _state_file_fault(settings: ActionsSettings) -> str:
    """Return why the state file cannot be used, if there is one; another process may use it now."""
    path = settings.state.file
    if path is None:
        return ""
    try:
        require_permission(path)
        if path.exists():
            with TemporaryDirectory() as folder:
                copied(path, Path(folder) / path.name).close()
    except LedgerError as error:
        return str(error)
    return ""


def _examined(settings: CanarySettings | ActionSettings, connection: Connection) -> tuple[str, list[Found]]:
    """Return why it cannot start, in words, and what it starts."""
    try:
        if isinstance(settings, CanarySettings):
            all_found, values = [find(settings, connection)], settings.arguments
        else:
            all_found, values = find_anywhere(settings, connection), ("",) * len(settings.arguments)
        for found in all_found:
            fitted(found, values)
    except TargetError as error:
        return str(error), []
    except UpstreamError as error:
        return f"{error.detail}; {error.reason.advice}", []
    return "", all_found


def _said(all_found: Sequence[Found]) -> str:
    first = all_found[0]
    notes = "; ".join(dict.fromkeys(note for one in all_found for note in (one.note, one.schedule_note) if note))
    note = f"; note: {notes}" if notes else ""
    if len(all_found) > 1:
        return f"task {first.name} on {len(all_found):,} hosts{note}"
    name = f"{first.name}@{first.hostname}" if first.hostname else first.name
    return f"{first.target.kind} {name} ({first.target.id}){note}"


def print_table(rows: Sequence[tuple[str, ...]], out: TextIO) -> None:
    """Print rows in columns; control characters are not printed."""
    shown = [tuple(clean(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=out)
