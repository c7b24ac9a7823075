"""Starts one run, or attaches to one, and follows it until it has ended or the time is up."""

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from theeye_exporter.actions.cancelling import Cancelling
from theeye_exporter.actions.report import Exit, RunReport, harmless
from theeye_exporter.actions.rows import ByArguments, Phase, Row, Timing
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.store import MemoryStore
from theeye_exporter.actions.targets import Found
from theeye_exporter.actions.upstream import HttpUpstream
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, Outcome, outcome_of
from theeye_exporter.theeye.run_models import RunJob
from theeye_exporter.theeye.starting import StartingClient

__all__ = ["Progress", "Run", "Wishes"]

_ID: Final = "run"
_QUICK: Final = 30.0
_CANCEL_FOR: Final = 60.0
"""For so many seconds TheEye is asked to cancel a run."""

_WAITING: Final = {
    "onhold": "on hold: it waits for a person",
    "syncing": "syncing: it waits until whoever started it releases it",
    "locked": "locked",
}


class Progress(Protocol):
    """Shows how far a run is."""

    def __call__(self, words: str, seconds: float) -> None:
        """Show it.

        Args:
            words: what the run is doing.
            seconds: since the command began.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user wants.

    Attributes:
        timeout: Seconds to wait for the end at most.
        wait: Whether to wait for the end at all.
        cancel_on_interrupt: Whether an interruption cancels the run.
        pauses: Seconds between two looks, for the first half minute and later.
    """

    timeout: float = 600.0
    wait: bool = True
    cancel_on_interrupt: bool = False
    pauses: tuple[float, float] = (1.0, 10.0)


