"""Failures in the log: a night's outage is a few lines, and so is what comes and goes."""

import io
import re

import pytest

from theeye_exporter.collectors.failure_log import FailureLog
from theeye_exporter.logs import configure_logging
from theeye_exporter.theeye.errors import Reason


class Log:
    """A failure log, its clock, and what it has written."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        configure_logging("info", "logfmt", stream=self._stream)
        self.failures = FailureLog("demo", lambda: self.now)

    def fail(self, reason: Reason, *, collector: str = "jobs", bug: Exception | None = None) -> None:
        self.failures.failed(collector, reason, "it failed", bug=bug)

    def told(self) -> list[str]:
        """Return of each line what, who and why."""
        keys = ("msg", "collector", "reason", "after", "failures", "suppressed")
        lines = []
        for line in self._stream.getvalue().splitlines():
            found = {key: re.search(rf' {key}=("[^"]*"|\S+)', line) for key in keys}
            words = {key: match[1].strip('"') for key, match in found.items() if match}
            lines.append(" ".join([words.pop("msg"), *(f"{key}={value}" for key, value in words.items())]))
        return lines


@pytest.fixture
def log() -> Log:
    return Log()


def test_an_outage_of_a_night_is_a_few_lines(log: Log) -> None:
    for _ in range(8 * 60 * 4):
        for collector in ("monitors", "jobs"):
            log.fail(Reason.UNREACHABLE, collector=collector)
        log.now += 15
    log.failures.succeeded("monitors")
    log.failures.succeeded("jobs")
    told = log.told()
    assert len(told) == 12
    assert told[0] == "collecting fails collector=monitors reason=unreachable"
    assert told[1] == "collecting fails collector=monitors reason=unreachable suppressed=39"
    assert told[-1] == "collecting works again collector=jobs after=unreachable failures=3840"


def test_what_comes_and_goes_is_told_as_rarely(log: Log) -> None:
    for _ in range(60 * 2):
        log.fail(Reason.TIMEOUT)
        log.now += 15
        log.failures.succeeded("jobs")
        log.now += 15
    told = log.told()
    assert [line.partition(" reason")[0].partition(" after")[0] for line in told] == [
        "collecting fails collector=jobs",
        "collecting works again collector=jobs",
    ] * 4
    assert told[2] == "collecting fails collector=jobs reason=timeout suppressed=9"


def test_a_reason_after_another_is_told_and_their_end_is_one_line(log: Log) -> None:
    log.fail(Reason.UNREACHABLE)
    log.fail(Reason.SERVER_ERROR)
    log.fail(Reason.UNREACHABLE)
    log.failures.succeeded("jobs")
    log.failures.succeeded("jobs")
    assert log.told() == [
        "collecting fails collector=jobs reason=unreachable",
        "collecting fails collector=jobs reason=server_error",
        "collecting works again collector=jobs after=unreachable failures=2",
    ]


def test_a_reason_is_over_when_nobody_meets_it_any_more(log: Log) -> None:
    log.fail(Reason.UNAUTHORIZED, collector="jobs")
    log.fail(Reason.UNAUTHORIZED, collector="tasks")
    log.failures.succeeded("jobs")
    assert len(log.told()) == 1
    log.failures.forget("tasks")  # it was switched off
    log.fail(Reason.UNAUTHORIZED, collector="jobs")
    log.now += 300
    log.failures.succeeded("jobs")
    assert log.told() == ["collecting fails collector=jobs reason=unauthorized"]


def test_a_bug_is_one_of_its_collector_and_told_with_its_place(log: Log) -> None:
    for collector in ("jobs", "tasks", "jobs"):
        try:
            int("s3cret")
        except ValueError as error:
            log.fail(Reason.INTERNAL, collector=collector, bug=error)
    text = log._stream.getvalue()
    assert text.count("level=error") == text.count("exception=ValueError at=test_failure_log.py:") == 2
    assert "s3cret" not in text
