"""Tests the ledger on disk: what is read again, and the messages if it cannot be read."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.ledger.records import (
    Cursor,
    Histogram,
    KnownJob,
    LastRun,
    Presence,
    ResultOf,
    RunKey,
    RunKind,
    RunTotals,
)
from theeye_exporter.ledger.rows import Damage, encode
from theeye_exporter.ledger.state import Changes, State
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = RunKey(RunKind.TASK, "t1")
ANEW = "; move the file away (counters then start at 0)"
BUSY = "cannot use state file STATE: another process uses it; stop that process, or use another state file"
NO_DATABASE = f"cannot use state file STATE: file is not a database{ANEW}"
PERMIT = "; give the user of the process write access to the file and its folder"

# Lone surrogates do not get as far as this.
names = st.text(st.characters(codec="utf-8"), max_size=50)
seconds = st.floats(allow_nan=False, allow_infinity=False)
outcomes = st.sampled_from(Outcome)
run_keys = st.builds(RunKey, st.sampled_from(RunKind), names)
histograms = st.lists(st.tuples(seconds, st.integers(0, 2**53)), max_size=4).flatmap(
    lambda buckets: st.builds(
        Histogram,
        bounds=st.just(tuple(bound for bound, _ in buckets)),
        counts=st.just([*(count for _, count in buckets), 3]),
        sum=seconds,
        latest=st.dictionaries(st.integers(0, 30), st.tuples(names, seconds, seconds), max_size=3),
    )
)
last_runs = st.builds(
    LastRun,
    job_id=names,
    name=names,
    finished=seconds,
    outcome=outcomes,
    turnaround=st.none() | seconds,
    duration=st.none() | seconds,
    exit_code=st.none() | seconds,
)
all_totals = st.builds(
    RunTotals,
    runs=st.dictionaries(outcomes, st.integers(0, 2**53)),
    duration=st.none() | histograms,
    turnaround=st.none() | histograms,
    last=st.none() | last_runs,
    last_success=st.none() | seconds,
    jobs_seen=st.integers(-5, 2**53),
    executions_before=st.none() | st.integers(0, 2**53),
    unseen=st.integers(0, 2**53),
)
known_jobs = st.builds(
    KnownJob,
    run_key=run_keys,
    name=names,
    updated=seconds,
    presence=st.sampled_from(Presence),
    result=st.sampled_from(ResultOf),
    counted=st.booleans(),
    created=st.none() | seconds,
    runs=st.integers(0, 9),
    finished=seconds,
    outcome=outcomes,
    duration=st.none() | seconds,
    exit_code=st.none() | seconds,
    attempts=st.integers(0, 9),
)
all_changes = st.builds(
    Changes,
    cursor=st.builds(Cursor, updated=st.none() | seconds, began=st.none() | seconds),
    jobs=st.dictionaries(names, st.none() | known_jobs, max_size=4),
    totals=st.dictionaries(run_keys, st.none() | all_totals, max_size=4),
)


def job(updated: float, name: str = "backup") -> KnownJob:
    return KnownJob(TASK, name, updated, Presence.OPEN, ResultOf.NONE, counted=True)


def changes(runs: int = 1, jobs: int = 1) -> Changes:
    """Return a poll after which the task has so many runs."""
    return Changes(
        Cursor(1000.0 + runs, 1000.0),
        {f"job-{number}": job(1000.0 + runs) for number in range(jobs)},
        {TASK: RunTotals({Outcome.SUCCESS: runs})},
    )


def runs_of(storage: Storage, organization: str = "demo") -> int:
    totals = storage.load(organization).totals.get(TASK)
    return 0 if totals is None else totals.runs[Outcome.SUCCESS]


@contextmanager
def opened(path: Path) -> Iterator[Storage]:
    storage = Storage(path)
    try:
        yield storage
    finally:
        storage.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def written(path: Path) -> Path:
    """A file with one poll of the organisation `demo`."""
    with opened(path) as storage:
        storage.commit("demo", changes(runs=1, jobs=100))
    return path


def refused(path: Path) -> str:
    """Return the message for a file that cannot be opened or read: one line with its path."""
    with pytest.raises(LedgerError) as caught, opened(path) as storage:
        storage.load("demo")
    return one_line(caught.value, path)


def one_line(error: LedgerError, path: Path) -> str:
    said = str(error)
    assert str(path) in said
    assert said.isprintable()
    assert len(said) < 300 + len(str(path))
    return said.replace(str(path), "STATE")


# What comes back


@given(st.lists(all_changes, min_size=1, max_size=4))
def test_everything_comes_back_as_it_was(polls: list[Changes]) -> None:
    expected = State()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        for poll in polls:
            with opened(path) as storage:
                storage.commit("demo", poll)
            poll.apply(expected)
        with opened(path) as storage:
            assert storage.load("demo") == expected


def test_a_new_file_is_empty_and_knows_nobody(path: Path) -> None:
    with opened(path) as storage:
        assert storage.load("demo") == State()


def test_organisations_share_a_file_and_nothing_else(path: Path) -> None:
    with opened(path) as storage:
        storage.commit("demo", changes(3))
        storage.commit("Demo", changes(5))
        storage.commit('"; DROP TABLE ledger; --', changes(7))
        storage.commit("demo", Changes(Cursor(2000.0), {"job-0": None}, {TASK: RunTotals({Outcome.SUCCESS: 4})}))
    with opened(path) as storage:
        assert [runs_of(storage, name) for name in ("demo", "Demo", '"; DROP TABLE ledger; --')] == [4, 5, 7]
        assert storage.load("demo").jobs == {}
        assert storage.load("Demo").jobs.keys() == {"job-0"}
        assert storage.load("other") == State()


def test_what_is_deleted_stays_deleted(path: Path) -> None:
    with opened(path) as storage:
        storage.commit("demo", changes(1, jobs=3))
        storage.commit("demo", Changes(Cursor(2000.0), {"job-1": None, "never": None}, {TASK: None}))
    with opened(path) as storage:
        state = storage.load("demo")
        assert sorted(state.jobs) == ["job-0", "job-2"]
        assert not state.totals


def test_threads_of_several_organisations_write_at_once(path: Path) -> None:
    with opened(path) as storage:
        start = threading.Barrier(4)

        def write(organization: str) -> None:
            start.wait(60)
            for runs in range(1, 26):
                storage.commit(organization, changes(runs))

        threads = [threading.Thread(target=write, args=(f"o{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with opened(path) as storage:
        assert [runs_of(storage, f"o{number}") for number in range(4)] == [25] * 4


def test_the_name_of_the_file_has_no_second_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:state?mode=memory", "a ñ 🙂%00"):
        with opened(Path(name)) as storage:
            storage.commit("demo", changes(2))
        with opened(Path(name)) as storage:
            assert runs_of(storage) == 2
        assert (tmp_path / name).is_file()


# Other processes

WRITER = """
import signal, sys
from pathlib import Path
from theeye_exporter.ledger.records import Cursor, KnownJob, Presence, ResultOf, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.state import Changes
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = RunKey(RunKind.TASK, "t1")

