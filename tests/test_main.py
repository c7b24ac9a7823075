"""How the process ends."""

import errno
import subprocess
import sys

import pytest

_FAILING = """
import sys
from theeye_exporter import cli
from theeye_exporter.__main__ import run

def main():
    raise OSError(int(sys.argv[1]), "a secret")

cli.main = main
run()
"""


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [
        (errno.EPIPE, 1, ""),
        (errno.ENOSPC, 1, ""),
        (errno.EMFILE, 70, "theeye-exporter: error: internal error, please report it: OSError at <string>:7\n"),
        (errno.EACCES, 70, "theeye-exporter: error: internal error, please report it: PermissionError at <string>:7\n"),
    ],
)
def test_an_error_of_the_system_is_told_where_anybody_can_be_told(number: int, code: int, told: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _FAILING, str(number)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", told)
