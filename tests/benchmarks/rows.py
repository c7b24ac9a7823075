"""The rows of the table: what is measured, what it is compared with, the ratio and the target."""

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
    """The target of a row.

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
    """A value of a row: the median of the repeats, the smallest, the largest, and the ratio of medians if there is one."""

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
                    name=f"scrape latency {quantile}, OpenMetrics, gzip, 1 connection",
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
                against="nginx",
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
            against="nginx",
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
                name=f"scrape latency {quantile} during polls, {name}, fixed rate",
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
                name=f"scrapes per second during polls, {name}, {connections} connection{'s' * (connections > 1)}",
                key=f"polling/{encoding}/{connections}/rate",
                unit="/s",
                against="the same without polls",
                other=f"exporter/{encoding}/{connections}/rate",
            )
            for connections in CONNECTIONS
        ]
    rows.append(Row(name="polls per second during these scrapes", key="polling/gzip/polls", unit="/s"))
    return rows


def _polls() -> list[Row]:
    parts = {
        "decode": "decode",
        "collect": "collect",
        "render": "render and publish",
        "compress": "compress",
        "http": "HTTP and decompression (not in the total)",
    }
    against = "msgspec, needed fields"
    rows = []
    for state, name in (("changed", "all monitors have reported"), ("same", "nothing changed")):
        rows.append(
            Row(
                name=f"CPU per poll, {name}",
                key=f"poll/{state}/total",
                unit="ms",
                against=against,
                other=f"poll/{state}/msgspec",
                target=Target(8.0, "at most 8×"),  # noqa: RUF001
            )
        )
        rows.append(
            Row(
                name=f"CPU per poll, {name}",
                key=f"poll/{state}/total",
                unit="ms",
                against="msgspec, all fields",
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
            name=f"response size, {name}",
            key=f"exporter/{encoding}/bytes",
            unit="MiB",
            against="baseline",
            other=f"baseline/{encoding}/bytes",
            factor=2**-20,
        )
        for encoding, name in zip(ENCODINGS, ("gzip", "not compressed"), strict=True)
    ],
    Row(name="series, including the exporter's own", key="exporter/series", unit=""),
    Row(
        name="resident memory after polls and scrapes",
        key="exporter/resident",
        unit="MiB",
        target=Target(200, "at most 200 MiB"),
    ),
    Row(
        name="peak resident memory",
        key="exporter/peak",
        unit="MiB",
        target=Target(1024, "at most 1 GiB at 100 000", size=100_000),
    ),
    Row(
        name="peak resident memory with hostile servers",
        key="hostile/peak",
        unit="MiB",
        target=Target(700, "under 700 MiB"),
    ),
    Row(
        name="time from start to ready",
        key="start/exporter",
        unit="s",
        factor=1e-3,
        against="theeye-exporter --version",
        other="start/version",
    ),
]

_GROWTH: Final = [
    Row(
        name="growth of CPU per poll and monitor",
        key="poll/changed/total",
        unit="ms",
        against="fewest monitors",
        growth=True,
        per_monitor=True,
        target=Target(1.5, "linear: at most 1.5× at 100 000", size=100_000),  # noqa: RUF001
    ),
    Row(
        name="growth of CPU per HEAD request, gzip",
        key="exporter/head/cpu",
        unit="ms",
        against="fewest monitors",
        growth=True,
        target=Target(2.0, "flat: at most 2× at 100 000", size=100_000),  # noqa: RUF001
    ),
    Row(
        name="growth of user CPU per scrape, gzip",
        key="exporter/gzip/1/user",
        unit="ms",
        against="fewest monitors",
        growth=True,
    ),
    Row(
        name="total CPU per scrape, gzip",
        key="exporter/gzip/1/cpu",
        unit="ms",
        against="nginx",
        other="nginx/gzip/1/cpu",
    ),
]

LEDGER: Final = ("in memory", "in a file")
"""Where the ledger keeps what it knows."""

_LEDGER: Final = [
    Row(
        name=f"CPU per jobs poll, ledger {where}",
        key=f"ledger/{where}",
        unit="ms",
        against="fewest known jobs",
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