def changes(runs, jobs):
    job = KnownJob(TASK, "backup", 1000.0 + runs, Presence.OPEN, ResultOf.NONE, True)
    known = {f"job-{number}": job for number in range(jobs)}
    return Changes(Cursor(1000.0 + runs), known, {TASK: RunTotals({Outcome.SUCCESS: runs})})

def wait():
    print("ready", flush=True)
    signal.pause()

class Interrupted(Storage):
    stop_after = None
    def _write(self, organization, kind, values):
        super()._write(organization, kind, values)
        if kind == self.stop_after:
            wait()

storage = Interrupted(Path(sys.argv[1]))
for runs in range(1, 4):
    storage.commit("demo", changes(runs, 10))
storage.stop_after = sys.argv[2]
if storage.stop_after == "nothing":
    wait()
storage.commit("demo", changes(1000, 20000))
wait()
"""


@contextmanager
def writer(path: Path, stop_after: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has committed three polls, and begun a large fourth one unless told to stop after nothing."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), stop_after], stdout=subprocess.PIPE, text=True, env=_environment()
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.parametrize("stop_after", ["nothing", "cursor", "job", "task", "other"])
def test_a_killed_writer_leaves_what_it_committed_and_nothing_else(stop_after: str, path: Path) -> None:
    with writer(path, stop_after) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    log = path.with_name("state-wal")
    assert log.stat().st_size > (2**20 if stop_after in {"job", "task", "other"} else 0)
    with opened(path) as storage:
        state = storage.load("demo")
        assert (runs_of(storage), state.cursor, len(state.jobs)) == (3, Cursor(1003.0), 10)
        storage.commit("demo", changes(4))
    with opened(path) as storage:
        assert runs_of(storage) == 4


def test_a_file_belongs_to_one_process_at_a_time(path: Path) -> None:
    with writer(path, "nothing") as process:
        assert refused(path) == BUSY
        process.send_signal(signal.SIGKILL)
        process.wait()
        with opened(path) as storage:
            assert runs_of(storage) == 3


def test_nor_can_one_process_open_it_twice(written: Path) -> None:
    with opened(written) as storage:
        assert refused(written) == BUSY
        storage.commit("demo", changes(2))
    with opened(written) as storage:
        assert runs_of(storage) == 2


# Files that cannot be used


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n" * 10, bytes(range(256)) * 40, b"\x00" * 8192, b"SQLite format 3\x00"]
)
def test_what_is_no_database(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert refused(path) == NO_DATABASE
    assert path.read_bytes() == content


@given(st.binary(min_size=2, max_size=9000), st.booleans())  # SQLite takes one byte for none
def test_no_bytes_at_all_raise_anything_else(content: bytes, with_header: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        path.write_bytes((b"SQLite format 3\x00\x10\x00\x02\x02\x00\x40\x20\x20" if with_header else b"") + content)
        refused(path)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_a_truncated_file(share: float, written: Path) -> None:
    whole = written.read_bytes()
    assert len(whole) > 3 * 4096
    written.write_bytes(whole[: int(len(whole) * share)])
    said = refused(written)
    assert "malformed" in said or said.startswith("state file STATE is corrupt: ") or said == NO_DATABASE


def test_a_file_that_lacks_its_last_bytes_is_refused_or_damaged(written: Path) -> None:
    whole = written.read_bytes()
    for missing in range(1, 4096, 50):
        written.write_bytes(whole[:-missing])
        said = ""
        try:
            with opened(written) as storage:
                assert storage.damage_of("demo").jobs
        except LedgerError as error:
            said = one_line(error, written)
        assert said.endswith(ANEW) or not said


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (0, "file is not a database"),
        (100, "is corrupt|malformed|not a database"),  # the root page of the catalogue
        (4096, "is corrupt|malformed"),  # the root page of the ledger
        (4096 + 8, "is corrupt|malformed"),
        (2 * 4096, "is corrupt|malformed"),  # one of its leaves
    ],
)
def test_overwritten_bytes_in_a_page(offset: int, words: str, written: Path) -> None:
    with written.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 16)
    said = refused(written)
    assert any(word in said for word in words.split("|")), said


def test_a_message_of_sqlite_that_is_no_text(written: Path) -> None:
    content = written.read_bytes()
    written.write_bytes(content.replace(b"WITHOUT ROWID", b"WITHOUT RO\xd7ID"))
    assert refused(written) == f"cannot use state file STATE: it is corrupt{ANEW}"


@given(st.data())
def test_flipped_bytes_are_refused_or_harmless_and_never_raise_anything_else(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        with opened(path) as storage:
            storage.commit("demo", changes(1, jobs=60))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            with opened(path) as storage:
                storage.load("demo")
                storage.commit("demo", changes(2, jobs=61))
        except LedgerError as error:
            one_line(error, path)


def tampered(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement, values)
    db.close()


@pytest.mark.parametrize(
    "value", [b"[", b"\xff\xfe", 5, 1.5, "text", b'{"last":"\\n"}', b'{"runs":{"x\\n":1},"name":5}']
)
@pytest.mark.parametrize(("kind", "damage"), [("job", Damage(jobs=100)), ("task", Damage(accounts=1))])
def test_a_value_that_this_program_did_not_write_is_damaged(
    kind: str, damage: Damage, value: object, written: Path
) -> None:
    tampered(written, "UPDATE ledger SET value = ? WHERE kind = ?", value, kind)
    with opened(written) as storage:
        assert storage.damage_of("demo") == damage


@pytest.mark.parametrize("value", [b"bytes\n", 5, "neither\nnor", ""])
def test_a_kind_that_this_program_did_not_write_is_damaged(value: object, written: Path) -> None:
    tampered(written, "UPDATE ledger SET kind = ? WHERE kind = 'task'", value)
    with opened(written) as storage:
        assert storage.damage_of("demo") == Damage(accounts=1)


def test_text_that_is_no_utf_8_is_damaged(written: Path) -> None:
    tampered(written, "UPDATE ledger SET id = CAST(x'ff0a00' AS TEXT) WHERE kind = 'task'")
    with opened(written) as storage:
        assert storage.damage_of("demo") == Damage(accounts=1)


def test_what_was_written_whole_and_makes_no_sense_is_refused(written: Path) -> None:
    row = encode("demo", "task", "t1", b'{"duration":{"bounds":[1.0],"counts":[1]}}')
    tampered(written, "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?)", *row)
    said = refused(written)
    assert said.startswith("state file STATE is corrupt: ")
    assert said.endswith(ANEW)


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE ledger (x)", "PRAGMA user_version = 7", "PRAGMA application_id = 7"]
)
def test_another_programs_database(statement: str, path: Path) -> None:
    tampered(path, statement)
    before = path.read_bytes()
    assert refused(path) == f"STATE is not a theeye-exporter state file; name another one, or {ANEW[2:]}"
    assert path.read_bytes() == before


def test_a_newer_versions_file(written: Path) -> None:
    tampered(written, "PRAGMA user_version = 3")
    before = written.read_bytes()
    assert refused(written) == (
        f"state file STATE was written by a newer version (format 3, this one knows 2); use that version, or {ANEW[2:]}"
    )
    assert written.read_bytes() == before


def test_a_file_without_a_format_is_refused(written: Path) -> None:
    tampered(written, "PRAGMA user_version = 0")
    assert refused(written) == f"state file STATE is corrupt: it has no format{ANEW}"


@pytest.mark.parametrize("bit", range(2, 8))
def test_a_header_that_forbids_writing_is_damage_and_no_lack_of_permission(bit: int, written: Path) -> None:
    content = bytearray(written.read_bytes())
    content[18] ^= 1 << bit  # the version that one must know to write the file
    written.write_bytes(content)
    assert refused(written) == f"cannot use state file STATE: it is corrupt: its header forbids writing{ANEW}"


@pytest.mark.parametrize("statement", ["DROP TABLE ledger", "ALTER TABLE ledger DROP COLUMN checksum"])
def test_a_file_without_its_table_is_refused(statement: str, written: Path) -> None:
    tampered(written, statement)
    said = refused(written)
    assert said.startswith("cannot use state file STATE: no such ")
    assert said.endswith(ANEW)


@pytest.mark.parametrize("where", ["folder", "below a file", "nowhere", "/proc"])
def test_where_no_file_can_be(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = {
        "folder": tmp_path,
        "below a file": tmp_path / "file" / "state",
        "nowhere": tmp_path / "missing" / "state",
        "/proc": Path("/proc/theeye-state"),
    }
    assert refused(places[where]) in {
        "cannot open state file STATE: unable to open database file; use a path in an existing folder",
        "cannot open state file STATE: it is a folder; move it away, or name a file",
        f"cannot open state file STATE: no permission to write its folder{PERMIT}",  # of /proc, for all but root
    }


@pytest.fixture
def guarded() -> Iterator[Path]:
    """A folder with a written file that its reader will not be allowed to write."""
    folder = Path(tempfile.mkdtemp())  # tmp_path cannot be entered by others
    folder.chmod(0o755)
    with opened(folder / "state") as storage:
        storage.commit("demo", changes(1))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as a user with restricted permissions."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_only_be_read(guarded: Path) -> None:
    guarded.chmod(0o777)
    (guarded / "state").chmod(0o444)
    with as_nobody():
        assert refused(guarded / "state") == f"cannot use state file STATE: no permission to read and write it{PERMIT}"


def test_a_file_that_may_not_be_read(guarded: Path) -> None:
    (guarded / "state").chmod(0)
    with as_nobody():
        assert refused(guarded / "state") == f"cannot open state file STATE: no permission to read and write it{PERMIT}"


@pytest.mark.parametrize("name", ["state", "new"])
def test_a_folder_that_may_only_be_read(name: str, guarded: Path) -> None:
    (guarded / "state").chmod(0o666)
    guarded.chmod(0o555)
    with as_nobody():
        assert refused(guarded / name).endswith(f"state file STATE: no permission to write its folder{PERMIT}")


# Failures while it runs


def test_a_full_disk_costs_nothing_that_was_written_and_heals(written: Path) -> None:
    with opened(written) as storage:
        (pages,) = storage._db.execute("PRAGMA page_count").fetchone()
        storage._db.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(3):
            with pytest.raises(LedgerError) as caught:
                storage.commit("demo", changes(2, jobs=5000))
            assert one_line(caught.value, written) == (
                "cannot write state file STATE: database or disk is full; "
                "free disk space, or check whether the disk is broken"
            )
            assert runs_of(storage) == 1
            assert len(storage.load("demo").jobs) == 100
        storage.commit("demo", changes(2))  # this fits
        storage._db.execute("PRAGMA max_page_count = 1000000")
        storage.commit("demo", changes(3, jobs=5000))
    with opened(written) as storage:
        assert (runs_of(storage), len(storage.load("demo").jobs)) == (3, 5000)


LIMITED = """
import resource, sys
from pathlib import Path
from theeye_exporter.ledger.records import Cursor, KnownJob, Presence, ResultOf, RunKey, RunKind, RunTotals
from theeye_exporter.ledger.state import Changes
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = RunKey(RunKind.TASK, "t1")

