"""Runs the programs of a benchmark on a core of their own, and measures their resources."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from processes import running

__all__ = ["CORES", "Usage", "find_tools", "memory", "pin_generator", "pinned", "python", "usage"]

_TOOLS: Final = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}
_ADMIN_PATHS: Final = "/usr/sbin:/sbin"
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_MIB: Final = 1024
_KIBIBYTES: Final = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB$", re.MULTILINE)


def _cores() -> tuple[int, int]:
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


CORES: Final = _cores()
"""The core of what is measured, and that of everything else; the same one on a machine with one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of a process, of all its threads."""

    user: float
    system: float

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.user - other.user, self.system - other.system)


def find_tools() -> dict[str, str]:
    """Return the path of each program that is needed.

    Raises:
        SystemExit: one is not installed; the text says what to install.
    """
    search = f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_PATHS}"
    found = {name: shutil.which(name, path=search) for name in _TOOLS}
    missing = [package for name, package in _TOOLS.items() if found[name] is None]
    if missing:
        names = ", ".join(name for name in _TOOLS if found[name] is None)
        raise SystemExit(f"the benchmarks need {names}; on Debian: apt-get install {' '.join(missing)}")
    return {name: path for name, path in found.items() if path}


def python(module: str, *arguments: object) -> list[str]:
    """Return the command line of a module of the benchmarks."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def pin_generator() -> None:
    """Move this process, and its unpinned children, away from the core of the measured program."""
    os.sched_setaffinity(0, {CORES[1]})


@contextmanager
def pinned(command: Sequence[str | Path], log: Path) -> Iterator[int]:
    """Run a program on the core for measurements until the block ends; yields its process id."""
    with running(["taskset", "--cpu-list", str(CORES[0]), *command], log) as process:
        yield process.pid


def usage(pid: int) -> Usage:
    """Return the CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage(int(fields[11]) * _TICK, int(fields[12]) * _TICK)


def memory(pid: int) -> tuple[float, float]:
    """Return a process' resident memory now and at its peak, in MiB."""
    found = dict(_KIBIBYTES.findall(Path(f"/proc/{pid}/status").read_text()))
    return int(found["VmRSS"]) / _MIB, int(found["VmHWM"]) / _MIB
