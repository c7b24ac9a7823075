"""The state file from outside: what a person is told who gives a wrong one, and what a scrape shows when it breaks."""

import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr

from playback import RECORDED_AT, T0, T1, TOKEN, Recording, http_server
from polls import poll
from processes import eventually, exporter_command, free_port, running
from samples import Series, labels, own, shown
from theeye_exporter.assembly import Exporter
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.config.settings import StateSettings
from theeye_exporter.ledger.book import Book
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.storage import LedgerError, Storage

ENVIRON = {
    "THEEYE_ORGANIZATION_NAME": "demo",
    "THEEYE_TOKEN": TOKEN,
    "THEEYE_SUPERVISOR_URL": "http://127.0.0.1:1",
}


def statefile(path: Path) -> Path:
    """Let the exporter's own code write a state file."""
    Storage(path).close()
    return path


def corrupt(path: Path) -> None:
    content = bytearray(statefile(path).read_bytes())
    content[4096:4112] = b"\xff" * 16
    path.write_bytes(content)


def newer(path: Path) -> None:
    with sqlite3.connect(statefile(path)) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cookies (name)")
    db.close()


def told(path: Path, tmp_path: Path, command: tuple[str, ...] = ()) -> str:
    """Return the one line that the exporter ends with if it is given this state file."""
    log = tmp_path / "log"
    arguments = (*command, f"--web.listen-address=127.0.0.1:{free_port()}", f"--state.file={path}")
    with running(exporter_command(*arguments), log, env=ENVIRON) as process:
        assert process.wait(60) == 2
    (line,) = log.read_text().splitlines()
    return line.removeprefix("theeye-exporter: error: ").replace(str(path), "STATE")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (corrupt, "state file STATE is corrupt: *** in database main *** "),
        (newer, "state file STATE was written by a newer version (format 2, this one knows 1)"),
        (foreign, "STATE is no state file of this program"),
        (lambda path: path.write_text("organizations:\n"), "cannot use state file STATE: file is not a database"),
        (lambda path: path.mkdir(), "command line: --state.file: is a folder, not a file"),
    ],
    ids=["corrupt", "newer", "foreign", "text", "folder"],
)
def test_a_state_file_that_cannot_be_used_is_one_line_and_exit_code_2(
    spoil: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    spoil(path)
    assert told(path, tmp_path).startswith(words)


def test_a_broken_row_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = statefile(tmp_path / "state")
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO ledger VALUES ('demo', 'task', 't1', '{\"unseen\":\"many\"}')")
    db.close()
    assert told(path, tmp_path) == "state file STATE is corrupt: Expected `int`, got `str` - at `$.unseen`"


def test_two_exporters_cannot_share_a_state_file_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "state"
    address = f"127.0.0.1:{free_port()}"
    first = exporter_command(f"--web.listen-address={address}", f"--state.file={path}")
    with running(first, tmp_path / "first.log", env=ENVIRON) as process:
        eventually(lambda: requests.get(f"http://{address}/-/healthy", timeout=5).ok, "healthy")
        assert told(path, tmp_path) == "cannot use state file STATE: another process uses it"
        assert requests.get(f"http://{address}/-/healthy", timeout=5).ok
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    Storage(path).close()


# A storage that breaks while the exporter runs


@dataclass
class Scraped:
    """An exporter that polls the recordings, with a state file, and what a scrape of it shows."""

    recording: Recording
    exporter: Exporter

    def poll(self) -> None:
        poll(self.exporter)

    def shown(self) -> Series:
        return shown(self.exporter.store.current()) | own(self.exporter.telemetry)

    def health(self) -> tuple[float, float, float, float]:
        """Return whether TheEye is up, the ledger healthy, the collector successful, and how often it was not."""
        shown, jobs = self.shown(), {"organization": "demo", "collector": "jobs"}
        return (
            shown["theeye_up", labels(organization="demo")],
            shown["theeye_ledger_healthy", labels(organization="demo")],
            shown["theeye_collector_success", labels(**jobs)],
            shown["theeye_collector_failures_total", labels(**jobs, reason="ledger")],
        )

    def counted(self) -> dict[str, float]:
        """Return all runs by outcome, and how many times were observed."""
        totals: dict[str, float] = {}
        for (name, series), value in self.shown().items():
            if name.endswith("_runs_total") and "unseen" not in name and value:
                key = f"{name.removeprefix('theeye_').removesuffix('_runs_total')} {dict(series)['outcome']}"
                totals[key] = totals.get(key, 0) + value
            if name == "theeye_job_duration_seconds_count":
                totals["durations"] = totals.get("durations", 0) + value
        return totals


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    recording = Recording(T0)
    with http_server(recording) as server:
        settings = Settings(
            organizations=(OrganizationSettings(name="demo", url=server.url, token=SecretStr(TOKEN)),),
            state=StateSettings(file=tmp_path / "state"),
        )

        def recorded_now() -> float:
            return RECORDED_AT[recording.folder].timestamp()

        exporter = Exporter(settings, Clocks(wall=recorded_now))
        yield Scraped(recording, exporter)
        exporter.stop()


NOTHING = {"durations": 0}
BETWEEN_T0_AND_T1 = {
    "job success": 7,
    "job failure": 4,
    "job timeout": 1,
    "workflow failure": 1,
    "other_job success": 1,
    "durations": 10,  # but for a scraper and a dummy
}


def test_a_state_file_that_breaks_while_it_runs_blames_nobody_else_and_heals_without_a_loss(
    scraped: Scraped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scraped.poll()
    assert scraped.health() == (1, 1, 1, 0)
    assert scraped.counted() == NOTHING
    scraped.recording.folder = T1

    def commit(*_: object) -> None:
        raise LedgerError("cannot write state file state: database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Storage, "commit", commit)
        for failures in (1, 2, 3):
            scraped.poll()
            assert scraped.health() == (1, 0, 0, failures)
            assert scraped.counted() == NOTHING
    (jobs,) = [s for o in scraped.exporter.board.organizations for s in o.collectors if s.collector == "jobs"]
    assert jobs.error is not None
    assert jobs.error.startswith("cannot write state file state: database or disk is full; free space on, or access to")
    others = [s for o in scraped.exporter.board.organizations for s in o.collectors if s.collector != "jobs"]
    assert all(status.success for status in others)
    for _ in range(3):
        scraped.poll()
        assert scraped.health() == (1, 1, 1, 3)
        assert scraped.counted() == BETWEEN_T0_AND_T1
    scraped.exporter.stop()
    restarted = Exporter(scraped.exporter.settings, scraped.exporter.clocks)
    again = Scraped(scraped.recording, restarted)
    again.poll()
    assert again.counted() == BETWEEN_T0_AND_T1
    restarted.stop()
    kept = Storage(tmp_path / "state")
    assert Book("demo", kept, Bounds(None, None, None)).known_jobs == 52
    kept.close()


def test_a_state_file_that_breaks_before_the_first_poll_counts_from_when_it_heals(
    scraped: Scraped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(*_: object) -> None:
        raise LedgerError("cannot write state file state: disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(Storage, "commit", commit)
        scraped.poll()
        assert scraped.health() == (1, 0, 0, 1)
        assert scraped.counted() == {}
    scraped.poll()
    assert scraped.counted() == NOTHING
    scraped.recording.folder = T1
    scraped.poll()
    assert scraped.health() == (1, 1, 1, 1)
    assert scraped.counted() == BETWEEN_T0_AND_T1
