"""Tests valid and invalid paths of the state file."""

from pathlib import Path

import pytest

from config.configurations import CANARY, configure, problems_of

HINT = "; name a file in an existing folder"
ENVIRON = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": CANARY}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def test_path_is_relative_to_the_configuration_file(file: Path) -> None:
    settings = configure(file=file, text="state: {file: exporter.state}\n", environ=ENVIRON)
    assert settings.state.file == file.parent / "exporter.state"
    assert not (file.parent / "exporter.state").exists()


def test_absolute_path(file: Path, tmp_path: Path) -> None:
    settings = configure(file=file, text=f"state: {{file: {tmp_path}/kept}}\n", environ=ENVIRON)
    assert settings.state.file == tmp_path / "kept"


def test_file_that_is_there_is_not_opened(file: Path) -> None:
    kept = file.parent / "exporter.state"
    kept.write_bytes(b"\x00")
    settings = configure(file=file, text="state: {file: exporter.state}\n", environ=ENVIRON)
    assert settings.state.file == kept
    assert kept.read_bytes() == b"\x00"


def test_flag_is_relative_to_the_working_directory(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    Path("kept").mkdir()
    settings = configure("--state.file=kept/state", file=file, text="state: {file: x}\n", environ=ENVIRON)
    assert settings.state.file == Path("kept/state")


def test_flag_needs_no_configuration_file(tmp_path: Path) -> None:
    assert configure("--state.file", str(tmp_path / "state"), environ=ENVIRON).state.file == tmp_path / "state"


def test_flag_makes_up_for_a_folder_that_is_not_there(file: Path, tmp_path: Path) -> None:
    """A configuration made for another machine can be tried on this one."""
    settings = configure(
        f"--state.file={tmp_path}/state", file=file, text="state: {file: /nonexistent/state}\n", environ=ENVIRON
    )
    assert settings.state.file == tmp_path / "state"


def test_flag_does_not_make_up_for_what_is_no_path(file: Path, tmp_path: Path) -> None:
    assert problems_of(f"--state.file={tmp_path}/state", file=file, text="state: {file: [x]}\n", environ=ENVIRON) == [
        "1: state.file: expected the path of a file, got a list"
    ]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", f"is a folder, not a file: FOLDER{HINT}"),
        ("missing/state", f"no such folder: FOLDER/missing{HINT}"),
        ("exporter.yml/state", f"a part of the path is a file, not a folder: FOLDER/exporter.yml/state{HINT}"),
        ("x" * 1000, "FOLDER/<redacted> cannot be read (File name too long)"),
    ],
    ids=["folder", "no folder", "file as folder", "long"],
)
def test_flag_where_no_file_can_be(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "exporter.yml").touch()
    (told,) = problems_of(f"--state.file={tmp_path / path}", environ=ENVIRON)
    assert told.replace(str(tmp_path), "FOLDER") == f"command line: --state.file: {problem}"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    assert problems_of(f"--state.file={tmp_path}/state", environ=ENVIRON) == [
        f"command line: --state.file: no permission to read {tmp_path}/state"
    ]
