"""Tests the state file from outside: messages for a wrong file, and scrapes when the file breaks."""

import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import structlog.testing
from pydantic import SecretStr

from playback import RECORDED_AT, T0, T1, TOKEN, Recording, http_server
from polls import poll
from processes import eventually, exporter_command, free_port, running
from samples import Series, labels, own, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.config.sections import StateSettings
from theeye_exporter.ledger.records import Bounds, Cursor
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.state import Changes
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.polling.exporter import Exporter

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
        db.execute("PRAGMA user_version = 3")
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
    "spoil",
    [newer, foreign, lambda path: path.write_text("organizations:\n"), lambda path: path.write_bytes(b"\0" * 200)],
    ids=["newer", "foreign", "text", "zeros"],
)
def test_check_says_what_the_exporter_would_end_with(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "state"
    spoil(path)
    content = path.read_bytes()
    checked = checking(path)
    assert checked.returncode == 1
    assert path.read_bytes() == content
    assert [found.name for found in tmp_path.iterdir()] == ["state"]
    first = checked.stdout.splitlines()[0].replace(str(path), "STATE")
    assert first == f"The exporter would not start: {told(path, tmp_path)}."


def test_check_accepts_a_state_file_whether_it_is_new_used_or_in_use(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert checking(path).returncode == 0
    assert not path.exists()
    path.touch()
    assert checking(path).returncode == 0
    storage = Storage(path)
    assert checking(path).returncode == 0
    storage.commit("demo", Changes(Cursor()))
    assert checking(path).returncode == 0
    storage.close()
    assert checking(path).returncode == 0


def checking(path: Path) -> subprocess.CompletedProcess[str]:
    command = exporter_command("check", "--config-only", f"--state.file={path}")
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (corrupt, "state file STATE is corrupt: *** in database main *** "),
        (newer, "state file STATE was written by a newer version (format 3, this one knows 2); use that version, or "),
        (foreign, "STATE is not a theeye-exporter state file; name another one, or "),
        (lambda path: path.write_text("organizations:\n"), "cannot use state file STATE: file is not a database"),
        (lambda path: path.mkdir(), "command line: --state.file: is a folder, not a file: STATE"),
    ],
    ids=["corrupt", "newer", "foreign", "text", "folder"],
)
def test_a_state_file_that_cannot_be_used_is_one_line_and_exit_code_2(
    spoil: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    spoil(path)
    line = told(path, tmp_path)
    assert line.startswith(words)
    assert line.endswith("move the file away (counters then start at 0)") or path.is_dir()


def test_two_exporters_cannot_share_a_state_file_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "state"
    address = f"127.0.0.1:{free_port()}"
    first = exporter_command(f"--web.listen-address={address}", f"--state.file={path}")
    with running(first, tmp_path / "first.log", env=ENVIRON) as process:
        eventually(lambda: requests.get(f"http://{address}/-/healthy", timeout=5).ok, "healthy")
        assert told(path, tmp_path) == (
            "cannot use state file STATE: another process uses it; stop that process, or use another state file"
        )
        assert requests.get(f"http://{address}/-/healthy", timeout=5).ok
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [found.name for found in tmp_path.glob("state*")] == ["state"]  # the one that is to be copied
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
        return shown(self.exporter.store.current()) | own(self.exporter.store, self.exporter.telemetry)

    def health(self) -> tuple[float, float, float, float]:
        """Return whether TheEye is up, the ledger healthy, the collector successful, and how often it was not."""
        shown, jobs = self.shown(), {"organization": "demo", "collector": "jobs"}
        return (
            shown["theeye_up", labels(organization="demo")],
            shown["theeye_ledger_healthy", labels(organization="demo")],
            shown["theeye_collector_success", labels(**jobs)],
            shown["theeye_collector_failures_total", labels(**jobs)],
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
    "durations": 10,  # a scraper and a dummy have none
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
            assert scraped.exporter.uncounted == {"demo"}
            assert scraped.counted() == NOTHING
    (jobs,) = [s for o in scraped.exporter.board.organizations for s in o.collectors if s.collector == "jobs"]
    assert jobs.error is not None
    assert jobs.error.startswith(
        "cannot write state file state: database or disk is full; the runs will be counted, each once"
    )
    others = [s for o in scraped.exporter.board.organizations for s in o.collectors if s.collector != "jobs"]
    assert all(status.success for status in others)
    for _ in range(3):
        scraped.poll()
        assert scraped.health() == (1, 1, 1, 3)
        assert scraped.exporter.uncounted == set()
        assert scraped.counted() == BETWEEN_T0_AND_T1
    scraped.exporter.stop()
    restarted = Exporter(scraped.exporter.settings, scraped.exporter.clocks)
    again = Scraped(scraped.recording, restarted)
    again.poll()
    assert again.counted() == BETWEEN_T0_AND_T1
    restarted.stop()
    kept = Storage(tmp_path / "state")
    assert RunLedger("demo", kept, Bounds(None, None, None)).known_jobs == 52
    kept.close()


@pytest.mark.parametrize(
    ("statement", "damaged", "counted"),
    [
        ("SELECT 1", {}, BETWEEN_T0_AND_T1),
        ("UPDATE ledger SET value = '{' WHERE kind = 'job'", {"jobs": 56}, BETWEEN_T0_AND_T1),
        ("DELETE FROM ledger WHERE kind = 'task'", {"accounts": 14}, NOTHING),
    ],
)
def test_damage_of_the_state_file_is_logged_and_shown_and_changes_no_count_in_silence(
    statement: str, damaged: dict[str, float], counted: dict[str, float], scraped: Scraped, tmp_path: Path
) -> None:
    for scraped.recording.folder in (T0, T1):
        scraped.poll()
    scraped.exporter.stop()
    with sqlite3.connect(tmp_path / "state") as db:
        db.execute(statement)
    db.close()
    with structlog.testing.capture_logs() as logs:
        again = Scraped(scraped.recording, Exporter(scraped.exporter.settings, scraped.exporter.clocks))
    assert [line["log_level"] for line in logs if "damaged" in line["event"]] == ["error"] * len(damaged)
    for _ in range(2):
        again.poll()
        shown = {dict(key)["kind"]: n for (name, key), n in again.shown().items() if name == "theeye_ledger_damage"}
        assert (shown, again.counted()) == (damaged, counted)
    again.exporter.stop()


def test_a_state_file_that_is_deleted_while_it_runs_is_told_and_written_anew(scraped: Scraped, tmp_path: Path) -> None:
    for scraped.recording.folder in (T0, T1):
        scraped.poll()
    (tmp_path / "state").unlink()
    with structlog.testing.capture_logs() as logs:
        scraped.poll()
    assert scraped.health() == (1, 0, 0, 1)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "the state file was deleted or replaced while in use; the exporter tries to write it again"
    ]
    scraped.poll()
    assert scraped.health() == (1, 1, 1, 1)
    scraped.exporter.stop()
    again = Scraped(scraped.recording, Exporter(scraped.exporter.settings, scraped.exporter.clocks))
    again.poll()
    assert again.counted() == BETWEEN_T0_AND_T1
    again.exporter.stop()


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
