"""The state file: what is read again, and what is said if it cannot be used."""

import errno
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog.testing

from theeye_exporter.actions.checking import check
from theeye_exporter.actions.settings import ActionsSettings, ActionsStateSettings
from theeye_exporter.actions.state_file import StateFile, copied
from theeye_exporter.ledger.failures import LedgerError

ANEW = "; move the file away (alerts that are firing then start nothing)"
WRITER = """
import sys
from pathlib import Path
from theeye_exporter.actions.state_file import StateFile
file = StateFile(Path(sys.argv[1]))
file.write([("kind", "committed", 1)])
file._db.execute("BEGIN IMMEDIATE")
file._db.execute("INSERT INTO documents VALUES ('kind', 'half', '2', 0)")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "state"


@pytest.fixture
def file(path: Path) -> Iterator[StateFile]:
    file = StateFile(path)
    file.write([("kind", "a", [1]), ("kind", "b", [2]), ("other", "a", [3])])
    yield file
    file.close()


def reread(path: Path) -> dict[str, list[int]]:
    """Return what a process that starts now would read."""
    copy = path.with_name("copy")
    for ending in ("", "-wal"):
        if path.with_name(path.name + ending).exists():
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    file = StateFile(copy)
    found = file.load("kind", list[int])
    file.close()
    return found


def refused(path: Path) -> str:
    with pytest.raises(LedgerError) as raised:
        StateFile(path)
    return str(raised.value).replace(str(path), "STATE")


def test_documents_are_there_after_a_restart(file: StateFile, path: Path) -> None:
    file.write([("kind", "a", None), ("kind", "b", [4])])
    file.close()
    again = StateFile(path)
    assert (again.load("kind", list[int]), again.load("other", list[int])) == ({"b": [4]}, {"a": [3]})
    again.close()


def test_all_changes_or_none(file: StateFile, path: Path) -> None:
    with pytest.raises(LedgerError):
        file.write([("kind", "a", [9]), ("kind", "b", "\ud800")])
    assert file.load("kind", list[int]) == reread(path) == {"a": [1], "b": [2]}


def test_a_killed_writer_leaves_what_it_committed_and_a_second_one_is_refused(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        busy = "another process uses it; stop that process, or use another state file"
        assert refused(path) == f"cannot use state file STATE: {busy}"
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = StateFile(path)
    assert again.load("kind", int) == {"committed": 1}
    again.close()


def test_a_closed_file_is_not_written_to_and_not_taken_for_a_deleted_one(file: StateFile, path: Path) -> None:
    file.close()
    with structlog.testing.capture_logs() as logs, pytest.raises(LedgerError) as raised:
        file.write([("kind", "c", [5])])
    assert (str(raised.value), logs) == (f"state file {path} is closed; restart the process", [])
    assert [found.name for found in path.parent.iterdir()] == ["state"]


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for found in path.parent.iterdir():
        found.unlink()


def delete_log(path: Path) -> None:
    path.with_name("state-wal").unlink()


@pytest.mark.parametrize("vandal", [delete, delete_all, delete_log])
def test_a_deleted_file_is_written_again_whole(file: StateFile, path: Path, vandal: Callable[[Path], None]) -> None:
    vandal(path)
    file.write([("kind", "c", [5])])
    assert reread(path) == {"a": [1], "b": [2], "c": [5]}


def test_another_file_in_its_place_is_not_touched(file: StateFile, path: Path) -> None:
    shutil.copy(path, path.with_name("backup"))
    path.with_name("backup").rename(path)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="another file was put in the place of"):
        file.write([("kind", "c", [5])])
    assert path.read_bytes() == before


def test_what_cannot_be_written_is_not_known_later(file: StateFile, path: Path) -> None:
    file._db.execute("PRAGMA max_page_count = 4")
    with pytest.raises(LedgerError, match="full; free disk space"):
        file.write([("kind", str(number), [0] * 1000) for number in range(100)])
    file._db.execute("PRAGMA max_page_count = 1000")
    file.write([("kind", "c", [5])])
    assert reread(path) == {"a": [1], "b": [2], "c": [5]}


def test_a_folder_that_went_away(file: StateFile, path: Path) -> None:
    shutil.rmtree(path.parent)
    with pytest.raises(LedgerError, match="unable to open database file; use a path in an existing folder"):
        file.write([("kind", "c", [5])])
    path.parent.mkdir()
    file.write([("kind", "c", [5])])
    assert reread(path) == {"a": [1], "b": [2], "c": [5]}


def test_every_byte_that_is_changed_is_noticed_or_harmless(file: StateFile, path: Path) -> None:
    file.close()
    sound = path.read_bytes()
    whole = ({"a": [1], "b": [2]}, {"a": [3]})
    for at in range(0, len(sound), 1 if len(sound) < 2048 else len(sound) // 2048 + 1):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x11]) + sound[at + 1 :])
        path.with_name("state-wal").unlink(missing_ok=True)
        try:
            again = StateFile(path)
        except LedgerError:
            continue
        found = (again.load("kind", list[int]), again.load("other", list[int]))
        again.close()
        assert found == whole, f"byte {at}"


def test_a_changed_document(file: StateFile, path: Path) -> None:
    file.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE documents SET value = '[7]' WHERE key = 'a'")
    db.commit()
    db.close()
    assert refused(path) == f"state file STATE is damaged: a document was changed{ANEW}"


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("a note\n" * 200)
    assert refused(path) == f"cannot use state file STATE: file is not a database{ANEW}"
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (a)")
    db.commit()
    db.close()
    assert refused(path) == f"STATE is not a state file of theeye-exporter actions; name another one, or{ANEW[1:]}"


def test_a_file_that_cannot_be_copied(file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, to: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(to))

    file.close()
    monkeypatch.setattr(shutil, "copy", full)
    with pytest.raises(LedgerError) as raised:
        copied(path, path.with_name("copy"))
    assert str(raised.value) == (
        f"cannot copy state file {path}: no space left on device; run this as a user who may read the file, "
        "and with room for a copy in the folder for temporary files"
    )


def test_a_folder_cannot_be_copied(path: Path) -> None:
    with pytest.raises(LedgerError) as raised:
        copied(path.parent, path)
    assert str(raised.value) == f"cannot read state file {path.parent}: it is a folder; move it away, or name a file"


def test_check_says_what_to_do_without_a_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert check(ActionsSettings(state=ActionsStateSettings(file=path)), out) == 1
    assert out.getvalue().splitlines()[-1] == (
        f"cannot open state file {path}: no permission to write its folder; "
        "give the user of the process write access to the file and its folder."
    )
