"""Tests each cell of the tables in `ledger/update.py`: how the state of a job changes."""

from typing import Any, Final

import msgspec
import pytest

from ledger.polling import BOUNDS, START, TASK, iso, result
from theeye_exporter.ledger.records import Cursor, KnownJob, Presence, ResultOf, RunTotals
from theeye_exporter.ledger.state import State
from theeye_exporter.ledger.update import LedgerUpdate, Poll
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES, OPEN_LIFECYCLES, Outcome
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.models import Job

OPEN, MISSING, UNLISTED, ENDED, CHANGED, DAMAGED = Presence
RUN: Final = "run"

LISTED: Final[dict[str | None, dict[Presence | None, Presence | str]]] = {
    **{
        key: {None: OPEN, OPEN: OPEN, MISSING: OPEN, UNLISTED: OPEN, ENDED: OPEN, CHANGED: OPEN}
        for key in OPEN_LIFECYCLES
    },
    **{key: {None: RUN, OPEN: RUN, MISSING: RUN, UNLISTED: RUN} for key in ENDED_LIFECYCLES},
    "thawing": {None: OPEN, OPEN: OPEN, MISSING: UNLISTED, UNLISTED: OPEN, ENDED: OPEN, CHANGED: OPEN},
    None: {None: OPEN, OPEN: OPEN, MISSING: MISSING, UNLISTED: UNLISTED, ENDED: ENDED, CHANGED: CHANGED},
}


def state_of(presence: Presence | None, read: ResultOf = ResultOf.READ) -> State:
    """Return a ledger that knows the job `a` in this state; its last run took a second and succeeded."""
    state = State(Cursor(START + 100, START, START))
    if presence is not None:
        ended = presence in {ENDED, CHANGED}
        job = KnownJob(TASK, "backup", START + 50, presence, read if ended else ResultOf.NONE, counted=True)
        if ended:
            job.runs, job.finished, job.outcome, job.duration, job.exit_code = 1, START + 50, Outcome.SUCCESS, 1.0, 0
        state.put_job("a", job)
        state.totals[TASK] = RunTotals(jobs_seen=1)
    return state


def job_of(lifecycle: str | None, *, updated: float = 110, state: str = "success", **fields: Any) -> Job:
    document = {"id": "a", "_type": "ScriptJob", "task_id": "t1", "last_update": iso(updated), **fields}
    return msgspec.convert(document | {"lifecycle": lifecycle, "state": state}, Job)


def polled(state: State, *jobs: Job) -> LedgerUpdate:
    return LedgerUpdate(
        state, BOUNDS, Poll(changed=jobs, open_jobs=(), date=START + 120, complete=False, room=UNBOUNDED)
    )


def became(update: LedgerUpdate, state: State) -> Presence | str | None:
    """Return the new state of the job; `RUN` if a run was recorded and counted."""
    before, job = state.jobs.get("a"), update.changes.jobs.get("a", state.jobs.get("a"))
    totals = update.changes.totals.get(TASK)
    runs = sum(totals.runs.values()) if totals is not None else 0
    recorded = 0 if job is None else job.runs - (before.runs if before is not None else 0)
    assert recorded == runs
    if runs:
        assert (runs, job and job.presence) == (1, ENDED)
        return RUN
    return None if job is None else job.presence


@pytest.mark.parametrize(
    ("lifecycle", "presence", "expected"),
    [(lifecycle, presence, expected) for lifecycle, row in LISTED.items() for presence, expected in row.items()],
)
def test_a_listed_job(lifecycle: str | None, presence: Presence | None, expected: Presence | str) -> None:
    state = state_of(presence)
    assert became(polled(state, job_of(lifecycle)), state) == expected


@pytest.mark.parametrize(
    ("presence", "expected"),
    [(None, None), (OPEN, MISSING), (MISSING, MISSING), (UNLISTED, UNLISTED), (ENDED, ENDED), (CHANGED, CHANGED)],
)
def test_a_job_that_no_list_has(presence: Presence | None, expected: Presence | None) -> None:
    state = state_of(presence)
    assert became(polled(state), state) == expected


@pytest.mark.parametrize(
    ("presence", "deleted", "unanswered"), [(MISSING, None, MISSING), (CHANGED, ENDED, ENDED), (ENDED, ENDED, ENDED)]
)
def test_a_job_that_cannot_be_fetched_in_full(
    presence: Presence, deleted: Presence | None, unanswered: Presence
) -> None:
    state = state_of(presence, ResultOf.WANTED)
    update = polled(state)
    assert update.wanted() == ["a"]
    update.take_result("a", None)
    assert became(update, state) == deleted
    update = polled(state)
    for _ in range(3):
        update.fail_result("a")
    assert became(update, state) == unanswered
    if unanswered is ENDED:
        assert (update.wanted(), update.without_result) == ([], 1)


@pytest.mark.parametrize("known", [ENDED, CHANGED])
@pytest.mark.parametrize("read", ResultOf)
@pytest.mark.parametrize(
    ("told", "full", "expected", "after"),
    [
        ({"state": "failure"}, False, RUN, ResultOf.WANTED),
        ({"state": "failure", "result": result(1)}, True, RUN, ResultOf.READ),
        ({}, False, CHANGED, None),
        ({"_type": "DummyJob"}, False, None, None),
        ({"result": result(1)}, True, ENDED, ResultOf.READ),
        ({"result": result(2)}, True, {ResultOf.READ: RUN}, ResultOf.READ),
    ],
)
def test_an_ended_job_that_changed(
    *, told: dict[str, Any], full: bool, expected: Any, after: ResultOf | None, read: ResultOf, known: Presence
) -> None:
    state = state_of(known, read)
    job = job_of("finished", **told)
    update = polled(state) if full else polled(state, job)
    if full:
        update.take_result("a", job)
    if isinstance(expected, dict):
        expected = expected.get(read, ENDED)
    assert became(update, state) == (expected or known)
    changed = update.changes.jobs["a"]
    assert changed is not None
    assert (changed.result, changed.updated) == (after or read, START + 110)
    observed = update.changes.totals.get(TASK)
    times = 0 if observed is None or observed.duration is None else sum(observed.duration.counts)
    assert times == (full and (expected == RUN or read is ResultOf.WANTED))


def test_an_ended_job_that_did_not_change() -> None:
    for presence in (ENDED, CHANGED):
        state = state_of(presence)
        update = polled(state, job_of("finished", updated=50, state="failure"))
        assert (became(update, state), update.changes.jobs) == (presence, {})


def test_a_damaged_job_is_taken_for_a_new_one_that_may_be_counted_already() -> None:
    for lifecycle, expected in (("ready", OPEN), ("finished", ENDED)):
        state = state_of(DAMAGED)
        update = polled(state, job_of(lifecycle))
        job = update.changes.jobs["a"]
        assert job is not None
        totals = update.changes.totals.get(TASK)
        runs = {} if totals is None else totals.runs
        assert (job.presence, job.counted, runs) == (expected, False, {})
