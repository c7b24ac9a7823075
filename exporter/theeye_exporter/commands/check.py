"""Configuration and one collection without serving, as a table: `theeye-exporter check`."""

from collections.abc import Iterable, Sequence
from typing import TextIO

from theeye_exporter.assembly import Exporter
from theeye_exporter.collectors.runner import EMPTY_ADVICE
from theeye_exporter.config import Settings, StateSettings, describe
from theeye_exporter.status import CollectorStatus, OrganizationStatus

__all__ = ["check"]

_HEADERS = ("organization", "collector", "result", "objects", "skipped", "seconds")


def check(settings: Settings, out: TextIO) -> int:
    """Collect once from every organisation and print what came of it.

    Returns:
        The exit code: 0 if everything works, 1 if something does not.
    """
    print("Configuration:\n", file=out)
    print("".join(f"  {line}\n" for line in describe(settings).splitlines()), file=out)
    if settings.shard.count > 1:
        print(f"{_shard(settings)}\n", file=out)
    if not settings.organizations:
        return 0
    # A dry collection: the state file stays with the exporter that may be running.
    exporter = Exporter(settings.model_copy(update={"state": StateSettings()}))
    try:
        for runner in exporter.runners:
            runner.run()
    finally:
        exporter.stop()
    organizations = exporter.board.organizations
    statuses = [status for organization in organizations for status in organization.collectors]
    print(_table(_HEADERS, map(_row, statuses)), file=out)
    problems = list(_problems(organizations))
    for problem in problems:
        print(f"\n{problem}", file=out)
    empty = [_name(status) for status in statuses if status.success and not status.objects]
    if empty:
        print(f"\nwarning: {', '.join(empty)} found nothing: {EMPTY_ADVICE}", file=out)
    if problems:
        return 1
    if len(empty) == len(statuses):
        print("\nEverything answers, but there is nothing to export.", file=out)
        return 0
    snapshot = exporter.store.current()
    print(f"\nEverything works; a scrape would have {snapshot.series} series of TheEye's objects.", file=out)
    return 0


def _shard(settings: Settings) -> str:
    own, elsewhere, shard = len(settings.organizations), settings.elsewhere, settings.shard
    return (
        f"Shard {shard.index} of {shard.count} (from 0): {own or 'none'} of {own + elsewhere} "
        f"organisation{'s' if own + elsewhere > 1 else ''} belong{'s' if 1 in {own, own + elsewhere} else ''} to it."
    )


def _problems(organizations: Sequence[OrganizationStatus]) -> Iterable[str]:
    for organization in organizations:
        if not organization.collectors:
            yield f"problem: {organization.name}: every collector is switched off; nothing would be exported"
        errors: dict[str, list[str]] = {}
        for status in organization.collectors:
            if status.error is not None:
                errors.setdefault(status.error, []).append(status.collector)
        for error, collectors in errors.items():
            yield f"problem: {organization.name} ({', '.join(collectors)}) at {organization.url}: {error}"


def _row(status: CollectorStatus) -> tuple[str, ...]:
    return (
        status.organization,
        status.collector,
        "ok" if status.success else str(status.reason),
        "" if status.objects is None else str(status.objects),
        "" if status.objects is None else str(status.skipped),
        "" if status.duration is None else f"{status.duration:.2f}",
    )


def _name(status: CollectorStatus) -> str:
    return f"{status.organization}/{status.collector}"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [headers, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
