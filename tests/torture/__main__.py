"""Runs the attacks of the tests many more times: `make torture`, or `make torture SCALE=0.1 SEED=1` for a tenth."""

import argparse
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from torture.attacks import ATTACKS, Attack

_ROOT: Final = Path(__file__).parents[2]
_SECONDS_AT_MOST: Final = 4 * 3600
"""No attack may take longer, whatever its scale."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attack: whether everything held, how long it took, and what was counted."""

    held: bool
    tests: int
    seconds: float
    counted: Counter[str]
    output: str


@contextmanager
def _load(programs: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for program in busy:
            program.kill()
            program.wait()


def _command(attack: Attack, seed: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "pyproject.toml",
        "-p",
        "no:cacheprovider",
        f"--hypothesis-seed={seed}",
        *attack.tests,
    ]


def run(attack: Attack, scale: float, seed: int, folder: Path) -> Outcome:
    """Make an attack, and end whatever it started."""
    results = folder / "results.xml"
    results.unlink(missing_ok=True)
    environment = {**os.environ, **attack.environment(scale, seed)}
    began = time.monotonic()
    with (folder / "output").open("w+") as output, _load((os.cpu_count() or 1) * attack.beside_load):
        process = subprocess.Popen(
            [*_command(attack, seed), "--numprocesses=auto", f"--junitxml={results}"],
            cwd=_ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(_SECONDS_AT_MOST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        output.seek(0)
        said = output.read()
    tests, counted = _read(results)
    # A test that was skipped tried nothing.
    held = code == 0 and tests > 0 and "skipped" not in said.splitlines()[-1]
    return Outcome(held, tests, time.monotonic() - began, counted, said)


def _read(results: Path) -> tuple[int, Counter[str]]:
    """Return how many tests ran, and the sums, of peaks the highest, of what they noted."""
    if not results.exists():
        return 0, Counter()
    cases = list(ET.parse(results).iter("testcase"))  # noqa: S314 - pytest's own
    counted: Counter[str] = Counter()
    for noted in (noted for case in cases for noted in case.iter("property")):
        name, value = noted.attrib["name"], int(noted.attrib["value"])
        counted[name] = max(counted[name], value) if "peak" in name else counted[name] + value
    return len(cases), counted


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def _row(attack: Attack, scale: float, outcome: Outcome) -> str:
    counted = ", ".join(f"{_number(count)} {name}" for name, count in outcome.counted.items())
    verdict = "held" if outcome.held else "**broke**"
    tried = f"{_number(attack.count(scale))} {attack.unit}"
    return f"| {attack.name} | {tried} | {counted} | {outcome.seconds:.0f} s | {verdict} |"


def main() -> int:
    """Make all attacks, or those that are named; the exit code is 1 if one broke something."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of everything; 1 takes hours")
    parser.add_argument("--seed", type=int, default=0, help="repeats a run; without one, or with 0, it is a new one")
    parser.add_argument("--only", metavar="TEXT", default="", help="attacks whose names have this in them")
    flags = parser.parse_args()
    seed = flags.seed or secrets.randbelow(10**6) + 1
    print(f"seed {seed}, scale {flags.scale:g}, load {os.getloadavg()[0]:.1f}", flush=True)
    rows, broken = [], []
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        for attack in (attack for attack in ATTACKS if flags.only in attack.name):
            outcome = run(attack, flags.scale, seed, Path(folder))
            rows.append(_row(attack, flags.scale, outcome))
            print(rows[-1], flush=True)
            if not outcome.held:
                broken.append(attack.name)
                variables = [f"{key}={value}" for key, value in attack.environment(flags.scale, seed).items()]
                print(outcome.output[-10_000:])
                print(f"again: {' '.join(variables)} {shlex.join(_command(attack, seed))}", flush=True)
    verdict = f"broke: {', '.join(broken)}" if broken else "everything held" if rows else "nothing was tried"
    print(f"\nseed {seed}, scale {flags.scale:g}: {verdict}")
    return bool(broken) or not rows


if __name__ == "__main__":
    sys.exit(main())