class Run:
    """One run.

    Args:
        client: The client of the organisation.
        wishes: What the user wants.
        interrupted: Set when the user interrupts the command.
        progress: Shows how far the run is.
        clocks: The clocks to use.
    """

    def __init__(
        self,
        client: StartingClient,
        wishes: Wishes,
        interrupted: threading.Event,
        progress: Progress,
        clocks: Clocks | None = None,
    ) -> None:
        self._client = client
        self._wishes = wishes
        self._interrupted = interrupted
        clocks = clocks or Clocks()
        self._wall = clocks.wall
        self._monotonic = clocks.monotonic
        self._progress = progress
        self._pauses = wishes.pauses
        self._began = self._monotonic()
        self._until = self._began + wishes.timeout
        self._trouble = ""

    def start(self, found: Found, arguments: tuple[tuple[int, object], ...], upstream: HttpUpstream) -> RunReport:
        """Start it with one request, and follow it.

        Args:
            found: What to start.
            arguments: The order and the value of each argument.
            upstream: TheEye.
        """
        row = Row(id=_ID, target=found.target, arguments=arguments, by_secret=upstream.by_secret)
        store = MemoryStore([row])
        timing = Timing()
        if max(self._pauses) < max(timing.looks):
            timing = replace(timing, looks=self._pauses)
        starter = Starter(upstream, store, self._wall, timing, by_arguments=ByArguments.ALWAYS)
        row = starter.advance(row)
        while row.phase is Phase.SENDING and not self._out_of_time:
            self._show("the answer was lost; looking for the run")
            self._pause(min(max(0.0, row.next_look - self._wall()), max(timing.looks)))
            row = starter.advance(row)
        report = self._report_start(row)
        report = replace(report, name=found.name, hostname=found.hostname, target_id=found.target.id)
        if report.exit is not Exit.STILL_RUNNING:
            return self._finished(report)
        if not self._wishes.wait or not upstream.can_look:
            return self._finished(replace(report, exit=Exit.SUCCESS, message=f"Started job {row.job_id}."))
        return self._follow(report)

    def attach(self, job_id: str) -> RunReport:
        """Follow a run that exists already."""
        return self._follow(RunReport(exit=Exit.STILL_RUNNING, message="", job_id=job_id))

    def _report_start(self, row: Row) -> RunReport:
        report = RunReport(exit=Exit.STILL_RUNNING, message="", job_id=row.job_id, lifecycle=row.lifecycle)
        if row.phase is Phase.ENDED:
            return replace(report, outcome=row.outcome)
        if row.phase is Phase.STARTED:
            return report
        if row.phase in {Phase.REFUSED, Phase.DECIDED}:
            return replace(report, exit=Exit.REFUSED, message=f"Nothing was started: {row.why}.")
        since = datetime.fromtimestamp(row.sent_at, UTC).strftime("%H:%M:%S UTC")
        words = (
            f"Nobody knows whether the run was started: {row.why}. Before you start it again, look in TheEye for a job of "
            f"{row.target.kind} {row.target.id} created since {since}."
        )
        return replace(report, exit=Exit.FATE_UNKNOWN, message=words)

    def _follow(self, report: RunReport) -> RunReport:
        cancelling: Cancelling | None = None
        while True:
            report = self._look(report)
            if report.outcome is not None:
                return self._ended(report)
            if self._interrupted.is_set():
                if not self._wishes.cancel_on_interrupt:
                    return self._still_running(report, "The command was interrupted, and the run continues")
                if cancelling is None:
                    self._show("cancelling")
                    cancel = partial(self._client.cancel, report.job_id)
                    cancelling = Cancelling(cancel, self._monotonic, _CANCEL_FOR)
                cancelling.work()
                self._trouble = cancelling.trouble or self._trouble
                if cancelling.failed:
                    taken = not cancelling.trouble
                    why = (
                        "TheEye accepted the cancellation, but the run continues"
                        if taken
                        else "TheEye did not accept the cancellation"
                    )
                    return self._still_running(report, why)
            elif self._out_of_time:
                return self._still_running(report, "The command stopped waiting after --timeout")
            self._show(self._words(report))
            self._pause(self._pauses[self._monotonic() - self._began > _QUICK], cancelling=cancelling is not None)

    def _look(self, report: RunReport) -> RunReport:
        try:
            # The list never fails to answer, unlike a job that is not shared with us.
            job = self._client.runs([report.job_id]).get(report.job_id)
            if job is None:
                job = self._client.run(report.job_id)
            self._trouble = ""
        except UpstreamError as error:
            self._trouble = error.detail
            return report
        if job is None:
            return replace(report, outcome=Outcome.UNKNOWN, lifecycle="")
        return _with(report, job)

    def _ended(self, report: RunReport) -> RunReport:
        try:
            job = self._client.run(report.job_id)
        except UpstreamError as error:
            job = None
            self._progress(f"the result cannot be read: {error.detail}", self._seconds)
        success = report.outcome is Outcome.SUCCESS
        words = f"Job {report.job_id} of {report.name!r}" if report.name else f"Job {report.job_id}"
        if report.outcome is Outcome.UNKNOWN and job is None:
            message = f"{words} has been deleted by TheEye: nobody knows how it ended."
        else:
            message = f"{words} ended: {report.outcome}."
        code = Exit.SUCCESS if success else Exit.ENDED_OTHERWISE
        return self._finished(replace(report, exit=code, message=message, job=job))

    def _still_running(self, report: RunReport, why: str) -> RunReport:
        trouble = f" Requests to TheEye fail: {self._trouble}." if self._trouble else ""
        message = f"{why}: job {report.job_id} is {self._words(report)}.{trouble}"
        return self._finished(replace(report, message=message))

    def _finished(self, report: RunReport) -> RunReport:
        return replace(report, seconds=self._seconds)

    def _words(self, report: RunReport) -> str:
        return _WAITING.get(report.lifecycle, harmless(report.lifecycle) or "started")

    def _show(self, words: str) -> None:
        self._progress(f"{words}; requests to TheEye fail: {self._trouble}" if self._trouble else words, self._seconds)

    @property
    def _seconds(self) -> float:
        return self._monotonic() - self._began

    @property
    def _out_of_time(self) -> bool:
        return self._interrupted.is_set() or self._monotonic() >= self._until

    def _pause(self, seconds: float, *, cancelling: bool = False) -> None:
        if cancelling:
            threading.Event().wait(seconds)
        else:
            self._interrupted.wait(max(0.0, min(seconds, self._until - self._monotonic())))


def _with(report: RunReport, job: RunJob) -> RunReport:
    lifecycle = text(job.lifecycle)
    ended = lifecycle in ENDED_LIFECYCLES
    return replace(report, lifecycle=lifecycle, outcome=outcome_of(lifecycle, text(job.state)) if ended else None)
