"""The rows of the table: which measurement stands beside which, as what kind of ratio, and what the target is."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.measure import CONNECTIONS, ENCODINGS, Series

__all__ = ["LEDGER", "ROWS", "TARGET_SIZE", "Cell", "Row", "Target", "cell", "met"]

TARGET_SIZE: Final = 10_000
"""Monitors at which targets hold, where they do not say otherwise."""

Ratio = Callable[[float, float], float]


def _share(value: float, against: float) -> float:
    return value / against


def _faster(value: float, against: float) -> float:
    return against / value


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of a row.

    Attributes:
        bound: of the ratio, or of the value if there is no ratio.
        text: the bound for people.
        at_least: whether the bound is the least, and not the most.
        size: monitors.
    """

    bound: float
    text: str
    at_least: bool = False
    size: int = TARGET_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        name: what is measured.
        key: of the measurement.
        unit: of its values.
        against: what it is compared with, for people; empty without a ratio.
        other: key of that measurement.
        ratio: how the two become one.
        suffix: what stands behind the ratio.
        factor: what values are multiplied by to be in `unit`.
        growth: the ratio is that of this size to the smallest one; `other` is not used.
        per_monitor: growth is that of the value per monitor.
        target: what is wanted, if anything.
    """

    name: str
    key: str
    unit: str
    against: str = ""
    other: str = ""
    ratio: Ratio = _share
    suffix: str = "×"  # noqa: RUF001 - that is how ratios are written
    factor: float = 1.0
    growth: bool = False
    per_monitor: bool = False
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A row at one size: the median of the repeats, the smallest, the largest, and the ratio of medians if there is one."""

    value: float
    low: float
    high: float
    ratio: float | None


def cell(row: Row, size: int, measured: Mapping[int, Series]) -> Cell:
    """Work out a row at a size."""
    values = [value * row.factor for value in measured[size][row.key]]
    value = statistics.median(values)
    ratio = None
    if row.growth:
        smallest = min(measured)
        first = statistics.median(measured[smallest][row.key]) * row.factor
        ratio = value / first
        if row.per_monitor:
            ratio /= size / smallest
    elif row.other:
        ratio = row.ratio(value, statistics.median(measured[size][row.other]) * row.factor)
    return Cell(value, min(values), max(values), ratio)


def met(target: Target, cell: Cell) -> bool:
    """Whether a target is met."""
    reached = cell.value if cell.ratio is None else cell.ratio
    return reached >= target.bound if target.at_least else reached <= target.bound


def _latencies() -> list[Row]:
    rows = []
    for encoding, name in zip(ENCODINGS, ("gzip", "not compressed"), strict=True):
        target = Target(1000, "1 000× faster", at_least=True) if encoding == "gzip" else None  # noqa: RUF001
        rows += [
            Row(
                name=f"scrape latency {quantile}, {name}, 1 connection",
                key=f"exporter/{encoding}/1/{quantile}",
                unit="ms",
                against="baseline, median",
                other=f"baseline/{encoding}/p50",
                ratio=_faster,
                suffix="× faster",  # noqa: RUF001
                target=target if quantile == "p50" else None,
            )
            for quantile in ("p50", "p99")
        ]
        if encoding == "gzip":
            rows += [
                Row(
                    name=f"scrape latency {quantile}, as Prometheus 3 asks (OpenMetrics), gzip, 1 connection",
                    key=f"exporter/openmetrics/1/{quantile}",
                    unit="ms",
                    against="baseline, median",
                    other="baseline/gzip/p50",
                    ratio=_faster,
                    suffix="× faster",  # noqa: RUF001
                )
                for quantile in ("p50", "p99")
            ]
        rows += [
            Row(
                name=f"scrape latency {quantile}, {name}, 8 connections",
                key=f"exporter/{encoding}/8/{quantile}",
                unit="ms",
                against="nginx, the same",
                other=f"nginx/{encoding}/8/{quantile}",
            )
            for quantile in ("p50", "p99")
        ]
    return rows


def _throughputs() -> list[Row]:
    return [
        Row(
            name=f"scrapes per second, {name}, {connections} connection{'s' * (connections > 1)}",
            key=f"exporter/{encoding}/{connections}/rate",
            unit="/s",
            against="nginx, the same",
            other=f"nginx/{encoding}/{connections}/rate",
            target=Target(0.5, "at least 0.5×", at_least=True) if encoding == "gzip" else None,  # noqa: RUF001
        )
        for encoding, name in zip(ENCODINGS, ("gzip", "not compressed"), strict=True)
        for connections in CONNECTIONS
    ]


