"""The ledger on a real disk: what comes back, and what is said when nothing can."""

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

from theeye_exporter.ledger.records import Account, Cursor, Histogram, KnownJob, LastRun, Owner, OwnerKind
from theeye_exporter.ledger.storage import Changes, LedgerError, State, Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = Owner(OwnerKind.TASK, "t1")

# Lone surrogates do not get as far as this.
names = st.text(st.characters(codec="utf-8"), max_size=50)
seconds = st.floats(allow_nan=False, allow_infinity=False)
outcomes = st.sampled_from(Outcome)
owners = st.builds(Owner, st.sampled_from(OwnerKind), names)
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
accounts = st.builds(
    Account,
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
    owner=owners,
    name=names,
    updated=seconds,
    created=st.none() | seconds,
    open=st.booleans(),
    runs=st.integers(0, 9),
    finished=seconds,
    outcome=outcomes,
    duration=st.none() | seconds,
    exit_code=st.none() | seconds,
    result_known=st.booleans(),
    wants_result=st.booleans(),
    counted=st.booleans(),
    suspect=st.booleans(),
    attempts=st.integers(0, 9),
    missing=st.booleans(),
)
all_changes = st.builds(
    Changes,
    cursor=st.builds(Cursor, updated=st.none() | seconds, began=st.none() | seconds),
    jobs=st.dictionaries(names, st.none() | known_jobs, max_size=4),
    accounts=st.dictionaries(owners, st.none() | accounts, max_size=4),
)


def changes(runs: int = 1, jobs: int = 1) -> Changes:
    """Return a poll after which the task has so many runs."""
    return Changes(
        Cursor(1000.0 + runs, 1000.0),
        {f"job-{number}": KnownJob(TASK, "backup", 1000.0 + runs, 990.0) for number in range(jobs)},
        {TASK: Account({Outcome.SUCCESS: runs})},
    )


def runs_of(storage: Storage, organization: str = "demo") -> int:
    account = storage.load(organization).accounts.get(TASK)
    return 0 if account is None else account.runs[Outcome.SUCCESS]


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
    """Return what is said of a file that cannot be opened or read: one line with its path."""
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
        storage.commit("demo", Changes(Cursor(2000.0), {"job-0": None}, {TASK: Account({Outcome.SUCCESS: 4})}))
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
        assert not state.accounts


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
from theeye_exporter.ledger.records import Account, Cursor, KnownJob, Owner, OwnerKind
from theeye_exporter.ledger.storage import Changes, Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = Owner(OwnerKind.TASK, "t1")

def changes(runs, jobs):
    known = {f"job-{number}": KnownJob(TASK, "backup", 1000.0 + runs) for number in range(jobs)}
    return Changes(Cursor(1000.0 + runs), known, {TASK: Account({Outcome.SUCCESS: runs})})

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
        assert refused(path) == "cannot use state file STATE: another process uses it"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with opened(path) as storage:
            assert runs_of(storage) == 3


def test_nor_can_one_process_open_it_twice(written: Path) -> None:
    with opened(written) as storage:
        assert refused(written) == "cannot use state file STATE: another process uses it"
        storage.commit("demo", changes(2))
    with opened(written) as storage:
        assert runs_of(storage) == 2


