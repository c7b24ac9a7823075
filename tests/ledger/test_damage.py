"""Tests flipped bits, lost rows and older formats of the state file: no count changes silently."""

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import structlog.testing

from ledger.polling import BOUNDS, START, TASK, Poller, result
from theeye_exporter.ledger.failures import BEGIN_ANEW
from theeye_exporter.ledger.records import LastRun, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.rows import Damage
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.ledger.triggers import Scheduled
from theeye_exporter.theeye.lifecycle import Outcome

FILES: Final = int(os.environ.get("DAMAGED_FILES", "60"))
SEED: Final = int(os.environ.get("DAMAGE_SEED", "0"))
FORMAT_1: Final = Path(__file__).with_name("format_1.sql")
OTHER: Final = RunKey(RunKind.TASK, "t2")
COUNTED: Final = {TASK: 40, OTHER: 20}
FOLLOWED: Final = {TASK: (3, None), OTHER: (1, START + 200)}
"""Of what `poller_of` returns: failures since the last success, and the trigger that created no job."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def poller_of(path: Path, *, jobs: int = 60) -> Poller:
    """Return a TheEye with this many counted runs, and its ledger on disk."""
    storage = Storage(path)
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.put("before", 0, _type="DummyJob")
    poller.poll()
    poll_schedule(poller, triggered=50, now=60)
    for number in range(jobs):
        task, state = "t2" if number % 3 == 0 else "t1", "failure" if number >= jobs - 4 else "success"
        poller.put(f"job-{number}", 100 + number, result=result(number), task_id=task, state=state)
    poller.put("open", 99, lifecycle="ready")
    poll_schedule(poller, triggered=200, now=300)
    storage.close()
    return poller


def poll_schedule(poller: Poller, *, triggered: int, now: int) -> None:
    """Poll when the schedule of the task `t2` was last due at `triggered`, and TheEye counts no job more than before."""
    cycle = poller.cycle()
    cycle.triggers.compare({OTHER: Scheduled(START + triggered, 20)}, START + now, saw_all=True)
    poller.ledger.commit(cycle)


def runs_of(poller: Poller) -> dict[RunKey, int]:
    return {run_key: sum(totals.runs.values()) for run_key, totals in poller.ledger.totals.items()}


def followed_of(poller: Poller) -> dict[RunKey, tuple[int, float | None]]:
    """Return the failures since the last success, and the trigger that created no job, of each task."""
    return {
        run_key: (totals.consecutive_failures, totals.triggers.waiting if totals.triggers else None)
        for run_key, totals in poller.ledger.totals.items()
        if run_key.kind is RunKind.TASK
    }


def reopened(poller: Poller, path: Path) -> Storage:
    storage = Storage(path)
    poller.ledger = RunLedger("demo", storage, BOUNDS)
    return storage


def tampered(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


# Damaged rows

JOB_DAMAGE: Final = {
    "value": "UPDATE ledger SET value = CAST(replace(value, 'backup', 'bacKup') AS BLOB) WHERE id = 'job-7'",
    "value that is none": "UPDATE ledger SET value = '{' WHERE id = 'job-7'",
    "checksum": "UPDATE ledger SET checksum = checksum + 1 WHERE id = 'job-7'",
    "id": "UPDATE ledger SET id = 'joB-7' WHERE id = 'job-7'",
    "id that is no text": "UPDATE ledger SET id = CAST(x'ff37' AS TEXT) WHERE id = 'job-7'",
    "type of the id": "UPDATE ledger SET id = CAST(id AS BLOB) WHERE id = 'job-7'",
    "type of the value": "UPDATE ledger SET value = CAST(value AS TEXT) WHERE id = 'job-7'",
    "type of the checksum": "UPDATE ledger SET checksum = CAST(checksum AS BLOB) WHERE id = 'job-7'",
    "kind": "UPDATE ledger SET kind = 'jnb' WHERE id = 'job-7'",
    "type of the kind": "UPDATE ledger SET kind = CAST(kind AS BLOB) WHERE id = 'job-7'",
    "type of the organisation": "UPDATE ledger SET organization = CAST(organization AS BLOB) WHERE id = 'job-7'",
    "organisation": "UPDATE ledger SET organization = 'dem' WHERE id = 'job-7'",
    "lost": "DELETE FROM ledger WHERE id = 'job-7'",
    "every row": "UPDATE ledger SET value = CAST(replace(value, 'backup', 'bacKup') AS BLOB) WHERE kind = 'job'",
    "all lost": "DELETE FROM ledger WHERE kind = 'job'",
}


@pytest.mark.parametrize("statement", JOB_DAMAGE.values(), ids=JOB_DAMAGE)
def test_a_damaged_job_stays_as_counted_and_the_others_count_on(statement: str, path: Path) -> None:
    poller = poller_of(path)
    tampered(path, statement)
    with structlog.testing.capture_logs() as logs:
        storage = reopened(poller, path)
    (told,) = logs
    assert (told["log_level"], told["organization"], told["file"]) == ("error", "demo", str(path))
    assert told["event"] == "rows of the state file were damaged; no count changed"
    assert poller.ledger.damage == Damage(jobs=62 if "kind = 'job'" in statement else 1)
    poller.put("ended meanwhile", 1000, result=result(5))
    for complete in (True, False, True):
        poller.poll(complete=complete)
        assert runs_of(poller) == COUNTED | {TASK: 41}
        assert followed_of(poller) == FOLLOWED | {TASK: (0, None)}
    poller.put("open", 1010, lifecycle="finished", result=result(5))
    poller.put("job-7", 1020, lifecycle="ready")
    poller.poll()
    poller.put("job-7", 1030, lifecycle="finished", result=result(6))
    poller.poll()
    assert runs_of(poller) == COUNTED | {TASK: 43}
    storage.close()
    with structlog.testing.capture_logs() as logs:
        reopened(poller, path).close()
    assert (logs, poller.ledger.damage, runs_of(poller)) == ([], Damage(), COUNTED | {TASK: 43})


def test_a_damaged_job_is_not_counted_again_though_it_was_edited_meanwhile(path: Path) -> None:
    poller = poller_of(path)
    tampered(path, JOB_DAMAGE["value"])
    poller.put("job-7", 1000)
    storage = reopened(poller, path)
    poller.poll(complete=True)
    assert runs_of(poller) == COUNTED
    storage.close()


def test_a_damaged_job_that_was_open_is_counted_when_it_ends(path: Path) -> None:
    poller = poller_of(path)
    tampered(path, "UPDATE ledger SET value = '{' WHERE id = 'open'")
    storage = reopened(poller, path)
    seen = poller.totals().jobs_seen
    poller.poll(complete=True)
    assert poller.totals().jobs_seen == seen
    poller.put("open", 1000, lifecycle="finished", result=result(5))
    poller.poll()
    assert runs_of(poller) == COUNTED | {TASK: 41}
    storage.close()


def test_a_kill_before_the_first_poll_changes_nothing_of_that(path: Path) -> None:
    poller = poller_of(path)
    tampered(path, *JOB_DAMAGE.values())
    for _ in range(2):
        reopened(poller, path).close()
    storage = reopened(poller, path)
    poller.poll(complete=True)
    assert runs_of(poller) == COUNTED
    storage.close()


ACCOUNT_DAMAGE: Final = {
    "totals": "UPDATE ledger SET value = CAST(replace(value, ':37', ':38') AS BLOB) WHERE id = 't1' AND organization = 'demo'",
    "totals that are no JSON": "UPDATE ledger SET value = '{' WHERE id = 't1' AND organization = 'demo'",
    "totals' checksum": "UPDATE ledger SET checksum = checksum + 1 WHERE id = 't1' AND organization = 'demo'",
    "totals' id": "UPDATE ledger SET id = 't3' WHERE id = 't1' AND organization = 'demo'",
    "type of the totals' id": "UPDATE ledger SET id = CAST(id AS BLOB) WHERE id = 't1' AND organization = 'demo'",
    "totals' kind": "UPDATE ledger SET kind = 'workflow' WHERE id = 't1' AND organization = 'demo'",
    "totals' organisation": "UPDATE ledger SET organization = 'other' WHERE id = 't1' AND organization = 'demo'",
    "lost totals": "DELETE FROM ledger WHERE id = 't1' AND organization = 'demo'",
    "cursor": "UPDATE ledger SET value = CAST(replace(value, '1', '2') AS BLOB) WHERE kind = 'cursor' AND organization = 'demo'",
    "lost cursor": "DELETE FROM ledger WHERE kind = 'cursor' AND organization = 'demo'",
    "cursor's kind": "UPDATE ledger SET kind = 'c' WHERE kind = 'cursor' AND organization = 'demo'",
}


@pytest.mark.parametrize("statement", ACCOUNT_DAMAGE.values(), ids=ACCOUNT_DAMAGE)
def test_a_damaged_account_begins_the_ledger_anew_and_says_so(statement: str, path: Path) -> None:
    poller = poller_of(path)
    storage = Storage(path)
    neighbour = Poller(RunLedger("other", storage, BOUNDS))
    neighbour.poll()
    neighbour.put("a", 70, result=result(1), task_id="t9")
    neighbour.poll()
    storage.close()
    tampered(path, statement)
    with structlog.testing.capture_logs() as logs:
        storage = reopened(poller, path)
    (told,) = logs
    assert (told["log_level"], told["organization"], told["file"]) == ("error", "demo", str(path))
    assert told["event"] == "rows of the state file were damaged; the organisation's counters begin at 0"
    assert "restore a copy of the file" in told["advice"]
    assert poller.ledger.damage == Damage(accounts=1)
    assert (dict(poller.ledger.totals), poller.ledger.known_jobs, poller.ledger.cursor) == ({}, 0, None)
    poller.poll()
    assert set(runs_of(poller).values()) == {0}
    poller.put("a", 1000, result=result(1))
    poller.poll()
    assert poller.runs == {"success": 1}
    other = RunLedger("other", storage, BOUNDS)
    assert (other.totals, other.damage) == (neighbour.ledger.totals, Damage())
    storage.close()
    with structlog.testing.capture_logs() as logs:
        reopened(poller, path).close()
    assert (logs, poller.runs) == ([], {"success": 1})


@pytest.mark.parametrize("column", ["organization", "kind", "id"])
def test_a_key_that_became_a_blob_is_damaged_although_its_bytes_are_right(column: str, path: Path) -> None:
    poller = poller_of(path)
    tampered(path, f"UPDATE ledger SET {column} = CAST({column} AS BLOB) WHERE id = 'job-52'")  # noqa: S608 - columns above
    with structlog.testing.capture_logs() as logs:
        storage = reopened(poller, path)
    assert poller.ledger.damage == Damage(jobs=1)
    assert [line["log_level"] for line in logs] == ["error"]
    poller.poll(complete=True)
    assert runs_of(poller) == COUNTED
    storage.close()


@pytest.mark.parametrize("share", range(4))
def test_flipped_bits_change_no_count_in_silence(
    share: int, path: Path, record_property: Callable[[str, object], None]
) -> None:
    poller = poller_of(path)
    whole, expected = path.read_bytes(), poller.ledger.totals
    chance = random.Random(4 * SEED + share)  # noqa: S311 - chance, no secret
    verdicts: Counter[str] = Counter()
    for _ in range(FILES):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        verdicts[verdict_on(path, poller, expected)] += 1
        for left in path.parent.iterdir():
            left.unlink()
    assert {"harmless", "kept"} <= verdicts.keys() <= {BEGIN_ANEW, "harmless", "kept", "anew"}
    for verdict, count in verdicts.items():
        record_property(verdict, count)


def verdict_on(path: Path, poller: Poller, expected: object) -> str:
    """Return what became of a damaged file whose jobs have not changed since; fail on a wrong count without a message."""
    with structlog.testing.capture_logs() as logs:
        try:
            storage = reopened(poller, path)
        except LedgerError as error:
            return str(error).rpartition("; ")[2]
    damage = poller.ledger.damage
    anew = bool(damage.accounts)
    poller.poll(complete=True)
    poller.poll(complete=True)
    assert runs_of(poller) == (dict.fromkeys(COUNTED, 0) if anew else COUNTED)
    assert anew or followed_of(poller) == FOLLOWED
    assert anew or {o: a.duration for o, a in poller.ledger.totals.items()} == {
        run_key: totals.duration for run_key, totals in poller_totals(expected).items()
    }
    assert [line["log_level"] for line in logs] == (["error"] if damage != Damage() else [])
    storage.close()
    return "anew" if anew else "kept" if damage.jobs else "harmless"


def poller_totals(totals: object) -> dict[RunKey, RunTotals]:
    assert isinstance(totals, dict)
    return totals


def test_a_damaged_log_takes_whole_polls_back_and_says_so_unless_it_was_the_last_one(path: Path) -> None:
    storage = Storage(path)
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    poller.poll()
    after = [(runs_of(poller), followed_of(poller))]
    for number in range(12):
        poller.put(f"job-{number}", 100 + number, result=result(number), state="failure" if number % 5 else "success")
        poll_schedule(poller, triggered=50 if number < 4 else 60, now=100 + 10 * number)
        after.append((runs_of(poller), followed_of(poller)))
    file, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    chance = random.Random(1)  # noqa: S311 - chance, no secret
    told = 0
    for number, place in enumerate([*range(0, 32, 4), *chance.sample(range(len(log)), 40)]):
        broken = bytearray(log)
        broken[place] ^= 1 << chance.randrange(8)
        copy = path.with_name(f"copy-{number}")
        copy.write_bytes(file)
        Path(f"{copy}-wal").write_bytes(broken)
        with structlog.testing.capture_logs() as logs:
            reopened(poller, copy).close()
        assert bool(poller.ledger.damage.polls) == bool(logs)
        assert (runs_of(poller), followed_of(poller)) in (after if logs else after[-2:])
        told += bool(logs)
    assert told > 30
    storage.close()


def test_a_writer_that_was_killed_leaves_a_log_that_is_not_damaged(path: Path) -> None:
    storage = Storage(path)
    poller = Poller(RunLedger("demo", storage, BOUNDS))
    after: list[tuple[object, object]] = [({}, {})]
    for number in range(3):
        poller.put(f"job-{number}", 100 + number, result=result(number), state="failure")
        poll_schedule(poller, triggered=50 + 10 * number, now=100 + 50 * number)
        after.append((runs_of(poller), followed_of(poller)))
    file, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    for number, size in enumerate(range(0, len(log), 2000)):
        copy = path.with_name(f"copy-{number}")
        copy.write_bytes(file)
        Path(f"{copy}-wal").write_bytes(log[:size])
        with structlog.testing.capture_logs() as logs:
            reopened(poller, copy).close()
        assert (poller.ledger.damage, logs) == (Damage(), [])
        assert (runs_of(poller), followed_of(poller)) in after
    storage.close()


# Files of format 1


@pytest.fixture
def old(path: Path) -> Iterator[tuple[Poller, Storage]]:
    """What the first version has written after some polls, and TheEye as it is later."""
    with sqlite3.connect(path) as db:
        db.executescript(FORMAT_1.read_text())
    db.close()
    storage = Storage(path)
    yield Poller(RunLedger("demo", storage, BOUNDS)), storage
    storage.close()


def test_a_file_of_format_1_counts_on_where_it_was(old: tuple[Poller, Storage], path: Path) -> None:
    poller, storage = old
    assert (poller.ledger.damage, poller.ledger.known_jobs, poller.ledger.backlog) == (Damage(), 14, 4)
    assert poller.runs == {"failure": 1, "success": 6, "canceled": 1}
    for job_id, updated, fields in (
        ("before", 0, {"result": result(9)}),
        ("counted", 70, {"state": "failure", "result": result(0.5)}),
        ("twice", 95, {"result": result(2)}),
        ("canceled", 73, {"lifecycle": "canceled", "state": "canceled"}),
        ("dummy", 74, {"_type": "DummyJob"}),
        ("flow", 75, {"_type": "WorkflowJob", "workflow_id": "w1"}),
        ("update", 76, {"_type": "AgentUpdateJob", "task_id": None, "state": None}),
        ("late", -5, {"result": result(9), "task_id": "t2"}),
        ("unread", 200, {"result": result(20)}),
        # What happened since:
        ("edited", 201, {"result": result(4)}),  # was run again
        ("again", 212, {"state": "failure", "result": result(7, 1)}),
        ("open", 214, {"result": result(1)}),
        ("vanished", 210, {"result": result(6)}),
        ("thawing", 213, {"result": result(8)}),
    ):
        poller.put(job_id, updated, **fields)
    for lost in (1, 0):  # the first result of `again`
        assert poller.poll(complete=True).without_result == lost
        assert poller.runs == {"failure": 2, "success": 10, "canceled": 1}
        assert (poller.durations, poller.turnarounds) == ((10, 53.5), (10, 1399.0))
        assert poller.totals().last == LastRun("open", "backup", START + 214, Outcome.SUCCESS, 214.0, 1.0, 0)
        workflow, update = RunKey(RunKind.WORKFLOW, "w1"), RunKey(RunKind.OTHER, "AgentUpdateJob")
        counted = {run_key: runs for run_key, runs in runs_of(poller).items() if run_key != TASK}
        assert counted == {workflow: 1, update: 1, RunKey(RunKind.TASK, "t2"): 0}
    assert poller.asked == ["open", "vanished", "again", "thawing", "unread", "edited"]
    with structlog.testing.capture_logs() as logs:
        storage.close()
        reopened(poller, path).close()
    assert (logs, poller.runs) == ([], {"failure": 2, "success": 10, "canceled": 1})


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("UPDATE ledger SET value = '{' WHERE id IN ('counted', 'open')", Damage(jobs=2)),
        ("UPDATE ledger SET value = '{' WHERE id = 't1'", Damage(accounts=1)),
        ("UPDATE ledger SET kind = 'tusk' WHERE id = 't1'", Damage(accounts=1)),
        ("DELETE FROM ledger WHERE kind = 'cursor'", Damage(accounts=1)),
    ],
)
def test_what_cannot_be_read_of_format_1_is_damaged(statement: str, damage: Damage, path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.executescript(FORMAT_1.read_text() + statement)
    db.close()
    with structlog.testing.capture_logs() as logs:
        storage = Storage(path)
    storage.close()
    assert storage.damage_of("demo") == damage
    assert [line["log_level"] for line in logs] == ["error"]
