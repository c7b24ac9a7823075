"""How the process ends."""

import errno
import os
import platform
import subprocess
import sys

import pytest

from processes import exporter_command

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
        (
            errno.EMFILE,
            70,
            "theeye-exporter: error: the system lets the exporter open no more files and connections\n",
        ),
        (errno.ENOMEM, 70, "theeye-exporter: error: the system gives the exporter no more memory\n"),
        (errno.EACCES, 70, "theeye-exporter: error: internal error, please report it: PermissionError at <string>:7\n"),
    ],
)
def test_a_system_error_is_reported_if_stderr_works(number: int, code: int, told: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _FAILING, str(number)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", told)


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_what_a_flag_prints_arrives_in_a_pipe(flag: str) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = exporter_command(flag)
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=buffered).stdout
    assert "theeye-exporter" in said


_ARENAS = """
import ctypes, sys, threading
from theeye_exporter.machine import keep_memory_together

if sys.argv[1] == "together":
    keep_memory_together()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everybody = threading.Barrier(3)

def take():
    everybody.wait()
    libc.malloc(100_000)
    everybody.wait()

threads = [threading.Thread(target=take) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, libc.stdout)
libc.fflush(libc.stdout)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_all_threads_take_memory_from_one_place() -> None:
    def arenas(how: str) -> int:
        command = [sys.executable, "-c", _ARENAS, how]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.count("<heap ")

    assert arenas("apart") > 1
    assert arenas("together") == 1
