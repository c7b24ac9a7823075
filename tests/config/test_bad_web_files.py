"""Each file in ``bad_web/`` has mistakes, mostly one, and says which messages are expected (FOLDER is the file's folder)."""

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from config.configurations import CANARY, problems_of
from web.certificates import Authority

BAD_FILES = sorted((Path(__file__).parent / "bad_web").glob("*.yml"))
ENVIRON = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "token"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with good certificates and bad ones."""
    folder = tmp_path_factory.mktemp("web")
    authority = Authority(folder)
    authority.issue("client", "prometheus.example")
    certificate, key = authority.server
    for good, bad in ((certificate, "damaged.pem"), (key, "damaged.key")):
        lines = good.read_text().splitlines()
        (folder / bad).write_text("\n".join([*lines[:2], *lines[3:]]))
    encrypted = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (folder / "encrypted.key").write_bytes(encrypted)
    return folder


@pytest.mark.parametrize("file", BAD_FILES, ids=lambda file: file.stem)
def test_mistake_is_reported_with_line_key_and_remedy(file: Path, folder: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = [
        line.removeprefix("# expect: ").replace("FOLDER", str(folder))
        for line in lines
        if line.startswith("# expect: ")
    ]
    copy = folder / file.name
    shutil.copy(file, copy)

    problems = problems_of(f"--web.config.file={copy}", environ=ENVIRON)

    assert [problem.removeprefix(f"{copy}:") for problem in problems] == expected
    assert not any(CANARY in problem for problem in problems)


def test_there_are_bad_files() -> None:
    assert len(BAD_FILES) > 55
