"""Checks the configuration, collects once and prints the result; `theeye-exporter check`."""

import argparse
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TextIO

from theeye_exporter import NO_DATA, config
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.commands.access import doubts, what_is_seen
from theeye_exporter.config import Settings, StateSettings
from theeye_exporter.config.description import describe
from theeye_exporter.config.loading import load
from theeye_exporter.ledger.storage import refusal
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.runner import CollectorRunner
from theeye_exporter.polling.status import EMPTY_ADVICE, CollectorStatus, OrganizationStatus, StatusBoard
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.humanize import counted, listed

__all__ = ["check", "run"]

_HEADERS: Final = ("organization", "collector", "result", "objects", "skipped", "seconds")
_NAMED_AT_MOST: Final = 10

_ALL_IN_TABLE_AT_MOST: Final = 20
"""Of more organisations than this, the table shows only those with problems."""

_AT_THE_SAME_TIME: Final = 32
"""Number of organisations that are asked at the same time."""

_IMPATIENT: Final = (
    "(timeout): the check gave up. It waits for a list only as long as `timeout`, but the exporter waits for up to five "
    "minutes; if TheEye needs more time for its lists, set a longer `timeout` for the check"
)

_ERASE_REST: Final = "\x1b[K"
"""Erases what stands to the right (ECMA-48, EL)."""


