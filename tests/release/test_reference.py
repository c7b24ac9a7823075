"""The tables of docs/configuration.md are made from the settings, and drift is noticed."""

from pathlib import Path

import pytest

from make_reference import main, with_settings
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.config import Settings
from theeye_exporter.values.parsers import format_size

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_what_is_committed_is_what_is_made() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    "start",
    [
        *(f"| `--collector.{kind.name}`" for kind in COLLECTORS),
        "| `--shard.count`",
        "| `THEEYE_TOKEN`",
        "| `timeout`",
        "| `token_file`",
        "| `max_age`",
        "| `telemetry_path`",
        "| `level`",
        "| `file`",
        "| `index`",
        "| `job_turnaround`",
        "| `buckets`",
        "| `max_response_bytes`",
        "| `tags`",
    ],
)
def test_drift_is_noticed_and_mended(start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = REFERENCE.read_text()
    assert text.count(f"\n{start}") == 1
    copy = tmp_path / "configuration.md"
    copy.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith(start)))
    assert main(["--check"], copy) == 1
    assert "not what `make docs` makes" in capsys.readouterr().err
    assert main([], copy) == 0
    assert copy.read_text() == text


def test_a_default_is_told_as_it_is() -> None:
    assert (
        f"| `max_response_bytes` | size: bytes, or with KiB, MiB or GiB | `{format_size(Settings().limits.max_response_bytes)}` |"
        in REFERENCE.read_text()
    )


@pytest.mark.parametrize("place", ["<!-- /web -->", "<!-- collectors: made by `make docs` -->", "\ncollectors:"])
def test_a_reference_without_a_place_for_something_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match=r"has places for|no places like"):
        with_settings(REFERENCE.read_text().replace(place, ""))


def test_a_place_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="'wbe'"):
        with_settings(REFERENCE.read_text().replace("web: made by", "wbe: made by").replace("/web -->", "/wbe -->"))
