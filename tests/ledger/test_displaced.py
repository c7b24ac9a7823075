"""Tests that a state file that is deleted or replaced while in use is written again, and that this is logged."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import structlog.testing

from ledger.polling import BOUNDS, Poller, result
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import LedgerError, Storage

WORDS: Final = "was deleted or replaced while in use; it is written again"


@dataclass
class Watched:
    """Two organisations that share a state file, and what is logged."""

    path: Path
    storage: Storage
    pollers: list[Poller]
    number: int = 100

    def poll(self, poller: Poller) -> None:
        self.number += 1
        poller.put(f"job-{self.number}", self.number, result=result(1))
        poller.poll()

    def on_disk(self) -> list[dict[str, int]]:
        """Return the counters that a newly started exporter would continue with."""
        copy = self.path.with_name("copy")
        for ending in ("", "-wal"):
            shutil.copy(f"{self.path}{ending}", f"{copy}{ending}")
        storage = Storage(copy)
        runs = [Poller(RunLedger(name, storage, BOUNDS)).runs for name in ("one", "two")]
        storage.close()
        copy.unlink()
        return runs


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "state"
    storage = Storage(path)
    watched = Watched(path, storage, [Poller(RunLedger(name, storage, BOUNDS)) for name in ("one", "two")])
    for poller in watched.pollers:
        poller.put("before", 0, _type="DummyJob")
        poller.poll()
        watched.poll(poller)
    yield watched
    storage.close()


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved"))


def replace_by_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("backup"))
    path.with_name("backup").rename(path)


def replace_by_another(path: Path) -> None:
    storage = Storage(path.with_name("another"))
    poller = Poller(RunLedger("one", storage, BOUNDS))
    poller.poll()
    for number in range(50):
        poller.put(f"another-{number}", 5, result=result(1))
    poller.poll()
    storage.close()
    path.with_name("another").rename(path)


def replace_by_nothing(path: Path) -> None:
    path.unlink()
    path.touch()


def delete_log(path: Path) -> None:
    path.with_name("state-wal").unlink()


def empty_log(path: Path) -> None:
    delete_log(path)
    path.with_name("state-wal").touch()


@pytest.mark.parametrize(
    "displace",
    [
        delete,
        delete_all,
        delete_log,
        empty_log,
        move_away,
        replace_by_copy,
        replace_by_another,
        replace_by_nothing,
    ],
)
def test_everything_is_written_to_the_path_anew(displace: Callable[[Path], None], watched: Watched) -> None:
    one, two = watched.pollers
    displace(watched.path)
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(LedgerError, match=WORDS):
            watched.poll(one)
        assert (one.ledger.healthy, one.runs) == (False, {"success": 1})
        assert watched.on_disk() == [{"success": 1}, {"success": 1}]
        for poller in (one, two, one):
            watched.poll(poller)
            assert poller.ledger.healthy
    (told,) = logs
    assert (told["log_level"], told["file"]) == ("error", str(watched.path))
    assert "while the exporter is stopped" in told["advice"]
    # What could not be counted at once is counted by the next poll.
    assert [one.runs, two.runs] == watched.on_disk() == [{"success": 4}, {"success": 2}]
    watched.storage.close()
    storage = Storage(watched.path)
    assert Poller(RunLedger("one", storage, BOUNDS)).runs == {"success": 4}
    storage.close()


def test_it_is_written_anew_as_often_as_it_is_deleted(watched: Watched) -> None:
    one, _ = watched.pollers
    for deletions in range(1, 4):
        delete(watched.path)
        with pytest.raises(LedgerError, match=WORDS):
            watched.poll(one)
        watched.poll(one)
        assert watched.on_disk() == [{"success": 1 + 2 * deletions}, {"success": 1}]


def test_a_reload_before_the_next_poll_reads_what_was_in_use(watched: Watched) -> None:
    delete(watched.path)
    assert Poller(RunLedger("two", watched.storage, BOUNDS)).runs == {"success": 1}


def put_text(path: Path) -> None:
    path.unlink()
    path.write_text("a note")


def put_a_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cookies (name)")
    db.close()


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def take_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("displace", "words"),
    [
        (put_text, "file is not a database; move the file away (counters then start at 0)"),
        (
            put_a_database,
            "is not a theeye-exporter state file; name another one, or move the file away (counters then start at 0)",
        ),
        (put_a_folder, "it is a folder; move it away, or name a file"),
        (take_the_folder, "unable to open database file; use a path in an existing folder"),
    ],
)
def test_what_stands_in_the_way_stays_and_is_told_until_it_is_gone(
    displace: Callable[[Path], None], words: str, watched: Watched
) -> None:
    one, _ = watched.pollers
    displace(watched.path)
    before = watched.path.read_bytes() if watched.path.is_file() else b""
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(LedgerError) as caught:
                watched.poll(one)
            assert str(caught.value).endswith(words)
            assert not one.ledger.healthy
            assert before == (watched.path.read_bytes() if watched.path.is_file() else b"")
    assert [line["log_level"] for line in logs] == ["error"]
    if watched.path.is_dir():
        watched.path.rmdir()
    elif watched.path.exists():
        watched.path.unlink()
    else:
        watched.path.parent.mkdir()
    with pytest.raises(LedgerError, match=WORDS):
        watched.poll(one)
    watched.poll(one)
    assert (one.ledger.healthy, watched.on_disk()) == (True, [{"success": 6}, {"success": 1}])


def test_another_exporter_that_took_the_place_keeps_it(watched: Watched) -> None:
    one, _ = watched.pollers
    delete_all(watched.path)
    another = Storage(watched.path)
    other = Poller(RunLedger("one", another, BOUNDS))
    other.poll()
    with pytest.raises(LedgerError, match="another process uses it; stop that process"):
        watched.poll(one)
    assert not one.ledger.healthy
    watched.storage.close()
    other.put("a", 50, result=result(1))
    other.poll()
    another.close()
    storage = Storage(watched.path)
    assert Poller(RunLedger("one", storage, BOUNDS)).runs == {"success": 1}
    storage.close()
    assert [file.name for file in watched.path.parent.iterdir()] == ["state"]
