"""Tests that the benchmarks run and fill the table. The tests do not judge the figures."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load import Scraper, without_pause
from benchmarks.report import put_into, put_table
from benchmarks.rows import ROWS, Row, Target, cell, met
from playback import Reply, http_server
from tools import require_tool

TESTS = Path(__file__).parents[1]
BEGIN = "<!-- what follows is written by make bench -->"
END = "<!-- what make bench writes ends here -->"


@pytest.mark.e2e
def test_a_quick_run_fills_every_row_with_numbers_and_leaves_the_documentation_alone(tmp_path: Path) -> None:
    for tool in ("nginx", "wrk", "taskset"):
        require_tool(tool)
    document = TESTS.parent / "docs" / "performance.md"
    before = document.read_bytes()
    figures = tmp_path / "figures.json"
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", f"--json={figures}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = json.loads(figures.read_text())
    assert [row["name"] for row in rows] == [row.name for row in ROWS]
    for row, spec in zip(rows, ROWS, strict=True):
        assert row["name"] in run.stdout
        assert list(row["cells"]) == ["100", "1000"]
        for found in row["cells"].values():
            numbers = [found["low"], found["value"], found["high"]]
            assert numbers == sorted(numbers)
            if spec.other or spec.growth:
                numbers.append(found["ratio"])
            assert all(math.isfinite(number) and number >= 0 for number in numbers), row
    assert "3 canaries" in run.stdout
    assert "CPU time at rest" in run.stdout
    assert document.read_bytes() == before


def test_a_target_is_judged_by_the_ratio_of_medians() -> None:
    row = Row(name="speed", key="ours", unit="/s", against="theirs", other="theirs")
    found = cell(row, 10_000, {10_000: {"ours": [3.0, 5.0, 40.0], "theirs": [10.0, 1.0, 11.0]}})
    assert (found.value, found.low, found.high, found.ratio) == (5.0, 3.0, 40.0, 0.5)
    assert met(Target(0.5, "", at_least=True), found)
    assert not met(Target(0.6, "", at_least=True), found)
    assert met(Target(0.5, ""), found)
    assert not met(Target(0.4, ""), found)


def test_growth_is_that_from_the_smallest_fleet() -> None:
    measured = {1_000: {"ours": [2.0]}, 100_000: {"ours": [300.0]}}
    plain = Row(name="", key="ours", unit="", growth=True)
    each = Row(name="", key="ours", unit="", growth=True, per_monitor=True)
    assert cell(plain, 100_000, measured).ratio == 150
    assert cell(each, 100_000, measured).ratio == 1.5
    assert cell(each, 1_000, measured).ratio == 1


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"by hand\n\n{BEGIN}\n\nold\n\n{END}\n\nby hand too\n")
    put_into(document, ["a", "b"])
    assert document.read_text() == f"by hand\n\n{BEGIN}\n\na\n\nb\n\n{END}\n\nby hand too\n"
    document.write_text("by hand\n")
    with pytest.raises(RuntimeError, match="lacks the marks"):
        put_into(document, ["a"])
    assert document.read_text() == "by hand\n"


def test_a_table_that_was_measured_apart_takes_the_place_of_the_one_of_its_name(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    put_into(document, ["- about: all", "| what | 1 |\n| --- | --- |", "| many | 1 |\n| --- | --- |"])
    for note in ("today", "later"):
        put_table(document, f"| many | {note} |\n| --- | --- |", note)
        assert document.read_text() == (
            f"before\n{BEGIN}\n\n- about: all\n\n| what | 1 |\n| --- | --- |\n\n"
            f"Measured separately: {note}\n\n| many | {note} |\n| --- | --- |\n\n{END}\nafter\n"
        )


def test_an_error_is_no_scrape() -> None:
    wrk = require_tool("wrk")
    with http_server(lambda _: Reply(b"busy", 503)) as server:
        url = f"{server.url}/metrics"
        with Scraper(url, compressed=False) as scraper, pytest.raises(RuntimeError, match="503"):
            scraper.scrape()
        with pytest.raises(RuntimeError, match="wrk met errors"):
            without_pause(wrk, url, connections=1, seconds=1, headers=(), size=0)


def test_a_scrape_is_read_to_its_end() -> None:
    body = bytes(range(256)) * 20_000
    with http_server(lambda _: Reply(body)) as server:
        url = f"{server.url}/metrics"
        received = bytearray()
        with Scraper(url, compressed=False) as scraper:
            assert scraper.scrape(received.extend) == len(body)
        assert received == body
        with Scraper(url, compressed=True) as scraper, pytest.raises(RuntimeError, match="not the answer that was"):
            scraper.scrape()
