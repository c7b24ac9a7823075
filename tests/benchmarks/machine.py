"""Describes the machine and the versions of a benchmark."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.programs import CORES

__all__ = ["describe"]

_PACKAGES: Final = (
    *("theeye-exporter", "msgspec", "prometheus-client", "starlette", "uvicorn", "h11", "requests", "urllib3"),
    *("apscheduler", "isal"),
)
_ROOT: Final = Path(__file__).parents[2]


def describe(tools: dict[str, str]) -> list[tuple[str, str]]:
    """Return the properties of the machine as names and texts."""
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", _commit()),
        ("CPU", f"{_cpu()}, {os.cpu_count()} cores"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("load of the machine before the run", " ".join(f"{load:.2f}" for load in os.getloadavg())),
        ("pinned", f"the measured program to core {CORES[0]}, everything else to core {CORES[1]}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("libraries", ", ".join(_versions())),
        ("tools", f"nginx {_said(tools['nginx'], '-v')}, wrk {_said(tools['wrk'], '-v')}"),
    ]


def _versions() -> list[str]:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # not every version of the exporter uses each of them
            continue
    return found


def _cpu() -> str:
    named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def _commit() -> str:
    said = subprocess.run(
        ["git", "-C", _ROOT, "describe", "--always", "--dirty"], check=False, capture_output=True, text=True
    )
    return said.stdout.strip() or "unknown"


def _said(program: str, flag: str) -> str:
    said = subprocess.run([program, flag], check=False, capture_output=True, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
    return found[0] if found else "unknown"
