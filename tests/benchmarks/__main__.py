"""Measures, prints the table and writes it into the documentation: `make bench`, or `make bench ARGS=--quick`."""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import canaries, gentle, ledger, organizations, worst
from benchmarks.machine import describe
from benchmarks.measure import Plan, Series, measure
from benchmarks.programs import find_tools, pin_generator
from benchmarks.report import as_data, as_markdown, as_text, put_into
from benchmarks.rows import LEDGER

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "performance.md"
_FULL: Final = Plan()
_QUICK: Final = Plan(
    sizes=(100, 1_000),
    rounds=1,
    seconds=1.0,
    states=2,
    polls=3,
    baseline_scrapes=1,
    rates=(50.0, 20.0),
    least=5,
    attack_seconds=1,
    gentle_sizes=(100,),
    gentle_seconds=120.0,
    organizations=(1, 5),
    organizations_seconds=3.0,
    canaries=3,
    canaries_seconds=3.0,
)


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the exporter against others.")
    parser.add_argument("--quick", action="store_true", help="small fleets, no repeats; the documentation stays")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there, after each fleet")
    parser.add_argument(
        "--monitors",
        type=int,
        nargs="+",
        metavar="COUNT",
        help="fleets of these sizes instead; the documentation stays",
    )
    flags = parser.parse_args()
    tools = find_tools()
    plan = _QUICK if flags.quick else _FULL
    if flags.monitors:
        plan = replace(plan, sizes=tuple(sorted(set(flags.monitors))))
    about = describe(tools)
    pin_generator()
    began = time.monotonic()
    measured: dict[int, Series] = {}

    def tell(size: int, text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {size:,}: {text}", flush=True)

    for size in plan.sizes:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            measured[size] = measure(plan, size, Path(folder), tools, partial(tell, size))
        for where in LEDGER:
            tell(size, f"ledger {where}")
            measured[size][f"ledger/{where}"] = ledger.costs(size, in_file=where == "in a file")
        if size == plan.sizes[-1]:
            tell(size, "hostile servers")
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                peak = worst.peak(Path(folder), plan.attack_seconds)
            for series in measured.values():
                series["hostile/peak"] = [peak]
    tell(plan.gentle_sizes[-1], "what polls cost TheEye")
    spared = gentle.as_markdown(plan.gentle_seconds, plan.gentle_sizes)
    seen = {
        count: organizations.measure(count, plan.organizations_seconds, partial(tell, count))
        for count in plan.organizations
    }
    many = organizations.as_markdown(seen)
    started = canaries.as_markdown(
        plan.canaries, canaries.measure(plan.canaries, plan.canaries_seconds, partial(tell, plan.canaries))
    )
    if flags.json:
        flags.json.write_text(json.dumps(as_data(measured), indent=1))
    print("\n".join(f"{name}: {text}" for name, text in about), end="\n\n")
    print(as_text(measured), spared, many, started, sep="\n\n")
    if plan is _FULL:
        described = "\n".join(f"- {name}: {text}" for name, text in about)
        put_into(_DOCUMENT, [described, as_markdown(measured), spared, many, started])


if __name__ == "__main__":
    main()