def run(flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Run `check` with the configuration that flags and environment give."""
    settings = config.only(flags.organization, load(flags, environ))
    configure_logging("error", settings.log.format, config.secrets_in(settings))
    progress = Progress(sys.stderr if sys.stderr.isatty() else None, len(settings.organizations))
    return check(settings, out, progress, config_only=flags.config_only, show_config=flags.show_config)


class Progress:
    """Shows on a terminal how many organisations are checked. Safe for threads.

    Args:
        terminal: where to show it; None to show nothing.
        total: number of organisations.
    """

    def __init__(self, terminal: TextIO | None, total: int) -> None:
        self._terminal = terminal
        self._total = total
        self._lock = threading.Lock()
        self._done = self._wrong = 0

    def checked(self, *, works: bool) -> None:
        """Show that another organisation is checked."""
        with self._lock:
            self._done += 1
            self._wrong += not works
            self._show(
                f"{self._done:,} of {counted(self._total, 'organisation')} checked"
                + (f", {self._wrong:,} with problems" if self._wrong else "")
            )

    def clear(self) -> None:
        """Remove what is shown."""
        self._show("")

    def _show(self, text: str) -> None:
        if self._terminal is not None:
            self._terminal.write(f"\r{text}{_ERASE_REST}")
            self._terminal.flush()


def check(
    settings: Settings,
    out: TextIO,
    progress: Progress | None = None,
    *,
    config_only: bool = False,
    show_config: bool = False,
) -> int:
    """Collect once from every organisation, and print first whether everything works.

    Args:
        settings: a valid configuration.
        out: where to print.
        progress: shows how far it is.
        config_only: sends nothing to TheEye.
        show_config: also prints the configuration, at the end.

    Returns:
        The exit code: 0 if there is no problem, otherwise 1.
    """
    unusable = "" if settings.state.file is None else refusal(settings.state.file)
    if unusable:
        print(f"The exporter would not start: {unusable}.\n", file=out)
    if config_only or not settings.organizations:
        print(f"The configuration is valid: {counted(len(settings.organizations), 'organisation')}.", file=out)
        code = 0
    else:
        code = _collect(settings, out, progress or Progress(None, len(settings.organizations)), starts=not unusable)
    if settings.shard.count > 1:
        print(f"\n{_shard(settings)}", file=out)
    if show_config:
        print(f"\nConfiguration:\n\n{describe(settings)}", end="", file=out)
    return 1 if unusable else code


def _collect(settings: Settings, out: TextIO, progress: Progress, *, starts: bool) -> int:
    # Collect without the state file: an exporter that is running may use it.
    exporter = Exporter(settings.model_copy(update={"state": StateSettings()}), is_patient=False)
    try:
        timeouts = {organization.name: organization.timeout for organization in settings.organizations}
        _run_all(exporter.runners, exporter.board, progress, timeouts)
    finally:
        progress.clear()
        exporter.stop()
    organizations = exporter.board.organizations
    problems = _gathered(_problems(settings, organizations))
    odd = _gathered((o.name, f"at {o.url}: {words}") for o in organizations for words in doubts(o))
    off = _gathered(_switched_off(settings))
    if problems:
        wrong = len({name for names in problems.values() for name in names})
        total = len(settings.organizations)
        print(f"Something is wrong with {wrong:,} of {counted(total, 'organisation')}.", file=out)
        if total > 1:
            print(_tally(organizations), file=out)
    else:
        works = "Everything works" if starts and not off else "All enabled collectors work"
        series = exporter.store.current().series
        print(f"{works}{', with warnings' if odd else ''}; a scrape would have {series} series.", file=out)
    for kind, told in (
        ("problem", problems),
        ("warning", odd),
        ("note", _gathered(_impatient(organizations))),
        ("note", off),
        ("note", _gathered(_unverified(settings))),
    ):
        for words, names in told.items():
            print(f"\n{kind}: {listed(names, at_most=_NAMED_AT_MOST)} {words}", file=out)
    many = len(organizations) > _ALL_IN_TABLE_AT_MOST
    shown_ones = [o for o in organizations if not many or any(_problems_of(o)) or any(doubts(o))]
    for organization in shown_ones:
        if seen := what_is_seen(organization):
            print(f"\naccess: {organization.name}: {seen}", file=out)
    statuses = [status for organization in shown_ones for status in organization.collectors]
    if statuses:
        print(f"\n{_table(_HEADERS, map(_row, statuses))}", file=out)
    if omitted := len(organizations) - len(shown_ones):
        print(
            f"\nNot shown: {counted(omitted, 'organisation')} without problems. --organization NAME shows one.",
            file=out,
        )
    if problems or odd:
        print(f"\nMore help: {NO_DATA}", file=out)
    return 1 if problems else 0


def _tally(organizations: Iterable[OrganizationStatus]) -> str:
    """Count the organisations by result: the reason of the first collector that failed, or `ok`."""
    results = Counter(
        next((str(status.reason) for status in organization.collectors if status.reason is not None), "ok")
        for organization in organizations
    )
    return "Results: " + ", ".join(f"{number:,} {result}" for result, number in results.most_common()) + "."


def _run_all(
    runners: Iterable[CollectorRunner], board: StatusBoard, progress: Progress, timeouts: Mapping[str, float]
) -> None:
    """Run the collectors of each organisation one after the other, and many organisations at the same time.

    After a timeout, or a failure that every request would meet, the other collectors of the organisation are not tried; after
    any other failure, they are not tried once half of its timeout is over.
    """
    by_organization = defaultdict(list)
    for runner in runners:
        by_organization[runner.client.organization].append(runner)

    def run(name: str) -> None:
        began = time.monotonic()
        for runner in by_organization[name]:
            runner.run()
            collectors = board.organization(name).collectors
            is_slow = time.monotonic() - began > timeouts[name] / 2
            if any(map(_is_futile, collectors)) or (is_slow and any(one.success is False for one in collectors)):
                break
        progress.checked(works=not any(_problems_of(board.organization(name))))

    with ThreadPoolExecutor(_AT_THE_SAME_TIME) as threads:
        for _ in threads.map(run, by_organization):
            pass


def _is_futile(status: CollectorStatus) -> bool:
    """Whether further requests would only take as long again and fail for the same reason."""
    return status.reason is not None and (status.reason is Reason.TIMEOUT or status.reason.concerns_everything)


def _shard(settings: Settings) -> str:
    own, elsewhere, shard = len(settings.organizations), settings.elsewhere, settings.shard
    return (
        f"Shard {shard.index} of {shard.count} (numbered from 0) has {own or 'none'} of "
        f"{counted(own + elsewhere, 'organisation')}."
    )


def _gathered(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return each message about organisations once, with the names of the organisations that it concerns."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, words in told:
        names[words].append(name)
    return names


def _problems(settings: Settings, organizations: Iterable[OrganizationStatus]) -> Iterator[tuple[str, str]]:
    for configured in settings.organizations:
        if not any(collector.enabled for _, collector in configured.collectors):
            yield configured.name, "(all collectors): disabled; nothing would be exported"
    for organization in organizations:
        for problem in _problems_of(organization):
            yield organization.name, problem


def _problems_of(organization: OrganizationStatus) -> Iterator[str]:
    where = f"at {organization.url}"
    errors: dict[str, list[str]] = defaultdict(list)
    for status in organization.collectors:
        if status.error is not None:
            errors[status.error].append(status.collector)
    for error, collectors in errors.items():
        yield f"({', '.join(collectors)}) {where}: {error}"
    if untried := [status.collector for status in organization.collectors if status.success is None]:
        yield f"({', '.join(untried)}) {where}: not tried, because another collector had failed"
    for status in organization.collectors:
        if status.success and status.skipped:
            yield (
                f"({status.collector}) {where}: {counted(status.skipped, 'object')} of "
                f"{(status.objects or 0) + status.skipped:,} skipped (malformed, duplicate, of another organisation, or because of a bug); "
                "see theeye_collector_skipped_objects_total"
            )
    if organization.sees_nothing:
        yield f"{where}: the token sees nothing; {EMPTY_ADVICE}"


def _impatient(organizations: Iterable[OrganizationStatus]) -> Iterator[tuple[str, str]]:
    timed_out = (o.name for o in organizations if any(status.reason is Reason.TIMEOUT for status in o.collectors))
    return ((name, _IMPATIENT) for name in timed_out)


def _switched_off(settings: Settings) -> Iterator[tuple[str, str]]:
    for organization in settings.organizations:
        polled = [kind.name for kind in COLLECTORS if kind.enabled]
        if off := [name for name in polled if not getattr(organization.collectors, name).enabled]:
            yield organization.name, f"({', '.join(off)}): disabled, not checked and not exported"


def _unverified(settings: Settings) -> Iterator[tuple[str, str]]:
    for organization in settings.organizations:
        if organization.tls_config.insecure_skip_verify:
            yield organization.name, "(insecure_skip_verify): any certificate is accepted, even an attacker's"


def _row(status: CollectorStatus) -> tuple[str, ...]:
    return (
        status.organization,
        status.collector,
        "not tried" if status.success is None else "ok" if status.success else str(status.reason),
        "" if status.objects is None else str(status.objects),
        "" if status.objects is None else str(status.skipped),
        "" if status.duration is None else f"{status.duration:.2f}",
    )


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [headers, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
