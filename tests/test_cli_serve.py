"""How `serve` reads the configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from theeye_exporter.cli import main
from theeye_exporter.commands import serve
from theeye_exporter.config import Settings


def test_organization_files_are_read_once_at_the_start_and_again_at_each_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With thousands of organisations, reading them twice would take long."""
    (tmp_path / "exporter.yml").write_text("organization_files: '*.yaml'\n")
    (tmp_path / "one.yaml").write_text("name: one\ntoken: x\n")
    names: list[list[str]] = []

    def serve_and_reload(load: Callable[[], Settings]) -> int:
        (tmp_path / "two.yaml").write_text("name: two\ntoken: x\n")
        names.append([organization.name for organization in load().organizations])
        (tmp_path / "one.yaml").write_text("name: [")
        names.extend([organization.name for organization in load().organizations] for _ in range(2))
        return 0

    monkeypatch.setattr(serve, "serve", serve_and_reload)

    assert main(["serve", f"--config.file={tmp_path}/exporter.yml"]) == 0
    assert names == [["one"], ["one", "two"], ["one", "two"]]