def _during_polls() -> list[Row]:
    rows = []
    for encoding, name in zip(ENCODINGS, ("gzip", "not compressed"), strict=True):
        rows += [
            Row(
                name=f"scrape latency {quantile} while polls run, {name}, at fixed times",
                key=f"polling/{encoding}/fixed/{quantile}",
                unit="ms",
                against="baseline, median",
                other=f"baseline/{encoding}/p50",
                ratio=lambda value, against: 100 * value / against,
                suffix=" %",
                target=Target(1.0, "under 1 %") if (encoding, quantile) == ("gzip", "p99") else None,
            )
            for quantile in ("p50", "p99", "max")
        ]
        rows += [
            Row(
                name=f"scrapes per second while polls run, {name}, {connections} connection{'s' * (connections > 1)}",
                key=f"polling/{encoding}/{connections}/rate",
                unit="/s",
                against="without polls",
                other=f"exporter/{encoding}/{connections}/rate",
            )
            for connections in CONNECTIONS
        ]
    rows.append(Row(name="polls per second meanwhile", key="polling/gzip/polls", unit="/s"))
    return rows


def _polls() -> list[Row]:
    parts = {
        "decode": "decode",
        "collect": "collect",
        "render": "render and publish",
        "compress": "compress",
        "http": "HTTP and gunzip, not part of the sum",
    }
    against = "msgspec decoding only, what is needed, to structs"
    rows = []
    for state, name in (("changed", "every monitor reported"), ("same", "nothing changed")):
        rows.append(
            Row(
                name=f"CPU of a poll, {name}",
                key=f"poll/{state}/total",
                unit="ms",
                against=against,
                other=f"poll/{state}/msgspec",
                target=Target(4.0, "at most 4×"),  # noqa: RUF001
            )
        )
        rows.append(
            Row(
                name=f"CPU of a poll, {name}",
                key=f"poll/{state}/total",
                unit="ms",
                against="msgspec decoding everything, to Python's own types",
                other=f"poll/{state}/plain",
            )
        )
        rows += [
            Row(name=f"— {text}", key=f"poll/{state}/{part}", unit="ms", against=against, other=f"poll/{state}/msgspec")
            for part, text in parts.items()
        ]
    return rows


_SIZES: Final = [
    *[
        Row(
            name=f"bytes of a scrape, {name}",
            key=f"exporter/{encoding}/bytes",
            unit="MiB",
            against="baseline",
            other=f"baseline/{encoding}/bytes",
            factor=2**-20,
        )
        for encoding, name in zip(ENCODINGS, ("gzip", "not compressed"), strict=True)
    ],
    Row(name="series about monitors, and own", key="exporter/series", unit=""),
    Row(
        name="resident memory, after polls and scrapes",
        key="exporter/resident",
        unit="MiB",
        target=Target(200, "at most 200 MiB"),
    ),
    Row(
        name="resident memory, peak",
        key="exporter/peak",
        unit="MiB",
        target=Target(1024, "at most 1 GiB at 100 000", size=100_000),
    ),
    Row(
        name="start until ready",
        key="start/exporter",
        unit="s",
        factor=1e-3,
        against="theeye-exporter --version",
        other="start/version",
    ),
]

_GROWTH: Final = [
    Row(
        name="growth of a poll's CPU per monitor",
        key="poll/changed/total",
        unit="ms",
        against="smallest fleet",
        growth=True,
        per_monitor=True,
        target=Target(1.5, "linear: at most 1.5× at 100 000", size=100_000),  # noqa: RUF001
    ),
    Row(
        name="growth of a scrape's CPU without handing over the body (HEAD), gzip",
        key="exporter/head/cpu",
        unit="ms",
        against="smallest fleet",
        growth=True,
        target=Target(2.0, "flat: at most 2× at 100 000", size=100_000),  # noqa: RUF001
    ),
    Row(
        name="growth of a scrape's CPU in user mode, gzip",
        key="exporter/gzip/1/user",
        unit="ms",
        against="smallest fleet",
        growth=True,
    ),
    Row(
        name="a scrape's CPU in all, gzip",
        key="exporter/gzip/1/cpu",
        unit="ms",
        against="nginx, the same",
        other="nginx/gzip/1/cpu",
    ),
]

LEDGER: Final = ("in memory", "in a file")
"""Where the ledger keeps what it knows."""

_LEDGER: Final = [
    Row(
        name=f"CPU of a poll of 20 finished jobs, ledger {where}; the columns are known jobs",
        key=f"ledger/{where}",
        unit="ms",
        against="smallest ledger",
        growth=True,
    )
    for where in LEDGER
]

ROWS: Final[tuple[Row, ...]] = (
    *_latencies(),
    *_throughputs(),
    *_during_polls(),
    *_polls(),
    *_SIZES,
    *_GROWTH,
    *_LEDGER,
)
