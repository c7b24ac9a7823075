"""Files that cannot be used at all: one line, never a traceback."""

from pathlib import Path

import pytest

from config.configurations import CANARY, configure, problems_of

ENVIRON = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": CANARY}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "1: the file is empty"),
        (b"log: {level: info}\nlog: \xff\n", "2: not a text file in UTF-8"),
        ("log: {level: info}".encode("utf-16"), "1: not a text file in UTF-8"),
        (b"\x7fELF\x00\x00\x01", "1: not YAML: a control character"),
        (b"log:\n  level: \x00\n", "2: not YAML: a control character"),
        (b"#" * 2**20 + b"\n", "1: the file is larger than 1 MiB"),
        (b"[" * 100_000, "1: nested deeper than 16 levels"),
        (b"a: [" + b"x, " * 200_000 + b"]", "1: more than 100000 values once aliases are expanded"),
    ],
    ids=["empty", "not UTF-8", "UTF-16", "binary", "NUL", "large", "deep", "long"],
)
def test_content(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "exporter.yml"
    file.write_bytes(content)
    assert problems_of(file=file, environ=ENVIRON) == [problem]


def test_windows_files_are_read(tmp_path: Path) -> None:
    """Editors there add a byte order mark and carriage returns."""
    file = tmp_path / "exporter.yml"
    file.write_bytes("\ufeffweb:\r\n  telemetry_path: /x\r\n".encode())
    assert configure(file=file, environ=ENVIRON).web.telemetry_path == "/x"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    file = tmp_path / "exporter.yml"
    assert problems_of(file=file, environ=ENVIRON) == [f"command line: --config.file: no permission to read {file}"]


def test_name_of_the_file_cannot_break_the_line(tmp_path: Path) -> None:
    assert problems_of(file=tmp_path / "a\nb.yml", text="", environ=ENVIRON) == [
        "command line: --config.file: expected the path of a file, without control characters"
    ]
