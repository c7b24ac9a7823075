"""docs/upgrading.md: its tables are true, and its commands bring the state file of the version before back."""

import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from documents import code_blocks, document
from ledger.polling import TASK
from queries import catalogue
from theeye_exporter import __version__
from theeye_exporter.ledger.records import Cursor, RunTotals
from theeye_exporter.ledger.state import Changes
from theeye_exporter.ledger.storage import LedgerError, Storage
from theeye_exporter.theeye.lifecycle import Outcome

PAGE: Final = document("docs/upgrading.md")
LABELS: Final = re.compile(r"has only the label `(\w+)`")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return table[2:]


def run(path: Path, block: str) -> None:
    subprocess.run(["bash", "-euc", block.replace("exporter.state", shlex.quote(str(path)))], check=True, timeout=10)


def test_metrics_that_changed_are_as_the_table_says() -> None:
    known = catalogue()
    for version, metrics, change, advice in rows("Metrics that changed"):
        assert version <= __version__
        for name in re.findall(r"`(theeye_\w+)`", metrics + advice):
            assert name in known or f"{name}_sum" in known
        for name in re.findall(r"`(theeye_\w+)`", metrics):
            labels = known.get(name, known.get(f"{name}_sum", ("", frozenset[str]())))[1]
            for only in LABELS.findall(change):
                assert labels == {only}
            for gone in re.findall(r"no label `(\w+)`", change):
                assert gone not in labels


def test_this_version_writes_the_format_that_the_table_names(tmp_path: Path) -> None:
    Storage(tmp_path / "state").close()
    with closing(sqlite3.connect(tmp_path / "state")) as db:
        ((written,),) = db.execute("PRAGMA user_version").fetchall()
    formats = {version: (int(writes), reads) for version, writes, reads in rows("The state file")}
    assert formats[__version__][0] == written
    assert str(written) in formats[__version__][1]


def test_each_way_keeps_its_state_file_where_the_page_says() -> None:
    where = {way: (re.findall("`(.*?)`", file), commands) for way, file, commands in rows("Where the state file is")}
    unit, of_actions = code_blocks(document("docs/install.md"), "ini")
    for way, text in {
        "systemd": unit.replace("%S", "/var/lib"),
        "container": document("docs/install.md"),
        "Compose": document("compose.theeye.yaml"),
        "Helm": document("helm/theeye-exporter/templates/_pod.tpl"),
    }.items():
        ((path, *_), commands) = where[way]
        assert f"--state.file={path}" in text
        assert path in commands or way == "Helm"
    assert "--state.file=/var/lib/theeye-exporter-actions/actions.state" in of_actions.replace("%S", "/var/lib")
    assert "/var/lib/theeye-exporter-actions/actions.state" in PAGE


def test_the_way_back_from_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "state"
    path.parent.mkdir()
    copy, *back = code_blocks(PAGE, "sh")
    with closing(Storage(path)) as storage:
        storage.commit("demo", Changes(Cursor(1000.0), {}, {TASK: RunTotals({Outcome.SUCCESS: 4})}))
        before = storage.load("demo")
    run(path, copy)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1000")
        db.commit()
    path.with_name("state-wal").write_bytes(b"of the newer version, which was killed")
    with pytest.raises(LedgerError, match="written by a newer version"):
        Storage(path)
    for block in back:
        run(path, block)
    with closing(Storage(path)) as storage:
        assert storage.load("demo") == before
    assert {file.name for file in path.parent.iterdir()} == {"state", "state.before"}
