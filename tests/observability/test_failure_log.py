"""Tests failures in the log: an outage of a night takes a few lines, and so does a recurring failure."""

import io
import re

import pytest

from theeye_exporter.observability.digest import Digest
from theeye_exporter.observability.failure_log import FailureLog
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.theeye.errors import Reason


class Log:
    """A failure log, its clock, and what it has written."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        configure_logging("info", "logfmt", stream=self._stream)
        self.failures = FailureLog("demo", Digest(lambda: self.now))

    def fail(
        self, reason: Reason, *, collector: str = "jobs", detail: str = "it failed", bug: Exception | None = None
    ) -> None:
        self.failures.failed(collector, reason, detail, bug=bug)

    def written(self) -> str:
        """Return all lines."""
        return self._stream.getvalue()

    def told(self) -> list[str]:
        """Return of each line what, who and why."""
        keys = ("msg", "collector", "reason", "after", "failures", "suppressed")
        lines = []
        for line in self.written().splitlines():
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
    assert told[0] == "collection failed collector=monitors reason=unreachable"
    assert told[1] == "collection failed collector=monitors reason=unreachable suppressed=39"
    assert told[-1] == "collection works again collector=jobs after=unreachable failures=3840"


def test_a_recurring_failure_is_logged_as_rarely(log: Log) -> None:
    for _ in range(60 * 2):
        log.fail(Reason.TIMEOUT)
        log.now += 15
        log.failures.succeeded("jobs")
        log.now += 15
    told = log.told()
    assert [line.partition(" reason")[0].partition(" after")[0] for line in told] == [
        "collection failed collector=jobs",
        "collection works again collector=jobs",
    ] * 4
    assert told[2] == "collection failed collector=jobs reason=timeout suppressed=9"


def test_a_reason_after_another_is_told_and_their_end_is_one_line(log: Log) -> None:
    log.fail(Reason.UNREACHABLE)
    log.fail(Reason.SERVER_ERROR)
    log.fail(Reason.UNREACHABLE)
    log.failures.succeeded("jobs")
    log.failures.succeeded("jobs")
    assert log.told() == [
        "collection failed collector=jobs reason=unreachable",
        "collection failed collector=jobs reason=server_error",
        "collection works again collector=jobs after=unreachable failures=2",
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
    assert log.told() == ["collection failed collector=jobs reason=unauthorized"]


def test_a_bug_is_one_of_its_collector_and_told_with_its_place(log: Log) -> None:
    for collector in ("jobs", "tasks", "jobs"):
        try:
            int("s3cret")
        except ValueError as error:
            log.fail(Reason.INTERNAL, collector=collector, bug=error)
    text = log.written()
    assert text.count("level=error") == text.count("exception=ValueError at=test_failure_log.py:") == 2
    assert "s3cret" not in text


def test_each_new_text_of_a_persistent_failure_is_logged_once(log: Log) -> None:
    for _ in range(30):
        for detail in ("TheEye answered 500", "TheEye answered 502"):
            log.fail(Reason.SERVER_ERROR, detail=detail)
            log.now += 5
    log.failures.succeeded("jobs")
    assert log.told() == [
        "collection failed collector=jobs reason=server_error",
        "collection failed collector=jobs reason=server_error",
        "collection works again collector=jobs after=server_error failures=60",
    ]
    assert 'detail="TheEye answered 502"' in log.written()


def test_a_server_that_always_finds_other_words_fills_neither_the_log_nor_the_memory(log: Log) -> None:
    for number in range(1_000):
        log.fail(Reason.REDIRECTED, detail=f"TheEye redirects to http://host-{number}")
    assert len(log.told()) == 21
    (failure,) = log.failures._failures.values()
    assert len(failure.repetitions) == 21