# Files that cannot be used


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n" * 10, bytes(range(256)) * 40, b"\x00" * 8192, b"SQLite format 3\x00"]
)
def test_what_is_no_database(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert refused(path) == "cannot use state file STATE: file is not a database"
    assert path.read_bytes() == content


@given(st.binary(min_size=2, max_size=9000), st.booleans())  # SQLite takes one byte for none
def test_no_bytes_at_all_raise_anything_else(content: bytes, with_header: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        path.write_bytes((b"SQLite format 3\x00\x10\x00\x02\x02\x00\x40\x20\x20" if with_header else b"") + content)
        refused(path)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file(share: float, written: Path) -> None:
    whole = written.read_bytes()
    assert len(whole) > 3 * 4096
    written.write_bytes(whole[: int(len(whole) * share)])
    said = refused(written)
    assert "malformed" in said or said == "cannot use state file STATE: file is not a database"


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
    assert refused(written) == "cannot use state file STATE: it is corrupt"


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


@pytest.mark.parametrize("value", [b"[", b"\xff\xfe", 5, 1.5, b'{"last":"\\n"}', b'{"runs":{"x\\n":1},"name":5}'])
@pytest.mark.parametrize("kind", ["job", "task"])
def test_a_value_that_this_program_did_not_write(kind: str, value: object, written: Path) -> None:
    tampered(written, "UPDATE ledger SET value = ? WHERE kind = ?", value, kind)
    assert refused(written).startswith("state file STATE is corrupt: ")


@pytest.mark.parametrize("value", [b"bytes\n", 5, "neither\nnor", ""])
def test_a_kind_that_this_program_did_not_write(value: object, written: Path) -> None:
    tampered(written, "UPDATE ledger SET kind = ? WHERE kind = 'task'", value)
    assert refused(written).startswith("state file STATE is corrupt: ")


def test_text_that_is_no_utf_8(written: Path) -> None:
    tampered(written, "UPDATE ledger SET id = CAST(x'ff0a00' AS TEXT) WHERE kind = 'task'")
    assert refused(written).startswith("cannot read state file STATE: Could not decode")


def test_a_histogram_that_does_not_fit_its_bounds(written: Path) -> None:
    tampered(written, "UPDATE ledger SET value = ? WHERE kind = 'task'", b'{"duration":{"bounds":[1.0],"counts":[1]}}')
    assert refused(written).startswith("state file STATE is corrupt: ")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE ledger (x)", "PRAGMA user_version = 7", "PRAGMA application_id = 7"]
)
def test_another_programs_database(statement: str, path: Path) -> None:
    tampered(path, statement)
    before = path.read_bytes()
    assert refused(path) == "STATE is no state file of this program"
    assert path.read_bytes() == before


def test_a_newer_versions_file(written: Path) -> None:
    tampered(written, "PRAGMA user_version = 2")
    before = written.read_bytes()
    assert refused(written) == ("state file STATE was written by a newer version (format 2, this one knows 1)")
    assert written.read_bytes() == before


def test_a_file_without_its_table_is_refused_or_mended(written: Path) -> None:
    tampered(written, "DROP TABLE ledger")
    with opened(written) as storage:
        assert storage.load("demo") == State()


def test_a_table_of_another_shape(written: Path) -> None:
    tampered(written, "DROP TABLE ledger")
    tampered(written, "CREATE TABLE ledger (organization, kind)")
    assert refused(written) == "cannot read state file STATE: no such column: id"


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
        "cannot open state file STATE: unable to open database file",
        "cannot open state file STATE: no permission to write its folder",  # of /proc, for all but root
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
    """Be somebody whom permissions concern."""
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
        assert refused(guarded / "state") == "cannot use state file STATE: no permission to read and write it"


def test_a_file_that_may_not_be_read(guarded: Path) -> None:
    (guarded / "state").chmod(0)
    with as_nobody():
        assert refused(guarded / "state") == "cannot open state file STATE: no permission to read and write it"


@pytest.mark.parametrize("name", ["state", "new"])
def test_a_folder_that_may_only_be_read(name: str, guarded: Path) -> None:
    (guarded / "state").chmod(0o666)
    guarded.chmod(0o555)
    with as_nobody():
        assert refused(guarded / name).endswith("state file STATE: no permission to write its folder")


# Failures while it runs


def test_a_full_disk_costs_nothing_that_was_written_and_heals(written: Path) -> None:
    with opened(written) as storage:
        (pages,) = storage._db.execute("PRAGMA page_count").fetchone()
        storage._db.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(3):
            with pytest.raises(LedgerError) as caught:
                storage.commit("demo", changes(2, jobs=5000))
            assert one_line(caught.value, written) == "cannot write state file STATE: database or disk is full"
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
from theeye_exporter.ledger.records import Account, Cursor, KnownJob, Owner, OwnerKind
from theeye_exporter.ledger.storage import Changes, LedgerError, Storage
from theeye_exporter.theeye.lifecycle import Outcome

TASK = Owner(OwnerKind.TASK, "t1")

def commit(runs, jobs):
    known = {f"job-{number}": KnownJob(TASK, "backup", 1000.0 + runs) for number in range(jobs)}
    storage.commit("demo", Changes(Cursor(1000.0 + runs), known, {TASK: Account({Outcome.SUCCESS: runs})}))

storage = Storage(Path(sys.argv[1]))
commit(1, 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        commit(2, 5000)
    except LedgerError as error:
        print(error)
    state = storage.load("demo")
    print(state.accounts[TASK].runs[Outcome.SUCCESS], len(state.jobs))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
commit(2, 5000)
state = storage.load("demo")
print(state.accounts[TASK].runs[Outcome.SUCCESS], len(state.jobs))
"""


def test_a_write_that_the_system_refuses_costs_nothing_that_was_written_and_heals(path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=False, env=_environment()
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    failed = f"cannot write state file {path}: disk I/O error"
    assert ran.stdout.splitlines() == [failed, "1 100", failed, "1 100", "2 5000"]
    with opened(path) as storage:
        assert runs_of(storage) == 2


def test_what_cannot_be_written_does_not_block_what_can(written: Path) -> None:
    with opened(written) as storage:
        with pytest.raises(LedgerError) as caught:
            storage.commit("demo", Changes(Cursor(), {"lone \ud83d surrogate": KnownJob(TASK, "", 1.0)}))
        one_line(caught.value, written)
        with pytest.raises(LedgerError):
            storage.commit("demo", Changes(Cursor(), {"a": KnownJob(TASK, "lone \ud83d surrogate", 1.0)}))
        assert runs_of(storage) == 1
        storage.commit("demo", changes(2))
        assert runs_of(storage) == 2


def test_after_closing_nothing_is_written(path: Path) -> None:
    storage = Storage(path)
    storage.close()
    storage.close()
    with pytest.raises(LedgerError) as caught:
        storage.commit("demo", changes(1))
    assert one_line(caught.value, path) == "cannot write state file STATE: Cannot operate on a closed database."