def commit(runs, jobs):
    job = KnownJob(TASK, "backup", 1000.0 + runs, Presence.OPEN, ResultOf.NONE, True)
    known = {f"job-{number}": job for number in range(jobs)}
    storage.commit("demo", Changes(Cursor(1000.0 + runs), known, {TASK: RunTotals({Outcome.SUCCESS: runs})}))

storage = Storage(Path(sys.argv[1]))
commit(1, 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        commit(2, 5000)
    except LedgerError as error:
        print(error)
    state = storage.load("demo")
    print(state.totals[TASK].runs[Outcome.SUCCESS], len(state.jobs))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
commit(2, 5000)
state = storage.load("demo")
print(state.totals[TASK].runs[Outcome.SUCCESS], len(state.jobs))
"""


def test_a_write_that_the_system_refuses_costs_nothing_that_was_written_and_heals(path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=False, env=_environment()
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    failed = f"cannot write state file {path}: disk I/O error; free disk space, or check whether the disk is broken"
    assert ran.stdout.splitlines() == [failed, "1 100", failed, "1 100", "2 5000"]
    with opened(path) as storage:
        assert runs_of(storage) == 2


def test_what_cannot_be_written_does_not_block_what_can(written: Path) -> None:
    with opened(written) as storage:
        with pytest.raises(LedgerError) as caught:
            storage.commit("demo", Changes(Cursor(), {"lone \ud83d surrogate": job(1.0)}))
        one_line(caught.value, written)
        with pytest.raises(LedgerError):
            storage.commit("demo", Changes(Cursor(), {"a": job(1.0, "lone \ud83d surrogate")}))
        assert runs_of(storage) == 1
        storage.commit("demo", changes(2))
        assert runs_of(storage) == 2


def test_after_closing_nothing_is_written(path: Path) -> None:
    storage = Storage(path)
    storage.close()
    storage.close()
    with pytest.raises(LedgerError) as caught:
        storage.commit("demo", changes(1))
    assert one_line(caught.value, path) == "state file STATE is closed; restart the process"
